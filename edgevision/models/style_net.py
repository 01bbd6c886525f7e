"""A network that paints a picture in another style, one of several or a mixture of them."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_EPSILON = 1e-5


class StyleNet(nn.Module):
    """Fast style transfer (Johnson et al. 2016) with conditional instance normalisation (Dumoulin et al. 2017).

    Enlarging is by repetition before a convolution, which leaves no checkerboard. Normalisation looks at all of a
    picture; where one is cut into tiles, the statistics of all of it are given, and every tile is normalised by them.

    Inputs, all float32: ``image`` (N, 3, H, W) in 0..1, H and W multiples of :attr:`multiple`; ``shares`` (N, styles),
    how much of each style; ``statistics`` (N, 2, channels), means and variances to normalise by, those of the picture
    itself where the variance is 0. Outputs: the picture (N, 3, H, W), not clipped to 0..1, and its own ``statistics``.

    Args:
        styles: how many there are.
        width: channels at the full size; four times as many at a quarter of it.
        blocks: residual blocks at a quarter of the size.
        residual: whether the photograph is added, so that its detail stays; without, all that is seen is painted.
    """

    multiple = 4

    def __init__(self, *, styles: int = 1, width: int = 12, blocks: int = 3, residual: bool = True) -> None:
        super().__init__()
        wide = 4 * width
        self.layers = nn.ModuleList(
            [
                _Layer(3, width, 9, styles),
                _Layer(width, 2 * width, 3, styles, stride=2),
                _Layer(2 * width, wide, 3, styles, stride=2),
                *(_Layer(wide, wide, 3, styles) for _ in range(2 * blocks)),
                _Layer(wide, 2 * width, 3, styles),
                _Layer(2 * width, width, 3, styles),
            ]
        )
        self.blocks = blocks
        self.styles = styles
        self.widths = [width, 2 * width, wide, *([wide] * 2 * blocks), 2 * width, width]
        self.channels = sum(self.widths)
        self.tail = nn.Conv2d(width, 3, 9, padding=4, padding_mode="reflect")
        self.residual = residual
        # The untrained network returns its input, or middle gray with noise.
        if residual:
            nn.init.zeros_(self.tail.weight)
        nn.init.constant_(self.tail.bias, 0.0 if residual else 0.5)  # type: ignore[arg-type]

    def forward(self, image: Tensor, shares: Tensor, statistics: Tensor) -> tuple[Tensor, Tensor]:
        own: list[Tensor] = []
        parts = iter(torch.split(statistics, self.widths, dim=2))

        def run(layer: nn.Module, x: Tensor) -> Tensor:
            y, found = layer(x, shares, next(parts))
            own.append(found)
            return y  # type: ignore[no-any-return]

        first, second, third, *middle, up, last = self.layers
        x = torch.relu(run(third, torch.relu(run(second, torch.relu(run(first, image))))))
        for one, other in zip(middle[::2], middle[1::2], strict=True):
            x = x + run(other, torch.relu(run(one, x)))
        x = torch.relu(run(up, F.interpolate(x, scale_factor=2, mode="nearest")))
        x = torch.relu(run(last, F.interpolate(x, scale_factor=2, mode="nearest")))
        painted = self.tail(x)
        return image + painted if self.residual else painted, torch.cat(own, dim=2)


class _Layer(nn.Module):
    """A convolution with its normalisation, whose gain and bias are those of the styles, mixed by their shares."""

    def __init__(self, before: int, channels: int, kernel_size: int, styles: int, stride: int = 1) -> None:
        super().__init__()
        # The normalisation takes away what a bias would add.
        self.conv = nn.Conv2d(
            before, channels, kernel_size, stride, kernel_size // 2, padding_mode="reflect", bias=False
        )
        self.gain = nn.Parameter(torch.ones(styles, channels))
        self.bias = nn.Parameter(torch.zeros(styles, channels))

    def forward(self, x: Tensor, shares: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        """The normalised maps, and the mean and variance of each channel, (N, 2, channels)."""
        x = self.conv(x)
        mean = x.mean(dim=(2, 3))
        variance = (x - mean[:, :, None, None]).square().mean(dim=(2, 3))
        own = torch.stack((mean, variance), dim=1)
        used = torch.where(given[:, 1:] > 0, given, own)
        gain = (shares @ self.gain) / (used[:, 1] + _EPSILON).sqrt()
        bias = shares @ self.bias - used[:, 0] * gain
        return x * gain[:, :, None, None] + bias[:, :, None, None], own
