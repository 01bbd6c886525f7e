"""The denoiser of Zhang et al. 2017, with the names of the weights that are published for it."""

from torch import Tensor, nn


class DnCnn(nn.Module):
    """``depth`` plain convolutions with batch normalisation that predict the noise.

    Input (N, channels, H, W) float32 in 0..1, output the same shape: what to subtract from the input.
    """

    def __init__(self, *, channels: int = 1, depth: int = 17, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.ReLU()]
        for _ in range(depth - 2):
            layers += [nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        self.dncnn = nn.Sequential(*layers, nn.Conv2d(width, channels, 3, padding=1, bias=False))

    def forward(self, image: Tensor) -> Tensor:
        noise: Tensor = self.dncnn(image)
        return noise
