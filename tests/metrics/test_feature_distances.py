"""The Fréchet distance and the neighbourhoods, against closed forms, other libraries and plain loops."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from torch import nn

from edgevision.metrics.feature_distances import frechet_distance, share_within, spread


def cloud(mean, covariance, count=500, seed=0):
    """Points of exactly that mean and covariance."""
    mean, covariance = np.asarray(mean, float), np.asarray(covariance, float)
    points = np.random.default_rng(seed).standard_normal((count, len(mean)))
    points -= points.mean(axis=0)
    white = points @ np.linalg.inv(np.linalg.cholesky(np.atleast_2d(np.cov(points, rowvar=False)))).T
    return mean + white @ np.linalg.cholesky(covariance).T


def random_covariance(size, seed):
    factors = np.random.default_rng(seed).standard_normal((size, size))
    return factors @ factors.T / size


# --- the Fréchet distance ---


def test_two_round_clouds_are_as_far_apart_as_the_closed_form_says():
    # |m1 - m2|^2 + sum (s1 - s2)^2 where the axes are the same.
    one, other = cloud([0, 0, 0], np.diag([1, 4, 9])), cloud([1, 2, -2], np.diag([4, 4, 1]), seed=1)
    assert frechet_distance(one, other) == pytest.approx(9 + (1 - 2) ** 2 + 0 + (3 - 1) ** 2)


def test_in_one_dimension_it_is_the_squared_difference_of_means_and_deviations():
    assert frechet_distance(cloud([3], [[4]]), cloud([5], [[25]])) == pytest.approx(4 + 9)


@pytest.mark.parametrize("size", [2, 7, 64])
def test_it_is_what_the_matrix_root_of_scipy_gives(size):
    covariances = random_covariance(size, 1), random_covariance(size, 2)
    clouds = [cloud(np.full(size, i / 10), c, seed=i) for i, c in enumerate(covariances)]
    root = sqrtm(covariances[0] @ covariances[1]).real
    expected = size / 100 + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert frechet_distance(*clouds) == pytest.approx(expected)
    assert frechet_distance(*clouds[::-1]) == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_it_is_what_torchmetrics_gives():
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Given(nn.Identity):
        num_features = 16

    metric = FrechetInceptionDistance(feature=Given())
    metric.set_dtype(torch.float64)
    generator = np.random.default_rng(3)
    clouds = [generator.gamma(2, size=(300, 16)) ** power for power in (1, 0.7)]
    for points, real in zip(clouds, (True, False), strict=True):
        metric.update(torch.from_numpy(points), real=real)
    assert frechet_distance(*clouds) == pytest.approx(float(metric.compute()), rel=1e-5)


def test_a_cloud_is_no_distance_from_itself():
    points = np.random.default_rng(0).standard_normal((100, 20))
    assert frechet_distance(points, points) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(points, np.random.default_rng(1).permutation(points)) == pytest.approx(0, abs=1e-9)


def test_clouds_flatter_than_their_space_have_a_distance():
    generator = np.random.default_rng(0)
    flat = np.zeros((50, 8))
    flat[:, 0] = generator.standard_normal(50)
    few = generator.standard_normal((4, 8))
    assert np.isfinite(frechet_distance(flat, few))
    assert frechet_distance(np.ones((3, 2)), np.zeros((3, 2))) == pytest.approx(2)


# --- neighbourhoods ---


def by_loops(points, reference, neighbour):
    radii = [sorted(np.linalg.norm(reference - centre, axis=1))[neighbour] for centre in reference]
    inside = [
        any(np.linalg.norm(point - centre) <= radius for centre, radius in zip(reference, radii, strict=True))
        for point in points
    ]
    return np.mean(inside)


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 5), st.floats(0, 3))
def test_the_share_is_what_plain_loops_count(seed, neighbour, size, shift):
    generator = np.random.default_rng(seed)
    reference, points = generator.standard_normal((12, size)), generator.standard_normal((9, size)) + shift
    assert share_within(points, reference, neighbour) == by_loops(points, reference, neighbour)


def test_points_on_a_line_can_be_followed():
    reference, points = np.arange(10.0)[:, None], np.array([0, 4.4, 11.9, 12.1, 1000])[:, None]
    # The third neighbour of 9 is 6: it reaches to 12.
    assert share_within(points, reference) == pytest.approx(3 / 5)


def test_more_points_than_are_compared_at_once_are_compared_alike():
    generator = np.random.default_rng(0)
    reference, points = generator.standard_normal((700, 3)), 2 * generator.standard_normal((600, 3))
    assert share_within(points, reference) == by_loops(points, reference, 3)


def test_far_from_the_origin_nothing_is_lost():
    generator = np.random.default_rng(0)
    reference, points = generator.standard_normal((300, 4)), 2 * generator.standard_normal((300, 4))
    assert share_within(points + 1e5, reference + 1e5) == share_within(points, reference)


def test_points_that_coincide_with_a_reference_lie_within():
    # All references are the same, and their balls have no extent.
    same = np.tile(np.random.default_rng(0).standard_normal(64), (300, 1))
    assert share_within(same[:7], same) == 1
    assert share_within(same[:7] + 0.01, same) == 0


def test_with_few_references_their_balls_reach_to_the_farthest():
    reference = np.array([[0.0], [1.0]])
    assert share_within([[2.0], [-1.0], [2.1]], reference) == pytest.approx(2 / 3)


def test_the_spread_is_the_root_of_the_total_variance():
    assert spread(np.array([[0.0, 0.0], [6.0, 8.0]])) == pytest.approx(5)
    assert spread(np.ones((4, 3))) == 0
