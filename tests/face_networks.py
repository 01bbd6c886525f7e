"""Two face detectors whose published weights lie in the shared folder: from their papers, with the weights' names."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, *, relu: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([nn.ReLU()] if relu else []))


def _separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs),
        nn.ReLU(),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class _Body(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stage1 = nn.Sequential(
            _conv(3, 8, stride=2),
            _separable(8, 16),
            _separable(16, 32, 2),
            _separable(32, 32),
            _separable(32, 64, 2),
            _separable(64, 64),
        )
        self.stage2 = nn.Sequential(_separable(64, 128, 2), *(_separable(128, 128) for _ in range(5)))
        self.stage3 = nn.Sequential(_separable(128, 256, 2), _separable(256, 256))


class _Pyramid(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        for level, channels in enumerate((64, 128, 256), start=1):
            self.add_module(f"output{level}", _conv(channels, 64, 1))
        self.merge1, self.merge2 = _conv(64, 64), _conv(64, 64)

    def forward(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        one, two, three = self.output1(fine), self.output2(middle), self.output3(coarse)
        two = self.merge2(two + F.interpolate(three, size=two.shape[2:], mode="nearest"))
        one = self.merge1(one + F.interpolate(two, size=one.shape[2:], mode="nearest"))
        return one, two, three


class _Context(nn.Module):
    """Three branches of growing view (Najibi et al. 2017, SSH)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv3X3 = _conv(64, 32, relu=False)
        self.conv5X5_1, self.conv5X5_2 = _conv(64, 16), _conv(16, 16, relu=False)
        self.conv7X7_2, self.conv7x7_3 = _conv(16, 16), _conv(16, 16, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        half = self.conv5X5_1(x)
        return F.relu(torch.cat([self.conv3X3(x), self.conv5X5_2(half), self.conv7x7_3(self.conv7X7_2(half))], dim=1))


class _Head(nn.Module):
    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.numbers = numbers
        self.conv1x1 = nn.Conv2d(64, 2 * numbers, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv1x1(x).permute(0, 2, 3, 1).reshape(len(x), -1, self.numbers)


class RetinaFace(nn.Module):
    """RetinaFace (Deng et al. 2020) on a quarter MobileNet: offsets (N, n, 4), logits (N, n, 2), points (N, n, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.fpn = _Body(), _Pyramid()
        self.ssh1, self.ssh2, self.ssh3 = _Context(), _Context(), _Context()
        self.ClassHead = nn.ModuleList(_Head(2) for _ in range(3))
        self.BboxHead = nn.ModuleList(_Head(4) for _ in range(3))
        self.LandmarkHead = nn.ModuleList(_Head(10) for _ in range(3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine = self.body.stage1(x)
        middle = self.body.stage2(fine)
        levels = self.fpn(fine, middle, self.body.stage3(middle))
        features = [ssh(level) for ssh, level in zip((self.ssh1, self.ssh2, self.ssh3), levels, strict=True)]
        boxes, scores, points = (
            torch.cat([head(feature) for head, feature in zip(heads, features, strict=True)], dim=1)
            for heads in (self.BboxHead, self.ClassHead, self.LandmarkHead)
        )
        return boxes, scores, points


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.stride, self.added = stride, outputs - inputs
        padding = 0 if stride == 2 else 1
        self.convs = nn.Sequential(
            nn.Conv2d(inputs, inputs, 3, stride, padding, groups=inputs), nn.Conv2d(inputs, outputs, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x
        if self.stride == 2:
            # TensorFlow pads at the right and the bottom only.
            shortcut, x = F.max_pool2d(x, 2), F.pad(x, (0, 2, 0, 2))
        return F.relu(self.convs(x) + F.pad(shortcut, (0, 0, 0, 0, 0, self.added)))


class BlazeFace(nn.Module):
    """BlazeFace (Bazarevsky et al. 2019) for 128x128: numbers (N, 896, 16), logits (N, 896, 1)."""

    def __init__(self) -> None:
        super().__init__()
        widths = (24, 24, 28, 32, 36, 42, 48, 56, 64, 72, 80, 88)
        blocks = [_Block(one, other, 2 if other in (32, 48) else 1) for one, other in pairwise(widths)]
        self.backbone1 = nn.Sequential(nn.Conv2d(3, 24, 5, 2), nn.ReLU(), *blocks)
        self.backbone2 = nn.Sequential(_Block(88, 96, 2), *(_Block(96, 96) for _ in range(4)))
        self.classifier_8, self.classifier_16 = nn.Conv2d(88, 2, 1), nn.Conv2d(96, 6, 1)
        self.regressor_8, self.regressor_16 = nn.Conv2d(88, 32, 1), nn.Conv2d(96, 96, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.backbone1(F.pad(x, (1, 2, 1, 2)))
        coarse = self.backbone2(fine)

        def rows(values: Tensor, numbers: int) -> Tensor:
            return values.permute(0, 2, 3, 1).reshape(len(values), -1, numbers)

        numbers = torch.cat([rows(self.regressor_8(fine), 16), rows(self.regressor_16(coarse), 16)], dim=1)
        logits = torch.cat([rows(self.classifier_8(fine), 1), rows(self.classifier_16(coarse), 1)], dim=1)
        return numbers, logits
