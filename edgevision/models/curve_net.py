"""Brightening by light-enhancement curves that a small network estimates from a thumbnail (Guo et al. 2020)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CurveNet(nn.Module):
    """From a thumbnail to the parameters of the curves that brighten the picture it was made from.

    Input (N, 3, H, W) float32 in 0..1, H and W multiples of 8. Output ``curves`` (N, 3 * iterations, H / 8, W / 8) in
    -1..1: for each iteration the parameter of red, green and blue, to be interpolated over the picture and applied by
    :func:`apply_curves`. The thumbnail's mean features reach every place, because exposure is a matter of the whole.
    """

    def __init__(self, *, iterations: int = 8, width: int = 32) -> None:
        super().__init__()
        self.local = nn.Sequential(
            nn.Conv2d(3, width // 2, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(width // 2, width, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
        )
        self.whole = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, 2 * width, 1), nn.ReLU(), nn.Conv2d(2 * width, width, 1)
        )
        self.head = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 3 * iterations, 3, padding=1)
        )

    def forward(self, image: Tensor) -> Tensor:
        features = self.local(image)
        curves: Tensor = torch.tanh(self.head(features + self.whole(features)))
        return curves


def apply_curves(image: Tensor, curves: Tensor) -> Tensor:
    """Brighten ``image`` (N, 3, H, W) in 0..1 by x + a x (1 - x), once for each three channels of ``curves``.

    Guo et al. 2020, equation 2; ``curves`` (N, 3 * iterations, any, any) are interpolated bilinearly to H and W.
    """
    maps = F.interpolate(curves, image.shape[-2:], mode="bilinear", align_corners=False)
    for a in torch.split(maps, 3, dim=1):
        image = image + a * image * (1 - image)
    return image
