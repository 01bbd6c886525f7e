"""Things with points on them, and batches of crops round them, jittered, turned and mirrored at random."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from edgevision.core.errors import DatasetError
from edgevision.data.point_annotations import PointedFolder, held_out_by
from edgevision.imaging.crops import Box, Crop, jittered
from edgevision.imaging.images import to_array
from edgevision.metrics.keypoint_errors import error_scale
from edgevision.runtime.tasks.keypoints.spec import KeypointsSpec
from edgevision.training.data_source import open_pointed
from edgevision.training.kept_pictures import KeptPictures
from edgevision.training.seeded_batches import VALIDATION
from edgevision.training.settings import KeypointSettings

# How far round its crop a thing is kept, in sides of it: as far as the jitter and the turn can reach.
_REACH = 1.7
# What is kept of a large picture is shrunk to so many times the input's side.
_DETAIL = 1.5


class KeypointBatch(NamedTuple):
    """A batch of crops.

    Attributes:
        images: uint8 (N, 3, H, W).
        points: float32 (N, K, 2), in shares of the crop's sides, in which some may lie outside of 0..1.
        visible: bool (N, K): which of them are known.
        scales: float32 (N,): what errors are measured in, in shares of the crop's height.
    """

    images: Tensor
    points: Tensor
    visible: Tensor
    scales: Tensor


@dataclass(frozen=True)
class Thing:
    """What is round one thing, and its points and its box in pixels of that."""

    pixels: NDArray[np.uint8]
    points: NDArray[np.float32]
    visible: NDArray[np.bool_]
    box: Box


class Things(KeptPictures[Thing]):
    """Things with points, each with as much round it as crops may show."""

    def __init__(
        self, pointed: PointedFolder, names: Sequence[str], settings: KeypointSettings, *, quiet: bool
    ) -> None:
        self._pointed, self._settings = pointed, settings
        self._index = {name: index for index, name in enumerate(pointed.folder.names)}
        self._places = [(name, int(row)) for name in names for row in pointed.things(name).counted]
        super().__init__(
            self._read_one,
            len(self._places),
            bytes_of=lambda thing: thing.pixels.nbytes,
            what="things with points",
            quiet=quiet,
        )

    def _read_one(self, position: int) -> Thing:
        name, row = self._places[position]
        things = self._pointed.things(name)
        image = Image.fromarray(to_array(self._pointed.folder.image(self._index[name])))
        x1, y1, x2, y2 = things.boxes[row].tolist()
        return _round_box(image, things.points[row], things.visible[row], (x1, y1, x2, y2), self._settings)


def _round_box(
    image: Image.Image,
    points: NDArray[np.float32],
    visible: NDArray[np.bool_],
    box: Box,
    settings: KeypointSettings,
) -> Thing:
    height, width = settings.image_size
    x1, y1, x2, y2 = Crop.of_box(box, width / height, (1 + settings.margin) * _REACH - 1).corner_box
    factor = max(1, int((x2 - x1) / (_DETAIL * _REACH * width)))
    left, top = (max(0, math.floor(side)) for side in (x1, y1))
    right, bottom = min(image.width, math.ceil(x2)), min(image.height, math.ceil(y2))
    if left >= right or top >= bottom:
        raise DatasetError(f"a thing's box {box} is outside of its picture, {image.width}x{image.height}")
    part = image.reduce(factor, (left, top, right, bottom)) if factor > 1 else image.crop((left, top, right, bottom))
    corner = np.array([left, top], np.float32)
    (x1, y1), (x2, y2) = ((np.array(box, np.float32).reshape(2, 2) - corner) / factor).tolist()
    return Thing(np.asarray(part), ((points - corner) / factor).astype(np.float32), visible, (x1, y1, x2, y2))


def read_things(settings: KeypointSettings, pointed: PointedFolder, *, quiet: bool) -> tuple[Things, Things]:
    """What is trained on, of ``pointed``, and what is validated on: the ``val`` split, or what ``groups`` holds out.

    Raises:
        DatasetError: there are too few pictures with points.
    """
    if "val" in pointed.folder.splits and settings.groups is None:
        other = open_pointed(settings.data, "val")
        kept, out = pointed.names, other.names
    else:
        other, held_out = pointed, held_out_by(settings.groups)
        kept = [name for name in pointed.names if not held_out(name)]
        out = [name for name in pointed.names if held_out(name)]
    if not kept or not out:
        raise DatasetError(
            f"{len(pointed)} pictures with points are too few: without a val split a tenth of them, or of what --groups"
            " finds in their names, is held out for validation"
        )
    return Things(pointed, kept, settings, quiet=quiet), Things(other, out, settings, quiet=True)


class KeypointCrops(Dataset[KeypointBatch]):
    """Batches of crops, indexed by (epoch, batch, process), which seeds the batch.

    Those to validate on are of the things in turn, jittered but neither turned nor mirrored.
    """

    def __init__(self, things: Things, settings: KeypointSettings, spec: KeypointsSpec, *, fill: int) -> None:
        """``fill`` is what is outside of a picture, of 255."""
        self._things, self._settings, self._spec, self._fill = things, settings, spec, fill

    def __len__(self) -> int:
        """Batches in which every thing comes once."""
        return -(-len(self._things) // self._settings.batch_size)

    def __getitem__(self, key: tuple[int, int, int]) -> KeypointBatch:
        settings = self._settings
        generator = np.random.default_rng((settings.seed, *key))
        validating = key[0] == VALIDATION
        count = len(self._things)
        first = key[1] * settings.batch_size
        if validating:
            chosen = list(range(first, min(first + settings.batch_size, count)))
        else:
            chosen = generator.integers(count, size=settings.batch_size).tolist()
        drawn = [self._crop(self._things[index], generator, plain=validating) for index in chosen]
        images, points, visible, scales = (np.stack(part) for part in zip(*drawn, strict=True))
        return KeypointBatch(
            torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))),
            torch.from_numpy(points.astype(np.float32)),
            torch.from_numpy(visible),
            torch.from_numpy(scales.astype(np.float32)),
        )

    def _crop(
        self, thing: Thing, generator: np.random.Generator, *, plain: bool
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.bool_], np.float64]:
        settings, spec = self._settings, self._spec
        height, width = settings.image_size
        mirrored = not plain and settings.flip and bool(spec.swaps) and generator.random() < 0.5
        crop = Crop.of_box(jittered(thing.box, settings.jitter, generator), width / height, settings.margin)
        angle = 0.0 if plain else generator.uniform(-settings.rotate, settings.rotate)
        crop = Crop(center=crop.center, size=crop.size, angle=angle, mirrored=mirrored)
        pixels = np.asarray(crop.cut_out(Image.fromarray(thing.pixels), settings.image_size, fill=self._fill))
        if not plain and settings.colour:
            pixels = _recoloured(pixels, settings.colour, generator)
        points, visible = crop.to_shares(thing.points.astype(float)), thing.visible
        if mirrored:
            order = spec.mirrored(len(points))
            points, visible = points[order], visible[order]
        x1, y1, x2, y2 = thing.box
        box = np.array([x1, y1, x2, y2])
        scale = error_scale(thing.points.astype(float), thing.visible, box, spec.scale_points) / crop.size[1]
        return pixels, points, visible, np.float64(scale)


def _recoloured(pixels: NDArray[np.uint8], colour: float, generator: np.random.Generator) -> NDArray[np.uint8]:
    brightness, contrast, saturation = 1 + generator.uniform(-colour, colour, 3).astype(np.float32)
    tint = 1 + generator.uniform(-colour, colour, 3).astype(np.float32) / 3
    values = pixels.astype(np.float32)
    gray = values.mean(axis=2, keepdims=True)
    values = (gray + (values - gray) * saturation) * tint
    mean = values.mean()
    values = (mean + (values - mean) * contrast) * brightness
    return np.asarray(np.clip(values, 0, 255), np.uint8)
