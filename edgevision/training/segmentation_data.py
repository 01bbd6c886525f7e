"""Pictures with masks of a training, and batches of them for a segmentation network."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from edgevision.core.errors import DatasetError
from edgevision.data.datasets import is_held_out
from edgevision.data.mask_annotations import MaskedFolder, MaskKind
from edgevision.imaging.images import to_array
from edgevision.imaging.preprocessing import placement, resize
from edgevision.modelfiles.metadata import ImageSpec
from edgevision.training.data_source import open_masked
from edgevision.training.kept_pictures import KeptPictures
from edgevision.training.mask_augmentation import MappedPicture, Pixels, draw_view
from edgevision.training.seeded_batches import in_turn
from edgevision.training.segmentation_targets import Mask, SegmentationTarget
from edgevision.training.settings import SegmentationSettings


class MappedBatch(NamedTuple):
    """What is trained on: ``images`` uint8 (N, 3, H, W) and what is learned of them, ``maps`` uint8 (N, C, H, W)."""

    images: Tensor
    maps: Tensor


class MaskedBatch(NamedTuple):
    """What is validated on: one picture, ``image`` uint8 (1, 3, H, W) as the network takes it, and its ``mask`` int64
    (h, w), :data:`.VOID` where nobody knows, whose upper left pixel is the image's at ``start`` (row, column)."""

    image: Tensor
    mask: Tensor
    start: tuple[int, int]


class MaskedPicture(NamedTuple):
    """``pixels`` uint8 (H, W, 3), perhaps padded, and the ``mask`` (h, w) of those from row and column ``start`` on."""

    pixels: Pixels
    mask: Mask
    start: tuple[int, int]


T = TypeVar("T", bound=tuple[Any, ...])


class PicturesWithMasks(KeptPictures[T]):
    """What ``make`` makes of pictures and their masks, those of ``names``; a mask of another size is none."""

    def __init__(
        self, masked: MaskedFolder, names: Sequence[str], make: Callable[[Image.Image, Mask], T], *, quiet: bool
    ) -> None:
        self._masked, self._names, self._make = masked, names, make
        self._places = {name: index for index, name in enumerate(masked.folder.names)}
        super().__init__(
            self._read_one,
            len(names),
            bytes_of=lambda one: one[0].nbytes + one[1].nbytes,
            what="pictures with masks",
            quiet=quiet,
        )

    def _read_one(self, position: int) -> T:
        name, masked = self._names[position], self._masked
        picture = masked.folder.image(self._places[name])
        mask = masked.instance_map(name) if masked.kind is MaskKind.THINGS else masked.class_map(name)
        if mask.shape != (picture.height, picture.width):
            raise DatasetError(
                f"the mask of {name!r} is {mask.shape[1]}x{mask.shape[0]}, and the picture"
                f" {picture.width}x{picture.height}"
            )
        return self._make(picture, mask)


def with_maps(picture: Image.Image, mask: Mask, *, image: ImageSpec, target: SegmentationTarget) -> MappedPicture:
    """A picture at the scale that the device brings it to, without padding, and what is learned of it."""
    size = _scaled(picture, image)
    return MappedPicture(to_array(picture.resize(size, Image.Resampling.BILINEAR)), target.maps(_resized(mask, size)))


def as_input(picture: Image.Image, mask: Mask, *, image: ImageSpec, multiple: int) -> MaskedPicture:
    """A picture as the network takes it, and its mask at the same scale."""
    pixels = to_array(resize(picture, image), image.color)
    frame = [(0, -side % multiple) for side in pixels.shape[:2]]
    pixels = np.pad(pixels, (*frame, (0, 0)), constant_values=image.pad_value)
    left, top = (int(side) for side in placement(picture.width, picture.height, image).offset)
    return MaskedPicture(pixels, _resized(mask, _scaled(picture, image)).astype(np.int64), (top, left))


def _scaled(picture: Image.Image, image: ImageSpec) -> tuple[int, int]:
    """Width and height in the network's input."""
    scale = placement(picture.width, picture.height, image).scale
    return round(picture.width * scale[0]), round(picture.height * scale[1])


def _resized(mask: Mask, size: tuple[int, int]) -> Mask:
    """The mask at ``size`` (width, height), each pixel as the nearest was."""
    if mask.shape == size[::-1]:
        return mask
    return np.asarray(Image.fromarray(mask.astype(np.int32)).resize(size, Image.Resampling.NEAREST))


class MaskedSplits(NamedTuple):
    """What is trained on, validated on and, where there is a test split, tested on at the end."""

    train: PicturesWithMasks[MappedPicture]
    val: PicturesWithMasks[MaskedPicture]
    test: PicturesWithMasks[MaskedPicture] | None


def read_masked(
    settings: SegmentationSettings, image: ImageSpec, target: SegmentationTarget, multiple: int, *, quiet: bool
) -> MaskedSplits:
    """The pictures with masks of every split; without a ``val`` split a tenth, by file name, is held out.

    Raises:
        DatasetError: as :func:`open_masked`; too few pictures, or none whose mask fits.
    """
    masked = open_masked(settings.data, "train")
    others = {split: open_masked(settings.data, split) for split in ("val", "test") if split in masked.folder.splits}
    train, val = masked.names, others["val"].names if "val" in others else ()
    if "val" not in others:
        train = tuple(name for name in masked.names if not is_held_out(name))
        val = tuple(name for name in masked.names if is_held_out(name))
    if not train or not val:
        raise DatasetError(
            f"{len(train) + len(val)} pictures with masks are too few: without a val split a tenth, chosen by file"
            " name, is held out for validation"
        )

    learned = partial(with_maps, image=image, target=target)
    whole = partial(as_input, image=image, multiple=multiple)
    return MaskedSplits(
        PicturesWithMasks(masked, train, learned, quiet=quiet),
        PicturesWithMasks(others.get("val", masked), val, whole, quiet=quiet),
        PicturesWithMasks(others["test"], others["test"].names, whole, quiet=quiet) if "test" in others else None,
    )


class MappedViews(Dataset[MappedBatch]):
    """Batches of random views to train on; indexed by (epoch, batch, process), which seeds the batch."""

    def __init__(
        self, pictures: PicturesWithMasks[MappedPicture], settings: SegmentationSettings, processes: int
    ) -> None:
        self._pictures, self._settings, self._processes = pictures, settings, processes

    def __getitem__(self, key: tuple[int, int, int]) -> MappedBatch:
        settings = self._settings
        generator = np.random.default_rng((settings.seed, *key))
        step = key[0] * settings.validate_every + key[1]
        first = (step * self._processes + key[2]) * settings.batch_size
        views = []
        for number in range(first, first + settings.batch_size):
            own = self._pictures[in_turn(number, len(self._pictures), settings.seed)]
            other = self._pictures[int(generator.integers(len(self._pictures)))]
            views.append(draw_view(own, other, settings, generator))
        return MappedBatch(*(_batch([view[part] for view in views]) for part in (0, 1)))


class WholePictures(Dataset[MaskedBatch]):
    """Pictures as they are, one after the other, to validate on."""

    def __init__(self, pictures: PicturesWithMasks[MaskedPicture]) -> None:
        self._pictures = pictures

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, key: tuple[int, int, int]) -> MaskedBatch:
        pixels, mask, start = self._pictures[key[1]]
        return MaskedBatch(_batch([pixels]), torch.from_numpy(mask), start)


def _batch(arrays: Sequence[Pixels]) -> Tensor:
    """(H, W, C) each as one (N, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(np.stack(arrays).transpose(0, 3, 1, 2)))
