"""Harmonic functions: given values stay, and what is between them is what the Laplace equation says."""

import numpy as np
import pytest

from edgevision.imaging.membrane import harmonic_fill


def frame(height: int, width: int, hole: tuple[slice, slice]) -> np.ndarray:
    known = np.ones((height, width), np.bool_)
    known[hole] = False
    return known


def unknown_as_nines(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    return np.where(known[:, :, None], values, np.float32(9))


@pytest.mark.parametrize("size", [(60, 80), (97, 131)])
def test_a_harmonic_function_comes_back_from_its_border(size: tuple[int, int]) -> None:
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32) / max(size)
    values = np.stack([rows**2 - columns**2, rows * columns], axis=2).astype(np.float32)
    known = frame(*size, np.s_[10:-15, 12:-9])
    filled = harmonic_fill(unknown_as_nines(values, known), known)
    assert np.abs(filled - values).max() < 0.01 * np.ptp(values)
    np.testing.assert_array_equal(filled[known], values[known])


def test_it_lies_between_the_values_that_are_given() -> None:
    values = np.random.default_rng(0).random((50, 70, 3), np.float32)
    known = frame(50, 70, np.s_[5:45, 5:65])
    filled = harmonic_fill(unknown_as_nines(values, known), known)
    assert filled.min() >= values[known].min()
    assert filled.max() <= values[known].max()


def test_a_constant_difference_is_constant_everywhere_also_beyond_the_edge() -> None:
    values = np.full((40, 40, 1), 0.25, np.float32)
    known = np.zeros((40, 40), np.bool_)
    known[10:30, 20] = True
    np.testing.assert_allclose(harmonic_fill(unknown_as_nines(values, known), known), values, atol=1e-6)


def test_nothing_known_is_nothing() -> None:
    assert not harmonic_fill(np.ones((8, 8, 1), np.float32), np.zeros((8, 8), np.bool_)).any()
