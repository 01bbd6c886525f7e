"""Graphs on onnx_ir, which looks at and rewrites what files and engines hold as protobufs."""

from collections.abc import Sequence
from typing import Any

import onnx
import onnx_ir
from numpy.typing import NDArray

Array = NDArray[Any]


def to_ir(model: onnx.ModelProto) -> onnx_ir.Model:
    """``model``, with the shapes and dtypes that follow from its inputs at all values within."""
    ir = onnx_ir.from_proto(onnx.shape_inference.infer_shapes(model, data_prop=True))
    for output, declared in zip(ir.graph.outputs, onnx_ir.from_proto(model).graph.outputs, strict=True):
        output.shape = declared.shape
    return ir


def to_proto(ir: onnx_ir.Model) -> onnx.ModelProto:
    """``ir``, without what was inferred of values within: it says no more than the graph does."""
    model = onnx_ir.to_proto(ir)
    del model.graph.value_info[:]
    return model


def inputs_of(ir: onnx_ir.Model) -> list[str]:
    """The names of the inputs that have to be given."""
    return [str(value.name) for value in ir.graph.inputs if not value.is_initializer()]


def input_at(node: onnx_ir.Node, position: int) -> onnx_ir.Value | None:
    """What ``node`` takes at ``position``; ``None`` where it is left out."""
    return node.inputs[position] if len(node.inputs) > position else None


def constant(value: onnx_ir.Value | None) -> Array | None:
    """The array of an initializer; ``None`` for what is computed, given or left out."""
    if value is None or not value.is_initializer() or value.const_value is None:
        return None
    return value.const_value.numpy()


def constant_input(node: onnx_ir.Node, position: int) -> Array | None:
    """The array that ``node`` takes at ``position``, where it is given and constant."""
    return constant(input_at(node, position))


def only_reader(value: onnx_ir.Value) -> onnx_ir.Node | None:
    """The node of the same graph that alone takes ``value``, which is no output; otherwise ``None``.

    A node that takes it twice is two readers, and one inside a branch is none of the same graph.
    """
    readers = [use.node for use in value.uses()]
    if len(readers) != 1 or value.is_graph_output():
        return None
    return readers[0] if readers[0].graph is value.graph else None


def is_picture(value: onnx_ir.Value | None) -> bool:
    """Whether it is known to be float32 (n, channels, height, width)."""
    return (
        value is not None
        and value.dtype == onnx_ir.DataType.FLOAT
        and value.shape is not None
        and len(value.shape) == 4
    )


def picture_channels(value: onnx_ir.Value | None) -> int | None:
    """How many channels a picture has; ``None`` where it is none or that is not known."""
    if value is None or not is_picture(value):
        return None
    assert value.shape is not None
    channels = value.shape[1]
    return channels if isinstance(channels, int) else None


def add_constant(model: onnx_ir.Model, name: str, values: Any) -> onnx_ir.Value:
    """A new initializer."""
    added = onnx_ir.val(name, const_value=onnx_ir.tensor(values, name=name))
    model.graph.register_initializer(added)
    return added


def replace(model: onnx_ir.Model, node: onnx_ir.Node, nodes: Sequence[onnx_ir.Node]) -> None:
    """Put ``nodes`` in the place of ``node``, the output of the last in that of its first, with the same name."""
    old, new = node.outputs[0], nodes[-1].outputs[0]
    new.name = old.name
    onnx_ir.convenience.replace_nodes_and_values(model.graph, node, [node], nodes, [old], [new])
