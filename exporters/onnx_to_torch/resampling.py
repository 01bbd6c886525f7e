"""Resize of ONNX: torch's own where that is the same, else products with one matrix for each axis.

The matrix says what every output takes of which inputs.
"""

from collections.abc import Callable
from typing import Any

import onnx_ir
import torch
from torch import Tensor
from torch.nn import functional as F

_Weights = Callable[[Tensor], Tensor]


def resize(
    node: onnx_ir.Node, x: Tensor, _: Tensor | None = None, scales: Tensor | None = None, sizes: Tensor | None = None
) -> Tensor:
    """Resize by nearest, linear or cubic interpolation, without what :func:`unknown_option` names."""
    options = node.attributes
    axes = [axis % x.ndim for axis in options.get_ints("axes", list(range(x.ndim)))]
    if sizes is not None and len(sizes):
        targets = [(axis, size, size / x.shape[axis]) for axis, size in zip(axes, sizes.tolist(), strict=True)]
    else:
        assert scales is not None
        factors = zip(axes, scales.tolist(), strict=True)
        targets = [(axis, int(x.shape[axis] * factor), factor) for axis, factor in factors]
    targets = [target for target in targets if target[1:] != (x.shape[target[0]], 1)]
    known = _torch_options(node)
    if known is not None and x.ndim == 4 and all(_is_as_torch(node, x, *target) for target in targets):
        sides = list(x.shape)
        for axis, size, _ in targets:
            sides[axis] = size
        return F.interpolate(x, sides[2:], **known)
    for axis, size, factor in targets:
        x = _along(x, axis, _matrix(node, x.shape[axis], size, factor).to(x.dtype))
    return x


def unknown_option(node: onnx_ir.Node) -> str | None:
    """What a Resize asks for that :func:`resize` does not do."""
    options = node.attributes
    for name in ("antialias", "exclude_outside"):
        if options.get_int(name, 0):
            return name
    if options.get_string("keep_aspect_ratio_policy", "stretch") != "stretch":
        return "keep_aspect_ratio_policy"
    kind = options.get_string("coordinate_transformation_mode", "half_pixel")
    return "tf_crop_and_resize" if kind == "tf_crop_and_resize" else None


def _torch_options(node: onnx_ir.Node) -> dict[str, Any] | None:
    """Those with which torch interpolates pictures between the same places, if there are any."""
    options = node.attributes
    kind = options.get_string("coordinate_transformation_mode", "half_pixel")
    mode = options.get_string("mode", "nearest")
    if mode == "nearest":
        places = kind, options.get_string("nearest_mode", "round_prefer_floor")
        return {"mode": mode} if places == ("asymmetric", "floor") else None
    if kind not in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        return None
    if mode == "cubic" and options.get_float("cubic_coeff_a", -0.75) != -0.75:
        return None
    return {"mode": {"linear": "bilinear", "cubic": "bicubic"}[mode], "align_corners": kind == "align_corners"}


def _is_as_torch(node: onnx_ir.Node, x: Tensor, axis: int, size: int, factor: float) -> bool:
    """Whether torch, which is told sizes and rounds their quotient to float32, takes the same places along ``axis``."""
    side = x.shape[axis]
    if node.attributes.get_string("mode", "nearest") == "nearest":
        exact = size % side == 0 and (size // side).bit_count() == 1
    else:
        exact = size > 1 and abs(side * factor - size) < 1e-5 * size
    return axis >= 2 and exact


def _along(x: Tensor, axis: int, matrix: Tensor) -> Tensor:
    return (x.movedim(axis, -1) @ matrix.T).movedim(-1, axis)


def _matrix(node: onnx_ir.Node, old: int, new: int, factor: float) -> Tensor:
    """float64 (new, old)."""
    options = node.attributes
    place = torch.arange(new, dtype=torch.float64)
    kind = options.get_string("coordinate_transformation_mode", "half_pixel")
    if kind == "half_pixel" or (kind == "pytorch_half_pixel" and new > 1):
        place = (place + 0.5) / factor - 0.5
    elif kind == "pytorch_half_pixel":
        place = torch.zeros_like(place)
    elif kind == "half_pixel_symmetric":
        place = old / 2 * (1 - new / (factor * old)) + (place + 0.5) / factor - 0.5
    elif kind == "align_corners":
        place = place * (old - 1) / max(1, new - 1)
    else:
        assert kind == "asymmetric"
        place = place / factor
    mode = options.get_string("mode", "nearest")
    if mode == "nearest":
        rounded = _ROUNDED[options.get_string("nearest_mode", "round_prefer_floor")](place)
        taps, weights = rounded[:, None], torch.ones(new, 1, dtype=torch.float64)
    elif mode == "linear":
        # Beyond the ends the outermost is taken.
        place = place.clamp(0, old - 1)
        low = place.floor()
        taps = low[:, None] + torch.arange(2)
        weights = torch.stack([1 - (place - low), place - low], 1)
    else:
        low = place.floor()
        taps = low[:, None] + torch.arange(-1, 3)
        weights = _cubic((place[:, None] - taps).abs(), options.get_float("cubic_coeff_a", -0.75))
    matrix = torch.zeros(new, old, dtype=torch.float64)
    return matrix.scatter_add_(1, taps.long().clamp(0, old - 1), weights)


_ROUNDED: dict[str, _Weights] = {
    "round_prefer_floor": lambda place: (place - 0.5).ceil(),
    "round_prefer_ceil": lambda place: (place + 0.5).floor(),
    "floor": torch.floor,
    "ceil": torch.ceil,
}


def _cubic(distance: Tensor, a: float) -> Tensor:
    """Keys 1981, "Cubic convolution interpolation", with his a."""
    near = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    far = a * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    return torch.where(distance <= 1, near, torch.where(distance < 2, far, torch.zeros_like(far)))
