"""What networks that answer after every frame of a sequence have in common, and their form for a stream."""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn


class StateShape(NamedTuple):
    """One tensor that is remembered of a frame: its shape without the batch, and how many frames later it is wanted."""

    shape: tuple[int, ...]
    delay: int = 1


class SequenceNetwork(nn.Module):
    """A network that looks back and never ahead: called on a window it answers after each of its frames.

    Input (N, T, channels, H, W) float32, T any number of frames; output logits (N, T, num_classes).

    Attributes:
        states: what :meth:`step` remembers between frames, by name; zeros at the beginning.
    """

    states: Mapping[str, StateShape]

    def step(self, frame: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """What comes after one more frame (N, channels, H, W): logits (N, num_classes), and what is to be remembered.

        Each of ``state`` is what the call gave for it as many frames ago as its delay says.
        """
        raise NotImplementedError


class StreamedSequence(nn.Module):
    """A sequence network that is called on one frame and the state, and gives the answer and the next state."""

    def __init__(self, network: SequenceNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, frame: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        return self.network.step(frame, *state)


def convolution(before: int, channels: int, *, stride: int = 1) -> nn.Sequential:
    """3x3, batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(before, channels, 3, stride, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )


def embedding(channels: int, side: int, size: int) -> nn.Sequential:
    """From the last maps of a frame to ``size`` features; dense, as what moves is told by where it is."""
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * side * side, size), nn.ReLU(inplace=True))


def side_after(image_size: int, strides: int) -> int:
    """The side of what is left of ``image_size`` pixels behind so many convolutions of stride 2."""
    for _ in range(strides):
        image_size = (image_size + 1) // 2
    return image_size
