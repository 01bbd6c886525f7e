"""A depthwise-separable classifier in the manner of MobileNetV3 (Howard et al. 2019).

Hard-swish and squeeze-and-excitation make it the hard case for int8: wide activation ranges, cheap operators between
the convolutions, and depthwise weights whose channels differ by orders of magnitude.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from edgevision.models.inverted_residual import InvertedResidual


@dataclass(frozen=True)
class _Stage:
    expansion: int
    channels: int
    stride: int
    kernel_size: int
    squeeze: bool
    hard_swish: bool


# Half of MobileNetV3-small's depth: the widths and the order of its features are kept.
_STAGES = (
    _Stage(1, 16, 1, 3, squeeze=True, hard_swish=False),
    _Stage(4, 24, 2, 3, squeeze=False, hard_swish=False),
    _Stage(4, 24, 1, 3, squeeze=False, hard_swish=False),
    _Stage(4, 40, 2, 5, squeeze=True, hard_swish=True),
    _Stage(6, 40, 1, 5, squeeze=True, hard_swish=True),
    _Stage(6, 96, 2, 5, squeeze=True, hard_swish=True),
    _Stage(6, 96, 1, 5, squeeze=True, hard_swish=True),
)


class MobileNet(nn.Module):
    """Inverted residual blocks after a strided stem.

    Input (N, in_channels, H, W) float32 with any H and W of at least 8, output logits (N, num_classes). Below an
    ``image_size`` of 96 the stem and the last strided stage keep their resolution, so that 32x32 ends in 8x8 maps.
    """

    def __init__(
        self, *, num_classes: int = 10, in_channels: int = 3, image_size: int = 32, dropout: float = 0.0
    ) -> None:
        super().__init__()
        small = image_size < 96
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, 16, 3, 1 if small else 2, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.Hardswish(),
        )
        blocks: list[nn.Module] = []
        channels = 16
        for stage in _STAGES:
            stride = 1 if small and stage.channels == 96 else stage.stride
            block = InvertedResidual(
                channels,
                stage.channels,
                expansion=stage.expansion,
                stride=stride,
                activation=nn.Hardswish if stage.hard_swish else nn.ReLU,
                kernel_size=stage.kernel_size,
                squeeze=stage.squeeze,
            )
            blocks.append(block)
            channels = stage.channels
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Sequential(nn.Conv2d(channels, 288, 1, bias=False), nn.BatchNorm2d(288), nn.Hardswish())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Sequential(nn.Linear(288, 256), nn.Hardswish(), nn.Dropout(dropout), nn.Linear(256, num_classes))

    def forward(self, images: Tensor) -> Tensor:
        features = self.pool(self.last(self.blocks(self.stem(images)))).flatten(1)
        logits: Tensor = self.head(features)
        return logits
