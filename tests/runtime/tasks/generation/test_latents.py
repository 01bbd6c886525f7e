import numpy as np
import pytest

from edgevision.runtime.tasks.generation.latents import LEAST_TRUNCATION, draw_latents, interpolate
from edgevision.runtime.tasks.generation.spec import LatentSpec

NORMAL = LatentSpec(size=6)
UNIFORM = LatentSpec(size=6, distribution="uniform")
MAP = LatentSpec(size=3, pixels=16)


def test_the_numbers_of_a_seed_are_documented():
    """numpy's PCG64 seeded with (seed, sample): a change would change every picture anybody has drawn."""
    normal = [[1.5219693, -1.1441058, 1.1501616, -1.7846532], [1.876122, -0.5396083, -2.286782, -0.1818392]]
    uniform = [[0.2501909, 0.7944276, 0.5513714, -0.5495856]]
    np.testing.assert_allclose(draw_latents(LatentSpec(size=4), 2, seed=7), normal, rtol=1e-6)
    of_kind = LatentSpec(size=4, distribution="uniform")
    np.testing.assert_allclose(draw_latents(of_kind, 1, seed=7), uniform, rtol=1e-6)


@pytest.mark.parametrize("spec", [NORMAL, UNIFORM])
@pytest.mark.parametrize("truncation", [None, 0.5])
def test_a_sample_does_not_depend_on_how_many_are_drawn_with_it(spec, truncation):
    all_at_once = draw_latents(spec, 10, seed=3, truncation=truncation)
    assert all_at_once.shape == (10, 6)
    assert all_at_once.dtype == np.float32
    for first, count in ((0, 1), (4, 3), (9, 1)):
        part = draw_latents(spec, count, seed=3, first=first, truncation=truncation)
        np.testing.assert_array_equal(part, all_at_once[first : first + count])
    assert len(np.unique(all_at_once)) == 60


def test_another_seed_draws_others():
    drawn = [draw_latents(NORMAL, 4, seed=seed) for seed in (0, 1, 2**40)]
    assert len(np.unique(drawn)) == 3 * 4 * 6


def test_latents_are_normal_or_uniform_as_they_say():
    size = 4000
    normal = draw_latents(LatentSpec(size=size), 4, seed=0)
    assert normal.mean() == pytest.approx(0, abs=0.03)
    assert normal.std() == pytest.approx(1, abs=0.03)
    assert np.abs(normal).max() > 3
    uniform = draw_latents(LatentSpec(size=size, distribution="uniform"), 4, seed=0)
    assert np.histogram(uniform, 10, (-1, 1))[0] / uniform.size == pytest.approx(0.1, abs=0.01)
    assert np.abs(uniform).max() <= 1


@pytest.mark.parametrize("truncation", [LEAST_TRUNCATION, 0.3, 2.0])
def test_truncation_draws_again_what_lies_beyond_and_keeps_the_rest(truncation):
    spec = LatentSpec(size=500)
    free, bounded = draw_latents(spec, 3, seed=1), draw_latents(spec, 3, seed=1, truncation=truncation)
    assert np.abs(bounded).max() <= truncation
    inside = np.abs(free) <= truncation
    np.testing.assert_array_equal(bounded[inside], free[inside])
    # Drawn again, and not put to the border.
    assert len(np.unique(bounded)) == bounded.size


@pytest.mark.parametrize(("truncation", "reach"), [(0.3, 0.3), (1.0, 1.0), (5.0, 1.0)])
def test_truncation_narrows_a_uniform_latent(truncation, reach):
    drawn = draw_latents(LatentSpec(size=2000, distribution="uniform"), 1, seed=1, truncation=truncation)
    assert 0.95 * reach < np.abs(drawn).max() <= reach


def test_a_map_has_a_vector_at_every_place():
    drawn = draw_latents(MAP, 2, seed=5, sides=(4, 7), truncation=1.5)
    assert drawn.shape == (2, 3, 4, 7)
    assert np.abs(drawn).max() <= 1.5
    np.testing.assert_array_equal(drawn[1:], draw_latents(MAP, 1, seed=5, first=1, sides=(4, 7), truncation=1.5))


def unit(*values):
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def test_the_way_begins_and_ends_where_it_should():
    start, end = draw_latents(NORMAL, 2, seed=0)
    path = interpolate(start, end, 5)
    assert path.shape == (5, 6)
    assert path.dtype == np.float32
    np.testing.assert_allclose(path[0], start, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(path[-1], end, rtol=1e-6, atol=1e-7)


def test_the_way_keeps_to_the_sphere_in_even_steps():
    start, end = 3 * unit(1, 2, 0, 0), 3 * unit(0, -1, 2, 1)
    path = interpolate(start, end, 9)
    np.testing.assert_allclose(np.linalg.norm(path, axis=1), 3, rtol=1e-5)
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-4)


def test_a_quarter_of_a_circle_is_followed():
    path = interpolate(np.array([2, 0], np.float32), np.array([0, 2], np.float32), 3)
    np.testing.assert_allclose(path, [[2, 0], [2**0.5, 2**0.5], [0, 2]], atol=1e-6)


def test_the_way_between_two_high_dimensional_latents_stays_as_long_as_they_are():
    start, end = draw_latents(LatentSpec(size=512), 2, seed=4)
    middle = np.linalg.norm(interpolate(start, end, 3)[1])
    assert middle == pytest.approx((np.linalg.norm(start) + np.linalg.norm(end)) / 2, rel=0.03)
    assert np.linalg.norm((start + end) / 2) < 0.8 * middle


@pytest.mark.parametrize(
    ("start", "end", "middle"),
    [((1, 2), (1, 2), (1, 2)), ((1, 2), (3, 6), (2, 4)), ((1, 2), (-1, -2), (0, 0)), ((0, 0), (0, 0), (0, 0))],
)
def test_where_there_is_no_arc_the_way_is_straight(start, end, middle):
    path = interpolate(np.array(start, np.float32), np.array(end, np.float32), 3)
    np.testing.assert_allclose(path, [start, middle, end], atol=1e-5)


def test_maps_are_interpolated_as_a_whole():
    start, end = draw_latents(MAP, 2, seed=0, sides=(2, 5))
    path = interpolate(start, end, 4)
    assert path.shape == (4, 3, 2, 5)
    flat = interpolate(start.ravel(), end.ravel(), 4)
    np.testing.assert_array_equal(path.reshape(4, -1), flat)
