"""How far a restored picture is from the good one."""

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from kornia.filters import spatial_gradient
from kornia.losses import ssim_loss
from torch import Tensor, nn

from edgevision.errors import InputError
from edgevision.models.cifar_resnet import CifarResNet
from edgevision.preprocessing import scale_and_offset
from edgevision.training.checkpoint import load_trained
from edgevision.training.settings import LossTerm


class RestorationLoss(nn.Module):
    """The weighed sum of the terms, for pictures float32 (N, C, H, W) in 0..1."""

    def __init__(self, weights: Mapping[str, float], perceptual_model: str | None) -> None:
        super().__init__()
        self._weights = {LossTerm(name): weight for name, weight in weights.items()}
        perceptual = LossTerm.PERCEPTUAL in self._weights and perceptual_model is not None
        self.features = _Features(Path(perceptual_model)) if perceptual and perceptual_model else None

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
        if term is LossTerm.SSIM:
            similarity: Tensor = ssim_loss(restored, target, 11)
            return similarity
        if term is LossTerm.EDGE:
            return F.l1_loss(spatial_gradient(restored), spatial_gradient(target))
        assert self.features is not None
        with torch.no_grad():
            expected = self.features(target)
        return torch.stack([F.l1_loss(a, b) for a, b in zip(self.features(restored), expected, strict=True)]).mean()


class _Features(nn.Module):
    """What the first two stages of the project's residual classifier see in a picture."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        network, metadata = load_trained(path)
        if not isinstance(network, CifarResNet) or metadata.image is None or metadata.image.color.channels != 3:
            raise InputError(f"the perceptual loss needs a residual network for colour pictures, not {metadata.name}")
        self.network = network.eval().requires_grad_(False)
        scale, offset = scale_and_offset(metadata.image)
        self.register_buffer("scale", torch.from_numpy(scale * 255), persistent=False)
        self.register_buffer("offset", torch.from_numpy(offset.copy()), persistent=False)

    def forward(self, images: Tensor) -> list[Tensor]:
        scale: Tensor = self.scale  # type: ignore[assignment]
        offset: Tensor = self.offset  # type: ignore[assignment]
        images = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
        net: CifarResNet = self.network
        first = net.layer1(torch.relu(net.bn1(net.conv1(images * scale + offset))))
        return [first, net.layer2(first)]
