"""OpenVINO IR and ONNX models in OpenVINO."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgevision.errors import DeviceError, MissingExtraError, ModelFileError
from edgevision.metadata import TensorSpec
from edgevision.runtime.closing import Closing
from edgevision.runtime.engines.engine import Array

_DTYPES = {"f32": "float32", "f16": "float16", "i64": "int64", "i32": "int32", "u8": "uint8", "i8": "int8"}


class OpenVinoEngine(Closing):
    """A model compiled by OpenVINO for one of its devices (CPU, GPU, NPU)."""

    def __init__(
        self, path: Path, provider: str, device: str, *, threads: int | None = None, keep_memory: bool = True
    ) -> None:
        """Compile ``path`` for OpenVINO's device ``provider``; OpenVINO keeps its memory whatever ``keep_memory`` says.

        Raises:
            MissingExtraError: OpenVINO is not installed.
            DeviceError: OpenVINO does not see the device, or cannot compile for it.
            ModelFileError: OpenVINO cannot read the model.
        """
        openvino = import_openvino()
        core = openvino.Core()
        if provider not in core.available_devices:
            raise DeviceError(
                f"device {device!r} is OpenVINO's {provider}, and OpenVINO sees only"
                f" {', '.join(core.available_devices) or 'none'} here; `edgevision devices` says what brings it"
            )
        options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if provider == "CPU":
            # OpenVINO computes in bf16 where the CPU has it; the file's own precision is what was verified.
            options["INFERENCE_PRECISION_HINT"] = "f32"
            if threads is not None:
                options["INFERENCE_NUM_THREADS"] = threads
        try:
            model = core.read_model(path)
        except RuntimeError as error:
            raise ModelFileError(f"{str(path)!r} cannot be read by OpenVINO: {_last_line(error)}") from error
        try:
            compiled = core.compile_model(model, provider, options)
        except RuntimeError as error:
            raise DeviceError(f"OpenVINO cannot compile {path.name!r} for {device}: {_last_line(error)}") from error
        self._request: Any = compiled.create_infer_request()
        self.name = f"OpenVINO {openvino.__version__.split('-')[0]}"
        self.device = device
        self.provider = provider
        self.inputs = tuple(_spec(port) for port in compiled.inputs)
        self.outputs = tuple(_spec(port) for port in compiled.outputs)

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        missing = [spec.name for spec in self.inputs if spec.name not in feeds]
        if missing:
            raise ValueError(f"the model also takes {', '.join(missing)}")
        try:
            results = self._request.infer(dict(feeds), share_inputs=True)
        except RuntimeError as error:
            reason = _last_line(error)
            if "shape" in reason.lower() or "incompatible" in reason.lower():
                raise ValueError(f"the model does not take this input: {reason}") from error
            raise DeviceError(f"{self.name} failed on {self.device}: {reason}") from error
        return [results[index] for index in range(len(self.outputs))]

    def close(self) -> None:
        self._request = None


def import_openvino() -> Any:
    """The ``openvino`` module."""
    try:
        import openvino
    except ImportError as error:
        raise MissingExtraError("openvino", "openvino") from error
    return openvino


def _spec(port: Any) -> TensorSpec:
    shape = tuple(d.get_length() if d.is_static else "?" for d in port.partial_shape)
    kind = port.element_type.get_type_name()
    return TensorSpec(name=port.any_name, shape=shape, dtype=_DTYPES.get(kind, kind))


def _last_line(error: Exception) -> str:
    """OpenVINO stacks the places an exception passed through; the last line is the reason."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
