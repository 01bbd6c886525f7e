"""ONNX models in ONNX Runtime."""

import ctypes
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgevision.errors import DeviceError, MissingExtraError, ModelFileError
from edgevision.metadata import TensorSpec
from edgevision.modelfile import read_metadata
from edgevision.runtime.closing import Closing
from edgevision.runtime.engines.engine import Array

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}


class OnnxRuntimeEngine(Closing):
    """An ``.onnx`` file in an ONNX Runtime session on one execution provider."""

    def __init__(
        self, path: Path, provider: str, device: str, *, threads: int | None = None, keep_memory: bool = True
    ) -> None:
        """Load ``path`` on ``provider``, which must be available and is checked to be what the session uses.

        With ``keep_memory`` the buffers of one inference stay allocated for the next.

        Raises:
            MissingExtraError: ONNX Runtime is not installed.
            DeviceError: the provider is not there or did not take the model.
            ModelFileError: ONNX Runtime cannot read the model.
        """
        runtime = import_onnx_runtime()
        if provider not in runtime.get_available_providers():
            raise DeviceError(
                f"device {device!r} needs ONNX Runtime's {provider}, which this installation"
                f" ({runtime.__version__}) does not have; `edgevision devices` says what brings it"
            )
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
        options.enable_cpu_mem_arena = keep_memory
        # Without the arena, buffers that are planned to be used again stay until then: 1.5 times the memory.
        options.enable_mem_reuse = keep_memory
        if provider == "CPUExecutionProvider" and not _fits_avx2(path):
            # Otherwise x86 without VNNI saturates sums of 16 bits in int8 models that were not made for it.
            options.add_session_config_entry("session.x64quantprecision", "1")
        if provider != "CPUExecutionProvider":
            # Without this the CPU takes over in silence what the device cannot do.
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        try:
            self._session: Any = runtime.InferenceSession(str(path), options, providers=[provider])
        except Exception as error:  # each failure has a class of its own that shares no base but Exception
            raise _load_error(path, device, error) from error
        if self._session.get_providers()[0] != provider:
            raise DeviceError(
                f"device {device!r} did not start: ONNX Runtime fell back from {provider} to"
                f" {self._session.get_providers()[0]}; `edgevision devices` says what is missing"
            )
        self._trim = None if keep_memory else _heap_trimmer()
        self.name = f"ONNX Runtime {runtime.__version__}"
        self.device = device
        self.provider = provider
        self.inputs = tuple(_spec(node) for node in self._session.get_inputs())
        self.outputs = tuple(_spec(node) for node in self._session.get_outputs())

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        try:
            outputs: list[Array] = self._session.run(None, feeds)
        except Exception as error:
            reason = _first_line(error)
            if "INVALID_ARGUMENT" in str(error) or isinstance(error, ValueError):
                raise ValueError(f"the model does not take this input: {reason}") from error
            raise DeviceError(f"{self.name} failed on {self.device}: {reason}") from error
        if self._trim is not None:
            self._trim(0)
        return outputs

    def close(self) -> None:
        self._session = None


def import_onnx_runtime() -> Any:
    """The ``onnxruntime`` module, of whichever wheel is installed."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("onnxruntime", "cpu") from error
    return onnxruntime


def _heap_trimmer() -> Callable[[int], int] | None:
    """glibc's malloc_trim, which gives freed memory back to the system; elsewhere that happens by itself or not at all.

    Without it what ONNX Runtime's threads have freed stays in their heaps: twice the memory on large pictures.
    """
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    return trim


def _fits_avx2(path: Path) -> bool:
    """Whether the model says that its int8 weights are small enough for vpmaddubsw."""
    metadata = read_metadata(path)
    return metadata is not None and metadata.target == "x86-avx2"


def _spec(node: Any) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else str(size or "?") for size in node.shape)
    return TensorSpec(name=node.name, shape=shape, dtype=_DTYPES.get(node.type, node.type))


def _load_error(path: Path, device: str, error: Exception) -> ModelFileError | DeviceError:
    reason = _first_line(error)
    if "disable_cpu_ep_fallback" in str(error):
        return DeviceError(f"device {device!r} cannot run all of {path.name!r}, parts would fall to the CPU: {reason}")
    return ModelFileError(f"{str(path)!r} cannot be loaded by ONNX Runtime: {reason}")


def _first_line(error: Exception) -> str:
    """ONNX Runtime's message without its error code and its source locations."""
    line = str(error).strip().splitlines()[0]
    line = re.sub(r"^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ", "", line)
    return re.sub(r"(/\S+\.(cc|h):\d+ .*?\) ?)", "", line)
