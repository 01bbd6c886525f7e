"""A portrait segmenter whose published weights lie in the shared folder: from its paper, with the weights' names."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_EPS = 1e-3


class _Conv(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class _Activated(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn, self.act = nn.BatchNorm2d(channels, eps=_EPS), nn.PReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(x))


class _Branch(nn.Module):
    """A dilated separable convolution; before a wide one thin depthwise ones gather what it jumps over."""

    def __init__(self, inputs: int, outputs: int, dilation: int) -> None:
        super().__init__()
        reach = 2 * dilation - 1
        gather: list[nn.Module] = []
        if dilation > 1:
            gather = [
                nn.Conv2d(inputs, inputs, (reach, 1), padding=(dilation - 1, 0), groups=inputs, bias=False),
                nn.BatchNorm2d(inputs),
                nn.PReLU(inputs),
                nn.Conv2d(inputs, inputs, (1, reach), padding=(0, dilation - 1), groups=inputs, bias=False),
                nn.BatchNorm2d(inputs),
            ]
        self.conv = nn.Sequential(
            *gather,
            nn.Conv2d(inputs, inputs, 3, padding=dilation, dilation=dilation, groups=inputs, bias=False),
            nn.Conv2d(inputs, outputs, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class _C3(nn.Module):
    """Three branches that share the channels (Park et al. 2019, concentrated-comprehensive convolution)."""

    def __init__(
        self, inputs: int, outputs: int, dilations: tuple[int, int, int], *, kernel: int = 1, stride: int = 1
    ) -> None:
        super().__init__()
        width = outputs // 3
        self.c1 = _Conv(inputs, width, kernel, stride)
        self.d1 = _Branch(width, outputs - 2 * width, dilations[0])
        self.d2, self.d3 = _Branch(width, width, dilations[1]), _Branch(width, width, dilations[2])
        self.bn = _Activated(outputs)
        self._adds = inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        reduced = self.c1(x)
        joined = torch.cat([self.d1(reduced), self.d2(reduced), self.d3(reduced)], dim=1)
        return self.bn(x + joined if self._adds else joined)


class _Down(_C3):
    """The same at half the size, whose normalisation stands beside the branches."""

    def __init__(self, inputs: int, outputs: int, dilations: tuple[int, int, int]) -> None:
        super().__init__(inputs, outputs, dilations, kernel=3, stride=2)
        self.bn, self.act = nn.BatchNorm2d(outputs, eps=_EPS), nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(super().forward(x))


class _First(_Activated):
    def __init__(self) -> None:
        super().__init__(24)
        self.conv = nn.Conv2d(3, 24, 3, 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.conv(x))


class _Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.level1, self.b1 = _First(), _Activated(27)
        self.level2_0 = _Down(27, 48, (1, 2, 3))
        self.level2, self.b2 = nn.ModuleList([_C3(48, 48, (1, 3, 4))]), _Activated(99)
        self.level3_0 = _C3(99, 56, (1, 3, 5))
        self.level3, self.b3 = nn.ModuleList([_C3(56, 56, (2, 4, 8)) for _ in range(5)]), _Activated(112)

    def forward(self, picture: Tensor) -> Tensor:
        half = F.avg_pool2d(picture, 3, 2, 1)
        quarter = F.avg_pool2d(half, 3, 2, 1)
        x = self.b1(torch.cat([self.level1(picture), half], dim=1))
        first = x = self.level2_0(x)
        for block in self.level2:
            x = block(x)
        x = self.b2(torch.cat([x, first, quarter], dim=1))
        first = x = self.level3_0(x)
        for block in self.level3:
            x = block(x)
        return self.b3(torch.cat([first, x], dim=1))


class ExtremeC3(nn.Module):
    """A logit of the person for each pixel of a portrait (Park et al. 2019, ExtremeC3Net)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = _Encoder()
        self.upsample = nn.Sequential(nn.Conv2d(112, 24, 1, bias=False), nn.BatchNorm2d(24))
        self.Fine = nn.Sequential(_Conv(3, 24, 3, 2), _C3(24, 24, (2, 4, 8)))
        self.classifier = nn.Sequential(
            _Activated(24),
            nn.UpsamplingBilinear2d(scale_factor=2),
            nn.Conv2d(24, 1, 1, bias=False),
        )

    def forward(self, picture: Tensor) -> Tensor:
        fine = self.Fine(picture)
        coarse = F.interpolate(
            self.upsample(self.encoder(picture)), size=fine.shape[2:], mode="bilinear", align_corners=True
        )
        return self.classifier(fine + coarse)
