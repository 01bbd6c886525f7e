"""Super-resolution that computes at the low resolution: Shi et al. 2016 (ESPCN) with residual blocks."""

import torch
from torch import Tensor, nn


class SubPixelCnn(nn.Module):
    """Convolutions at the low resolution whose last one gives each pixel its ``scale`` by ``scale`` finer ones.

    Input (N, channels, H, W) float32 in 0..1, output (N, channels, scale H, scale W), not clipped to 0..1. The network
    predicts what to add to the repeated pixels, so no interpolation operator is needed on the device.
    """

    def __init__(self, *, scale: int = 2, channels: int = 1, width: int = 32, depth: int = 8) -> None:
        super().__init__()
        if scale < 2 or depth < 2:
            raise ValueError(f"scale and depth must be at least 2, not {scale!r} and {depth!r}")
        self.scale = scale
        self.head = nn.Conv2d(channels, width, 5, padding=2)
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(depth - 2))
        self.tail = nn.Conv2d(width, channels * scale**2, 3, padding=1)
        # The untrained network repeats each pixel.
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, image: Tensor) -> Tensor:
        x = first = torch.relu(self.head(image))
        for convolution in self.body:
            x = torch.relu(convolution(x))
        # One plane is added to all by broadcasting; repeating it would bring shape operators into the exported graph.
        planes = torch.split(image, 1, dim=1)
        if len(planes) > 1:
            image = torch.cat([plane for plane in planes for _ in range(self.scale**2)], dim=1)
        fine: Tensor = self.shuffle(self.tail(x + first) + image)
        return fine
