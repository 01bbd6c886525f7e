"""NCNN models (``.param`` beside ``.bin``)."""

import math
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from edgevision.core.errors import DeviceError
from edgevision.core.extras import requires_extra
from edgevision.modelfiles.metadata import Precision
from edgevision.modelfiles.model_file import read_graph, require_metadata
from edgevision.runtime.engines.assignment import Assignment
from edgevision.runtime.engines.denormals import denormals_as_zero
from edgevision.runtime.engines.engine import Array, Closeable, EngineOptions
from edgevision.runtime.engines.inputs import ordered_inputs


class NcnnEngine(Closeable):
    """A model on the CPU. NCNN knows no batch: what it is given and gives is one sample, whose axis is put there."""

    def __init__(self, path: Path, provider: str, device: str, options: EngineOptions) -> None:
        """Load ``path``, all of which :func:`.check_model_file` has checked: NCNN believes what files say.

        Raises:
            MissingExtraError: NCNN is not installed.
            ModelFileError: no metadata lie beside it.
            DeviceError: NCNN has no layer of a type in the model, or its weights are not all there.
        """
        with requires_extra("ncnn"):
            import ncnn
        self.name = f"NCNN {version('ncnn')}"
        self.device, self.provider = device, provider
        graph = read_graph(path)
        self.inputs, self.outputs = graph.inputs, graph.outputs
        self.assignment = Assignment(nodes={"cpu": graph.operators})
        self._mat = ncnn.Mat
        self._net: Any = ncnn.Net()
        metadata = require_metadata(path)  # a .param does not say what shapes it takes
        half = metadata.precision is Precision.FP16
        # Left to itself it computes in half precision where the CPU can, whatever was verified.
        for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"):
            setattr(self._net.opt, option, half)
        self._net.opt.use_bf16_storage = False
        if options.threads is not None:
            self._net.opt.num_threads = options.threads
        strange = sorted(kind for kind in graph.operators if ncnn.layer_to_index(kind) < 0)
        if strange:
            raise DeviceError(f"NCNN cannot run {path.name!r}: it has no layer {', '.join(strange)}")
        if self._net.load_param(str(path)) != 0:
            raise DeviceError(f"NCNN cannot load {path.name!r}: the parameters of its layers are not what NCNN wants")
        weights = path.with_suffix(".bin")
        if self._net.load_model(str(weights)) != 0:
            raise DeviceError(f"NCNN cannot load {path.name!r}: the weights in {weights.name!r} are not its own")
        self._compute: Any = denormals_as_zero(self._run)

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        arrays = ordered_inputs(self.inputs, inputs)
        return list(self._compute(arrays))

    def _run(self, arrays: list[Array]) -> list[Array]:
        with self._net.create_extractor() as extractor:
            for spec, array in zip(self.inputs, arrays, strict=True):
                # Its own copy: a layer that works in place, as the first one may, ends the process on memory of others.
                extractor.input(spec.name, self._mat(np.ascontiguousarray(array[0])).clone())
            found = []
            for spec in self.outputs:
                status, output = extractor.extract(spec.name)
                if status != 0:
                    raise DeviceError(f"{self.name} failed on {self.device} in {spec.name!r}: out of memory")
                answer = np.array(output)
                shape = [side for side in spec.shape if isinstance(side, int)]
                # Some layers give the batch's axis themselves; the order of the numbers is the same.
                fits = len(shape) == len(spec.shape) and math.prod(shape) == answer.size
                found.append(answer.reshape(shape if fits else [1, *answer.shape]))
            return found

    def close(self) -> None:
        self._net, self._compute = None, None
