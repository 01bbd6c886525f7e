"""Bytes of activations for each pixel, against chains counted by hand."""

import pytest
import torch
from torch import Tensor, nn

from edgevision.exporters.analysis.activation_memory import activation_bytes
from edgevision.exporters.conversion.onnx_conversion import convert_to_onnx

FLOAT = 4


class Residual(nn.Module):
    """The input has to be kept until the end."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.narrow = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 3, 1)

    def forward(self, image: Tensor) -> Tensor:
        return image + self.narrow(self.wide(image))


class Fill(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Conv2d(4, 6, 1)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return self.wide(torch.cat((image, mask), dim=1))


def count(network: nn.Module, *examples: Tensor) -> int:
    names = ["image", "mask"][: len(examples)]
    conversion = convert_to_onnx(network.eval(), examples, input_names=names, output_names=["restored"])
    assert conversion.dynamic == ("batch", "height", "width")
    return activation_bytes(conversion.model, examples)


@pytest.mark.parametrize(
    ("network", "floats"),
    [
        # While the second convolution runs its input and output are alive, and the picture is not.
        (nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 5, 1)), 8 + 5),
        (nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 1, 1)), 3 + 8),
        (nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1)), 8 + 8),
        (Residual(), 3 + 8 + 3),
        # A quarter as many pixels with eight times as many numbers, and the picture.
        (nn.Sequential(nn.Conv2d(3, 24, 2, 2), nn.PixelShuffle(2)), 6 + 6),
        (nn.Sequential(nn.Conv2d(3, 12, 1), nn.PixelShuffle(2)), 12 + 12),
    ],
    ids=["two", "narrowing", "relu", "residual", "coarse", "upscaling"],
)
def test_what_is_alive_at_once_is_counted(network: nn.Module, floats: int) -> None:
    assert count(network, torch.rand(1, 3, 32, 32)) == FLOAT * floats


def test_a_mask_counts_too() -> None:
    # Image, mask, and both of them joined.
    assert count(Fill(), torch.rand(1, 3, 16, 16), torch.rand(1, 1, 16, 16)) == FLOAT * max(4 + 4, 4 + 6)


@pytest.mark.parametrize("shape", [(1, 3, 16, 16), (2, 3, 16, 24), (1, 3, 64, 48)])
def test_it_does_not_depend_on_the_size_of_the_example(shape: tuple[int, ...]) -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 5, 1))
    assert count(network, torch.rand(shape)) == FLOAT * 13


def test_weights_are_no_activations() -> None:
    layers = [nn.Conv2d(channels, out, 5, padding=2) for channels, out in ((3, 32), (32, 32), (32, 3))]
    assert count(nn.Sequential(*layers), torch.rand(1, 3, 16, 16)) == FLOAT * (32 + 32)
