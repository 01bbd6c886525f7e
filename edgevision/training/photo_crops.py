"""Photographs in memory, and the squares that networks see of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.data.datasets import is_held_out
from edgevision.imaging.images import to_array
from edgevision.training.data_source import open_photos
from edgevision.training.kept_pictures import KeptPictures

Pixels = NDArray[np.uint8]


class Photos(KeptPictures[Pixels]):
    """The pictures of several folders or zips as uint8 RGB, without the tenth that is held out or that tenth alone.

    Raises:
        DatasetError: missing, or none can be read.
    """

    def __init__(self, paths: Sequence[str], *, held_out: bool, quiet: bool) -> None:
        self._places = [
            (folder, index)
            for folder in map(open_photos, paths)
            for index, name in enumerate(folder.names)
            if is_held_out(name) == held_out
        ]
        super().__init__(
            self._decode, len(self._places), bytes_of=lambda pixels: pixels.nbytes, what="photographs", quiet=quiet
        )

    def _decode(self, position: int) -> Pixels:
        folder, index = self._places[position]
        return to_array(folder.image(index))


def zoomed_square(photo: Pixels, side: int, zoom: float, generator: np.random.Generator) -> Pixels:
    """A square of ``side`` pixels out of the photograph, shrunk at random to ``zoom`` or less far.

    A photograph that is smaller than the square is enlarged.
    """
    height, width = photo.shape[:2]
    scale = max(generator.uniform(zoom, 1), side / min(height, width))
    return squeezed_part(photo, side, (side / scale, side / scale), generator)


def squeezed_part(photo: Pixels, side: int, size: tuple[float, float], generator: np.random.Generator) -> Pixels:
    """A part of that (width, height) from anywhere in the photograph, squeezed into a square of ``side`` pixels."""
    height, width = photo.shape[:2]
    # Where the part is all of a side, rounding may make it a hair longer than that.
    left, top = generator.uniform(0, 1, 2) * (max(0, width - size[0]), max(0, height - size[1]))
    box = (left, top, min(left + size[0], width), min(top + size[1], height))
    return np.asarray(Image.fromarray(photo).resize((side, side), Image.Resampling.BICUBIC, box=box))


def turned(square: Pixels, turns: int) -> Pixels:
    """One of the eight ways that a square can lie, 0..7: from 4 on it is mirrored."""
    return np.ascontiguousarray(np.rot90(square[:, ::-1] if turns >= 4 else square, turns % 4))
