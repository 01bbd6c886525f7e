"""An ONNX model as a program of torch.export, for converters that take those: node after node, nothing is fused."""

from collections.abc import Callable, Mapping

import numpy as np
import onnx
import onnx_ir
import torch
from torch import Tensor, nn
from torch.ao.quantization.fx import _decomposed  # noqa: F401 - its import makes quantized_decomposed known

from edgevision.core.errors import InputError
from edgevision.exporters.onnx_to_torch.onnx_module import OnnxModule
from edgevision.exporters.onnx_to_torch.operators import OPERATORS, Operator
from edgevision.exporters.passes.ir import Array, constant, constant_input, to_ir


def exported_network(model: onnx.ModelProto) -> torch.export.ExportedProgram:
    """What ``model`` computes, for zeros as example inputs; its shapes have to be known.

    Weights are buffers, and what is quantised is so in PyTorch's own way.

    Raises:
        InputError: it holds operators that have no counterpart here, which are named, or torch.export refuses it.
    """
    shapes = [[side.dim_value for side in value.type.tensor_type.shape.dim] for value in model.graph.input]
    network = _Network(to_ir(model)).eval()
    try:
        return torch.export.export(network, tuple(torch.zeros(shape) for shape in shapes))
    except Exception as error:  # its tracer has a dozen kinds
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"this model cannot become a PyTorch network: {reason:.200}") from error


class _Network(nn.Module):
    def __init__(self, model: onnx_ir.Model) -> None:
        super().__init__()
        self._module = OnnxModule(model, {**OPERATORS, **_QUANTIZATION})
        arrays = {str(name): constant(value) for name, value in model.graph.initializers.items()}
        floats = _dequantized(model)
        # torch.export does not look into buffers, and sizes follow from these.
        factors = {value.name for node in model.graph if node.op_type == "Resize" for value in node.inputs[1:] if value}
        self._arrays: dict[str, Array] = {}
        self._buffer_names: dict[str, str] = {}
        for number, (name, array) in enumerate({**arrays, **floats}.items()):
            if array is None:
                continue
            if array.ndim and (array.dtype.kind == "f" or name in floats) and name not in factors:
                self._buffer_names[name] = f"constant_{number}"
                self.register_buffer(f"constant_{number}", torch.from_numpy(array.copy()))
            else:
                self._arrays[name] = array.copy()

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        buffers = {name: self.get_buffer(buffer) for name, buffer in self._buffer_names.items()}
        return tuple(self._module(*inputs, given={**self._arrays, **buffers}))


def _dequantized(model: onnx_ir.Model) -> Mapping[str, Array]:
    """Weights and biases with a scale for each channel as the floats that they stand for, and their zeros in 64 bits.

    Converters look for floats that are quantised to what they were, and quantise biases by themselves.
    """
    found: dict[str, Array] = {}
    for node in model.graph:
        values, scales, zeros = (constant_input(node, position) for position in range(3))
        if node.op_type != "DequantizeLinear" or values is None or scales is None or zeros is None or not scales.ndim:
            continue
        axis = node.attributes.get_int("axis", 1)
        along = scales.reshape([-1 if side == axis else 1 for side in range(values.ndim)])
        found[str(node.inputs[0].name)] = values.astype(np.float32) * along  # type: ignore[union-attr]
        found[str(node.inputs[2].name)] = zeros.astype(np.int64)  # type: ignore[union-attr]
    return found


Operation = Callable[..., Tensor]


def _quantize(node: onnx_ir.Node, x: Tensor, scale: Array, zero: Array) -> Tensor:
    ends, dtype = np.iinfo(zero.dtype), torch.as_tensor(zero).dtype
    quantize: Operation = torch.ops.quantized_decomposed.quantize_per_tensor
    return quantize(x, scale.item(), zero.item(), int(ends.min), int(ends.max), dtype)


def _dequantize(node: onnx_ir.Node, x: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
    known = torch.ops.quantized_decomposed
    dequantize: Operation = known.dequantize_per_channel if scale.ndim else known.dequantize_per_tensor
    if not scale.ndim:
        integers = torch.as_tensor(x)
        info = torch.iinfo(integers.dtype)
        return dequantize(integers, scale.item(), zero.item(), info.min, info.max, integers.dtype)
    if x.ndim == 1:
        # A bias, which is float here.
        return x
    quantize: Operation = known.quantize_per_channel
    ends = node.attributes.get_int("axis", 1), -127, 127, torch.int8
    return dequantize(quantize(x, scale, zero, *ends), scale, zero, *ends)


_QUANTIZATION: Mapping[str, Operator] = {"QuantizeLinear": _quantize, "DequantizeLinear": _dequantize}
