"""The data of a training in two splits: to train on and to validate on."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import DatasetError
from edgevision.data.datasets import LabelledData
from edgevision.modelfiles.metadata import ImageSpec
from edgevision.training.data import LabelledTensors, hold_out
from edgevision.training.data_source import open_split

Tensors = TypeVar("Tensors", bound=LabelledTensors)


def read_splits(
    data: Any,
    path: str,
    image: ImageSpec,
    *,
    val_fraction: float,
    seed: int,
    quiet: bool,
    least_val: int = 1,
    open_split: Callable[[str, str], LabelledData] = open_split,
    tensors: Callable[..., Tensors],
) -> tuple[Tensors, Tensors]:
    """What to train and to validate on: the ``val`` split, or ``val_fraction`` of every class held out.

    Args:
        data: the ``train`` split; of pictures, or whatever ``open_split`` opens.
        tensors: makes batches of chosen ones of them, called as :class:`.data.TensorImages`.

    Raises:
        DatasetError: a split has other classes than ``data``, or there are fewer than two pictures to train on, none of
            a class, or fewer than ``least_val`` to validate on.
    """
    splits: tuple[str, ...] = getattr(data, "splits", ())
    for split in {"val", "test"} & set(splits):
        names = open_split(path, split).class_names
        # A test split without class folders is only left out of the figures.
        if names != data.class_names and (names or split == "val"):
            raise DatasetError(f"{path!r} has other classes in its {split} split than in its train split")
    if "val" in splits:
        held_out = open_split(path, "val")
        kept, out = _all(data), _all(held_out)
    else:
        held_out = data
        kept, out = hold_out(data.labels, max(val_fraction, least_val / len(data)), seed)
    if len(kept) < 2 or len(out) < least_val:
        raise DatasetError(
            f"{path!r} has {len(data)} picture{'s'[: len(data) != 1]}, too few to train on two and hold out {least_val}"
            " for validation"
        )
    train, val = tensors(data, kept, image, quiet=quiet), tensors(held_out, out, image, quiet=quiet)
    counts = np.bincount(train.labels[train.labels >= 0], minlength=len(data.class_names))
    for name, count in zip(data.class_names, counts, strict=True):
        if not count:
            raise DatasetError(f"{path!r} has no picture of the class {name!r} that can be read; mend or remove it")
    if len(train) < 2 or len(val) < least_val:
        raise DatasetError(
            f"too few pictures of {path!r} can be read: {len(train)} to train on, {len(val)} to validate"
        )
    return train, val


def _all(data: LabelledData) -> NDArray[np.int64]:
    return np.arange(len(data))
