"""An ONNX model as a PyTorch network, for converters that take those: operator by operator, nothing is fused."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from edgevision.core.errors import InputError
from edgevision.exporters.conversion.onnx_operators import OPERATORS, Attributes


class OnnxNetwork(nn.Module):
    """Computes what a model does, for inputs in its order; gives all its outputs in theirs.

    Weights are buffers. What is a single number or tells shapes, axes and places is a constant of the operators.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        """Take the graph of ``model`` apart, whose shapes have to be known.

        Raises:
            InputError: it holds operators that have no counterpart here; they are named.
        """
        super().__init__()
        unknown = sorted({node.op_type for node in model.graph.node} - set(OPERATORS))
        if unknown:
            raise InputError(f"this model cannot become a PyTorch network: nothing is known of {', '.join(unknown)}")
        self._inputs = [value.name for value in model.graph.input]
        self._outputs = [value.name for value in model.graph.output]
        self._nodes = [
            (OPERATORS[node.op_type], list(node.input), list(node.output), _attributes(node))
            for node in model.graph.node
        ]
        zeros = {node.input[2] for node in model.graph.node if node.op_type == "DequantizeLinear"}
        self._constants: dict[str, NDArray[Any]] = {}
        self._buffer_names: dict[str, str] = {}
        for number, initializer in enumerate(model.graph.initializer):
            array = numpy_helper.to_array(initializer)
            if array.ndim and array.dtype.itemsize != 8:
                self._buffer_names[initializer.name] = f"constant_{number}"
                wide = array.astype(np.int64) if initializer.name in zeros else array.copy()
                self.register_buffer(f"constant_{number}", torch.from_numpy(wide))
            else:
                self._constants[initializer.name] = array

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        values: dict[str, Any] = dict(self._constants)
        values |= {name: getattr(self, buffer) for name, buffer in self._buffer_names.items()}
        values |= dict(zip(self._inputs, inputs, strict=True))
        for operator, names, outputs, attributes in self._nodes:
            found = operator([values[name] if name else None for name in names], attributes)
            parts: Sequence[Tensor] = found if isinstance(found, tuple | list) else [found]
            values |= dict(zip(outputs, parts, strict=False))
        return tuple(values[name] for name in self._outputs)


def exported_network(model: onnx.ModelProto) -> torch.export.ExportedProgram:
    """The network of ``model`` as PyTorch's own graph, with zeros for its example inputs; raises as the network."""
    network = OnnxNetwork(model).eval()
    shapes = [[side.dim_value for side in value.type.tensor_type.shape.dim] for value in model.graph.input]
    return torch.export.export(network, tuple(torch.zeros(shape) for shape in shapes))


def _attributes(node: onnx.NodeProto) -> Attributes:
    values = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}
