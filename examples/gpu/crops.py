"""Squares out of photographs that lie on the GPU, drawn there: a loader in Python cannot feed it."""

import numpy as np
import torch
from clocked import DEVICE
from PIL import Image
from torch import Tensor

from edgevision.imaging.samples import LUMA_WEIGHTS

# Here once: nothing can be copied to the GPU while a graph is captured.
_LUMA = torch.from_numpy(LUMA_WEIGHTS).to(DEVICE)
_SCALES = (1.0, 0.87, 0.76, 0.66, 0.57, 0.5)


class PhotoCrops:
    """Draws uint8 (N, 3, side, side): a photograph at one of some scales, from anywhere in it, turned and mirrored.

    Every photograph is kept at each scale at which it is large enough, shrunk by Pillow's antialiased filter; one that
    is too small even as it is is enlarged.
    """

    def __init__(self, photos: list[np.ndarray], side: int, device: torch.device, scales=_SCALES) -> None:
        self.side, self._device = side, device
        kept, offsets, shapes = [], [], []
        at = 0
        for photo in photos:
            height, width = photo.shape[:2]
            for scale in scales:
                scale = max(scale, side / min(height, width) + 1e-3) if scale == 1.0 else scale
                size = round(width * scale), round(height * scale)
                if min(size) < side:
                    continue
                small = (
                    photo if scale == 1.0 else np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BICUBIC))
                )
                kept.append(small.reshape(-1, 3))
                offsets.append(at)
                shapes.append(small.shape[:2])
                at += small.shape[0] * small.shape[1]
        self._pixels = torch.from_numpy(np.concatenate(kept)).to(device)
        self._offsets = torch.tensor(offsets, device=device)
        self._shapes = torch.tensor(shapes, device=device)

    def draw(self, count: int) -> Tensor:
        """Nothing in it waits for the GPU, so it can stand in a captured graph."""
        device, side = self._device, self.side
        chosen = (torch.rand(count, device=device) * len(self._offsets)).long()
        height, width = self._shapes[chosen].unbind(1)
        top = (torch.rand(count, device=device) * (height - side + 1)).long()
        left = (torch.rand(count, device=device) * (width - side + 1)).long()
        along = torch.arange(side, device=device)
        i, j = along[None, :, None], along[None, None, :]
        mirrored, upended, swapped = (torch.rand(3, count, 1, 1, device=device) < 0.5).unbind(0)
        i, j = torch.where(swapped, j, i), torch.where(swapped, i, j)
        i, j = torch.where(upended, side - 1 - i, i), torch.where(mirrored, side - 1 - j, j)
        index = (
            self._offsets[chosen][:, None, None]
            + (top[:, None, None] + i) * width[:, None, None]
            + left[:, None, None]
            + j
        )
        return self._pixels[index].permute(0, 3, 1, 2)


def luma_of(image: Tensor) -> Tensor:
    """float32 (N, 3, H, W) to (N, 1, H, W)."""
    return (image.permute(0, 2, 3, 1) @ _LUMA)[:, None]
