"""What each operator of ONNX computes, in PyTorch: ``OPERATORS`` maps its type to a function of a node and its inputs.

What tells shapes, axes and places may be an array of NumPy, too, and so may a single number: torch.export does not look
into tensors.

Quantising rounds straight-through: forwards to integers, backwards as if it did not (Bengio et al. 2013), which gives a
scale the derivative of Esser et al. 2020, "Learned step size quantization".
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import onnx_ir
import torch
from torch import Tensor
from torch.nn import functional as F

from edgevision.exporters.onnx_to_torch.resampling import resize
from edgevision.exporters.onnx_to_torch.windows import average_pool, conv, conv_transpose, max_pool

Operator = Callable[..., Tensor | Sequence[Tensor]]


def rounded(x: Tensor) -> Tensor:
    """To the nearest integer, of two the even one; the derivative is that of ``x``."""
    return x + (x.round() - x).detach()


def _quantize(node: onnx_ir.Node, x: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
    """The integers, in float32."""
    axis = node.attributes.get_int("axis", 1)
    limits = torch.iinfo(zero.dtype)
    integers = rounded(x / _channels(scale, axis, x.ndim)) + _channels(zero, axis, x.ndim).to(x.dtype)
    return integers.clamp(limits.min, limits.max)


def _dequantize(node: onnx_ir.Node, x: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
    axis = node.attributes.get_int("axis", 1)
    offset = _channels(zero, axis, x.ndim).to(scale.dtype)
    return (x.to(scale.dtype) - offset) * _channels(scale, axis, x.ndim)


def _channels(values: Tensor, axis: int, dimensions: int) -> Tensor:
    """As they lie along ``axis``; one for all as it is."""
    if not values.ndim:
        return values
    return values.reshape([-1 if index == axis % dimensions else 1 for index in range(dimensions)])


def _gemm(node: onnx_ir.Node, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    options = node.attributes
    a = a.T if options.get_int("transA", 0) else a
    weight = b if options.get_int("transB", 0) else b.T
    alpha, beta = options.get_float("alpha", 1.0), options.get_float("beta", 1.0)
    if alpha == beta == 1 and (c is None or c.ndim == 1):
        return F.linear(a, weight, c)
    product = alpha * F.linear(a, weight)
    return product if c is None else product + beta * c


def _clip(_: onnx_ir.Node, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    ends = [None if end is None else end.item() for end in (low, high)]
    # By its name, which converters fuse into what stands before it.
    return F.relu6(x) if ends == [0, 6] else x if ends == [None, None] else x.clamp(*ends)


def _divide(x: Tensor, y: Tensor) -> Tensor:
    return x / y if torch.is_floating_point(torch.as_tensor(x)) else torch.div(x, y, rounding_mode="trunc")


def _power(_: onnx_ir.Node, x: Tensor, exponent: Tensor) -> Tensor:
    # As a number where it is one: the derivative by the exponent would be that of a logarithm.
    return x ** (exponent if exponent.ndim else exponent.item())


def _batch_normalization(node: onnx_ir.Node, x: Tensor, *values: Tensor) -> Tensor:
    scale, bias, mean, variance = values
    return F.batch_norm(x, mean, variance, scale, bias, eps=node.attributes.get_float("epsilon", 1e-5))


def _instance_normalization(node: onnx_ir.Node, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    return F.instance_norm(x, weight=scale, bias=bias, eps=node.attributes.get_float("epsilon", 1e-5))


def _layer_normalization(node: onnx_ir.Node, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
    shape = x.shape[node.attributes.get_int("axis", -1) % x.ndim :]
    normal = F.layer_norm(x, shape, eps=node.attributes.get_float("epsilon", 1e-5)) * scale
    return normal if bias is None else normal + bias


def _reduced(operation: Callable[..., Tensor]) -> Operator:
    def reduced(node: onnx_ir.Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
        options = node.attributes
        given = options.get_ints("axes", []) if axes is None else axes.tolist()
        if not given and options.get_int("noop_with_empty_axes", 0) == 1:
            return x
        return operation(x, tuple(given or range(x.ndim)), keepdim=bool(options.get_int("keepdims", 1)))

    return reduced


def _reshape(node: onnx_ir.Node, x: Tensor, shape: Tensor) -> Tensor:
    kept = not node.attributes.get_int("allowzero", 0)
    return x.reshape([x.shape[i] if side == 0 and kept else side for i, side in enumerate(shape.tolist())])


def _flatten(node: onnx_ir.Node, x: Tensor) -> Tensor:
    axis = node.attributes.get_int("axis", 1)
    return x.reshape(int(np.prod(x.shape[: axis % x.ndim if axis != x.ndim else axis])), -1)


def _transpose(node: onnx_ir.Node, x: Tensor) -> Tensor:
    return x.permute(list(node.attributes.get_ints("perm", list(reversed(range(x.ndim))))))


def _squeeze(_: onnx_ir.Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
    return x.squeeze() if axes is None else x.squeeze(axes.tolist())


def _unsqueeze(_: onnx_ir.Node, x: Tensor, axes: Tensor) -> Tensor:
    for axis in sorted(axis % (x.ndim + len(axes)) for axis in axes.tolist()):
        x = x.unsqueeze(axis)
    return x


def _slice(
    _: onnx_ir.Node,
    x: Tensor,
    starts: Tensor,
    ends: Tensor,
    axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> Tensor:
    places = range(len(starts)) if axes is None else axes.tolist()
    for place, (axis, start, end) in enumerate(zip(places, starts.tolist(), ends.tolist(), strict=True)):
        step = 1 if steps is None else steps.tolist()[place]
        # As ONNX counts: from the end where negative, and never beyond.
        chosen = range(x.shape[axis])[slice(start, end if step > 0 or end > -x.shape[axis] - 1 else None, step)]
        if step > 0:
            x = x[(slice(None),) * (axis % x.ndim) + (slice(chosen.start, chosen.stop, step),)]
        else:
            x = x.index_select(axis, torch.tensor(list(chosen)))
    return x


def _split(node: onnx_ir.Node, x: Tensor, sizes: Tensor | None = None) -> Sequence[Tensor]:
    axis = node.attributes.get_int("axis", 0)
    if sizes is not None:
        return torch.split(x, sizes.tolist(), axis)
    return torch.split(x, -(-x.shape[axis] // len(node.outputs)), axis)


def _gather(node: onnx_ir.Node, x: Tensor, indices: Tensor) -> Tensor:
    axis, indices = node.attributes.get_int("axis", 0) % x.ndim, torch.as_tensor(indices)
    places = torch.where(indices < 0, indices + x.shape[axis], indices).long()
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    return x.index_select(axis, places.reshape(-1)).reshape(shape)


def _pad(
    node: onnx_ir.Node, x: Tensor, pads: Tensor, value: Tensor | None = None, axes: Tensor | None = None
) -> Tensor:
    mode = node.attributes.get_string("mode", "constant")
    places = [axis % x.ndim for axis in (range(x.ndim) if axes is None else axes.tolist())]
    around = dict(zip(places, zip(*pads.reshape(2, -1).tolist(), strict=True), strict=True))
    if mode == "constant":
        flat = [size for axis in reversed(range(x.ndim)) for size in around.get(axis, (0, 0))]
        return F.pad(x, flat, value=0.0 if value is None else value.item())
    for axis, ends in around.items():
        if any(ends):
            chosen = np.pad(np.arange(x.shape[axis]), ends, mode=mode)  # type: ignore[call-overload]
            x = x.index_select(axis, torch.from_numpy(chosen))
    return x


def _shape(node: onnx_ir.Node, x: Tensor) -> Tensor:
    options = node.attributes
    end = options.get_int("end", x.ndim)
    return torch.tensor(x.shape[options.get_int("start", 0) : end], dtype=torch.int64)


def _cast(node: onnx_ir.Node, x: Tensor) -> Tensor:
    dtype = onnx_ir.DataType(node.attributes["to"].as_int()).numpy()
    return x.to(torch.from_numpy(np.zeros(0, dtype)).dtype)


def _constant(node: onnx_ir.Node) -> Tensor:
    (attribute,) = node.attributes.values()
    value: Any = attribute.value
    return torch.from_numpy(np.array(value.numpy() if hasattr(value, "numpy") else value))


def _constant_of_shape(node: onnx_ir.Node, shape: Tensor) -> Tensor:
    value = node.attributes.get("value")
    filled = np.zeros(1, np.float32) if value is None else value.as_tensor().numpy()
    return torch.from_numpy(np.broadcast_to(filled, shape.tolist()).copy())


def _depth_to_space(node: onnx_ir.Node, x: Tensor) -> Tensor:
    size = node.attributes["blocksize"].as_int()
    if node.attributes.get_string("mode", "DCR") == "DCR":
        n, channels, height, width = x.shape
        x = x.reshape(n, size**2, channels // size**2, height, width).transpose(1, 2).reshape(x.shape)
    return F.pixel_shuffle(x, size)


def _space_to_depth(node: onnx_ir.Node, x: Tensor) -> Tensor:
    size = node.attributes["blocksize"].as_int()
    parts = F.pixel_unshuffle(x, size)
    n, channels, height, width = parts.shape
    return parts.reshape(n, channels // size**2, size**2, height, width).transpose(1, 2).reshape(parts.shape)


def _of(function: Callable[..., Tensor], **options: float) -> Operator:
    """A function of the inputs and of attributes of one number, whose defaults are given; their names are ours."""
    return lambda node, *inputs: function(
        *(x.item() if isinstance(x, np.ndarray) else x for x in inputs),
        *(node.attributes.get_float(name, default) for name, default in options.items()),
    )


def _along_axis(function: Callable[[Tensor, int], Tensor]) -> Operator:
    return lambda node, x: function(x, node.attributes.get_int("axis", -1))


def _gelu(node: onnx_ir.Node, x: Tensor) -> Tensor:
    return F.gelu(x, approximate=node.attributes.get_string("approximate", "none"))


OPERATORS: Mapping[str, Operator] = {
    "Abs": _of(torch.abs),
    "Add": _of(torch.add),
    "AveragePool": average_pool,
    "BatchNormalization": _batch_normalization,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": lambda node, *inputs: torch.cat(inputs, node.attributes["axis"].as_int()),
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "DepthToSpace": _depth_to_space,
    "DequantizeLinear": _dequantize,
    "Div": _of(_divide),
    "Dropout": lambda node, x, *_: x,
    "Elu": _of(F.elu, alpha=1.0),
    "Einsum": lambda node, *inputs: torch.einsum(node.attributes["equation"].as_string(), *inputs),
    "Equal": _of(torch.eq),
    "Erf": _of(torch.erf),
    "Exp": _of(torch.exp),
    "Expand": lambda node, x, shape: x * x.new_ones(shape.tolist()),
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "GlobalAveragePool": lambda node, x: x.mean(tuple(range(2, x.ndim)), keepdim=True),
    "GlobalMaxPool": lambda node, x: x.amax(tuple(range(2, x.ndim)), keepdim=True),
    "HardSigmoid": _of(lambda x, alpha, beta: (alpha * x + beta).clamp(0, 1), alpha=0.2, beta=0.5),
    "HardSwish": _of(F.hardswish),
    "Identity": lambda node, x: x,
    "InstanceNormalization": _instance_normalization,
    "LayerNormalization": _layer_normalization,
    "LeakyRelu": _of(F.leaky_relu, alpha=0.01),
    "Log": _of(torch.log),
    "LogSoftmax": _along_axis(torch.log_softmax),
    "MatMul": _of(torch.matmul),
    "Max": lambda node, *inputs: reduce(torch.maximum, map(torch.as_tensor, inputs)),
    "MaxPool": max_pool,
    "Min": lambda node, *inputs: reduce(torch.minimum, map(torch.as_tensor, inputs)),
    "Mul": _of(torch.mul),
    "Neg": _of(torch.neg),
    "PRelu": lambda node, x, slope: torch.where(x < 0, x * slope, x) if slope.ndim else F.leaky_relu(x, slope.item()),
    "Pad": _pad,
    "Pow": _power,
    "QuantizeLinear": _quantize,
    "Reciprocal": _of(torch.reciprocal),
    "ReduceMax": _reduced(torch.amax),
    "ReduceMean": _reduced(torch.mean),
    "ReduceSum": _reduced(torch.sum),
    "Relu": _of(torch.relu),
    "Reshape": _reshape,
    "Resize": resize,
    "Shape": _shape,
    "Sigmoid": _of(torch.sigmoid),
    "Slice": _slice,
    "Softmax": _along_axis(torch.softmax),
    "Softplus": _of(F.softplus),
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Sqrt": _of(torch.sqrt),
    "Squeeze": _squeeze,
    "Sub": _of(torch.sub),
    "Tanh": _of(torch.tanh),
    "Tile": lambda node, x, repeats: x.repeat(repeats.tolist()),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _of(torch.where),
}
"""By type; those of the domain of ONNX."""
