"""How far a painted picture is from what it shows and from the style it is to be painted in."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgevision.imaging.patch_style import (
    BLUR,
    CONTENT_SCALES,
    LEAST_CONTRAST,
    LEAST_VARIANCE,
    PATCH,
    SCALES,
    filter_step,
    filter_weights,
    patch_filters,
)
from edgevision.imaging.samples import LUMA_WEIGHTS

_BANK = 256
"""Filters that there are, of which each step draws some."""

_QUANTILES = 1024


class StyleLosses(NamedTuple):
    """Means over the pictures, as in :mod:`edgevision.imaging.patch_style`."""

    content: Tensor
    style: Tensor


class StyleLoss(nn.Module):
    """The distances of :mod:`edgevision.imaging.patch_style`, to be made small: of many filters, and all quantiles.

    In training each step draws ``filters`` of them and where they begin; in evaluation mode they are the first.
    """

    def __init__(self, paintings: list[Tensor], *, filters: int = 32) -> None:
        """Of ``paintings``, each float32 (1, 3, H, W) in 0..1, on the device where the loss is to be."""
        super().__init__()
        device = paintings[0].device
        self._drawn = filters
        self.weights: Tensor
        self.blur: Tensor
        self.filters: Tensor
        self.luma: Tensor
        blur, luma = torch.from_numpy(BLUR).to(device), torch.from_numpy(LUMA_WEIGHTS).to(device)
        self.register_buffer("blur", blur[:, None] * blur, persistent=False)
        self.register_buffer("luma", luma[:, None, None], persistent=False)
        self.register_buffer("filters", torch.from_numpy(patch_filters(_BANK)).to(device), persistent=False)
        self.register_buffer("weights", torch.from_numpy(filter_weights(_BANK)).to(device), persistent=False)
        with torch.no_grad():
            wanted = torch.stack([self._quantiles(painting) for painting in paintings])
        # (styles, scales, filters, quantiles)
        self.wanted: Tensor
        self.register_buffer("wanted", wanted, persistent=False)

    def forward(self, painted: Tensor, image: Tensor, style: Tensor) -> StyleLosses:
        """Of pictures float32 (N, 3, H, W) in 0..1, and the indices of their styles (N,)."""
        with torch.autocast(painted.device.type, enabled=False):
            expected = self._halved(image.float())
            found = self._halved(painted.float())
            return StyleLosses(self._content(found, expected), self._style(found, style))

    def _content(self, found: list[Tensor], expected: list[Tensor]) -> Tensor:
        errors = [(self._lightness(found[at]) - self._lightness(expected[at])).square() for at in CONTENT_SCALES]
        return torch.stack([error.mean() for error in errors]).mean()

    def _lightness(self, images: Tensor) -> Tensor:
        luma = (images * self.luma).sum(dim=1)
        middle = luma - luma.mean(dim=(1, 2), keepdim=True)
        return middle / middle.square().mean(dim=(1, 2), keepdim=True).sqrt().clamp(min=LEAST_CONTRAST)

    def _style(self, found: list[Tensor], style: Tensor) -> Tensor:
        drawn = torch.arange(self._drawn, device=style.device)
        if self.training:
            drawn = torch.randperm(_BANK, device=style.device)[: self._drawn]
        errors = []
        for scale, images in enumerate(found):
            step = filter_step(max(images.shape[2:]))
            start = torch.randint(step, (2,)).tolist() if self.training else (0, 0)
            answers = self._answers(images[..., start[0] :, start[1] :], self.filters[drawn], step)
            wanted = self.wanted[style][:, scale, drawn]
            error = (answers - F.interpolate(wanted, answers.shape[2], mode="linear")).square().mean(dim=2)
            # Were it not taken as given, noise would make it large.
            variance = wanted.var(dim=2, correction=0) + answers.detach().var(dim=2, correction=0) + LEAST_VARIANCE
            errors.append((self.weights[drawn] * error / variance).mean())
        return torch.stack(errors).mean()

    def _quantiles(self, painting: Tensor) -> Tensor:
        """(scales, filters, quantiles) of a painting."""
        found = []
        for images in self._halved(painting):
            step = max(1, filter_step(max(images.shape[2:])) // 2)
            found.append(F.interpolate(self._answers(images, self.filters, step), _QUANTILES, mode="linear"))
        return torch.cat(found)

    def _answers(self, images: Tensor, filters: Tensor, step: int) -> Tensor:
        """What each filter says, (N, filters, places), in rising order."""
        return F.conv2d(images, filters, stride=step).flatten(2).sort(dim=2).values

    def _halved(self, images: Tensor) -> list[Tensor]:
        """Pictures at all scales, continued where they are smaller than a patch."""
        scales = [images]
        kernel = self.blur.expand(3, 1, *self.blur.shape)
        for _ in range(SCALES - 1):
            padded = F.pad(scales[-1], (1, 1, 1, 1), mode="reflect")
            scales.append(F.conv2d(padded, kernel, stride=2, groups=3))
        return [
            F.pad(each, (0, max(0, PATCH - each.shape[3]), 0, max(0, PATCH - each.shape[2])), mode="replicate")
            for each in scales
        ]
