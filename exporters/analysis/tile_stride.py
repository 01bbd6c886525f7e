"""Where tiles may start: what a network computes for a pixel may depend on the pixel's place in its strides."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from edgevision.modelfiles.metadata import TileSpec

# In steps of the network's multiple: strides are mostly powers of two, windows and cells also 3, 5 and 7 of them.
_STRIDES = (1, 2, 4, 8, 16, 32, 3, 6, 12, 24, 48, 5, 10, 20, 40, 7, 14, 28, 56)
_LARGEST = 64

# Pixels in the middle that are compared, a side.
_PATCH = 24

# Of the range from black to white. The border, which a shift brings nearer, changes less than the first by far; more
# than the second, half a step of 8 bits as for the radius, and tiles would show.
_ROUNDING, _VISIBLE = 1e-4, 0.5 / 255


@torch.inference_mode()
def tile_stride(
    network: nn.Module, draw: Callable[[int, int], tuple[Tensor, ...]], tile: TileSpec, *, radius: int
) -> int | None:
    """The distance in pixels of the input by which a picture has to be shifted for its answer to be only shifted.

    Args:
        draw: noise for every input of the network, (1, C, height, width) in 0..1, for a height and width.
        tile: says what sides the network takes.
        radius: how far a pixel reaches.

    Returns:
        A multiple of ``tile.multiple``; ``None`` where none up to 64 pixels will do, as the answer depends on the place
        in the picture or on the whole of it, so that it cannot be cut.
    """
    multiple = tile.multiple
    shifts = [factor * multiple for factor in _STRIDES if factor == 1 or factor * multiple <= _LARGEST]
    side = tile.padded(max(2 * radius + 2 * _PATCH, tile.minimum) + max(shifts))
    inputs = draw(side, side)
    whole = network(*inputs)
    scale = whole.shape[-1] // side
    # The middle of what is left after the largest shift.
    first = (side + max(shifts) - _PATCH) // 2
    patch = slice(scale * first, scale * (first + _PATCH))
    if (
        _difference(
            whole[..., patch, patch], network(_other_beyond(inputs[0], first, radius), *inputs[1:])[..., patch, patch]
        )
        > 4 * _VISIBLE
    ):
        return None
    differences: dict[int, float] = {}
    for shift in shifts:
        shifted = network(*(tensor[..., shift:, shift:] for tensor in inputs))
        moved = slice(patch.start - scale * shift, patch.stop - scale * shift)
        differences[shift] = _difference(whole[..., patch, patch], shifted[..., moved, moved])
        if differences[shift] <= _ROUNDING:
            return shift
    least = min(differences.values())
    if least > _VISIBLE:
        return None
    return next(shift for shift in shifts if differences[shift] <= 2 * least)


def _other_beyond(image: Tensor, first: int, radius: int) -> Tensor:
    """The negative beyond ``radius`` around the patch: what a tile does not show must not matter."""
    near = slice(max(0, first - radius), first + _PATCH + radius)
    changed = 1 - image
    changed[..., near, near] = image[..., near, near]
    return changed


def _difference(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())
