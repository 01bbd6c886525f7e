import numpy as np
import pytest

from edgevision.imaging.resampling import enlarged_rows, resized


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("size", [(5, 8), (20, 32), (40, 64), (7, 50)])
def test_a_constant_stays_at_every_size(dtype: type, size: tuple[int, int]) -> None:
    white = 1 if dtype == np.float32 else np.iinfo(dtype).max
    values = np.full((20, 32, 3), white, dtype)
    assert resized(values, size).dtype == np.float32
    np.testing.assert_allclose(resized(values, size), np.ones((*size, 3)), atol=1e-6)


def test_what_becomes_smaller_is_a_mean() -> None:
    values = np.random.default_rng(0).random((12, 20), np.float32)
    np.testing.assert_allclose(resized(values, (3, 5)), values.reshape(3, 4, 5, 4).mean(axis=(1, 3)), atol=1e-6)


def test_strips_of_what_becomes_larger_have_no_seams() -> None:
    values = np.random.default_rng(0).random((9, 11), np.float32)
    size = (70, 90)
    strips = [enlarged_rows(values, size, slice(top, min(top + 16, 70))) for top in range(0, 70, 16)]
    np.testing.assert_allclose(np.concatenate(strips), resized(values, size), atol=1e-5)
