"""Batches of resized pictures for training: kept decoded in memory where they fit, decoded by workers where not."""

from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from edgevision.core.errors import DatasetError
from edgevision.core.progress import track
from edgevision.data.datasets import ImageDataset
from edgevision.imaging.images import to_array
from edgevision.imaging.preprocessing import sample
from edgevision.modelfiles.metadata import ImageSpec
from edgevision.training.left_out import LeftOut

_CACHE_BYTES = 2 << 30

Batch = tuple[Tensor, Tensor]
"""Images uint8 (N, channels, height, width) and labels int64 (N,)."""


class LabelledTensors(Protocol):
    """Samples in memory, or decoded when asked for; a list of positions gives a batch.

    Attributes:
        labels: int64 (len,), of each sample.
        cached: whether all are in memory.
    """

    labels: NDArray[np.int64]
    cached: bool

    def __len__(self) -> int: ...

    def __getitem__(self, positions: Sequence[int]) -> Batch: ...


class TensorImages(Dataset[Batch]):
    """The chosen pictures of a data set as tensors; indexed by a list of positions it gives a :data:`Batch`.

    Pictures that cannot be read are left out with a warning; where they are decoded only when they are asked for,
    another takes the place of one.

    Raises:
        DatasetError: none can be read.
    """

    def __init__(self, source: ImageDataset, indices: NDArray[np.int64], spec: ImageSpec, *, quiet: bool) -> None:
        assert spec.size is not None
        self._source = source
        self._indices = indices
        self._spec = spec
        self._left_out = LeftOut()
        self.cached = len(indices) * spec.color.channels * spec.size[0] * spec.size[1] <= _CACHE_BYTES
        if self.cached:
            self._pixels = np.empty((len(indices), *spec.size, spec.color.channels), np.uint8)
            readable = np.ones(len(indices), bool)
            for position in track(range(len(indices)), len(indices), "reading pictures", quiet=quiet):
                pixels = self._left_out.attempt(self._decode, position)
                if pixels is None:
                    readable[position] = False
                else:
                    self._pixels[position] = pixels
            self._left_out.say(len(indices))
            if not readable.all():
                self._pixels, self._indices = self._pixels[readable], indices[readable]
        self.labels = source.labels[self._indices]

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, positions: Sequence[int]) -> Batch:
        if self.cached:
            pixels = self._pixels[np.asarray(positions)]
        else:
            read = [self._left_out.next_readable(self._decode, position, len(self)) for position in positions]
            positions = [position for position, _ in read]
            pixels = np.stack([picture for _, picture in read])
        images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
        return images, torch.from_numpy(self.labels[np.asarray(positions)])

    def _decode(self, position: int) -> NDArray[np.uint8]:
        return sample(self._source.image(int(self._indices[position])), self._spec)


