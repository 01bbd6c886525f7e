"""The form that the quantiser and its passes understand, whoever made the graph."""

import onnx
import onnx_ir
from onnx import version_converter
from onnx_ir.passes.common import NameFixPass, RemoveInitializersFromInputsPass, RemoveUnusedNodesPass
from onnxscript.rewriter import RULE_NAME_TAG, RewritePass
from onnxscript.rewriter.pattern import RewriteRule
from onnxscript.rewriter.rules import common as rules

from edgevision.core.errors import InputError
from edgevision.exporters.passes.cleanup import fold, without_default_inputs

_OPSET = 18
# The first in which constants are no inputs.
_IR_VERSION = 4


def _is_dense_layer(_: object, values: onnx_ir.Value, weight: onnx_ir.Value, bias: onnx_ir.Value) -> bool:
    """Other than Add, Gemm does not let its bias make the sum larger than the product."""
    return [value.shape and len(value.shape) for value in (values, weight, bias)] == [2, 2, 1]


_FOLDING = [
    rules.fuse_batchnorm_into_conv_rule,
    rules.fuse_batchnorm_into_conv_transpose_rule,
    rules.fuse_batchnorm_into_gemm_rule,
    rules.fuse_pad_into_conv_rule,
    RewriteRule(
        lambda op, values, weight, bias: op.Add(op.MatMul(values, weight), bias),
        lambda op, values, weight, bias: op.Gemm(values, weight, bias),
        _is_dense_layer,
    ),
    rules.successive_relu_rule,
    rules.successive_clip_rule,
]


def canonical(model: onnx.ModelProto) -> onnx.ModelProto:
    """With a current opset, normalisation and biases folded into layers, constants that are no inputs, unique names.

    Raises:
        InputError: the model cannot be brought to a current opset.
    """
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=_OPSET)
    if opset < _OPSET:
        # Its inference of shapes needs the constants out of the inputs.
        model = without_default_inputs(model)
        # Of older ones it takes every constant for an input.
        model.ir_version = max(model.ir_version, _IR_VERSION)
        try:
            model = version_converter.convert_version(model, _OPSET)
        except Exception as error:  # its exceptions are those of its C++ side
            raise InputError(f"the model's opset {opset} cannot be raised to {_OPSET}: {_first(error)}") from error
    ir = onnx_ir.from_proto(model)
    RemoveInitializersFromInputsPass()(ir)
    fold(ir)
    RewritePass(_FOLDING)(ir)
    RemoveUnusedNodesPass()(ir)
    NameFixPass()(ir)
    for node in ir.graph:
        node.metadata_props.pop(RULE_NAME_TAG, None)
    model = onnx_ir.to_proto(ir)
    named: set[str] = set()
    for index, node in enumerate(model.graph.node):
        if not node.name or node.name in named:
            node.name = f"node_{index}_{node.op_type}"
        named.add(node.name)
    return model


def _first(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
