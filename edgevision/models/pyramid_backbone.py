"""The backbone of the project's detector, and the classifier that teaches it to see."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

WIDTHS = (16, 24, 48, 72, 96)
"""Channels at strides 2, 4, 8, 16 and 32."""
BLOCKS = (1, 1, 1, 1)
"""Residual blocks at strides 4, 8, 16 and 32."""


class Convolution(nn.Sequential):
    """A square convolution with batch normalisation and ``activation``, or a depthwise and a 1x1 one in its place."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int = 1,
        *,
        kernel_size: int = 3,
        depthwise: bool = False,
        activation: type[nn.Module] = nn.ReLU,
    ) -> None:
        layers: list[nn.Module] = []
        sides = (kernel_size, stride, kernel_size // 2)
        if depthwise:
            layers += [
                nn.Conv2d(in_channels, in_channels, *sides, groups=in_channels, bias=False),
                nn.BatchNorm2d(in_channels),
                activation(inplace=True),
            ]
            sides = (1, 1, 0)
        layers += [
            nn.Conv2d(in_channels, channels, *sides, bias=False),
            nn.BatchNorm2d(channels),
            activation(inplace=True),
        ]
        super().__init__(*layers)


class _Residual(nn.Module):
    def __init__(self, channels: int, *, depthwise: bool) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(*(Convolution(channels, channels, depthwise=depthwise) for _ in range(2)))

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.convolutions(x)
        return x + change


class PyramidBackbone(nn.Module):
    """Residual blocks of 3x3 convolutions at strides 2 to 32: what sees, in a detector and in a classifier alike."""

    def __init__(self, widths: Sequence[int], blocks: Sequence[int], *, in_channels: int = 3, depthwise: bool) -> None:
        super().__init__()
        if len(widths) != 5 or len(blocks) != 4:
            raise ValueError(f"widths are of 5 strides and blocks of 4, not {widths!r} and {blocks!r}")
        self.stem = Convolution(in_channels, widths[0], 2)
        self.stages = nn.ModuleList(
            nn.Sequential(
                Convolution(fine, coarse, 2, depthwise=depthwise),
                *(_Residual(coarse, depthwise=depthwise) for _ in range(count)),
            )
            for (fine, coarse), count in zip(pairwise(widths), blocks, strict=True)
        )

    def levels(self, images: Tensor) -> list[Tensor]:
        """Features at strides 4, 8, 16 and 32."""
        x = self.stem(images)
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found


class PyramidClassifier(PyramidBackbone):
    """The backbone of :class:`PyramidDetector` with a linear layer on its mean: what teaches it to see.

    Input (N, in_channels, H, W) float32; output (N, num_classes), logits. Its weights are for ``--backbone`` where a
    detector of the same widths and blocks is trained.
    """

    def __init__(
        self,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        dropout: float = 0.0,
        widths: Sequence[int] = WIDTHS,
        blocks: Sequence[int] = BLOCKS,
        depthwise: bool = False,
    ) -> None:
        super().__init__(widths, blocks, in_channels=in_channels, depthwise=depthwise)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(widths[-1], num_classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.dropout(self.levels(images)[-1].mean(dim=(2, 3))))
        return logits