class CropImages(Dataset[Batch]):
    """Squares cut at random out of pictures at their own scale, for textures: a fixed number out of each.

    Crop ``i`` depends on ``seed`` and ``i`` alone. The labels are -1. Pictures that cannot be read, or are smaller than
    a crop, are left out with a warning.

    Raises:
        DatasetError: none is left.
    """

    cached = True

    def __init__(self, source: ImageDataset, spec: ImageSpec, *, crops: int, seed: int) -> None:
        assert spec.size is not None
        self._source = source
        self._spec = spec
        self._side = spec.size[0]
        self._crops = crops
        self._seed = seed
        left_out = LeftOut()
        read = [left_out.attempt(self._decode, index) for index in range(len(source))]
        left_out.say(len(source))
        self._pictures = [picture for picture in read if picture is not None]

    def other_crops(self, crops: int, seed: int) -> "CropImages":
        """Others out of the same pictures."""
        others = copy(self)
        others._crops, others._seed = crops, seed
        return others

    @property
    def labels(self) -> NDArray[np.int64]:
        """All -1."""
        return np.full(len(self), -1, np.int64)

    def __len__(self) -> int:
        return self._crops * len(self._pictures)

    def __getitem__(self, positions: Sequence[int]) -> Batch:
        pixels = np.stack([self._cut(int(position)) for position in positions])
        images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
        return images, torch.full((len(images),), -1)

    def _decode(self, index: int) -> NDArray[np.uint8]:
        picture = to_array(self._source.image(index), self._spec.color)
        height, width = picture.shape[:2]
        if min(height, width) < self._side:
            raise DatasetError(
                f"picture {index} of the training data is {width}x{height}, smaller than the --image-size"
                f" {self._side} of the crops"
            )
        return picture

    def _cut(self, position: int) -> NDArray[np.uint8]:
        picture = self._pictures[position // self._crops]
        generator = np.random.default_rng((self._seed, position))
        top, left = (int(generator.integers(side - self._side + 1)) for side in picture.shape[:2])
        return picture[top : top + self._side, left : left + self._side]


class EpochBatches(Sampler[list[int]]):
    """Lists of positions, in an order that depends on the seed and the epoch alone.

    An interrupted training that is resumed at an epoch therefore sees what it would have seen. Every process draws the
    same epoch and takes its own share of each batch. ``weights`` draws with replacement in their proportion. An epoch
    has ``batches`` batches, by default as many as there are pictures for.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        *,
        seed: int,
        shuffle: bool,
        weights: NDArray[np.float64] | None = None,
        batches: int | None = None,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self._length = length
        self._batch_size = batch_size
        self._seed = seed
        self._shuffle = shuffle
        self._weights = weights
        self._batches = batches
        self._rank = rank
        self._processes = processes
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        if self._batches is not None:
            return self._batches
        share = self._share()
        # A last batch of one would leave batch normalisation without a variance, so training drops the remainder.
        full, rest = divmod(share, self._batch_size)
        return max(1, full) if self._shuffle else full + (rest > 0)

    def __iter__(self) -> Iterator[list[int]]:
        order = self._order()
        share = self._share()
        for batch in range(len(self)):
            mine = np.arange(batch * self._batch_size, min((batch + 1) * self._batch_size, share))
            # Wrapping around gives every process equally many, as distributed training needs.
            yield order[(mine * self._processes + self._rank) % len(order)].tolist()

    def _share(self) -> int:
        """How many pictures of an epoch are this process's; two at least to train on."""
        if self._batches is not None:
            return self._batches * self._batch_size
        return max(2 if self._shuffle else 1, -(-self._length // self._processes))

    def _order(self) -> NDArray[np.int64]:
        if not self._shuffle:
            return np.arange(self._length)
        generator = np.random.default_rng((self._seed, self._epoch))
        if self._weights is not None:
            return generator.choice(self._length, self._length, p=self._weights / self._weights.sum())
        return generator.permutation(self._length)


def loader(images: LabelledTensors | CropImages, batches: Sampler[list[int]], *, workers: int) -> DataLoader[Batch]:
    """Batches in the order of ``batches``; decoded pictures in memory need no worker processes."""
    count = 0 if images.cached else workers
    # batch_size=None hands each list of positions to the data set whole.
    samples: Any = images
    return DataLoader(samples, batch_size=None, sampler=batches, num_workers=count, persistent_workers=count > 0)


def hold_out(labels: NDArray[np.int64], fraction: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split positions into (kept, held out), the same ``fraction`` of every class: one at least, but not the last."""
    generator = np.random.default_rng(seed)
    held = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        count = min(max(1, round(len(members) * fraction)), len(members) - 1)
        held.append(generator.permutation(members)[:count])
    out = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(len(labels)), out), out


def channel_statistics(images: LabelledTensors) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel in 0..1, over at most 2,000 samples spread evenly."""
    positions = np.linspace(0, len(images) - 1, min(len(images), 2000)).astype(np.int64)
    total = squared = torch.zeros(())
    count = 0
    for chunk in np.array_split(positions, -(-len(positions) // 100)):
        pixels = images[chunk.tolist()][0]
        # Of clips, all frames.
        pixels = pixels.flatten(0, -4).double() / 255
        total = total + pixels.sum(dim=(0, 2, 3))
        squared = squared + (pixels**2).sum(dim=(0, 2, 3))
        count += pixels[:, 0].numel()
    mean = total / count
    deviation = (squared / count - mean**2).clamp(min=1e-8).sqrt()
    return tuple(round(float(m), 4) for m in mean), tuple(round(float(d), 4) for d in deviation)
