"""How far a painted picture is from what it shows and from the style it is to be painted in."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgevision.training.classifier_features import ClassifierFeatures, Features

# A classifier of thumbnails sees strokes of few pixels only; at these shares of the size it sees the larger ones.
_SMALLER = (0.5, 0.25)


class StyleLosses(NamedTuple):
    """Both relative to what was expected: 0 is the same, 1 as far from it as nothing at all."""

    content: Tensor
    style: Tensor


class StyleLoss(nn.Module):
    """Content and style loss (Johnson et al. 2016, section 3.2) in the features of the project's own classifier.

    Content is compared in the maps after its second stage, style in the Gram matrices of what the first layer and each
    stage sees, at three sizes.
    """

    def __init__(self, features: ClassifierFeatures, paintings: list[Tensor]) -> None:
        """Of ``paintings``, each float32 (1, 3, H, W) in 0..1."""
        super().__init__()
        self.features = features
        with torch.no_grad():
            grams = [self._grams(painting, features(painting)) for painting in paintings]
        self._count = len(grams[0])
        for index in range(self._count):
            self.register_buffer(f"gram_{index}", torch.cat([each[index] for each in grams]), persistent=False)

    def forward(self, painted: Tensor, image: Tensor, style: Tensor) -> StyleLosses:
        """Of pictures float32 (N, 3, H, W) in 0..1, and the indices of their styles (N,)."""
        with torch.no_grad():
            expected = self.features(image).stages[1]
        seen = self.features(painted)
        content = _relative(seen.stages[1], expected)
        grams = enumerate(self._grams(painted, seen))
        losses = [_relative(gram, getattr(self, f"gram_{index}")[style]) for index, gram in grams]
        return StyleLosses(content, torch.stack(losses).mean())

    def _grams(self, images: Tensor, seen: Features) -> list[Tensor]:
        # Colours are a style, too.
        maps = [images - 0.5, *seen.stages]
        for scale in _SMALLER:
            small = F.interpolate(images, scale_factor=scale, mode="area")
            maps += [small - 0.5, *self.features(small).stages]
        return [_gram(each.float().flatten(2)) for each in maps]


def _gram(flat: Tensor) -> Tensor:
    """The mean products of channels (N, C, places), and of each with one: their means."""
    flat = torch.cat((flat, torch.ones_like(flat[:, :1])), dim=1)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def _relative(actual: Tensor, expected: Tensor) -> Tensor:
    error = (actual.float() - expected.float()).square().flatten(1).sum(dim=1)
    return (error / expected.float().square().flatten(1).sum(dim=1).clamp(min=1e-6)).mean()
