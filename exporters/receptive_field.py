"""How far a pixel reaches: what decides by how much the tiles of a large picture have to overlap."""

import torch
from torch import Tensor, nn

# A pixel may be one that the network clips, which depends on nothing.
_PLACES = ((0, 0), (-3, 5), (7, -2))


def receptive_radius(network: nn.Module, inputs: tuple[Tensor, ...], *, limit: int, step: int) -> int | None:
    """The distance in input pixels beyond which the input changes the output by less than half of 1/255.

    Every channel of some pixels around the middle of the output is differentiated by the first of ``inputs``
    (1, C, H, W) in 0..1; what all pixels beyond a distance could change it by together is at most the sum of the
    absolute derivatives there. Multiples of ``step`` are tried up to ``limit``; ``None`` says that even more is needed,
    or that nothing depends on the input, as where an output is clipped.
    """
    image = inputs[0].clone().requires_grad_()
    output: Tensor = network(image, *inputs[1:])
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
