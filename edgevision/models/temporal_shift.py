"""A convolutional network that is shown a part of what it saw in earlier frames: temporal shift (Lin et al. 2019)."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgevision.models.sequence_network import SequenceNetwork, StateShape, convolution, embedding, side_after


class _ShiftedResidual(nn.Module):
    """Adds a convolution of maps whose first channels are those of ``distance`` frames ago."""

    def __init__(self, channels: int, shifted: int, distance: int) -> None:
        super().__init__()
        self.convolution = convolution(channels, channels)
        self.shifted, self.distance = shifted, distance

    def window(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """All frames (N T, channels, H, W) of windows of ``shape`` (N, T) at once."""
        waiting, kept = self._split(x)
        frames: Tensor = waiting.unflatten(0, shape)  # type: ignore[no-untyped-call]
        earlier = F.pad(frames, (0, 0, 0, 0, 0, 0, self.distance, 0))[:, : shape[1]]
        return self._mixed(x, earlier.flatten(0, 1), kept)

    def step(self, x: Tensor, earlier: Tensor) -> tuple[Tensor, Tensor]:
        """One frame, which sees what ``distance`` frames ago waited (N, shifted, H, W), and what of it waits."""
        waiting, kept = self._split(x)
        return self._mixed(x, earlier, kept), waiting

    def _split(self, x: Tensor) -> tuple[Tensor, ...]:
        return torch.split(x, [self.shifted, x.shape[1] - self.shifted], 1)

    def _mixed(self, x: Tensor, earlier: Tensor, kept: Tensor) -> Tensor:
        y: Tensor = x + self.convolution(torch.cat([earlier, kept], 1))
        return y


class TemporalShift(SequenceNetwork):
    """Stages of half the side each, in which a residual convolution sees a part of the channels as they were earlier.

    It is shifted from the past only, as for a stream, and by 1, 2, 4 ... frames, so that the last frame is judged
    by those up to the sum of these before it. Its state are the channels (N, shifted, H, W) that wait as long.

    Args:
        widths: channels of each stage.
        share: of so many channels one is shifted.
        embedding_size: numbers that a frame becomes.
    """

    def __init__(
        self,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        image_size: int = 32,
        widths: Sequence[int] = (16, 32, 64),
        share: int = 4,
        embedding_size: int = 64,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.strided = nn.ModuleList(
            convolution(before, width, stride=2) for before, width in pairwise((in_channels, *widths))
        )
        self.residual = nn.ModuleList(
            _ShiftedResidual(width, width // share, 2**number) for number, width in enumerate(widths)
        )
        side = side_after(image_size, len(widths))
        self.head = nn.Sequential(
            embedding(widths[-1], side, embedding_size), nn.Dropout(dropout), nn.Linear(embedding_size, num_classes)
        )
        sides = [side_after(image_size, number) for number in range(1, len(widths) + 1)]
        self.states = {
            f"earlier_{number}": StateShape((width // share, side, side), 2**number)
            for number, (width, side) in enumerate(zip(widths, sides, strict=True))
        }

    def forward(self, frames: Tensor) -> Tensor:
        shape = frames.shape[:2]
        x = frames.flatten(0, 1)
        for strided, residual in zip(self.strided, self.residual, strict=True):
            x = residual.window(strided(x), shape)  # type: ignore[operator]
        logits: Tensor = self.head(x).unflatten(0, shape)
        return logits

    def step(self, frame: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        x, waiting = frame, []
        for strided, residual, earlier in zip(self.strided, self.residual, state, strict=True):
            x, shifted = residual.step(strided(x), earlier)  # type: ignore[operator]
            waiting.append(shifted)
        return self.head(x), *waiting
