"""The real pictures that generated ones are compared with."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import ImageError
from edgevision.data.datasets import ImageFolder
from edgevision.imaging.images import to_array
from edgevision.imaging.preprocessing import sample
from edgevision.modelfiles.metadata import Color, ImageSpec
from edgevision.runtime.files.batch import ABOUT_ONE_FILE, failure_message

Pixels = NDArray[np.uint8]


class ReferencePictures:
    """Pictures spread evenly over ``data``, uint8 of one ``shape`` (H, W, 1 or 3); iterate over it once.

    Each becomes that size by scaling and cutting the middle out, as in training. With ``squares`` they keep their
    scale, and pieces of that size are cut out of them at random, as for textures.

    Attributes:
        total: how many there are if all can be read: at most ``count``, but with ``squares`` as many for each picture.
        labels: the class folder of each that was given out so far, "" without classes.
        failures: what could not be used, and why.
    """

    def __init__(
        self, data: ImageFolder, shape: tuple[int, ...], count: int, *, squares: bool = False, seed: int = 0
    ) -> None:
        self._data = data
        self._size = shape[0], shape[1]
        self._spec = ImageSpec(color=Color.GRAY if shape[2] == 1 else Color.RGB, size=self._size)
        self._indices = np.linspace(0, len(data) - 1, min(count, len(data))).astype(int)
        self._pieces = -(-count // len(self._indices)) if squares else None
        self._generator = np.random.default_rng(seed)
        self.total = len(self._indices) * (self._pieces or 1)
        self.labels: list[str] = []
        self.failures: dict[str, str] = {}

    def __iter__(self) -> Iterator[Pixels]:
        for index in map(int, self._indices):
            try:
                found = self._read(index)
            except ABOUT_ONE_FILE as error:
                self.failures[self._data.names[index]] = failure_message(self._data.names[index], error)
                continue
            label = self._data.class_names[self._data.labels[index]] if self._data.class_names else ""
            self.labels += [label] * len(found)
            yield from found

    def _read(self, index: int) -> list[Pixels]:
        image = self._data.image(index)
        if self._pieces is None:
            return [sample(image, self._spec)]
        pixels, (height, width) = to_array(image, self._spec.color), self._size
        rows, columns = pixels.shape[0] - height + 1, pixels.shape[1] - width + 1
        if min(rows, columns) < 1:
            raise ImageError(
                f"{self._data.names[index]!r} of {image.width}x{image.height} is smaller than the {width}x{height} that"
                " are cut out of it"
            )
        corners = self._generator.integers((rows, columns), size=(self._pieces, 2))
        return [pixels[top : top + height, left : left + width] for top, left in corners]
