"""An ONNX graph as a PyTorch network that computes the same."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import onnx_ir
import torch
from torch import Tensor

from edgevision.core.errors import InputError
from edgevision.exporters.onnx_to_torch.operators import OPERATORS, Operator
from edgevision.exporters.onnx_to_torch.resampling import unknown_option
from edgevision.exporters.passes.ir import constant, inputs_of


def unknown_operators(model: onnx_ir.Model) -> list[str]:
    """The types of operators in ``model`` that :class:`OnnxModule` cannot compute, each once, sorted."""
    unknown = {_type(node) for node in model.graph if _type(node) not in OPERATORS}
    options = {unknown_option(node) for node in model.graph if node.op_type == "Resize"} - {None}
    return sorted(unknown) + sorted(f"Resize with {option}" for option in options)


class OnnxModule:
    """Computes what ``model`` does, node after node, in float32 as far as the graph has it."""

    def __init__(self, model: onnx_ir.Model, operators: Mapping[str, Operator] = OPERATORS) -> None:
        """Take ``model`` apart.

        Args:
            operators: what its nodes compute, by type.

        Raises:
            InputError: an operator is not known, see :func:`unknown_operators`.
        """
        if unknown := unknown_operators(model):
            raise InputError(f"this model cannot become a PyTorch network: nothing is known of {', '.join(unknown)}")
        self._operators = operators
        self._nodes = tuple(model.graph)
        self._inputs = inputs_of(model)
        self._outputs = [str(value.name) for value in model.graph.outputs]
        self._constants = {
            str(name): torch.from_numpy(array.copy())
            for name, value in model.graph.initializers.items()
            if (array := constant(value)) is not None
        }
        reads = (value for node in self._nodes for value in node.inputs if value is not None)
        self._readers = Counter(str(value.name) for value in reads) + Counter(self._outputs)

    def __call__(self, *inputs: Tensor, given: Mapping[str, Any] | None = None) -> list[Tensor]:
        """All outputs for all ``inputs`` in order.

        What ``given`` names, be it constant or computed, has the value there instead of its own: a tensor, or an array
        where the operator that reads it takes one.
        """
        given = given or {}
        values = {**self._constants, **dict(zip(self._inputs, inputs, strict=True)), **given}
        left = dict(self._readers)
        for node in self._nodes:
            if not all(value.name in given for value in node.outputs):
                taken = [None if value is None else values[str(value.name)] for value in node.inputs]
                found = self._operators[_type(node)](node, *taken)
                outputs = [found] if isinstance(found, Tensor) else found
                names = (str(value.name) for value in node.outputs)
                values |= {name: output for name, output in zip(names, outputs, strict=False) if name not in given}
            for value in node.inputs:
                if value is not None:
                    left[str(value.name)] -= 1
                    # What nobody reads any more is not kept; what the derivatives need, they hold.
                    if not left[str(value.name)]:
                        del values[str(value.name)]
        return [values[name] for name in self._outputs]


def _type(node: onnx_ir.Node) -> str:
    """The operator's name, with its domain where that is not ONNX's own; 16 bits are quantised in ONNX Runtime's."""
    own = node.domain in ("", "ai.onnx") or node.op_type in ("QuantizeLinear", "DequantizeLinear")
    return node.op_type if own else f"{node.domain}.{node.op_type}"
