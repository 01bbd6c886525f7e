"""Where tiles may start is found by shifting a picture."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgevision.exporters.analysis.tile_stride import tile_stride
from edgevision.modelfiles.metadata import TileSpec


class SelfPadding(nn.Module):
    """Strides, and pads what is left over by itself, so that it takes any size."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stride = stride
        self.down, self.up = nn.PixelUnshuffle(stride), nn.PixelShuffle(stride)
        self.mix = nn.Conv2d(stride**2, stride**2, 1)

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[2:]
        padded = F.pad(image, (0, -width % self.stride, 0, -height % self.stride))
        return self.up(self.mix(self.down(padded)))[..., :height, :width]


class Blur(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return F.avg_pool2d(image, 3, 1, 1)


class Enlarge(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return F.interpolate(F.avg_pool2d(image, 4), scale_factor=8, mode="nearest")


class Vignette(nn.Module):
    """Its answer depends on the place in the picture."""

    def forward(self, image: Tensor) -> Tensor:
        return image * torch.linspace(0, 1, image.shape[3])


class Levels(nn.Module):
    """Its answer depends on the lightest pixel, wherever that is."""

    def forward(self, image: Tensor) -> Tensor:
        return image / image.mean()


class Gate(nn.Module):
    """A global gate that the example's gradient does not show."""

    def forward(self, image: Tensor) -> Tensor:
        return image * (image[:, :, :8, :8].mean() > 0.5)


def draw(height: int, width: int) -> tuple[Tensor, ...]:
    return (torch.rand(1, 1, height, width, generator=torch.Generator().manual_seed(0)),)


@pytest.mark.parametrize(
    ("network", "multiple", "stride"),
    [
        (Blur(), 1, 1),
        (Blur(), 8, 8),
        *((SelfPadding(stride), 1, stride) for stride in (2, 3, 4, 8, 10, 12, 16, 24)),
        (SelfPadding(12), 4, 12),
        (Enlarge(), 4, 4),
        (Vignette(), 1, None),
        (Levels(), 1, None),
        (Gate(), 1, None),
    ],
)
def test_the_least_shift_that_only_shifts_the_answer_is_found(
    network: nn.Module, multiple: int, stride: int | None
) -> None:
    assert tile_stride(network, draw, TileSpec(multiple=multiple), radius=16) == stride
