"""What this machine can run models on, and for the rest why not and what would bring it."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec

from edgevision.errors import EdgevisionError
from edgevision.modelfile import ModelFormat
from edgevision.records import Record, record
from edgevision.runtime.devices import DOORS, Door


@record
class DeviceReport(Record):
    """Whether one device can be used, for which model files, and if not, why and what brings it."""

    device: str
    engine: str
    version: str | None
    models: str
    available: bool
    reason: str | None = None
    remedy: str | None = None


def survey() -> tuple[DeviceReport, ...]:
    """Every device of the table, in its order, with the truth about it."""
    return tuple(_report(word, door, kind) for kind, doors in DOORS.items() for word, door in doors.items())


def _report(word: str, door: Door, kind: ModelFormat) -> DeviceReport:
    models = ".onnx" if kind is ModelFormat.ONNX else ".xml"
    version = reason = None
    if find_spec(door.engine) is None:
        reason = f"{door.engine} is not installed"
    else:
        try:
            version, present = _ENGINES[door.engine]()
            if door.provider not in present:
                reason = f"{door.engine} {version} offers only {', '.join(present)}"
        except (ImportError, EdgevisionError) as error:
            reason = f"{door.engine} is broken: {error}"
    return DeviceReport(
        device=word,
        engine=door.engine,
        version=version,
        models=models,
        available=reason is None,
        reason=reason,
        remedy=None if reason is None else door.remedy,
    )


def _onnx_runtime() -> tuple[str, list[str]]:
    from edgevision.runtime.engines.onnx_runtime import import_onnx_runtime

    runtime = import_onnx_runtime()
    # Azure's provider calls a web service; it is no device of this machine.
    return runtime.__version__, [p for p in runtime.get_available_providers() if p != "AzureExecutionProvider"]


def _openvino() -> tuple[str, list[str]]:
    from edgevision.runtime.engines.openvino_engine import import_openvino

    openvino = import_openvino()
    return openvino.__version__.split("-")[0], list(openvino.Core().available_devices)


_ENGINES: Mapping[str, Callable[[], tuple[str, list[str]]]] = {"onnxruntime": _onnx_runtime, "openvino": _openvino}
