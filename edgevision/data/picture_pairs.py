"""Pairs of pictures, of which one is to become the other: two in one file, or in two folders."""

import logging
from collections.abc import Callable, Sequence
from copy import copy
from pathlib import PurePosixPath
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.errors import DatasetError, ImageError
from edgevision.data.datasets import ImageFolder
from edgevision.imaging.images import to_array

_log = logging.getLogger(__name__)

_FOLDERS = ("a", "b")


class PairedFolder(ImageFolder):
    """The pairs of one split of a folder or zip; a picture of it shows both, the given one on the left.

    Each file shows both, or those in folders ``A`` and ``B`` are paired by their names, of which endings do not count.
    """

    def _take(self, splits: Sequence[str]) -> None:
        super()._take(splits)
        self._partners: dict[str, str] = {}
        if tuple(name.lower() for name in self.class_names) != _FOLDERS:
            return
        given, wanted = (
            {_place(name, folder): name for name in self.names if folder in PurePosixPath(name).parts}
            for folder in self.class_names
        )
        alone = sorted(given.keys() ^ wanted.keys())
        if alone:
            _log.warning("%d pictures of %r have no partner, as %s", len(alone), str(self.path), alone[0])
        self._partners = {given[place]: wanted[place] for place in given.keys() & wanted.keys()}
        if not self._partners:
            raise DatasetError(f"no picture in A of {str(self.path)!r} has the name of one in B")
        self.names = tuple(sorted(self._partners))
        self.class_names, self.labels = (), np.full(len(self.names), -1)

    def only(self, wanted: Callable[[str], bool]) -> Self:
        """The pairs whose names are ``wanted``."""
        chosen = copy(self)
        chosen.names = tuple(filter(wanted, self.names))
        chosen.labels = np.full(len(chosen.names), -1)
        return chosen

    def picture(self, name: str) -> Image.Image:
        """Decode both, as one picture in RGB; :class:`ImageError` where they cannot be, or are no pair."""
        image = super().picture(name)
        if name not in self._partners:
            if image.width % 2:
                raise ImageError(
                    f"{name!r} in {str(self.path)!r} is {image.width} pixels wide, and two pictures side by side have"
                    " an even width; or put them into folders A and B"
                )
            return image.convert("RGB") if image.mode != "RGB" else image
        partner = super().picture(self._partners[name])
        if partner.size != image.size:
            raise ImageError(
                f"{name!r} in {str(self.path)!r} is {image.width}x{image.height}, its partner"
                f" {partner.width}x{partner.height}; both have to be of one size"
            )
        return Image.fromarray(np.hstack((to_array(image), to_array(partner))))


def halves(both: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The two pictures (H, W, C) that stand side by side in (H, 2 W, C)."""
    middle = both.shape[1] // 2
    return both[:, :middle], both[:, middle:]


def _place(name: str, folder: str) -> str:
    """Where a file lies, whichever of the two folders it is in."""
    parts = PurePosixPath(name).with_suffix("").parts
    at = parts.index(folder)
    return "/".join((*parts[:at], *parts[at + 1 :]))
