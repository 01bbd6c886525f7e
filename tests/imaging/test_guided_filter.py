"""The guided filter: flat maps stay, edges come from the picture, parts are as the whole."""

import numpy as np
import pytest

from edgevision.imaging.guided_filter import LinearFits, box_mean, guided_filter


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, np.float32)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_constant_stays_whatever_guides_it(channels: int, value: float) -> None:
    source = np.full((40, 50), value, np.float32)
    filtered = guided_filter(source, noise(40, 50, channels), radius=6, epsilon=1e-4)
    np.testing.assert_allclose(filtered, source, atol=1e-6)


def test_an_edge_of_the_source_moves_to_that_of_the_guide() -> None:
    guide = np.zeros((40, 60, 3), np.float32)
    guide[:, 30:] = (0.9, 0.2, 0.4)
    source = np.zeros((40, 60), np.float32)
    source[:, 27:] = 1
    filtered = guided_filter(source, guide, radius=8, epsilon=1e-4)
    step = np.diff(filtered, axis=1)[20]
    assert step.argmax() == 29
    assert step.max() > 0.5
    assert np.abs(np.delete(step, 29)).max() < 0.1


def test_a_map_that_is_linear_in_the_guides_colours_is_kept_with_all_its_edges() -> None:
    guide = noise(40, 50, 3)
    source = guide @ np.float32([0.2, 0.5, 0.3])
    filtered = guided_filter(source, guide, radius=5, epsilon=1e-7)
    np.testing.assert_allclose(filtered, source, atol=1e-4)


def test_where_the_guide_is_flat_it_is_a_mean() -> None:
    source = noise(41, 41)
    filtered = guided_filter(source, np.full((41, 41, 1), 0.5, np.float32), radius=3, epsilon=1e-2)
    np.testing.assert_allclose(filtered, box_mean(box_mean(source, 3), 3), atol=1e-6)


def test_rows_of_a_larger_guide_are_those_of_the_whole() -> None:
    fits = LinearFits.of(noise(20, 30), noise(20, 30, 3, seed=1), radius=2, epsilon=1e-3)
    large = (noise(100, 150, 3, seed=2) * 255).astype(np.uint8)
    whole = fits.applied(large, slice(0, 100))
    parts = [fits.applied(large, slice(start, start + 20)) for start in range(0, 100, 20)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)


@pytest.mark.parametrize("radius", [1, 4, 60])
def test_box_means_are_those_of_what_is_inside(radius: int) -> None:
    values = noise(13, 17)
    means = box_mean(values, radius)
    for y, x in ((0, 0), (6, 8), (12, 3)):
        window = values[max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1]
        assert means[y, x] == pytest.approx(window.mean(), abs=1e-6)
