"""ONNX's operators in PyTorch (onnx.ai: Operators), for models whose shapes are known.

Each takes the inputs of a node, tensors or arrays of constants, and its attributes. What no network that was met needs
is refused by name, instead of being computed wrongly.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.ao.quantization.fx import _decomposed  # noqa: F401 - its import makes quantized_decomposed known
from torch.nn import functional

from edgevision.core.errors import InputError

Attributes = Mapping[str, Any]
Inputs = Sequence[Any]
Operator = Callable[[Inputs, Attributes], Any]


def _at(inputs: Inputs, position: int) -> Any:
    return inputs[position] if len(inputs) > position else None


def _integers(value: Any) -> list[int]:
    return [int(number) for number in np.asarray(value).reshape(-1)]


def _number(value: Any) -> Any:
    """A constant with no axes as a number of Python, anything else as it is."""
    return value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value


def _refuse(what: str) -> None:
    raise InputError(f"this model cannot become a PyTorch network: {what}")


def _symmetric_pads(operator: str, attributes: Attributes, axes: int) -> tuple[list[int], list[int]]:
    """What PyTorch pads at both ends alike, and what has to be padded before, in the order of functional.pad."""
    if attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        _refuse(f"{operator} with auto_pad {attributes['auto_pad']}")
    pads = list(attributes.get("pads", [0] * 2 * axes))
    first, last = pads[:axes], pads[axes:]
    if first == last:
        return first, []
    return [0] * axes, [size for pair in zip(reversed(first), reversed(last), strict=True) for size in pair]


def _conv(inputs: Inputs, attributes: Attributes) -> Any:
    x, weight, axes = inputs[0], inputs[1], inputs[1].ndim - 2
    pads, before = _symmetric_pads("Conv", attributes, axes)
    convolve = (functional.conv1d, functional.conv2d, functional.conv3d)[axes - 1]
    return convolve(
        functional.pad(x, before) if before else x,
        weight,
        _at(inputs, 2),
        attributes.get("strides", [1] * axes),
        pads,
        attributes.get("dilations", [1] * axes),
        attributes.get("group", 1),
    )


def _conv_transpose(inputs: Inputs, attributes: Attributes) -> Tensor:
    axes = inputs[1].ndim - 2
    pads, before = _symmetric_pads("ConvTranspose", attributes, axes)
    if before or "output_shape" in attributes or axes != 2:
        _refuse("ConvTranspose whose padding is not the same at both ends")
    return functional.conv_transpose2d(
        inputs[0],
        inputs[1],
        _at(inputs, 2),
        attributes.get("strides", [1] * axes),
        pads,
        attributes.get("output_padding", [0] * axes),
        attributes.get("group", 1),
        attributes.get("dilations", [1] * axes),
    )


def _gemm(inputs: Inputs, attributes: Attributes) -> Any:
    a = inputs[0].T if attributes.get("transA") else inputs[0]
    weight = inputs[1] if attributes.get("transB") else inputs[1].T
    alpha, beta, bias = attributes.get("alpha", 1.0), attributes.get("beta", 1.0), _at(inputs, 2)
    if alpha == beta == 1 and isinstance(bias, Tensor | None) and (bias is None or bias.ndim == 1):
        return functional.linear(a, weight, bias)
    product = alpha * functional.linear(a, weight)
    return product if bias is None else product + beta * _number(bias)


def _pool(inputs: Inputs, attributes: Attributes, *, mean: bool) -> Any:
    name, kernel = "AveragePool" if mean else "MaxPool", attributes["kernel_shape"]
    pads, before = _symmetric_pads(name, attributes, len(kernel))
    strides, ceil = attributes.get("strides", [1] * len(kernel)), bool(attributes.get("ceil_mode", 0))
    dilations = attributes.get("dilations", [1] * len(kernel))
    if len(kernel) != 2 or (mean and (before or set(dilations) != {1})):
        _refuse(f"{name} with {dict(attributes)!r:.80}")
    if mean:
        counted = bool(attributes.get("count_include_pad", 0))
        return functional.avg_pool2d(inputs[0], kernel, strides, pads, ceil, counted)
    x = functional.pad(inputs[0], before, value=-math.inf) if before else inputs[0]
    return functional.max_pool2d(x, kernel, strides, pads, dilations, ceil)


def _reduce(function: Callable[..., Tensor]) -> Operator:
    def reduce(inputs: Inputs, attributes: Attributes) -> Tensor:
        given = _at(inputs, 1)
        axes = _integers(given) if given is not None else list(attributes.get("axes", []))
        axes = axes or ([] if attributes.get("noop_with_empty_axes") else list(range(inputs[0].ndim)))
        return function(inputs[0], axes, keepdim=bool(attributes.get("keepdims", 1))) if axes else inputs[0]

    return reduce


def _reshape(inputs: Inputs, attributes: Attributes) -> Any:
    x, sizes = inputs[0], _integers(inputs[1])
    return x.reshape([x.shape[axis] if size == 0 else size for axis, size in enumerate(sizes)])


def _flatten(inputs: Inputs, attributes: Attributes) -> Any:
    x, axis = inputs[0], attributes.get("axis", 1)
    return x.reshape(math.prod(x.shape[:axis]), -1)


def _slice(inputs: Inputs, attributes: Attributes) -> Any:
    x, starts, ends = inputs[0], _integers(inputs[1]), _integers(inputs[2])
    axes = _integers(inputs[3]) if _at(inputs, 3) is not None else list(range(len(starts)))
    steps = _integers(inputs[4]) if _at(inputs, 4) is not None else [1] * len(starts)
    if min(steps, default=1) < 1:
        _refuse("Slice that goes backwards")
    whole = [slice(None)] * x.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        whole[axis] = slice(start, None if end >= x.shape[axis] else end, step)
    return x[tuple(whole)]


def _pad(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, pads, axes = inputs[0], _integers(inputs[1]), _at(inputs, 3)
    known = [axis % x.ndim for axis in _integers(axes)] if axes is not None else list(range(x.ndim))
    ends = {axis: (pads[number], pads[number + len(known)]) for number, axis in enumerate(known)}
    flat = [size for axis in reversed(range(x.ndim)) for size in ends.get(axis, (0, 0))]
    mode = str(attributes.get("mode", "constant")).replace("edge", "replicate")
    if mode == "constant":
        value = _at(inputs, 2)
        return functional.pad(x, flat, value=0.0 if value is None else float(value))
    # PyTorch reflects the last axes only, and wants no others named.
    while len(flat) > 2 and flat[-2:] == [0, 0]:
        flat = flat[:-2]
    return functional.pad(x, flat, mode=mode)


def _depth_to_space(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, size = inputs[0], attributes["blocksize"]
    if attributes.get("mode", "DCR") == "CRD":
        return functional.pixel_shuffle(x, size)
    batch, channels, height, width = x.shape
    parts = x.reshape(batch, size * size, channels // size**2, height, width).transpose(1, 2)
    return functional.pixel_shuffle(parts.reshape(x.shape), size)


def _space_to_depth(x: Tensor, size: int) -> Tensor:
    batch, channels, height, width = x.shape
    parts = functional.pixel_unshuffle(x, size).reshape(batch, channels, size * size, height // size, width // size)
    return parts.transpose(1, 2).reshape(batch, -1, height // size, width // size)


def _resize(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, scales, sizes = inputs[0], _at(inputs, 2), _at(inputs, 3)
    if sizes is not None:
        size = _integers(sizes)[2:]
    elif isinstance(scales, Tensor | np.ndarray):
        size = [int(side * float(scale)) for side, scale in zip(x.shape, scales.tolist(), strict=True)][2:]
    mode, corners = attributes.get("mode", "nearest"), attributes.get("coordinate_transformation_mode", "half_pixel")
    if mode == "nearest" and (corners, attributes.get("nearest_mode")) == ("asymmetric", "floor"):
        return functional.interpolate(x, size, mode="nearest")
    modes = {"linear": "bilinear", "cubic": "bicubic"}
    known = ("half_pixel", "pytorch_half_pixel", "align_corners")
    if mode not in modes or corners not in known or (mode == "cubic" and attributes.get("cubic_coeff_a") != -0.75):
        _refuse(f"Resize in the mode {mode}, {corners}")
    return functional.interpolate(x, size, mode=modes[mode], align_corners=corners == "align_corners")


def _batch_norm(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, weight, bias, mean, variance = inputs
    return functional.batch_norm(x, mean, variance, weight, bias, eps=attributes.get("epsilon", 1e-5))


def _layer_norm(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, axis = inputs[0], attributes.get("axis", -1) % inputs[0].ndim
    return functional.layer_norm(x, x.shape[axis:], inputs[1], _at(inputs, 2), attributes.get("epsilon", 1e-5))


def _instance_norm(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, weight, bias = inputs
    return functional.instance_norm(x, weight=weight, bias=bias, eps=attributes.get("epsilon", 1e-5))


def _clip(inputs: Inputs, attributes: Attributes) -> Tensor:
    low, high = _number(_at(inputs, 1)), _number(_at(inputs, 2))
    low, high = attributes.get("min", low), attributes.get("max", high)
    if (low, high) == (0, 6):
        return functional.relu6(inputs[0])
    return torch.clamp(inputs[0], low, high)


def _prelu(inputs: Inputs, attributes: Attributes) -> Tensor:
    slope = inputs[1]
    if isinstance(slope, np.ndarray):
        return functional.leaky_relu(inputs[0], float(slope))
    return torch.where(inputs[0] < 0, inputs[0] * slope, inputs[0])


def _axes(inputs: Inputs, attributes: Attributes) -> list[int]:
    given = _at(inputs, 1)
    return _integers(given) if given is not None else list(attributes.get("axes", []))


def _unsqueeze(inputs: Inputs, attributes: Attributes) -> Any:
    x, axes = inputs[0], _axes(inputs, attributes)
    for axis in sorted(axis % (x.ndim + len(axes)) for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _squeeze(inputs: Inputs, attributes: Attributes) -> Any:
    axes = _axes(inputs, attributes)
    return inputs[0].squeeze(axes) if axes else inputs[0].squeeze()


def _split(inputs: Inputs, attributes: Attributes) -> Sequence[Tensor]:
    sizes = _integers(inputs[1]) if _at(inputs, 1) is not None else None
    axis = attributes.get("axis", 0)
    return torch.split(inputs[0], sizes or inputs[0].shape[axis] // attributes["num_outputs"], axis)


def _gather(inputs: Inputs, attributes: Attributes) -> Any:
    x, axis, places = inputs[0], attributes.get("axis", 0), inputs[1]
    if not isinstance(places, np.ndarray):
        _refuse("Gather whose places are computed")
    found = x.index_select(axis, torch.tensor(_integers(places % x.shape[axis])))
    return found.reshape(*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])


def _cast(inputs: Inputs, attributes: Attributes) -> Any:
    if attributes["to"] != 1:  # FLOAT
        _refuse(f"Cast to the type {attributes['to']}")
    return inputs[0].float()


def _quantize(inputs: Inputs, attributes: Attributes) -> Any:
    x, scale, zero = inputs
    info = np.iinfo(zero.dtype)
    dtype = getattr(torch, str(zero.dtype))
    ends = int(info.min), int(info.max)
    return torch.ops.quantized_decomposed.quantize_per_tensor(x, float(scale), int(zero), *ends, dtype)


def _dequantize(inputs: Inputs, attributes: Attributes) -> Any:
    x, scale, zero = inputs
    known = torch.ops.quantized_decomposed
    if isinstance(scale, np.ndarray):
        info = torch.iinfo(x.dtype)
        return known.dequantize_per_tensor(x, float(scale), int(zero), info.min, info.max, x.dtype)
    if x.ndim == 1:
        # A bias, which is float here.
        return x
    ends = attributes.get("axis", 1), -127, 127, torch.int8
    return known.dequantize_per_channel(known.quantize_per_channel(x, scale, zero, *ends), scale, zero, *ends)


def _elementwise(function: Callable[..., Any]) -> Operator:
    return lambda inputs, attributes: function(*map(_number, inputs))


OPERATORS: Mapping[str, Operator] = {
    "Abs": _elementwise(torch.abs),
    "Add": _elementwise(lambda a, b: a + b),
    "AveragePool": lambda inputs, attributes: _pool(inputs, attributes, mean=True),
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": lambda inputs, attributes: torch.cat(list(inputs), attributes["axis"]),
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DepthToSpace": _depth_to_space,
    "DequantizeLinear": _dequantize,
    "Div": _elementwise(lambda a, b: a / b),
    "Einsum": lambda inputs, attributes: torch.einsum(attributes["equation"], *inputs),
    "Erf": _elementwise(torch.erf),
    "Exp": _elementwise(torch.exp),
    "Expand": lambda inputs, attributes: inputs[0] * torch.ones(_integers(inputs[1])),
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": lambda inputs, attributes: functional.gelu(
        inputs[0], approximate="tanh" if attributes.get("approximate") == "tanh" else "none"
    ),
    "Gemm": _gemm,
    "GlobalAveragePool": lambda inputs, attributes: inputs[0].mean((2, 3), keepdim=True),
    "HardSigmoid": lambda inputs, attributes: torch.clamp(
        inputs[0] * attributes.get("alpha", 0.2) + attributes.get("beta", 0.5), 0, 1
    ),
    "HardSwish": _elementwise(functional.hardswish),
    "Identity": _elementwise(lambda x: x),
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "LeakyRelu": lambda inputs, attributes: functional.leaky_relu(inputs[0], attributes.get("alpha", 0.01)),
    "MatMul": _elementwise(torch.matmul),
    "MaxPool": lambda inputs, attributes: _pool(inputs, attributes, mean=False),
    "Mul": _elementwise(lambda a, b: a * b),
    "Neg": _elementwise(torch.neg),
    "PRelu": _prelu,
    "Pad": _pad,
    "Pow": _elementwise(torch.pow),
    "QuantizeLinear": _quantize,
    "Reciprocal": _elementwise(torch.reciprocal),
    "ReduceMean": _reduce(torch.mean),
    "ReduceSum": _reduce(torch.sum),
    "Relu": _elementwise(torch.relu),
    "Reshape": _reshape,
    "Resize": _resize,
    "Sigmoid": _elementwise(torch.sigmoid),
    "Slice": _slice,
    "Softmax": lambda inputs, attributes: torch.softmax(inputs[0], attributes.get("axis", -1)),
    "SpaceToDepth": lambda inputs, attributes: _space_to_depth(inputs[0], attributes["blocksize"]),
    "Split": _split,
    "Sqrt": _elementwise(torch.sqrt),
    "Squeeze": _squeeze,
    "Sub": _elementwise(lambda a, b: a - b),
    "Tanh": _elementwise(torch.tanh),
    "Transpose": lambda inputs, attributes: inputs[0].permute(
        attributes.get("perm", list(reversed(range(inputs[0].ndim))))
    ),
    "Unsqueeze": _unsqueeze,
}
"""By name."""
