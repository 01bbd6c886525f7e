"""Crops of photographs, damaged on purpose: what restoration networks learn from."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from PIL import Image

from edgevision.data.degradations import draw_holes, shrink, underexpose
from edgevision.data.hole_kinds import HoleKind
from edgevision.data.noise import add_noise_of_kind
from edgevision.data.noise_kinds import NoiseKind
from edgevision.imaging.hole_filling import fill_smoothly, halve_known
from edgevision.imaging.lab import to_lab
from edgevision.imaging.samples import luma_of
from edgevision.runtime.tasks.restoration.spec import RestorationKind
from edgevision.training.crop_batches import Array, CropBatches, chw, planes
from edgevision.training.kept_pictures import KeptPictures
from edgevision.training.photo_crops import Pixels
from edgevision.training.seeded_batches import VALIDATION
from edgevision.training.settings import RestorationSettings

WELL_EXPOSED = 0.3
"""Part of the crops to brighten that are good as they are."""

AB_CENTRE, AB_RANGE = 128.0, 255.0
"""What a and b of CIE Lab are moved and divided by to lie in 0..1."""

_FADED = 0.2
"""How much of their contrast gray pictures to colour lose at most, at either end."""

_WHOLE = (RestorationKind.BRIGHTEN, RestorationKind.COLORIZE)
"""Kinds whose networks see a thumbnail of all of a picture."""


class DamagedCrops(CropBatches):
    """Batches of damaged crops and what they were.

    ``image`` float32 (N, C, H, W), ``target`` float32 (N, C, scale H, scale W), and for inpainting ``mask``
    (N, 1, H, W), ``coarse`` (N, 3, H / 2, W / 2), ``coarse_mask`` and ``deep``, bool (N,): whether the coarse level is
    to be filled by the network too. Of colorizing ``target`` is a and b (N, 2, H / 2, W / 2), moved into 0..1.
    """

    def __init__(self, photos: KeptPictures[Pixels], settings: RestorationSettings) -> None:
        super().__init__(photos, settings, whole=settings.kind in _WHOLE)
        self._restoration = settings

    def example(self, crop: Pixels, epoch: int, generator: np.random.Generator) -> Mapping[str, Array]:
        damage = _Damage(self._restoration, 1.0 if epoch == VALIDATION else self._progress(epoch), generator)
        return _DAMAGES[self._restoration.kind](crop, damage)

    def _progress(self, epoch: int) -> float:
        done = epoch * self._restoration.validate_every / self._restoration.steps
        # Weights to begin with have been through the easy first third.
        return done if self._restoration.start_from is None else (1 + 2 * done) / 3


class _Damage(NamedTuple):
    """What a crop is damaged by; ``progress`` is the part of the training that is done, 0..1."""

    settings: RestorationSettings
    progress: float
    generator: np.random.Generator


def _noisy(clean: Pixels, damage: _Damage) -> dict[str, Array]:
    settings, generator = damage.settings, damage.generator
    kind = settings.noise or NoiseKind.WHITE
    gray = generator.random() < settings.gray
    target: Array = (_luma(clean) if gray else clean).astype(np.float32) / np.float32(255)
    # Mixed noise draws its own strength, and whether it is rounded.
    sigma = settings.sigma[1] if kind is NoiseKind.MIXED else generator.uniform(*settings.sigma)
    image = add_noise_of_kind(kind, target, sigma, generator)
    if kind is NoiseKind.WHITE and generator.random() < 0.5:
        # What comes out of a file is clipped and rounded; what the literature measures is not.
        image = np.round(np.clip(image, 0, 1) * 255) / np.float32(255)
    if gray:
        image, target = np.repeat(image, 3, axis=2), np.repeat(target, 3, axis=2)
    return {"image": chw(image), "target": chw(target)}


def _shrunken(clean: Pixels, damage: _Damage) -> dict[str, Array]:
    settings, generator = damage.settings, damage.generator
    small = np.asarray(shrink(Image.fromarray(clean), settings.scale))
    image = planes(_luma(small))
    if settings.noise is not None and generator.random() < 0.5:
        colors: Array = small.astype(np.float32) / np.float32(255)
        noisy = add_noise_of_kind(settings.noise, colors, settings.sigma[1], generator)
        image = chw(luma_of(noisy)[:, :, None])
    return {"image": image, "target": planes(_luma(clean))}


def _underexposed(clean: Pixels, damage: _Damage) -> dict[str, Array]:
    # What is well exposed is to be left alone; only what is not is validated on.
    dark = damage.progress == 1 or damage.generator.random() > WELL_EXPOSED
    return {"image": planes(underexpose(clean, damage.generator) if dark else clean), "target": planes(clean)}


def _colorless(clean: Pixels, damage: _Damage) -> dict[str, Array]:
    generator = damage.generator
    gray: Array = _luma(clean).astype(np.float32) / np.float32(255)
    if damage.progress < 1:
        # Prints fade, and films differ in their curves and their grain.
        low, high = generator.uniform(0, _FADED), 1 - generator.uniform(0, _FADED)
        gray = low + (high - low) * gray ** np.float32(np.exp(generator.normal(0, 0.2)))
        gray = gray + generator.normal(0, generator.uniform(0, 0.03), gray.shape).astype(np.float32)
    # Colours are told at half the size.
    half = Image.fromarray(clean).reduce(2)
    ab = to_lab(np.asarray(half, np.float32) / np.float32(255))[:, :, 1:]
    return {
        "image": chw(gray.astype(np.float32)),
        "target": chw((ab + np.float32(AB_CENTRE)) / np.float32(AB_RANGE)),
    }


def _with_holes(clean: Pixels, damage: _Damage) -> dict[str, Array]:
    generator = damage.generator
    # Scattered pixels teach how edges go on many times faster than the few large holes do: first they alone, then, from
    # a third of the training on, some of them. None are validated on.
    scattered = generator.random() < max(0.2, 1 - 3 * damage.progress) and damage.progress < 1
    others = [kind for kind in HoleKind if kind is not HoleKind.PIXELS]
    kind = HoleKind.PIXELS if scattered else others[int(generator.integers(len(others)))]
    known = ~draw_holes(kind, clean.shape[0], clean.shape[1], generator)[:, :, None]
    target: Array = clean.astype(np.float32) / np.float32(255)
    weights = known.astype(np.float32)
    half, half_known = halve_known(target, weights)
    coarse = fill_smoothly(half, half_known)
    return {
        "image": chw(target * weights),
        "mask": chw(1 - weights),
        "coarse": chw(coarse),
        "coarse_mask": chw(1 - half_known),
        "deep": np.asarray(bool((half_known == 0).any()) and kind in (HoleKind.BOXES, HoleKind.BLOBS)),
        "target": chw(target),
    }


_DAMAGES: Mapping[RestorationKind, Callable[[Pixels, _Damage], dict[str, Array]]] = {
    RestorationKind.DENOISE: _noisy,
    RestorationKind.UPSCALE: _shrunken,
    RestorationKind.BRIGHTEN: _underexposed,
    RestorationKind.INPAINT: _with_holes,
    RestorationKind.COLORIZE: _colorless,
}


def _luma(pixels: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(pixels).convert("L"))[:, :, None]
