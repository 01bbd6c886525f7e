"""Who makes and who reads each tensor of a graph."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.helper import get_attribute_value

Array = NDArray[Any]


class Graph:
    """A read-only view of a model's main graph.

    Attributes:
        model: what it is a view of; it must not change meanwhile.
        nodes: by name; each has one of its own.
        makers: the node that gives each tensor.
        readers: the nodes that take each tensor, also in a subgraph of theirs, in order; a node that takes it twice
            stands there twice.
        constants: the initializers, as arrays.
        inputs, outputs: the names of the graph's own, in order, without initializers.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = model.graph
        self.model = model
        self.nodes: dict[str, onnx.NodeProto] = {node.name: node for node in graph.node}
        self.makers: dict[str, onnx.NodeProto] = {name: node for node in graph.node for name in node.output if name}
        self.readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in graph.node:
            for name in tensors_read(node):
                self.readers[name].append(node)
        self.constants: dict[str, Array] = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
        self.inputs = [value.name for value in graph.input if value.name not in self.constants]
        self.outputs = [value.name for value in graph.output]

    def only_reader(self, tensor: str) -> onnx.NodeProto | None:
        """The node that alone takes ``tensor``, which is no output of the graph; otherwise ``None``."""
        readers = self.readers.get(tensor, [])
        return readers[0] if len(readers) == 1 and tensor not in self.outputs else None

    def constant(self, node: onnx.NodeProto, position: int) -> Array | None:
        """The input of ``node`` at ``position`` where it is given and constant."""
        return self.constants.get(node.input[position]) if len(node.input) > position else None


def tensors_read(node: onnx.NodeProto) -> list[str]:
    """What ``node`` takes, and all that the nodes of its subgraphs take."""
    graphs = [graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs)]
    return [*node.input, *(name for graph in graphs for inner in graph.node for name in tensors_read(inner))]


def attributes(node: onnx.NodeProto) -> Mapping[str, Any]:
    """The attributes of ``node`` as Python values."""
    return {attribute.name: get_attribute_value(attribute) for attribute in node.attribute}


def initializer(name: str, values: Any) -> onnx.TensorProto:
    """A tensor for a graph's list of constants."""
    return onnx.numpy_helper.from_array(np.array(values, order="C"), name)
