"""How far a pixel reaches: what decides by how much the tiles of a large picture have to overlap."""

import torch
from torch import Tensor, nn


def receptive_radius(network: nn.Module, inputs: tuple[Tensor, ...], *, limit: int, step: int) -> int | None:
    """The distance in input pixels beyond which the input changes the output by less than half of 1/255.

    The output's middle pixel is differentiated by the first of ``inputs`` (1, C, H, W) in 0..1; what all pixels beyond
    a distance could change it by together is at most the sum of the absolute derivatives there. Multiples of ``step``
    are tried up to ``limit``; ``None`` says that even more is needed.
    """
    image = inputs[0].clone().requires_grad_()
    output: Tensor = network(image, *inputs[1:])
    height, width = output.shape[-2:]
    output[..., height // 2, width // 2].sum().backward()  # type: ignore[no-untyped-call]
    assert image.grad is not None
    influence = image.grad.abs().sum(dim=(0, 1))
    rows = torch.arange(influence.shape[0])[:, None] - influence.shape[0] // 2
    columns = torch.arange(influence.shape[1])[None, :] - influence.shape[1] // 2
    distance = torch.maximum(rows.abs(), columns.abs())
    for radius in range(step, limit + 1, step):
        if float(influence[distance > radius].sum()) < 0.5 / 255:
            return radius
    return None
