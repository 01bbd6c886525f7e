"""Annotated pictures of a training, and batches of them for a detector."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from edgevision.core.errors import DatasetError
from edgevision.data.box_annotations import AnnotatedFolder
from edgevision.data.datasets import is_held_out
from edgevision.imaging.preprocessing import placement, sample
from edgevision.modelfiles.metadata import ImageSpec
from edgevision.training.data_source import open_annotated
from edgevision.training.detection_augmentation import BoxedPicture, draw_example
from edgevision.training.kept_pictures import KeptPictures
from edgevision.training.seeded_batches import in_turn
from edgevision.training.settings import DetectionSettings
from edgevision.training.settings.detection import STRIDE

_LAST = 0.8
"""Share of the training after which pictures are no longer put together: the last ones are as they are met."""


class BoxBatch(NamedTuple):
    """A batch for a detector.

    Attributes:
        images: uint8 (N, 3, H, W).
        boxes: float32 (T, 4), x1, y1, x2, y2 in pixels of ``images``, of all pictures one after the other.
        labels: int64 (T,), the class; -1 for what is neither to be found nor not to be found.
        counts: int64 (N,): how many boxes each picture has.
        places: float32 (N, 4), x1, y1, x2, y2: where each picture lies in its frame.
    """

    images: Tensor
    boxes: Tensor
    labels: Tensor
    counts: Tensor
    places: Tensor

    def things(self) -> list[tuple[Tensor, Tensor]]:
        """Boxes and labels of each picture."""
        counts = self.counts.tolist()
        return list(zip(torch.split(self.boxes, counts), torch.split(self.labels, counts), strict=True))


class AnnotatedSplits(NamedTuple):
    """What is trained on, validated on and, where there is a test split, tested on at the end."""

    class_names: tuple[str, ...]
    train: "BoxedPictures"
    val: "BoxedPictures"
    test: "BoxedPictures | None"


class BoxedPictures(KeptPictures[BoxedPicture]):
    """Annotated pictures, brought to the size of the network's input as it is done on the device.

    With ``padded`` they fill that size; else they are without the frame, to be placed anew.
    """

    def __init__(
        self,
        annotated: AnnotatedFolder,
        chosen: Sequence[int],
        class_names: tuple[str, ...],
        image: ImageSpec,
        *,
        padded: bool,
        quiet: bool,
    ) -> None:
        self._annotated = annotated
        self._chosen = list(chosen)
        self._index = {name: index for index, name in enumerate(class_names)}
        self._image = image
        self._padded = padded
        super().__init__(
            self._read_one,
            len(self._chosen),
            bytes_of=lambda picture: picture.pixels.nbytes,
            what="annotated pictures",
            quiet=quiet,
        )

    def _read_one(self, position: int) -> BoxedPicture:
        folder, index = self._annotated.folder, self._chosen[position]
        picture = folder.image(index)
        things = self._annotated.inside(folder.names[index], (picture.height, picture.width))
        labels = np.array([self._index[name] for name in things.labels], np.int64)
        labels[things.ignored] = -1
        scale, offset = (np.array(pair, np.float32) for pair in placement(picture.width, picture.height, self._image))
        boxes = (things.boxes.reshape(-1, 2, 2) * scale + offset).reshape(-1, 4)
        left, top = (int(side) for side in offset)
        width, height = (round(float(side)) for side in scale * (picture.width, picture.height))
        found = BoxedPicture(sample(picture, self._image), boxes, labels, (left, top, left + width, top + height))
        if self._padded:
            return found
        pixels = found.pixels[top : top + height, left : left + width]
        return BoxedPicture(pixels, boxes - np.tile(offset, 2), labels)


def read_annotated(settings: DetectionSettings, image: ImageSpec, *, quiet: bool) -> AnnotatedSplits:
    """The pictures with boxes of every split; without a ``val`` split a tenth, by file name, is held out.

    Raises:
        DatasetError: as :func:`open_annotated`; too few pictures, or a class in a split that the train split lacks.
    """
    annotated = open_annotated(settings.data, "train")
    names = annotated.class_names

    def pictures(source: AnnotatedFolder, held_out: bool | None, *, padded: bool = True) -> BoxedPictures:
        chosen = [
            index
            for index, name in enumerate(source.folder.names)
            if source.of(name) is not None and held_out in (None, is_held_out(name))
        ]
        return BoxedPictures(source, chosen, names, image, padded=padded, quiet=quiet)

    splits = annotated.folder.splits
    others = {split: open_annotated(settings.data, split) for split in ("val", "test") if split in splits}
    for split, other in others.items():
        unknown = sorted(set(other.class_names) - set(names))
        if unknown:
            raise DatasetError(f"{settings.data!r} has classes in its {split} split only: {', '.join(unknown[:5])}")
    if "val" in others:
        train, val = pictures(annotated, None, padded=False), pictures(others["val"], None)
    else:
        train, val = pictures(annotated, False, padded=False), pictures(annotated, True)
    if not len(train) or not len(val):
        raise DatasetError(
            f"{len(train) + len(val)} annotated pictures are too few: without a val split a tenth, chosen by file name,"
            " is held out for validation"
        )
    if not any(len(train[index].boxes) for index in range(len(train))):
        raise DatasetError(
            f"all boxes of {settings.data!r} lie outside of their pictures; a detector learns from boxes"
        )
    test = pictures(others["test"], None) if "test" in others else None
    return AnnotatedSplits(names, train, val, test)


class BoxExamples(Dataset[BoxBatch]):
    """Batches of varied pictures to train on; indexed by (epoch, batch, process), which seeds the batch."""

    def __init__(self, pictures: BoxedPictures, settings: DetectionSettings, processes: int) -> None:
        self._pictures = pictures
        self._settings = settings
        self._processes = processes

    def __getitem__(self, key: tuple[int, int, int]) -> BoxBatch:
        settings = self._settings
        generator = np.random.default_rng((settings.seed, *key))
        step = key[0] * settings.validate_every + key[1]
        plain = step >= _LAST * settings.steps
        size = self._size(generator)
        first = (step * self._processes + key[2]) * settings.batch_size
        examples = []
        for number in range(first, first + settings.batch_size):
            drawn = self._drawn(in_turn(number, len(self._pictures), settings.seed), generator)
            examples.append(draw_example(drawn, size, settings, generator, plain=plain))
        return box_batch(examples)

    def _drawn(self, first: int, generator: np.random.Generator) -> Iterator[BoxedPicture]:
        """One picture that comes in its turn, and others by chance, to be put together with it."""
        yield self._pictures[first]
        while True:
            yield self._pictures[int(generator.integers(len(self._pictures)))]

    def _size(self, generator: np.random.Generator) -> tuple[int, int]:
        scale = 1 + generator.uniform(-self._settings.multi_scale, self._settings.multi_scale)
        height, width = (max(STRIDE, round(side * scale / STRIDE) * STRIDE) for side in self._settings.image_size)
        return height, width


class WholePictures(Dataset[BoxBatch]):
    """Batches of pictures as they are, one after the other, to validate on; the last may be smaller."""

    def __init__(self, pictures: BoxedPictures, batch_size: int) -> None:
        self._pictures = pictures
        self._batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self._pictures) // self._batch_size)

    def __getitem__(self, key: tuple[int, int, int]) -> BoxBatch:
        first = key[1] * self._batch_size
        return box_batch([self._pictures[n] for n in range(first, min(first + self._batch_size, len(self._pictures)))])


def box_batch(examples: Sequence[BoxedPicture]) -> BoxBatch:
    """Pictures of one size as a batch."""
    pixels = np.stack([example.pixels for example in examples]).transpose(0, 3, 1, 2)
    return BoxBatch(
        torch.from_numpy(np.ascontiguousarray(pixels)),
        torch.from_numpy(np.concatenate([example.boxes for example in examples]).astype(np.float32)),
        torch.from_numpy(np.concatenate([example.labels for example in examples])),
        torch.tensor([len(example.boxes) for example in examples]),
        torch.tensor(
            [example.place or (0, 0, *example.pixels.shape[1::-1]) for example in examples], dtype=torch.float32
        ),
    )
