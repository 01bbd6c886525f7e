"""Calibration ends when the ranges do not move any more."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from edgevision.exporters.quantization.convergence import Convergence
from edgevision.exporters.quantization.observations import BINS, Histogram


def histograms(width: float) -> Callable[[], Mapping[str, Histogram]]:
    counts = np.histogram(np.random.default_rng(0).uniform(0, width, 100_000), BINS, (0, width))[0]
    return lambda: {"x": Histogram(0.0, width, counts)}


def portions_needed(width: Callable[[int], float]) -> int:
    """After how many it is enough, where the values reach so far after each."""
    converged = Convergence(late=lambda: False)
    return next((count for count in range(1, 65) if converged(count, histograms(width(count)))), 0)


def test_where_nothing_moves_four_portions_are_enough() -> None:
    assert portions_needed(lambda count: 1.0) == 4


@pytest.mark.parametrize(("power", "portions"), [(0.01, 4), (0.2, 0), (1.0, 0)])
def test_ranges_that_grow_with_every_doubling_by_more_than_a_twentieth_have_not_settled(
    power: float, portions: int
) -> None:
    assert portions_needed(lambda count: count**power) == portions


def test_ranges_that_settle_late_are_waited_for() -> None:
    assert portions_needed(lambda count: min(count, 8.0)) == 16


def test_it_is_never_asked_for_more_than_there_is_time() -> None:
    converged = Convergence(late=lambda: True)
    assert converged(1, histograms(1.0))
    assert not converged.settled


def test_a_model_without_tensors_to_watch_has_settled() -> None:
    converged = Convergence(late=lambda: False)
    assert [converged(count, dict) for count in range(1, 5)] == [False, False, False, True]
