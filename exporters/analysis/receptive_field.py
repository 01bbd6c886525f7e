"""How far a pixel reaches: what decides by how much the tiles of a large picture have to overlap."""

from bisect import bisect_left

import torch
from torch import Tensor, nn

# A pixel may be one that the network clips, which depends on nothing.
_PLACES = ((0, 0), (-3, 5), (7, -2))


def receptive_radius(network: nn.Module, inputs: tuple[Tensor, ...], *, limit: int, step: int) -> int | None:
    """The distance in input pixels beyond which the input changes the output by less than half of 1/255.

    Every channel of some pixels around the middle of the output is differentiated by the first of ``inputs``
    (1, C, H, W) in 0..1; what all pixels beyond a distance could change it by together is at most the sum of the
    absolute derivatives there. Multiples of ``step`` are tried up to ``limit``; ``None`` says that even more is needed,
    or that nothing depends on the input, as where an output is clipped. Of a network without derivatives it is seen
    from how far another picture around changes the pixels in the middle.
    """
    image = inputs[0].clone().requires_grad_()
    output: Tensor = network(image, *inputs[1:])
    if not output.requires_grad:
        return _radius_by_changes(network, inputs, output, limit=limit, step=step)
    scale = output.shape[-1] // image.shape[-1]
    radii = []
    for row, column in _PLACES:
        place = image.shape[-2] // 2 + row, image.shape[-1] // 2 + column
        for channel in range(output.shape[1]):
            pixel = output[0, channel, scale * place[0], scale * place[1]]
            (gradient,) = torch.autograd.grad(pixel, image, retain_graph=True)
            radii.append(_radius(gradient.abs().sum(dim=(0, 1)), place, limit=limit, step=step))
    felt = [radius for radius in radii if radius != 0]
    if not felt or None in felt:
        return None
    return max(radius for radius in felt if radius is not None)


def _radius(influence: Tensor, place: tuple[int, int], *, limit: int, step: int) -> int | None:
    """0 where there is no influence at all."""
    if not influence.any():
        return 0
    rows = (torch.arange(influence.shape[0]) - place[0]).abs()[:, None]
    columns = (torch.arange(influence.shape[1]) - place[1]).abs()[None, :]
    distance = torch.maximum(rows, columns)
    for radius in range(step, limit + 1, step):
        if float(influence[distance > radius].sum()) < 0.5 / 255:
            return radius
    return None


@torch.inference_mode()
def _radius_by_changes(
    network: nn.Module, inputs: tuple[Tensor, ...], output: Tensor, *, limit: int, step: int
) -> int | None:
    height, width = inputs[0].shape[-2:]
    scale = output.shape[-1] // width
    middle = height // 2, width // 2
    reach = max(abs(offset) for place in _PLACES for offset in place)

    def change(radius: int) -> float:
        """Of the pixels in the middle, where the picture is black beyond ``radius`` around them."""
        other = torch.zeros_like(inputs[0])
        near = [slice(max(0, m - reach - radius), m + reach + radius + 1) for m in middle]
        other[..., near[0], near[1]] = inputs[0][..., near[0], near[1]]
        seen = [slice(scale * (m - reach), scale * (m + reach + 1)) for m in middle]
        changed = network(other, *inputs[1:])
        return float((changed - output)[..., seen[0], seen[1]].abs().max())

    radii = range(step, limit + 1, step)
    if change(0) == 0 and float((network(torch.zeros_like(inputs[0]), *inputs[1:]) - output).abs().max()) == 0:
        return None
    if change(radii[-1]) >= 0.5 / 255:
        return None
    # The farther away the change, the less is seen of it.
    return radii[bisect_left(radii, True, key=lambda radius: change(radius) < 0.5 / 255)]
