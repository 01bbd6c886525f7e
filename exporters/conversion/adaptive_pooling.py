"""Adaptive pooling in operators that ONNX has; the exporters take windows of one size, which is seldom right."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

_aten = torch.ops.aten

_AVERAGE = {F.adaptive_avg_pool1d: 1, F.adaptive_avg_pool2d: 2}
_AVERAGE |= {_aten.adaptive_avg_pool1d.default: 1, _aten.adaptive_avg_pool2d.default: 2}
_MAXIMUM = {F.adaptive_max_pool1d: 1, F.adaptive_max_pool2d: 2}
_MAXIMUM_WITH_PLACES = {_aten.adaptive_max_pool1d.default: 1, _aten.adaptive_max_pool2d.default: 2}


class ExactAdaptivePooling(TorchFunctionMode):
    """While it is entered, adaptive pooling of sides that its windows do not divide is done window by window.

    Window i of n over a side s holds the places from floor(i s / n) up to ceil((i + 1) s / n), so its length depends on
    the side: pooling to more than one place is refused where the side is dynamic.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        dimensions = (_AVERAGE | _MAXIMUM | _MAXIMUM_WITH_PLACES).get(func)
        if dimensions is None or kwargs.get("return_indices") or len(args) > 2:
            return func(*args, **kwargs)
        image = args[0] if args else kwargs["input"]
        asked = args[1] if len(args) > 1 else kwargs["output_size"]
        axes = range(image.ndim - dimensions, image.ndim)
        counts = dict(zip(axes, asked if isinstance(asked, Sequence) else [asked] * dimensions, strict=True))
        if all(count in (None, 1) or _divides(count, image.shape[axis]) for axis, count in counts.items()):
            return func(*args, **kwargs)
        reduce = torch.mean if func in _AVERAGE else torch.amax
        for axis, count in counts.items():
            if count is not None:
                image = _pooled(image, axis, count, reduce)
        return (image, None) if func in _MAXIMUM_WITH_PLACES else image


def _divides(count: int, side: int | torch.SymInt) -> bool:
    if isinstance(side, torch.SymInt):
        raise ValueError(f"it pools any side to {count} places, whose windows depend on the side")
    return int(side) % count == 0


def _pooled(image: Tensor, axis: int, count: int, reduce: Callable[..., Tensor]) -> Tensor:
    side = int(image.shape[axis])
    windows = [
        image.narrow(axis, place * side // count, -(-(place + 1) * side // count) - place * side // count)
        for place in range(count)
    ]
    return torch.cat([reduce(window, dim=axis, keepdim=True) for window in windows], dim=axis)
