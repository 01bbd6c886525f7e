"""The engines on this CPU, and what each can compute in: a form is a file and one of these."""

from dataclasses import dataclass

from edgevision.core.errors import InputError
from edgevision.core.extras import requires_extra
from edgevision.core.machine import Machine
from edgevision.exporters.quantization.options import EngineChoice
from edgevision.modelfiles.measured_engine import ENGINE_TITLES, InferencePrecision, native_precisions
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.runtime.devices.availability import unavailable_reason
from edgevision.runtime.devices.backends import BACKENDS, DeviceBackend


@dataclass(frozen=True)
class EngineSettings:
    """An engine, a key of :data:`ENGINE_TITLES`, and what it computes in besides int8."""

    engine: str
    inference_precision: InferencePrecision = InferencePrecision.FP32

    @property
    def title(self) -> str:
        """As in ``OpenVINO bf16``."""
        return self.inference_precision.behind(ENGINE_TITLES[self.engine])

    @property
    def device(self) -> str:
        """The exact name of the engine's CPU, as in ``openvino:cpu``."""
        return _backend(self.engine).name


ONNX_RUNTIME = EngineSettings("onnxruntime")
OPENVINO = EngineSettings("openvino")
LITERT = EngineSettings("ai_edge_litert")
NCNN = EngineSettings("ncnn")
RKNN = EngineSettings("rknnlite")

ONLY_ENGINES = {
    ModelFormat.OPENVINO: OPENVINO,
    ModelFormat.TFLITE: LITERT,
    ModelFormat.NCNN: NCNN,
    ModelFormat.RKNN: RKNN,
}
"""Of formats that one engine reads."""


def form_label(name: str, engine: str) -> str:
    """A file and what it is run in, as in ``all int8 in OpenVINO bf16``; ONNX Runtime goes without saying."""
    return name if engine == ONNX_RUNTIME.title else f"{name} in {engine}"


def find_engine_settings(choice: EngineChoice, format: ModelFormat, *, measured: bool) -> tuple[EngineSettings, ...]:
    """What forms may be run in, the plainest first.

    Where nothing is ``measured``, as the device is not at hand, that is one engine, in float32.

    Raises:
        InputError: the engine of that ``choice`` does not read the ``format``.
        MissingExtraError: it is not installed.
    """
    if (only := ONLY_ENGINES.get(format)) is not None:
        if choice not in (EngineChoice.ANY, only.engine):
            name = "OpenVINO IR" if format is ModelFormat.OPENVINO else format
            raise InputError(
                f"{ENGINE_TITLES[choice.value]} does not read {name}: leave --format {format} or --engine out"
            )
        engines = [only.engine]
    elif choice is EngineChoice.ANY:
        there = measured and unavailable_reason(_backend("openvino")) is None
        engines = ["onnxruntime", *(["openvino"] if there else [])]
    else:
        engines = [choice.value]
    if "openvino" in engines:
        with requires_extra("openvino"):
            import openvino  # noqa: F401
    if not measured:
        return (EngineSettings(engines[0]),)
    features = Machine.this().features
    return tuple(EngineSettings(engine, one) for engine in engines for one in native_precisions(engine, features))


def _backend(engine: str) -> DeviceBackend:
    return next(backend for backend in BACKENDS if (backend.device, backend.engine.package) == ("cpu", engine))
