"""How much worse a classifier is: accuracies that are known beforehand."""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest
from fake_engine import FakeEngine
from PIL import Image

from edgevision.modelfiles.metadata import TensorSpec
from edgevision.runtime.engines.engine import Array
from edgevision.runtime.tasks.classification.quality import ClassifierQuality
from edgevision.runtime.tasks.classification.spec import ClassificationSpec
from edgevision.runtime.tasks.quality import QualityMeasure

SCORES = TensorSpec(name="logits", shape=("batch", 3))


def answering(scores: Sequence[Sequence[float]], batch: int | str = "batch") -> FakeEngine:
    """A classifier that answers sample i, whose one input is i, with row i of ``scores``."""
    table = np.array(scores, np.float32)
    number = TensorSpec(name="number", shape=(batch, 1))
    return FakeEngine((number,), (SCORES,), lambda feeds: [table[feeds["number"][:, 0].astype(int)]])


def numbers(count: int) -> list[Array]:
    return [np.arange(count, dtype=np.float32)[:, None]]


def one_hot(answers: Sequence[int], certainty: float = 5.0) -> list[list[float]]:
    return [[certainty * (index == answer) for index in range(3)] for answer in answers]


def test_with_classes_the_loss_is_the_accuracy_that_is_lost_in_points() -> None:
    expected = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    reference = answering(one_hot([0, 1, 2, 0, 1, 2, 1, 1]))
    measure: QualityMeasure = ClassifierQuality(reference, numbers(8), expected)
    assert (measure.metric, measure.unit, measure.budget) == ("top1", "points", 0.3)
    quality = measure(answering(one_hot([0, 1, 2, 0, 2, 1, 1, 0])))
    assert quality.figures["top1"] == 50
    assert quality.loss == 87.5 - 50
    assert quality.figures["agreement"] == 62.5


def test_a_model_that_is_better_than_the_float_one_has_a_negative_loss() -> None:
    measure = ClassifierQuality(answering(one_hot([0, 1, 1, 1])), numbers(4), np.array([0, 1, 2, 2]))
    assert measure(answering(one_hot([0, 1, 2, 1]))).loss == -25


def test_the_float_model_itself_loses_nothing() -> None:
    reference = answering(one_hot([0, 1, 2, 2]))
    for expected in (np.array([0, 1, 2, 0]), None):
        quality = ClassifierQuality(reference, numbers(4), expected)(reference)
        assert quality.loss == 0
        assert quality.figures["agreement"] == 100
        assert quality.figures["sqnr"] == float("inf")


def test_without_classes_the_loss_is_what_the_float_models_probabilities_say_is_lost() -> None:
    # Softmax gives 0.5, 0.3 and 0.2 for both samples.
    probabilities = [0.5, 0.3, 0.2]
    reference = answering(np.log([probabilities, probabilities[::-1]]).tolist())
    measure = ClassifierQuality(reference, numbers(2), None)
    assert measure.metric == "agreement"
    # One answer stays, the other becomes the second likeliest.
    quality = measure(answering(one_hot([0, 1])))
    assert quality.figures["agreement"] == 50
    assert "top1" not in quality.figures
    assert quality.loss == pytest.approx(100 * (0.5 - 0.3) / 2)
    # And the least likely costs more than the second.
    assert measure(answering(one_hot([0, 0]))).loss == pytest.approx(100 * (0.5 - 0.2) / 2)


def test_without_classes_another_answer_where_the_float_model_is_undecided_costs_almost_nothing() -> None:
    undecided, decided = [1.0, 1.001, -9.0], [9.0, -9.0, -9.0]
    measure = ClassifierQuality(answering([undecided, decided]), numbers(2), None)
    assert 0 < measure(answering(one_hot([0, 0]))).loss < 0.1
    assert measure(answering(one_hot([1, 1]))).loss > 49


def test_scores_that_change_without_changing_an_answer_lose_nothing() -> None:
    rows = np.array(one_hot([0, 1, 2, 1]))
    measure = ClassifierQuality(answering(rows.tolist()), numbers(4), None)
    quality = measure(answering((1.1 * rows).tolist()))
    assert quality.loss == 0
    assert quality.figures["sqnr"] == pytest.approx(20, abs=1e-3)


@pytest.mark.parametrize(("batch", "calls"), [("batch", 3), (4, 20)])
def test_samples_are_measured_in_portions_that_the_model_takes(batch: int | str, calls: int) -> None:
    generator = np.random.default_rng(0)
    answers, expected = generator.integers(0, 3, (2, 77))
    reference = answering(one_hot(answers.tolist()), batch)
    measure = ClassifierQuality(reference, numbers(77), expected)
    assert reference.calls == calls
    quality = measure(answering(one_hot(expected.tolist()), batch))
    assert quality.figures["top1"] == 100
    assert quality.figures["agreement"] == pytest.approx(100 * np.mean(answers == expected))
    # What the float model says is found out once.
    assert reference.calls == calls


def test_examples_are_the_answers_and_what_they_are_for() -> None:
    metadata = ClassificationSpec(labels=("ant", "bee", "cow"))
    reference = answering(one_hot([0, 1, 2]))
    shades = [Image.new("L", (4, 2), 40 * index) for index in range(3)]
    data = SimpleNamespace(names=("a.png", "b.png", "c.png"), image=shades.__getitem__)
    measure = ClassifierQuality(reference, numbers(3), np.array([0, 1, 1]), metadata, data)  # type: ignore[arg-type]
    found = measure.examples(answering(one_hot([0, 2, 2])))
    assert [(one.name, one.answer, one.expected) for one in found] == [
        ("a.png", "ant", "ant"),
        ("b.png", "cow", "bee"),
        ("c.png", "cow", "bee"),
    ]
    pixels = found[2].picture()
    assert (pixels.shape, set(np.unique(pixels))) == ((2, 4, 3), {80})
    assert not ClassifierQuality(reference, numbers(3), None).examples(reference)
