"""What this machine can run models on, and for the rest why not and what would bring it."""

from importlib.metadata import PackageNotFoundError, distributions, version

from edgevision.core.installation import pip_command
from edgevision.core.records import Record, record
from edgevision.runtime.devices.availability import unavailable_reason
from edgevision.runtime.devices.backends import BACKENDS, DeviceBackend

_DISTRIBUTIONS = {
    "openvino": "openvino",
    "ai_edge_litert": "ai-edge-litert",
    "ncnn": "ncnn",
    "rknnlite": "rknn-toolkit-lite2",
    "onnxruntime_qnn": "onnxruntime-qnn",
    "onnxruntime_ep_openvino": "onnxruntime-ep-openvino",
}
_ONNX_RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino", "onnxruntime-rocm")


@record
class DeviceReport(Record):
    """Whether one device can be used, for which model files, and if not, why and what brings it.

    ``exact`` is its name on this engine alone, and the only one for a device that is ``simulated``; ``dynamic`` says
    whether it takes models with dynamic axes.
    """

    device: str
    exact: str
    engine: str
    version: str | None
    models: tuple[str, ...]
    precisions: tuple[str, ...]
    dynamic: bool
    available: bool
    simulated: bool = False
    reason: str | None = None
    remedy: str | None = None


def list_devices() -> tuple[DeviceReport, ...]:
    """Every device of the table, in its order, and whether it can be used."""
    return tuple(_report(backend) for backend in BACKENDS)


def conflicts() -> tuple[str, ...]:
    """What is wrong with the installation itself, and how to mend it."""
    names = {str(d.metadata["Name"]).lower().replace("_", "-") for d in distributions()}
    runtimes = [name for name in _ONNX_RUNTIMES if name in names]
    if len(runtimes) < 2:
        return ()
    keep = "onnxruntime-gpu" if "onnxruntime-gpu" in runtimes else runtimes[-1]
    return (
        f"{' and '.join(runtimes)} are installed into the same folder and break each other;"
        f" keep one: {pip_command(' '.join(('uninstall', *runtimes)))}; {pip_command(f'install {keep}')}",
    )


def _report(backend: DeviceBackend) -> DeviceReport:
    reason, simulated = unavailable_reason(backend), False
    if reason is not None and unavailable_reason(backend, simulators=True) is None:
        reason, simulated = None, True
    return DeviceReport(
        device=backend.device,
        exact=backend.name,
        engine=backend.engine.package,
        version=_version(backend.engine.package),
        models=tuple(kind.suffix for kind in backend.engine.formats),
        precisions=backend.precisions,
        dynamic=backend.dynamic,
        available=reason is None,
        simulated=simulated,
        reason=reason,
        remedy=None if reason is None else backend.remedy,
    )


def _version(package: str) -> str | None:
    """Of the installed distribution; ONNX Runtime comes in several."""
    for name in [_DISTRIBUTIONS[package]] if package in _DISTRIBUTIONS else _ONNX_RUNTIMES:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None
