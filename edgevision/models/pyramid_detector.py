"""An anchor-free detector for small devices: a plain backbone, a light feature pyramid, a decoupled head."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgevision.models.pyramid_backbone import BLOCKS, WIDTHS, Convolution, PyramidBackbone

_PRIOR = 0.01
"""The score of every class everywhere, untrained: most cells are of nothing (Lin et al. 2017, section 4.1)."""


class _Head(nn.Module):
    """What one level says of each of its cells; boxes and classes are told by convolutions of their own."""

    def __init__(self, channels: int, numbers: int, num_classes: int, *, depthwise: bool) -> None:
        super().__init__()
        self.box_features = Convolution(channels, channels, depthwise=depthwise)
        self.score_features = Convolution(channels, channels, depthwise=depthwise)
        self.boxes = nn.Conv2d(channels, numbers, 1)
        self.scores = nn.Conv2d(channels, num_classes, 1)
        nn.init.constant_(self.scores.bias, math.log(_PRIOR / (1 - _PRIOR)))  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.boxes(self.box_features(x)).flatten(2), self.scores(self.score_features(x)).flatten(2)


class PyramidDetector(PyramidBackbone):
    """Boxes at three strides, each told by the cells in its middle.

    Input (N, 3, H, W) float32, H and W multiples of 32. Outputs ``boxes`` (N, 4 x bins, cells), for the distances left,
    top, right and bottom from a cell's middle each the logits of a distribution over 0 .. bins - 1 strides (Li et al.
    2020, "Generalized focal loss"), and ``scores`` (N, num_classes, cells), logits. Cells are those of strides 8, 16
    and 32, one after the other, each row by row.

    Args:
        num_classes: how many kinds of things there are.
        widths: channels at strides 2, 4, 8, 16 and 32.
        blocks: residual blocks at strides 4, 8, 16 and 32.
        pyramid: channels of the feature pyramid and of the head.
        bins: of a distribution; a box reaches bins - 1 strides from its cells at most.
        depthwise: whether convolutions are split into a depthwise and a 1x1 one: fewer operations, not less time.
    """

    strides = (8, 16, 32)
    multiple = 32

    def __init__(
        self,
        *,
        num_classes: int = 1,
        widths: Sequence[int] = WIDTHS,
        blocks: Sequence[int] = BLOCKS,
        pyramid: int = 48,
        bins: int = 16,
        depthwise: bool = False,
    ) -> None:
        super().__init__(widths, blocks, depthwise=depthwise)
        self.bins = bins
        self.lateral = nn.ModuleList(nn.Conv2d(width, pyramid, 1) for width in widths[2:])
        self.merge = nn.ModuleList(Convolution(pyramid, pyramid, depthwise=depthwise) for _ in self.strides)
        self.heads = nn.ModuleList(_Head(pyramid, 4 * bins, num_classes, depthwise=depthwise) for _ in self.strides)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        levels = self.levels(images)
        features: list[Tensor] = []
        for x, lateral, merge in reversed(list(zip(levels[1:], self.lateral, self.merge, strict=True))):
            own = lateral(x)
            features.insert(0, merge(own + F.interpolate(features[0], scale_factor=2.0) if features else own))
        answers = [head(x) for head, x in zip(self.heads, features, strict=True)]
        boxes, scores = zip(*answers, strict=True)
        return torch.cat(boxes, dim=2), torch.cat(scores, dim=2)
