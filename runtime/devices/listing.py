"""What this machine can run models on, and for the rest why not and what would bring it."""

from importlib.metadata import PackageNotFoundError, distributions, version

from edgevision.core.installation import pip_command
from edgevision.core.records import Record, record
from edgevision.runtime.devices.availability import absence
from edgevision.runtime.devices.opening import WAYS, Way

_DISTRIBUTIONS = {
    "openvino": "openvino",
    "onnxruntime_qnn": "onnxruntime-qnn",
    "onnxruntime_ep_openvino": "onnxruntime-ep-openvino",
}
_ONNX_RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino", "onnxruntime-rocm")


@record
class DeviceReport(Record):
    """Whether one device can be used, for which model files, and if not, why and what brings it.

    ``exact`` is the word for this engine alone, and the only one for a device that is ``simulated``; ``dynamic`` says
    whether sides of a model may stay open.
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


def survey() -> tuple[DeviceReport, ...]:
    """Every device of the table, in its order, with the truth about it."""
    return tuple(_report(way) for way in WAYS)


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


def _report(way: Way) -> DeviceReport:
    reason, simulated = absence(way), False
    if reason is not None and absence(way, exact=True) is None:
        reason, simulated = None, True
    return DeviceReport(
        device=way.word,
        exact=way.name,
        engine=way.engine.package,
        version=_version(way.engine.package),
        models=tuple(f".{'xml' if kind == 'openvino' else kind}" for kind in way.engine.formats),
        precisions=way.precisions,
        dynamic=way.dynamic,
        available=reason is None,
        simulated=simulated,
        reason=reason,
        remedy=None if reason is None else way.remedy,
    )


def _version(package: str) -> str | None:
    """Of the installed distribution; ONNX Runtime comes in several."""
    for name in [_DISTRIBUTIONS[package]] if package in _DISTRIBUTIONS else _ONNX_RUNTIMES:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None
