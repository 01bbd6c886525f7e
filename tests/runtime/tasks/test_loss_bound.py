"""How sure a loss is: what is promised with 95 % confidence holds nineteen times of twenty."""

import numpy as np
import pytest

from edgevision.runtime.tasks.loss_bound import LossBound, Proof, find_proof, jackknife_bound, paired_bound, ratio_bound


def test_the_bound_of_a_mean_holds_nineteen_times_of_twenty() -> None:
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        differences = generator.normal(0.05, 0.03, 8)
        bound = paired_bound(differences)
        assert bound is not None
        held += differences.mean() + bound.reach >= 0.05
    assert 930 <= held <= 970


@pytest.mark.parametrize("share", [0.002, 0.01, 0.05])
def test_the_bound_of_rare_losses_holds_though_often_none_is_seen(share: float) -> None:
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        lost = 100.0 * (generator.random(150) < share)
        bound = paired_bound(lost, unseen=100 / 150)
        assert bound is not None
        held += lost.mean() + bound.reach >= 100 * share
    assert held >= 930


def test_a_ratio_is_bounded_as_a_mean_where_all_pictures_hold_as_much() -> None:
    lost = np.array([0.0, 1, 0, 2, 0, 0])
    one, other = ratio_bound(lost, np.full(6, 4.0)), paired_bound(lost / 4)
    assert one is not None
    assert other is not None
    assert one.error == pytest.approx(other.error)
    assert ratio_bound(lost, np.zeros(6)) is None


def test_the_jackknife_of_a_mean_is_the_usual_error() -> None:
    values = np.random.default_rng(0).normal(size=20)
    found = jackknife_bound(20, lambda out: float(values[~out].mean()))
    usual = paired_bound(values)
    assert found is not None
    assert usual is not None
    assert found.error == pytest.approx(usual.error)


def test_one_picture_says_nothing_of_others() -> None:
    assert paired_bound([0.1]) is None
    assert jackknife_bound(1, lambda out: 0.0) is None


def test_it_is_known_how_many_pictures_would_do() -> None:
    bound = LossBound(pictures=20, error=0.0, unseen=5.0)
    wanted = bound.enough(0.5)
    assert wanted is not None
    # Three of a hundred percent lie within 0.5 where there are 600.
    assert 400 < wanted < 700
    assert LossBound(pictures=20, error=0.0, unseen=5.0 * 20 / wanted).reach < 0.6
    assert bound.enough(0.0) is None
    assert bound.enough(1e9) == 20


@pytest.mark.parametrize(
    ("loss", "bound", "proof"),
    [
        (0.1, LossBound(pictures=500, error=0.1), Proof.BOUND),
        # On one picture.
        (0.2, None, Proof.ESTIMATE),
        (0.4, None, None),
        # 80 annotated pictures: well within, but they cannot show it.
        (0.1, LossBound(pictures=40, error=0.3, unseen=0.2), Proof.ESTIMATE),
        # It may as well be beyond.
        (0.4, LossBound(pictures=40, error=0.3, unseen=0.2), None),
        # Not one of seven boxes was lost, which says nothing.
        (0.0, LossBound(pictures=3, error=0.0, unseen=100 / 7), None),
    ],
)
def test_what_is_well_within_on_few_pictures_is_held_but_not_proven(
    loss: float, bound: LossBound | None, proof: Proof | None
) -> None:
    assert find_proof(loss, bound, 0.5) is proof


def test_an_sqnr_is_proven_or_not_within() -> None:
    assert find_proof(-33.1, LossBound(pictures=8, error=1.0), -30) is Proof.BOUND
    assert find_proof(-33.1, LossBound(pictures=8, error=2.0), -30) is None
    assert find_proof(-33.1, None, -30) is Proof.BOUND
