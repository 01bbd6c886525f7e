"""The built-in data set: scikit-learn's 1,797 handwritten digits, 8x8 gray (UCI Optical Recognition, Alpaydin 1998)."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.errors import DatasetError
from edgevision.core.extras import requires_extra

# Every fifth digit of each class is kept for the test, as fixed as a split on disk.
_TEST_EVERY = 5


class Digits:
    """One split of the digits, ``train`` (four fifths) or ``test``; an :class:`.datasets.ImageDataset`."""

    class_names: tuple[str, ...] = tuple("0123456789")
    splits: ClassVar[tuple[str, ...]] = ("test", "train")

    def __init__(self, split: str) -> None:
        if split not in self.splits:
            raise DatasetError(f"the digits have no split {split!r}; they have {', '.join(self.splits)}")
        with requires_extra("train"):
            from sklearn.datasets import load_digits
        digits = load_digits()
        labels = digits.target.astype(np.int64)
        rank_in_class = np.zeros(len(labels), np.int64)
        for label in range(10):
            members = np.flatnonzero(labels == label)
            rank_in_class[members] = np.arange(len(members))
        chosen = (rank_in_class % _TEST_EVERY == 0) == (split == "test")
        self.split = split
        self.labels: NDArray[np.int64] = labels[chosen]
        self.names = tuple(f"digit {index}" for index in np.flatnonzero(chosen))
        self._pixels = np.round(digits.images[chosen] * (255 / 16)).astype(np.uint8)

    def __len__(self) -> int:
        return len(self.labels)

    def image(self, index: int) -> Image.Image:
        """One digit, 8x8 gray, white on black."""
        return Image.fromarray(self._pixels[index])
