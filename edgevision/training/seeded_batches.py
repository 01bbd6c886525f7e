"""What names a training's batches, so that each can be made again."""

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

T = TypeVar("T")

VALIDATION = 2**31
"""Stands for the epoch in the keys of validation batches, which are the same at every validation."""


class SeededBatches(Sampler[tuple[int, int, int]]):
    """The keys of an epoch's batches: (epoch, batch, process), so that a resumed training sees what it would have."""

    def __init__(self, batches: int, *, validation: bool, rank: int = 0) -> None:
        self._batches = batches
        self._validation = validation
        self._rank = rank
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        epoch = VALIDATION if self._validation else self._epoch
        for batch in range(self._batches):
            yield epoch, batch, self._rank


def seed_step(seed: int, step: int, rank: int) -> None:
    """Seed torch's generators by the step: a resumed training draws what the uninterrupted one would have."""
    torch.manual_seed(seed * 100_003 + step * 1_009 + rank)


def in_turn(number: int, count: int, seed: int) -> int:
    """The picture of ``count`` that comes as example ``number``: each once in a pass over all, in another order."""
    turn, place = divmod(number, count)
    return int(np.random.default_rng((seed, turn)).permutation(count)[place])


def seeded_loader(examples: Dataset[T], batches: SeededBatches, *, kept: bool, workers: int) -> DataLoader[T]:
    """Batches, which ``examples`` gives by their keys, in the order of ``batches``, made by worker processes.

    Where a CPU trains and has all pictures in memory (``kept``), it makes them itself: its cores have enough to do.
    """
    count = 0 if kept and not torch.cuda.is_available() else workers
    return DataLoader(examples, batch_size=None, sampler=batches, num_workers=count, persistent_workers=count > 0)
