"""Crops of photographs, damaged on purpose: what restoration networks learn from."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from edgevision.data.degradations import draw_holes, shrink, underexpose
from edgevision.data.hole_kinds import HoleKind
from edgevision.data.noise import add_noise_of_kind
from edgevision.data.noise_kinds import NoiseKind
from edgevision.imaging.hole_filling import fill_smoothly, halve_known
from edgevision.imaging.samples import luma_of
from edgevision.runtime.tasks.restoration.spec import RestorationKind
from edgevision.training.photo_crops import Photos, Pixels, squeezed_part, turned, zoomed_square
from edgevision.training.seeded_batches import VALIDATION, SeededBatches, seeded_loader
from edgevision.training.settings import RestorationSettings

_WELL_EXPOSED = 0.3
"""Part of the crops to brighten that are good as they are."""

Array = NDArray[np.float32]
Example = dict[str, Tensor]
"""``image`` float32 (N, C, H, W), ``target`` float32 (N, C, scale H, scale W), and for inpainting ``mask``
(N, 1, H, W), ``coarse`` (N, 3, H / 2, W / 2), ``coarse_mask`` and ``deep``, bool (N,): whether the coarse level is to
be filled by the network too."""


class DamagedCrops(Dataset[Example]):
    """Batches of damaged crops and what they were; indexed by (epoch, batch, process), which seeds the batch."""

    def __init__(self, photos: Photos, settings: RestorationSettings) -> None:
        self._photos = photos
        self._settings = settings

    def __getitem__(self, key: tuple[int, int, int]) -> Example:
        settings = self._settings
        generator = np.random.default_rng((settings.seed, *key))
        validating = key[0] == VALIDATION
        examples = []
        for number in range(settings.batch_size):
            # Validation goes through the photographs in turn, training draws them.
            position = key[1] * settings.batch_size + number
            photo = self._photos[
                position % len(self._photos) if validating else int(generator.integers(len(self._photos)))
            ]
            damage = _Damage(settings, 1.0 if validating else self._progress(key[0]), generator)
            examples.append(_DAMAGES[settings.kind](self._crop(photo, generator), damage))
        return {name: torch.from_numpy(np.stack([example[name] for example in examples])) for name in examples[0]}

    def _progress(self, epoch: int) -> float:
        done = epoch * self._settings.validate_every / self._settings.steps
        # Weights to begin with have been through the easy first third.
        return done if self._settings.start_from is None else (1 + 2 * done) / 3

    def _crop(self, photo: Pixels, generator: np.random.Generator) -> Pixels:
        """A square of ``crop`` pixels of the photograph, shrunk at random and perhaps mirrored and turned."""
        settings = self._settings
        side = settings.crop
        if settings.kind == RestorationKind.BRIGHTEN:
            # Exposure is a matter of the whole picture: most of it, squeezed to the thumbnail's shape.
            height, width = photo.shape[:2]
            size = (width * generator.uniform(settings.zoom, 1), height * generator.uniform(settings.zoom, 1))
            crop = squeezed_part(photo, side, size, generator)
        else:
            crop = zoomed_square(photo, side, settings.zoom, generator)
        if not settings.flip:
            return crop
        turns = int(generator.integers(8))
        # A room upside down is lit as no room is.
        return turned(crop, turns // 4 * 4 if settings.kind == RestorationKind.BRIGHTEN else turns)


def crop_loader(photos: Photos, settings: RestorationSettings, batches: SeededBatches) -> DataLoader[Example]:
    """Batches of damaged crops in the order of ``batches``."""
    return seeded_loader(DamagedCrops(photos, settings), batches, kept=photos.all_kept, workers=settings.workers)


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
    return {"image": _chw(image), "target": _chw(target)}


def _shrunken(clean: Pixels, damage: _Damage) -> dict[str, Array]:
    settings, generator = damage.settings, damage.generator
    small = np.asarray(shrink(Image.fromarray(clean), settings.scale))
    image = _planes(_luma(small))
    if settings.noise is not None and generator.random() < 0.5:
        colors: Array = small.astype(np.float32) / np.float32(255)
        noisy = add_noise_of_kind(settings.noise, colors, settings.sigma[1], generator)
        image = _chw(luma_of(noisy)[:, :, None])
    return {"image": image, "target": _planes(_luma(clean))}


def _underexposed(clean: Pixels, damage: _Damage) -> dict[str, Array]:
    # What is well exposed is to be left alone; only what is not is validated on.
    dark = damage.progress == 1 or damage.generator.random() > _WELL_EXPOSED
    return {"image": _planes(underexpose(clean, damage.generator) if dark else clean), "target": _planes(clean)}


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
        "image": _chw(target * weights),
        "mask": _chw(1 - weights),
        "coarse": _chw(coarse),
        "coarse_mask": _chw(1 - half_known),
        "deep": np.asarray(bool((half_known == 0).any()) and kind in (HoleKind.BOXES, HoleKind.BLOBS)),
        "target": _chw(target),
    }


_DAMAGES: Mapping[RestorationKind, Callable[[Pixels, _Damage], dict[str, Array]]] = {
    RestorationKind.DENOISE: _noisy,
    RestorationKind.UPSCALE: _shrunken,
    RestorationKind.BRIGHTEN: _underexposed,
    RestorationKind.INPAINT: _with_holes,
}


def _luma(pixels: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(pixels).convert("L"))[:, :, None]


def _planes(pixels: Pixels) -> Array:
    scaled: Array = pixels.astype(np.float32) / np.float32(255)
    return _chw(scaled)


def _chw(array: Array) -> Array:
    return np.ascontiguousarray(array.transpose(2, 0, 1))
