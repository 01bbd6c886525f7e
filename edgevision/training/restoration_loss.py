"""How far a restored picture is from the good one."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from kornia.filters import spatial_gradient
from kornia.losses import ssim_loss
from torch import Tensor, nn

from edgevision.training.classifier_features import ClassifierFeatures
from edgevision.training.settings import LossTerm


class RestorationLoss(nn.Module):
    """The weighed sum of the terms, for pictures float32 (N, C, H, W) in 0..1."""

    def __init__(self, weights: Mapping[str, float], perceptual_model: str | None) -> None:
        super().__init__()
        self._weights = {LossTerm(name): weight for name, weight in weights.items()}
        perceptual = LossTerm.PERCEPTUAL in self._weights and perceptual_model is not None
        self.features = ClassifierFeatures.read(perceptual_model) if perceptual and perceptual_model else None

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        total = torch.zeros((), device=restored.device)
        for term, weight in self._weights.items():
            total = total + weight * self._term(term, restored, target)
        return total

    def _term(self, term: LossTerm, restored: Tensor, target: Tensor) -> Tensor:
        if term is LossTerm.L1:
            return F.l1_loss(restored, target)
        if term is LossTerm.L2:
            return F.mse_loss(restored, target)
        if term is LossTerm.PSNR:
            return (restored - target).square().mean(dim=(1, 2, 3)).add(1e-4).log10().mean()
        if term in (LossTerm.SSIM, LossTerm.EDGE):
            # Differences of what is nearly alike: their filters in bfloat16 would leave nothing but rounding.
            with torch.autocast(restored.device.type, enabled=False):
                restored = restored.float()
                if term is LossTerm.EDGE:
                    return F.l1_loss(spatial_gradient(restored), spatial_gradient(target))
                similarity: Tensor = ssim_loss(restored, target, 11)
                return similarity
        assert self.features is not None
        with torch.no_grad():
            expected = self.features(target).stages[:2]
        stages = self.features(restored).stages[:2]
        return torch.stack([F.l1_loss(a, b) for a, b in zip(stages, expected, strict=True)]).mean()
