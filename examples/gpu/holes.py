"""Holes drawn by the product, and the product's smooth guess of what is in them, for batches on the GPU."""

from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from edgevision.data.degradations import draw_holes
from edgevision.data.hole_kinds import HoleKind

SHARES = {HoleKind.STROKES: 0.3, HoleKind.TEXT: 0.2, HoleKind.BOXES: 0.15, HoleKind.BLOBS: 0.15, HoleKind.PIXELS: 0.2}


def _draw(job: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    seed, count, side = job
    generator = np.random.default_rng(seed)
    kinds = generator.choice(list(SHARES), count, p=list(SHARES.values()))
    masks = np.stack([draw_holes(HoleKind(kind), side, side, generator) for kind in kinds])
    return masks, np.isin(kinds, [HoleKind.BOXES, HoleKind.BLOBS])


class Holes:
    """A stock of masks, float32 (N, 1, side, side), drawn again turned and mirrored."""

    def __init__(self, count: int, side: int, device: torch.device) -> None:
        portion = 250
        with ProcessPoolExecutor() as pool:
            drawn = list(pool.map(_draw, [(seed, portion, side) for seed in range(-(-count // portion))]))
        self._masks = torch.from_numpy(np.concatenate([masks for masks, _ in drawn])).to(device)
        self._large = torch.from_numpy(np.concatenate([large for _, large in drawn])).to(device)

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Masks, 1 in the hole, and whether they are boxes or blobs, bool (N, 1, 1, 1)."""
        device = self._masks.device
        chosen = (torch.rand(count, device=device) * len(self._masks)).long()
        masks = self._masks[chosen]
        mirrored, swapped = (torch.rand(2, count, 1, 1, device=device) < 0.5).unbind(0)
        masks = torch.where(mirrored, masks.flip(2), masks)
        masks = torch.where(swapped, masks.mT, masks)
        return masks[:, None].float(), self._large[chosen][:, None, None, None]


def halve_known(image: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    total = F.avg_pool2d(known, 2) * 4
    mean = F.avg_pool2d(image * known, 2) * 4 / torch.where(total > 0, total, 1.0)
    return mean, total.clamp(max=1)


def double(image: Tensor) -> Tensor:
    return F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)


def fill_smoothly(image: Tensor, known: Tensor) -> Tensor:
    """edgevision.imaging.hole_filling.fill_smoothly; the side is a power of two."""
    if image.shape[-1] == 1:
        return torch.where(known > 0, image, 0.5)
    return torch.where(known > 0, image, double(fill_smoothly(*halve_known(image, known))))
