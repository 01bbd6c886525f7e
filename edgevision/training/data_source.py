"""The pictures a training is pointed at: the built-in digits, or class folders in a folder or zip."""

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets import ImageDataset, ImageFolder
from edgevision.errors import DatasetError
from edgevision.metadata import Color, ImageSpec, Resize
from edgevision.training.data import TensorImages, hold_out
from edgevision.training.digits import Digits
from edgevision.training.settings import DIGITS

_DIGIT_SIZE = 28


def open_data(data: str, split: str) -> ImageDataset:
    """One part of the data; an undivided folder is all of its parts."""
    return Digits(split) if data == DIGITS else ImageFolder(data, (split,))


def image_spec(data: ImageDataset, *, size: int | None, color: Color | None, largest: int = 224) -> ImageSpec:
    """Size and colour, as asked for or as the data has them: its own square size up to 64, else ``largest``."""
    if size is None:
        size = _own_size(data) or largest
    color = color or (Color.GRAY if isinstance(data, Digits) else Color.RGB)
    return ImageSpec(color=color, size=(size, size), resize=Resize.CROP)


def read_parts(
    data: ImageDataset, path: str, image: ImageSpec, *, val_fraction: float, seed: int, quiet: bool
) -> tuple[TensorImages, TensorImages]:
    """The pictures to train and to validate on: the ``val`` part, or ``val_fraction`` of every class held out.

    Raises:
        DatasetError: a part has other classes than ``data``, a picture is damaged, or there are too few.
    """
    splits: tuple[str, ...] = getattr(data, "splits", ())
    for split in {"val", "test"} & set(splits):
        names = open_data(path, split).class_names
        # A test part without class folders is only left out of the figures.
        if names != data.class_names and (names or split == "val"):
            raise DatasetError(f"{path!r} has other classes in its {split} part than in its train part")
    if "val" in splits:
        held_out = open_data(path, "val")
        return TensorImages(data, _all(data), image, quiet=quiet), TensorImages(
            held_out, _all(held_out), image, quiet=quiet
        )
    kept, out = hold_out(data.labels, val_fraction, seed)
    if len(kept) < 2:
        raise DatasetError(f"{path!r} has {len(data)} pictures, too few to hold some out for validation")
    return TensorImages(data, kept, image, quiet=quiet), TensorImages(data, out, image, quiet=quiet)


def _all(data: ImageDataset) -> NDArray[np.int64]:
    return np.arange(len(data))


def _own_size(data: ImageDataset) -> int | None:
    if isinstance(data, Digits):
        return _DIGIT_SIZE
    sizes = {data.image(index).size for index in np.linspace(0, len(data) - 1, 16).astype(int)}
    width, height = sizes.pop()
    return height if not sizes and height == width <= 64 else None
