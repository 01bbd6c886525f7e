"""Figures of merit, against loops and scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from edgevision.metrics import class_scores, confusion_matrix, softmax, sqnr_db

answers = st.integers(1, 6).flatmap(
    lambda classes: st.tuples(
        st.just(classes),
        st.lists(st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1)), max_size=40),
    )
)


@given(answers)
def test_the_confusion_matrix_is_what_counting_gives(case: tuple[int, list[tuple[int, int]]]) -> None:
    classes, pairs = case
    counted = np.zeros((classes, classes), np.int64)
    for expected, predicted in pairs:
        counted[expected, predicted] += 1
    matrix = confusion_matrix([e for e, _ in pairs], [p for _, p in pairs], classes)
    np.testing.assert_array_equal(matrix, counted)


@given(answers.filter(lambda case: len(case[1]) > 0))
def test_class_scores_are_those_of_scikit_learn(case: tuple[int, list[tuple[int, int]]]) -> None:
    classes, pairs = case
    expected, predicted = zip(*pairs, strict=True)
    reference = precision_recall_fscore_support(expected, predicted, labels=range(classes), zero_division=0)
    scores = class_scores(confusion_matrix(expected, predicted, classes), tuple(map(str, range(classes))))
    ours = [(s.precision, s.recall, s.f1, s.support) for s in scores]
    np.testing.assert_allclose(np.array(ours).T, reference, rtol=1e-12)
    assert [s.label for s in scores] == [str(label) for label in range(classes)]


def test_a_class_that_never_occurs_counts_as_zero() -> None:
    absent = class_scores(confusion_matrix([0, 0], [0, 0], 2), ("a", "b"))[1]
    assert (absent.precision, absent.recall, absent.f1, absent.support) == (0, 0, 0, 0)


def test_labels_must_be_as_many_as_classes() -> None:
    with pytest.raises(ValueError, match="longer"):
        class_scores(np.eye(3, dtype=np.int64), ("a", "b"))


def test_noise_of_a_tenth_is_twenty_decibels() -> None:
    reference = np.array([3.0, -4.0, 5.0])
    assert sqnr_db(reference, reference * 1.1) == pytest.approx(20)
    assert sqnr_db(reference, reference * 1.001) == pytest.approx(60)


def test_equal_arrays_have_no_noise_and_silence_has_no_signal() -> None:
    assert sqnr_db([1, 2], [1, 2]) == math.inf
    assert sqnr_db([0, 0], [0, 0]) == math.inf
    assert sqnr_db([0, 0], [0, 1]) == -math.inf


@given(st.lists(st.lists(st.floats(-1e4, 1e4, width=32), min_size=4, max_size=4), min_size=1, max_size=5))
def test_softmax_gives_probabilities_without_overflow(rows: list[list[float]]) -> None:
    logits = np.array(rows, np.float32)
    probabilities = softmax(logits)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, rtol=1e-5)
    assert (np.take_along_axis(probabilities, logits.argmax(-1)[:, None], -1) >= 0.25 - 1e-6).all()


def test_softmax_of_equal_logits_is_uniform() -> None:
    np.testing.assert_allclose(softmax(np.full((2, 5), 7, np.float32)), 0.2, rtol=1e-6)
    odds = softmax(np.array([0.0, math.log(3)], np.float32))
    np.testing.assert_allclose(odds, [0.25, 0.75], rtol=1e-6)
