"""RKNN models (``.rknn``) on the NPU of a Rockchip board."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any

from edgevision.core.errors import DeviceError
from edgevision.core.extras import requires_extra
from edgevision.modelfiles.model_file import read_graph
from edgevision.runtime.engines.assignment import Assignment
from edgevision.runtime.engines.engine import Array, Closeable, EngineOptions
from edgevision.runtime.engines.inputs import ordered_inputs


class RknnEngine(Closeable):
    """A model of one shape; what it is given and gives are floats, whatever it computes in."""

    def __init__(self, path: Path, provider: str, device: str, options: EngineOptions) -> None:
        """Load ``path``.

        Raises:
            MissingExtraError: rknn-toolkit-lite2 is not installed.
            DeviceError: the board's driver does not take the model.
        """
        with requires_extra("rknn"):
            from rknnlite.api import RKNNLite
        self.name = f"RKNN {version('rknn-toolkit-lite2')}"
        self.device, self.provider = device, provider
        graph = read_graph(path)
        self.inputs, self.outputs = graph.inputs, graph.outputs
        self.assignment = Assignment(nodes={"npu": graph.operators})
        self._model: Any = RKNNLite()
        self._lock = Lock()
        if self._model.load_rknn(str(path)) != 0 or self._model.init_runtime() != 0:
            raise DeviceError(f"RKNN cannot load {path.name!r}: it was made for another chip, or the driver is older")

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        arrays = ordered_inputs(self.inputs, inputs)
        with self._lock:
            found = self._model.inference(inputs=arrays, data_format=["nchw"] * len(arrays))
        if found is None:
            raise DeviceError(f"{self.name} failed on {self.device}")
        return [array.reshape(spec.shape) for array, spec in zip(found, self.outputs, strict=True)]

    def close(self) -> None:
        if self._model is not None:
            self._model.release()
        self._model = None
