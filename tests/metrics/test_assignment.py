import numpy as np
import pytest

from edgevision.metrics.assignment import best_pairs

optimize = pytest.importorskip("scipy.optimize")


def test_what_is_usable_once_needs_no_solver_and_the_rest_is_solved_alike():
    generator = np.random.default_rng(0)
    clear = 0
    for _ in range(300):
        worth = generator.random(generator.integers(1, 5, 2))
        least = generator.choice([0.3, 0.7, 0.9])
        usable = worth >= least
        clear += usable.sum(axis=0).max() <= 1 and usable.sum(axis=1).max() <= 1
        row, column = optimize.linear_sum_assignment(np.where(usable, worth, 0), maximize=True)
        expected = [pair for pair in zip(row, column, strict=True) if usable[pair]]
        assert list(map(tuple, best_pairs(worth, least))) == expected
    assert 100 < clear < 280


def test_one_that_is_best_twice_is_given_where_the_sum_is_largest():
    assert best_pairs(np.array([[0.9, 0.8], [0.7, 0.0]]), 0.1).tolist() == [[0, 1], [1, 0]]
    assert best_pairs(np.array([[0.9], [0.95]]), 0.1).tolist() == [[1, 0]]
    assert best_pairs(np.zeros((2, 0)), 0.1).shape == (0, 2)
