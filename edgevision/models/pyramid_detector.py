"""An anchor-free detector for small devices: a plain backbone, a light feature pyramid, a decoupled head."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from edgevision.models.detection_head import DecoupledHead, tell_levels
from edgevision.models.pyramid_backbone import BLOCKS, WIDTHS, Convolution, PyramidBackbone


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
        self.heads = nn.ModuleList(
            DecoupledHead(pyramid, 4 * bins, num_classes, depthwise=depthwise) for _ in self.strides
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        levels = self.levels(images)
        features: list[Tensor] = []
        for x, lateral, merge in reversed(list(zip(levels[1:], self.lateral, self.merge, strict=True))):
            own = lateral(x)
            features.insert(0, merge(own + F.interpolate(features[0], scale_factor=2.0) if features else own))
        return tell_levels(self.heads, features)
