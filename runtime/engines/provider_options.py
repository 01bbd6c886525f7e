"""What edgevision asks of each of ONNX Runtime's GPU providers: one explicit mapping."""

from pathlib import Path

from edgevision.modelfiles.metadata import Precision

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
        "trt_fp16_enable": str(int(precision is not Precision.FP32)),
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
