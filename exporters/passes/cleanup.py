"""Graphs brought to the form that everything behind relies on: folded, and free of what is not inference."""

import math

import numpy as np
import onnx
import onnx_ir
import onnxscript.optimizer
from onnx import numpy_helper
from onnx_ir.passes.common import RemoveInitializersFromInputsPass
from onnxscript.rewriter import RewritePass

from edgevision.exporters.passes.recurrent_axes import RECURRENT_AXES
from edgevision.exporters.passes.walk import every_graph_of, every_node_of
from edgevision.exporters.quiet import quiet_exporter

# What a protobuf holds.
_LARGEST_TENSOR = 2**31 - 1


# They make weights no larger, so that these may be of any size: those of recurrent layers are put in another order.
_MOVES = frozenset({"Concat", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"})


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """With what is constant computed and what nobody reads removed."""
    ir = onnx_ir.from_proto(model)
    with quiet_exporter():
        fold(ir)
    return onnx_ir.to_proto(ir)


def fold(model: onnx_ir.Model) -> None:
    """Compute what is constant and remove what nobody reads, in place."""
    onnxscript.optimizer.fold_constants(model, should_fold=lambda node: node.op_type in _MOVES or None)
    onnxscript.optimizer.optimize(model)
    if RewritePass(RECURRENT_AXES)(model).modified:
        onnxscript.optimizer.optimize(model)


def without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """Folded, with every trace of the exporting machine gone."""
    model = folded(model)
    # The exporter leaves source files and line numbers of the network's code in every node.
    for thing in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del thing.metadata_props[:]
        thing.doc_string = ""
    for value in (*model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    model.producer_name = "edgevision"
    model.producer_version = ""
    onnx.checker.check_model(model)
    return model


def with_dense_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """With all values written out where a constant gives only those that are not zero: onnx_ir leaves the others out.

    Raises:
        onnx.checker.ValidationError: the positions of a constant's values contradict its shape.
        ValueError: it is larger than a model can be.
    """
    dense = onnx.ModelProto()
    dense.CopyFrom(model)
    for graph in every_graph_of(dense):
        graph.initializer.extend(map(_written_out, graph.sparse_initializer))
        del graph.sparse_initializer[:]
    for node in every_node_of(dense):
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "sparse_value":
                values = onnx.helper.make_attribute("value", _written_out(attribute.sparse_tensor))
                attribute.CopyFrom(values)
    return dense


def _written_out(sparse: onnx.SparseTensorProto) -> onnx.TensorProto:
    onnx.checker.check_sparse_tensor(sparse)
    values, shape = numpy_helper.to_array(sparse.values), tuple(sparse.dims)
    if math.prod(shape) * values.itemsize > _LARGEST_TENSOR:
        raise ValueError(f"the sparse constant {sparse.values.name!r} is {'x'.join(map(str, shape))}: more than 2 GiB")
    dense = np.zeros(shape, values.dtype)
    if values.size:
        # One number a value, counted through the whole array, or one for each axis.
        positions = numpy_helper.to_array(sparse.indices)
        dense[np.unravel_index(positions, shape) if positions.ndim == 1 else tuple(positions.T)] = values
    return numpy_helper.from_array(dense, sparse.values.name)


def without_default_inputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """Older exporters list every constant as an input that may be given; here an input is what has to be.

    That is allowed since version 4 of the format, to which older models are raised.
    """
    ir = onnx_ir.from_proto(model)
    RemoveInitializersFromInputsPass()(ir)
    modern = onnx_ir.to_proto(ir)
    modern.ir_version = max(
        modern.ir_version, 4, onnx.helper.find_min_ir_version_for(modern.opset_import, ignore_unknown=True)
    )
    return modern


def add_metadata(model: onnx.ModelProto, key: str, value: str) -> None:
    """Put ``value`` into the model's ``metadata_props`` under ``key``, replacing what was there."""
    others = [entry for entry in model.metadata_props if entry.key != key]
    del model.metadata_props[:]
    model.metadata_props.extend([*others, onnx.StringStringEntryProto(key=key, value=value)])
