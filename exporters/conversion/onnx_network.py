"""An ONNX model as a PyTorch network, for converters that take those: operator by operator, nothing is fused."""

from collections.abc import Mapping, Sequence
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
        self._constants: dict[str, NDArray[Any]] = {}
        self._buffer_names: dict[str, str] = {}
        arrays = {initializer.name: numpy_helper.to_array(initializer) for initializer in model.graph.initializer}
        for number, (name, array) in enumerate((arrays | _as_float(model, arrays)).items()):
            if array.ndim and (array.dtype.kind != "i" or name in _zero_points(model)):
                self._buffer_names[name] = f"constant_{number}"
                self.register_buffer(f"constant_{number}", torch.from_numpy(array.copy()))
            else:
                self._constants[name] = array

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


def _zero_points(model: onnx.ModelProto) -> set[str]:
    return {node.input[2] for node in model.graph.node if node.op_type == "DequantizeLinear"}


def _as_float(model: onnx.ModelProto, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Weights and biases with a scale for each channel as the floats that they stand for, and their zeros in 64 bits.

    Converters look for floats that are quantised to what they were, and quantise biases by themselves.
    """
    found: dict[str, NDArray[Any]] = {}
    for node in model.graph.node:
        values = arrays.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if values is None or not arrays[node.input[1]].ndim:
            continue
        axis = _attributes(node).get("axis", 1)
        scales = arrays[node.input[1]].reshape([-1 if side == axis else 1 for side in range(values.ndim)])
        found[node.input[0]] = values.astype(np.float32) * scales
        found[node.input[2]] = arrays[node.input[2]].astype(np.int64)
    return found


def _attributes(node: onnx.NodeProto) -> Attributes:
    values = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}
