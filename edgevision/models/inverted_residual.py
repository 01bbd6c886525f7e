"""Inverted residual blocks (Sandler et al. 2018), with squeeze-and-excitation where asked for (Howard et al. 2019)."""

from torch import Tensor, nn


class _SqueezeExcite(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(8, channels // 4)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)
        self.relu = nn.ReLU()
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        gated: Tensor = x * self.gate(self.expand(self.relu(self.reduce(self.pool(x)))))
        return gated


class InvertedResidual(nn.Module):
    """Channels widened ``expansion`` times, a depthwise convolution, and channels narrowed without an activation.

    Input (N, in_channels, H, W), output (N, channels, H / stride, W / stride), rounded up.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        expansion: int,
        stride: int,
        activation: type[nn.Module],
        kernel_size: int = 3,
        squeeze: bool = False,
    ) -> None:
        super().__init__()
        hidden = in_channels * expansion
        layers: list[nn.Module] = []
        if expansion > 1:
            layers += [nn.Conv2d(in_channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden), activation()]
        layers += [
            nn.Conv2d(hidden, hidden, kernel_size, stride, kernel_size // 2, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            activation(),
        ]
        if squeeze:
            layers.append(_SqueezeExcite(hidden))
        layers += [nn.Conv2d(hidden, channels, 1, bias=False), nn.BatchNorm2d(channels)]
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and in_channels == channels

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.residual else y
