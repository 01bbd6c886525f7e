"""Crops of photographs, made in batches that can be made again."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from edgevision.training.kept_pictures import KeptPictures
from edgevision.training.photo_crops import Pixels, squeezed_part, turned, zoomed_square
from edgevision.training.seeded_batches import VALIDATION, SeededBatches, seeded_loader
from edgevision.training.settings import PhotoSettings

Array = NDArray[np.float32]
Example = dict[str, Tensor]
"""A batch of what a network is given and what it is compared with, by name."""


class CropBatches(Dataset[Example]):
    """Batches of what is made of crops of photographs; indexed by (epoch, batch, process), which seeds the batch.

    ``whole`` is for networks that see all of a picture: crops are most of it, squeezed, and not turned, as those that
    are ``upright``.
    """

    def __init__(
        self, photos: KeptPictures[Pixels], settings: PhotoSettings, *, whole: bool = False, upright: bool = False
    ) -> None:
        self.photos = photos
        self._settings = settings
        self._whole = whole
        # A room upside down is lit as no room is, and the sky is above.
        self._upright = upright or whole

    def example(self, crop: Pixels, epoch: int, generator: np.random.Generator) -> Mapping[str, NDArray[Any]]:
        """What the network is given for a crop, and what it is compared with."""
        raise NotImplementedError

    def __getitem__(self, key: tuple[int, int, int]) -> Example:
        settings = self._settings
        generator = np.random.default_rng((settings.seed, *key))
        validating = key[0] == VALIDATION
        examples = []
        for number in range(settings.batch_size):
            # Validation goes through the photographs in turn, training draws them.
            position = key[1] * settings.batch_size + number
            photo = self.photos[
                position % len(self.photos) if validating else int(generator.integers(len(self.photos)))
            ]
            examples.append(self.example(self._crop(photo, generator), key[0], generator))
        return {name: torch.from_numpy(np.stack([example[name] for example in examples])) for name in examples[0]}

    def _crop(self, photo: Pixels, generator: np.random.Generator) -> Pixels:
        """A square of ``crop`` pixels of the photograph, shrunk at random and perhaps mirrored and turned."""
        settings = self._settings
        side = settings.crop
        if self._whole:
            # Exposure and colour are a matter of the whole picture: most of it, squeezed to the thumbnail's shape.
            height, width = photo.shape[:2]
            size = (width * generator.uniform(settings.zoom, 1), height * generator.uniform(settings.zoom, 1))
            crop = squeezed_part(photo, side, size, generator)
        else:
            crop = zoomed_square(photo, side, settings.zoom, generator)
        if not settings.flip:
            return np.ascontiguousarray(crop)
        turns = int(generator.integers(8))
        return turned(crop, turns // 4 * 4 if self._upright else turns)


def crop_loader(crops: CropBatches, batches: SeededBatches, *, workers: int) -> DataLoader[Example]:
    """Batches of crops in the order of ``batches``."""
    return seeded_loader(crops, batches, kept=crops.photos.all_kept, workers=workers)


def planes(pixels: Pixels) -> Array:
    """uint8 (H, W, C) as float32 (C, H, W) in 0..1."""
    scaled: Array = pixels.astype(np.float32) / np.float32(255)
    return chw(scaled)


def chw(array: Array) -> Array:
    """(H, W, C) as (C, H, W), in one piece."""
    return np.ascontiguousarray(array.transpose(2, 0, 1))
