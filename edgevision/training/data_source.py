"""The pictures a training is pointed at: the built-in digits, or class folders in a folder or zip."""

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import DatasetError
from edgevision.data.datasets import ImageDataset, ImageFolder
from edgevision.modelfiles.metadata import Color, ImageSpec, Resize
from edgevision.training.data import TensorImages, hold_out
from edgevision.training.digits import Digits
from edgevision.training.left_out import LeftOut
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
    data: ImageDataset, path: str, image: ImageSpec, *, val_fraction: float, seed: int, quiet: bool, least_val: int = 1
) -> tuple[TensorImages, TensorImages]:
    """The pictures to train and to validate on: the ``val`` part, or ``val_fraction`` of every class held out.

    Raises:
        DatasetError: a part has other classes than ``data``, or there are fewer than two pictures to train on, none of
            a class, or fewer than ``least_val`` to validate on.
    """
    splits: tuple[str, ...] = getattr(data, "splits", ())
    for split in {"val", "test"} & set(splits):
        names = open_data(path, split).class_names
        # A test part without class folders is only left out of the figures.
        if names != data.class_names and (names or split == "val"):
            raise DatasetError(f"{path!r} has other classes in its {split} part than in its train part")
    if "val" in splits:
        held_out = open_data(path, "val")
        kept, out = _all(data), _all(held_out)
    else:
        held_out = data
        kept, out = hold_out(data.labels, max(val_fraction, least_val / len(data)), seed)
    if len(kept) < 2 or len(out) < least_val:
        raise DatasetError(
            f"{path!r} has {len(data)} picture{'s'[: len(data) != 1]}, too few to train on two and hold out {least_val}"
            " for validation"
        )
    train, val = TensorImages(data, kept, image, quiet=quiet), TensorImages(held_out, out, image, quiet=quiet)
    counts = np.bincount(train.labels[train.labels >= 0], minlength=len(data.class_names))
    for name, count in zip(data.class_names, counts, strict=True):
        if not count:
            raise DatasetError(f"{path!r} has no picture of the class {name!r} that can be read; mend or remove it")
    if len(train) < 2 or len(val) < least_val:
        raise DatasetError(
            f"too few pictures of {path!r} can be read: {len(train)} to train on, {len(val)} to validate"
        )
    return train, val


def _all(data: ImageDataset) -> NDArray[np.int64]:
    return np.arange(len(data))


def _own_size(data: ImageDataset) -> int | None:
    if isinstance(data, Digits):
        return _DIGIT_SIZE
    # What cannot be read is said when all are.
    read = [LeftOut().attempt(data.image, int(index)) for index in np.linspace(0, len(data) - 1, 16)]
    sizes = {picture.size for picture in read if picture is not None}
    width, height = sizes.pop() if len(sizes) == 1 else (0, 0)
    return height if 0 < height == width <= 64 else None
