"""Figures of merit, against loops and scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from sklearn.metrics import precision_recall_fscore_support

from edgevision.metrics.figures import confusion_matrix, precision_recall_f1, psnr_db, softmax, sqnr_db, ssim

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
def test_precision_recall_and_f1_are_those_of_scikit_learn(case: tuple[int, list[tuple[int, int]]]) -> None:
    classes, pairs = case
    expected, predicted = zip(*pairs, strict=True)
    reference = precision_recall_fscore_support(expected, predicted, labels=range(classes), zero_division=0)
    scores = precision_recall_f1(confusion_matrix(expected, predicted, classes), tuple(map(str, range(classes))))
    ours = [(s.precision, s.recall, s.f1, s.support) for s in scores]
    np.testing.assert_allclose(np.array(ours).T, reference, rtol=1e-12)
    assert [s.label for s in scores] == [str(label) for label in range(classes)]


def test_a_class_that_never_occurs_counts_as_zero() -> None:
    absent = precision_recall_f1(confusion_matrix([0, 0], [0, 0], 2), ("a", "b"))[1]
    assert (absent.precision, absent.recall, absent.f1, absent.support) == (0, 0, 0, 0)


def test_labels_must_be_as_many_as_classes() -> None:
    with pytest.raises(ValueError, match="longer"):
        precision_recall_f1(np.eye(3, dtype=np.int64), ("a", "b"))


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


def planes(height: int, width: int, sigma: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A smooth plane in 0..1 and the same with noise."""
    generator = np.random.default_rng(height * 1000 + width)
    y, x = np.mgrid[:height, :width]
    clean = 0.5 + 0.4 * np.sin(x / 5) * np.cos(y / 7)
    return clean.astype(np.float32), (clean + sigma * generator.standard_normal(clean.shape)).astype(np.float32)


@pytest.mark.parametrize("sigma", [0.001, 0.05, 0.3])
def test_psnr_is_that_of_scikit_image(sigma: float) -> None:
    clean, noisy = planes(30, 40, sigma)
    reference = peak_signal_noise_ratio(clean.astype(float), noisy.astype(float), data_range=1)
    assert psnr_db(clean, noisy) == pytest.approx(reference, abs=1e-6)


def test_an_error_of_a_tenth_everywhere_is_twenty_decibels() -> None:
    assert psnr_db(np.zeros((4, 5, 3)), np.full((4, 5, 3), 0.1)) == pytest.approx(20)
    assert psnr_db([1, 2], [1, 2]) == math.inf


@pytest.mark.parametrize("sigma", [0.01, 0.05, 0.3])
@pytest.mark.parametrize(("height", "width"), [(11, 11), (12, 40), (64, 33)])
def test_ssim_is_that_of_scikit_image(height: int, width: int, sigma: float) -> None:
    clean, noisy = planes(height, width, sigma)
    _, everywhere = structural_similarity(
        clean.astype(float),
        noisy.astype(float),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1,
        full=True,
    )
    # Where a window of 11 pixels lies inside.
    assert ssim(clean, noisy) == pytest.approx(everywhere[5:-5, 5:-5].mean(), abs=1e-7)


@given(st.integers(1, 20), st.integers(1, 20))
def test_a_plane_of_any_size_is_like_itself_and_less_like_another(height: int, width: int) -> None:
    clean, noisy = planes(height, width, 0.2)
    assert ssim(clean, clean) == pytest.approx(1, abs=1e-9)
    assert -1 <= ssim(clean, noisy) < 1
    assert ssim(clean, noisy) == pytest.approx(ssim(noisy, clean), abs=1e-9)
