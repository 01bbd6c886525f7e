"""``.tflite`` models in LiteRT, formerly TensorFlow Lite."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from edgevision.core.errors import DeviceError, ModelFileError, UnfitInputError
from edgevision.core.extras import requires_extra
from edgevision.modelfiles.model_file import read_graph
from edgevision.runtime.engines.assignment import Assignment
from edgevision.runtime.engines.denormals import denormals_as_zero
from edgevision.runtime.engines.engine import Array, Closeable, EngineOptions
from edgevision.runtime.engines.inputs import ordered_inputs


class LiteRtEngine(Closeable):
    """A model on the CPU, by the kernels of XNNPACK where it has them."""

    def __init__(self, path: Path, provider: str, device: str, options: EngineOptions) -> None:
        """Load ``path``, all of which :func:`.check_model_file` has checked: LiteRT believes what files say.

        Raises:
            MissingExtraError: LiteRT is not installed.
            DeviceError: LiteRT has no kernel for something in the model.
        """
        with requires_extra("tflite"):
            from ai_edge_litert.interpreter import Interpreter
        self.name = f"LiteRT {version('ai-edge-litert')}"
        self.device, self.provider = device, provider
        graph = read_graph(path)
        self.inputs, self.outputs = graph.inputs, graph.outputs
        kinds = [spec for spec in (*self.inputs, *self.outputs) if not _is_array(spec.dtype)]
        if kinds:
            raise ModelFileError(f"{path.name!r} takes or gives what no NumPy array holds: {kinds[0].dtype}")
        self.assignment = Assignment(nodes={"cpu": graph.operators})
        try:
            self._interpreter: Any = Interpreter(model_path=str(path), num_threads=options.threads)
            numbers = {spec["name"]: spec["index"] for spec in self._interpreter.get_input_details()}
            for name, shape in options.shapes.items():
                self._interpreter.resize_tensor_input(numbers[name], shape)
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError, LookupError, MemoryError) as error:
            raise DeviceError(f"LiteRT cannot load {path.name!r}: {_first_line(error)}") from error
        self._input_numbers = [spec["index"] for spec in self._interpreter.get_input_details()]
        self._output_numbers = [spec["index"] for spec in self._interpreter.get_output_details()]
        self._invoke: Any = denormals_as_zero(self._interpreter.invoke)
        self._lock = Lock()

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        arrays = ordered_inputs(self.inputs, inputs)
        with self._lock:
            try:
                for number, array in zip(self._input_numbers, arrays, strict=True):
                    self._interpreter.set_tensor(number, array)
            except ValueError as error:
                raise UnfitInputError(f"the model does not take this input: {_first_line(error)}") from error
            try:
                self._invoke()
            except RuntimeError as error:
                raise DeviceError(f"{self.name} failed on {self.device}: {_first_line(error)}") from error
            return [self._interpreter.get_tensor(number) for number in self._output_numbers]

    def close(self) -> None:
        self._interpreter, self._invoke = None, None


def _is_array(dtype: str) -> bool:
    try:
        return np.dtype(dtype).kind in "fiub"
    except TypeError:
        return False


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
