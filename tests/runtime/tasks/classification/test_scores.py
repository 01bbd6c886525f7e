"""Scores of every kind of classifier become the probabilities that its network means."""

import numpy as np
import pytest

from edgevision.core.errors import ModelFileError
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.runtime.tasks.classification.scores import class_labels, class_scores, classification_of, probabilities
from edgevision.runtime.tasks.classification.spec import Activation, ClassificationSpec

LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 0.0, 3.0]], np.float32)
P = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
EACH = 1 / (1 + np.exp(-LOGITS))


def told(output, activation, **more):
    spec = ClassificationSpec(activation=activation, **more)
    return probabilities(class_scores(output, 2, spec), spec)


@pytest.mark.parametrize(
    ("output", "activation", "expected"),
    [(LOGITS, "none", P), (P, "softmax", P), (np.log(P), "log_softmax", P), (EACH, "sigmoid", EACH)],
)
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1, 1), (2, 1, 1, 3)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_probabilities_are_the_networks_own(output, activation, expected, shape, dtype):
    np.testing.assert_allclose(
        told(output.astype(dtype).reshape(shape), Activation(activation)),
        expected,
        atol=2e-3 if dtype == np.float16 else 1e-6,
    )


@pytest.mark.parametrize(
    ("one", "activation", "yes"),
    [
        (np.array([1.2, -3.0]), "none", 1 / (1 + np.exp([-1.2, 3.0]))),
        (np.array([0.9, 0.25]), "sigmoid", [0.9, 0.25]),
        (np.log([0.9, 0.25]), "log_softmax", [0.9, 0.25]),
    ],
)
@pytest.mark.parametrize("shape", [(2,), (2, 1), (2, 1, 1, 1)])
def test_one_score_decides_between_two_classes(one, activation, yes, shape):
    found = told(one.reshape(shape), Activation(activation))
    np.testing.assert_allclose(found, np.stack([1 - np.asarray(yes), yes], 1), atol=1e-9)


def test_logits_of_many_labels_are_each_for_itself_however_large():
    np.testing.assert_allclose(told(LOGITS, Activation.NONE, multi_label=True), EACH, atol=1e-6)
    extreme = told(np.array([[1e4, -1e4, 0], [0, 0, 0]], np.float32), Activation.NONE, multi_label=True)
    np.testing.assert_array_equal(extreme[0], [1, 0, 0.5])


def test_a_probability_of_nothing_has_an_infinite_logarithm():
    np.testing.assert_array_equal(told(np.array([[0, -np.inf], [0, -np.inf]]), Activation.LOG_SOFTMAX), [[1, 0]] * 2)


@pytest.mark.parametrize("output", [np.zeros((2, 3, 7, 7)), np.zeros((2, 3), np.int64), np.zeros(3), np.zeros((2, 0))])
def test_what_is_no_score_for_each_class_is_refused(output):
    with pytest.raises(ModelFileError, match="score"):
        told(output, Activation.NONE)


def test_labels_name_the_scores():
    assert class_labels((), 3) == ("class 0", "class 1", "class 2")
    assert class_labels(("cat",), 2) == ("not cat", "cat")
    assert class_labels(("no", "yes"), 2) == ("no", "yes")
    with pytest.raises(ModelFileError, match="3 scores, and there are 2 labels"):
        class_labels(("no", "yes"), 3)


def test_files_that_do_not_say_what_their_scores_are_are_read_as_before():
    old = ModelMetadata(task="classify", name="old")
    assert classification_of(old).activation is Activation.NONE
    unit = TensorSpec(name="y", shape=(1, 3), value_range=(0.0, 1.0))
    assert classification_of(old.updated(outputs=(unit,))).activation is Activation.SOFTMAX
