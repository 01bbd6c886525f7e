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


def test_with_classes_answers_that_change_cost_what_the_float_model_knew_there() -> None:
    expected = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    reference = answering(one_hot([0, 1, 2, 0, 1, 2, 1, 1]))
    measure: QualityMeasure = ClassifierQuality(reference, numbers(8), expected)
    assert (measure.metric, measure.unit, measure.budget) == ("top1", "points", 0.3)
    quality = measure(answering(one_hot([0, 1, 2, 0, 2, 1, 1, 0])))
    assert quality.figures["top1"] == 50
    assert quality.figures["agreement"] == 62.5
    # It is right seven times of eight, so its answer has about 7/8 and the others share the rest: three are lost.
    assert quality.loss == pytest.approx(100 * 3 / 8 * (7 / 8 - 1 / 16), rel=0.03)
    assert quality.at_most > 37.5


def test_a_model_that_is_too_sure_of_itself_is_not_believed() -> None:
    """All else equal, its probabilities say that more is lost than labels do."""
    truth = np.arange(1000) % 3
    answers = np.where(np.arange(1000) % 10 < 4, (truth + 1) % 3, truth)
    changed = answers.copy()
    # As often as not what was wrong becomes right.
    changed[:50] = (answers[:50] + 1 + np.arange(50) // 10 % 2) % 3
    measures = [
        ClassifierQuality(answering(one_hot(answers.tolist(), 8)), numbers(1000), labels) for labels in (truth, None)
    ]
    known, unknown = (measure(answering(one_hot(changed.tolist()))) for measure in measures)
    assert unknown.loss == pytest.approx(5, rel=0.01)
    assert known.loss == pytest.approx(5 * (0.6 - 0.2), rel=0.05)


def test_where_labels_are_sure_that_more_is_lost_they_count() -> None:
    """Only answers that were right change, and the float model knew no better than to guess."""
    truth = np.arange(300) % 3
    undecided = [[1.0 + 0.01 * (index == one) for index in range(3)] for one in truth]
    changed = [
        [1.0 + 0.01 * (index == (one + (place < 60)) % 3) for index in range(3)] for place, one in enumerate(truth)
    ]
    undecided[60:] = one_hot(((truth[60:] + 1) % 3).tolist(), 0.01)
    changed[60:] = undecided[60:]
    quality = ClassifierQuality(answering(undecided), numbers(300), truth)(answering(changed))
    assert quality.loss == pytest.approx(20)


def test_few_pictures_show_little_and_many_show_that_nothing_is_lost() -> None:
    reaches = []
    for count in (20, 2000):
        answers = one_hot([index % 3 for index in range(count)])
        quality = ClassifierQuality(answering(answers), numbers(count), None)(answering(answers))
        assert quality.loss == 0
        reaches.append(quality.at_most)
    assert reaches[0] > 10 > 0.3 > reaches[1]


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
