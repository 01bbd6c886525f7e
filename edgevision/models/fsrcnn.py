"""Super-resolution by Dong et al. 2016 (FSRCNN), with the names of weights that are published for it."""

from torch import Tensor, nn


class Fsrcnn(nn.Module):
    """Extract, shrink, map, expand and enlarge by one transposed convolution.

    Input (N, channels, H, W) float32 in 0..1, output (N, channels, scale H, scale W) clipped to 0..1.
    """

    def __init__(self, *, scale: int = 2, channels: int = 3, width: int = 56, narrow: int = 12) -> None:
        super().__init__()
        self.feature_extract = nn.Conv2d(channels, width, 5, padding=2)
        self.activation_1 = nn.PReLU(width)
        self.shrink = nn.Conv2d(width, narrow, 1)
        self.activation_2 = nn.PReLU(narrow)
        self.map_1 = nn.Conv2d(narrow, narrow, 3, padding=1)
        self.map_2 = nn.Conv2d(narrow, narrow, 3, padding=1)
        self.map_3 = nn.Conv2d(narrow, narrow, 3, padding=1)
        self.map_4 = nn.Conv2d(narrow, narrow, 3, padding=1)
        self.activation_3 = nn.PReLU(narrow)
        self.expand = nn.Conv2d(narrow, width, 1)
        self.activation_4 = nn.PReLU(width)
        self.deconv = nn.ConvTranspose2d(width, channels, 9, stride=scale, padding=4, output_padding=scale - 1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.activation_2(self.shrink(self.activation_1(self.feature_extract(image))))
        x = self.activation_3(self.map_4(self.map_3(self.map_2(self.map_1(x)))))
        enlarged: Tensor = self.deconv(self.activation_4(self.expand(x)))
        return enlarged.clamp(0, 1)
