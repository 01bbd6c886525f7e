"""Pairs in memory, and the squares of them that translation networks see."""

from collections.abc import Mapping, Sequence

import numpy as np

from edgevision.data.picture_pairs import halves
from edgevision.data.point_annotations import HeldOut
from edgevision.imaging.images import to_array
from edgevision.training.crop_batches import Array, CropBatches, planes
from edgevision.training.data_source import open_pairs
from edgevision.training.kept_pictures import KeptPictures
from edgevision.training.photo_crops import Pixels
from edgevision.training.settings import TranslationSettings


class Pairs(KeptPictures[Pixels]):
    """The pairs of several folders or zips as uint8 (H, W, 6), without the tenth that is held out or that tenth alone.

    Raises:
        DatasetError: missing, or none can be read.
    """

    def __init__(
        self, paths: Sequence[str], *, in_tenth: HeldOut, swap: bool = False, held_out: bool, quiet: bool
    ) -> None:
        self._swap = swap
        self._places = [
            (folder, index)
            for folder in map(open_pairs, paths)
            for index, name in enumerate(folder.names)
            if in_tenth(name) == held_out
        ]
        super().__init__(
            self._decode, len(self._places), bytes_of=lambda pixels: pixels.nbytes, what="pairs", quiet=quiet
        )

    def _decode(self, position: int) -> Pixels:
        folder, index = self._places[position]
        left, right = halves(to_array(folder.image(index)))
        return np.concatenate((right, left) if self._swap else (left, right), axis=2)


class PairCrops(CropBatches):
    """Batches of the same squares of both pictures: ``image`` and ``target``, float32 (N, 3, H, W) in 0..1."""

    def __init__(self, pairs: KeptPictures[Pixels], settings: TranslationSettings) -> None:
        super().__init__(pairs, settings, upright=not settings.turn)

    def _crop(self, photo: Pixels, generator: np.random.Generator) -> Pixels:
        seed = int(generator.integers(2**63))
        both = (photo[:, :, :3], photo[:, :, 3:])
        return np.concatenate(
            [super(PairCrops, self)._crop(np.ascontiguousarray(each), np.random.default_rng(seed)) for each in both],
            axis=2,
        )

    def example(self, crop: Pixels, epoch: int, generator: np.random.Generator) -> Mapping[str, Array]:
        return {"image": planes(crop[:, :, :3]), "target": planes(crop[:, :, 3:])}
