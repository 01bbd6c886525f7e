"""fp16 ONNX models whose inputs and outputs stay float32."""

import warnings

import onnx
import onnx_ir
from onnx_ir.passes.common import TopologicalSortPass
from onnxruntime.transformers.float16 import convert_float_to_float16


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Weights and arithmetic of ``model`` in half precision, with casts at its inputs and outputs.

    Values too small or too large for fp16 are clamped to its range (6e-8 to 65504); parity tells whether that matters.
    """
    with warnings.catch_warnings():
        # It says for every tensor that it clamped a value; the comparison with the original judges them together.
        warnings.simplefilter("ignore")
        half: onnx.ModelProto = convert_float_to_float16(model, keep_io_types=True)
    # The casts are appended after the nodes that read them.
    half = onnx_ir.to_proto(TopologicalSortPass()(onnx_ir.from_proto(half)).model)
    onnx.checker.check_model(half)
    return half
