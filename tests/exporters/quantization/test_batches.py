"""Portions are read as they are asked for, and a beginning of an order stands for the whole."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest

from edgevision.exporters.quantization.batches import Portion, Portions, spread_order, timed_batches


def test_portions_are_read_when_they_are_asked_for_and_only_once() -> None:
    read: list[int] = []

    def source() -> Iterator[Portion]:
        for number in range(5):
            read.append(number)
            yield [[np.full((1, 1), number)]]

    portions = Portions(source())
    assert read == []
    assert len(list(islice(portions, 2))) == 2
    assert read == [0, 1]
    assert [int(batch[0].item()) for batch in portions.batches] == [0, 1]
    assert [[int(batch[0].item()) for batch in portion] for portion in portions] == [[0], [1], [2], [3], [4]]
    assert len(list(portions)) == 5
    assert read == [0, 1, 2, 3, 4]


def test_a_model_of_a_fixed_batch_takes_whole_ones_and_reads_no_more() -> None:
    portions = Portions([[np.arange(start, start + 3)[:, None]]] for start in (0, 3, 6))
    first = next(iter(portions.in_batches_of(2)))
    assert [batch[0].ravel().tolist() for batch in first] == [[0, 1], [2, 0]]
    assert len(portions.batches) == 1


@pytest.mark.parametrize("count", [0, 1, 2, 7, 100, 1000])
@pytest.mark.parametrize("seed", [0, 1])
def test_any_beginning_of_the_order_is_spread_over_the_whole(count: int, seed: int) -> None:
    order = spread_order(count, seed)
    assert sorted(order) == list(range(count))
    assert order == spread_order(count, seed)
    for length in (16, 64, 256):
        if length < count:
            gaps = np.diff(sorted(order[:length]))
            assert gaps.max() <= 4 * count / length


def test_another_seed_begins_elsewhere() -> None:
    assert len({spread_order(1000, seed)[0] for seed in range(5)}) > 1


def test_a_model_is_timed_on_a_few_inputs_of_one_size() -> None:
    sides = [3, 3, 4, *[3] * 10]
    batches = [(np.full((1, side), number),) for number, side in enumerate(sides)]
    timed = timed_batches(Portions([batches, [(np.zeros((1, 3)),)]]))
    assert [int(array[0, 0]) for (array,) in timed] == [0, 1, 3, 4, 5, 6, 7, 8]


def test_the_size_that_a_model_is_timed_on_is_neither_the_least_nor_the_largest() -> None:
    batches = [[np.zeros((1, side))] for side in (1, 9, 5, 30, 4)]
    assert [array.shape for (array,) in timed_batches(Portions([batches]))] == [(1, 5)]
