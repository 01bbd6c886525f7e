"""Every node and every graph of a model, those of branches and loops included."""

from collections.abc import Iterable, Iterator

import onnx


def every_node(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """``nodes``, each before those that stand inside it."""
    for node in nodes:
        yield node
        for graph in _branches(node):
            yield from every_node(graph.node)


def every_node_of(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Those of its graph and of its own functions."""
    for nodes in (model.graph.node, *(function.node for function in model.functions)):
        yield from every_node(nodes)


def every_graph_of(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    """The main graph first."""
    yield model.graph
    for node in every_node_of(model):
        yield from _branches(node)


def _branches(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs
