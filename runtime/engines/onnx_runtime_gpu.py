"""What ONNX Runtime's GPU providers take: their options, in one explicit mapping, and buffers on the device."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from edgevision.modelfiles.metadata import Precision, TensorSpec
from edgevision.runtime.engines.engine import Array

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"

Chain = list[tuple[str, dict[str, str]]]


def provider_chain(
    provider: str, *, index: int = 0, precision: Precision = Precision.FP32, static: bool = False, cache: Path | None
) -> Chain:
    """``provider`` with its options, and after it those that take what it leaves.

    ``static`` says that every side of every input is fixed, so that one captured graph serves all calls; ``cache`` is
    the folder for TensorRT's engines. Source of the names: onnxruntime.ai/docs/execution-providers.
    """
    if provider == CPU:
        return [(CPU, {})]
    if provider == CUDA:
        return [(CUDA, _cuda(index, graph=static)), (CPU, {})]
    tensorrt = {
        "device_id": str(index),
        # What an int8 model leaves in float runs in half precision.
        "trt_fp16_enable": str(int(precision in (Precision.FP16, Precision.INT8))),
        "trt_int8_enable": str(int(precision is Precision.INT8)),
        "trt_cuda_graph_enable": str(int(static)),
    }
    if cache is not None:
        tensorrt |= {
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": str(cache),
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": str(cache),
        }
    return [(TENSORRT, tensorrt), (CUDA, _cuda(index, graph=False)), (CPU, {})]


def _cuda(index: int, *, graph: bool) -> dict[str, str]:
    return {
        "device_id": str(index),
        "enable_cuda_graph": str(int(graph)),
        # All algorithms are tried once for each shape: edge models see few shapes, many times.
        "cudnn_conv_algo_search": "EXHAUSTIVE",
        # TF32 keeps 10 bits of the 23 of what was exported as float32, and was verified as such.
        "use_tf32": "0",
    }


class IoBinding:
    """Inputs and outputs that stay at one place in a device's memory, as a captured graph of calls needs them.

    For a session whose shapes are all fixed: one copy in, one run, one copy out.
    """

    def __init__(
        self,
        runtime: Any,
        session: Any,
        device: str,
        index: int,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
    ) -> None:
        """Allocate on ONNX Runtime's ``device`` (``cuda``, ``cpu``) of that ``index``."""
        self._session = session
        self._lock = Lock()
        self._binding = session.io_binding()

        def allocate(spec: TensorSpec) -> Any:
            return runtime.OrtValue.ortvalue_from_shape_and_type(list(spec.shape), np.dtype(spec.dtype), device, index)

        self._specs = {spec.name: spec for spec in inputs}
        self._inputs = {spec.name: allocate(spec) for spec in inputs}
        self._outputs = [allocate(spec) for spec in outputs]
        for name, value in self._inputs.items():
            self._binding.bind_ortvalue_input(name, value)
        for spec, value in zip(outputs, self._outputs, strict=True):
            self._binding.bind_ortvalue_output(spec.name, value)

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        """All outputs, copied to the host; :class:`ValueError` for an input that is missing or of another kind."""
        for name, spec in self._specs.items():
            if name not in inputs:
                raise ValueError(f"the input {name!r} is missing")
            if inputs[name].shape != spec.shape or inputs[name].dtype != spec.dtype:
                found = f"{inputs[name].dtype} {inputs[name].shape}"
                raise ValueError(f"the input {name!r} is {spec.dtype} {spec.shape}, not {found}")
        # There is one set of buffers, and several threads may have something to ask.
        with self._lock:
            for name, value in self._inputs.items():
                value.update_inplace(np.ascontiguousarray(inputs[name]))
            self._session.run_with_iobinding(self._binding)
            # Of a CPU's buffer it would be a view, which the next call changes.
            return [np.array(value.numpy()) for value in self._outputs]
