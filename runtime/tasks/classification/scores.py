"""What a classifier's output says: a score and a probability for each class, whatever the network ends in."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import ModelFileError
from edgevision.metrics.figures import softmax
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.tasks.classification.spec import Activation, ClassificationSpec

Scores = NDArray[Any]
"""float (samples, classes)"""


def classification_of(metadata: ModelMetadata) -> ClassificationSpec:
    """What the metadata say of the scores; files that do not say give logits, or probabilities by their range."""
    spec = metadata.spec_as(ClassificationSpec)
    if spec.activation is not None:
        return spec
    probable = bool(metadata.outputs) and metadata.outputs[0].value_range == (0.0, 1.0)
    return spec.updated(activation=Activation.SOFTMAX if probable and not spec.multi_label else Activation.NONE)


def class_scores(output: Any, samples: int, spec: ClassificationSpec) -> Scores:
    """A network's output for ``samples`` pictures as (samples, classes), in its own dtype but at least float32.

    Sides of 1 are dropped. A network of one score says how much speaks for the second of two classes: of a logit z
    that is (0, z), of a probability p it is (1 - p, p).

    Raises:
        ModelFileError: it is no list of scores.
    """
    array = np.asarray(output)
    classes = array.size // samples if samples else 0
    if array.dtype.kind != "f" or not classes or array.size != classes * samples:
        raise ModelFileError(f"{samples} pictures give {array.dtype} {array.shape}, which is no score for each class")
    if max(array.shape[1:], default=1) not in (1, classes):
        raise ModelFileError(f"{samples} pictures give {array.shape}, and classes have one score each")
    scores = array.reshape(samples, classes)
    if scores.dtype.itemsize < 4:
        scores = scores.astype(np.float32)
    if classes > 1:
        return scores
    if spec.activation in (None, Activation.NONE):
        return np.hstack([np.zeros_like(scores), scores])
    if spec.activation is Activation.LOG_SOFTMAX:
        with np.errstate(divide="ignore"):
            return np.hstack([np.log1p(-np.exp(np.minimum(scores, 0))), scores])
    return np.hstack([1 - scores, scores])


def probabilities(scores: Scores, spec: ClassificationSpec) -> Scores:
    """0..1 for each of ``scores`` (classes on the last axis): they add up to 1, unless each class is for itself."""
    if spec.activation is Activation.LOG_SOFTMAX:
        return np.exp(np.minimum(scores, 0))
    if spec.activation not in (None, Activation.NONE):
        return np.clip(scores, 0, 1)
    if spec.multi_label and scores.shape[-1] > 2:
        # Either form overflows for logits of one sign.
        small = np.exp(-np.abs(scores))
        each: Scores = np.where(scores < 0, small, 1) / (1 + small)
        return each
    return softmax(scores)


def class_labels(labels: tuple[str, ...], classes: int) -> tuple[str, ...]:
    """The names of ``classes`` scores as :func:`class_scores` gives them; numbers where there are no ``labels``.

    Raises:
        ModelFileError: there are more or fewer labels than scores.
    """
    if not labels:
        return tuple(f"class {index}" for index in range(classes))
    if len(labels) == 1 and classes == 2:
        return f"not {labels[0]}", labels[0]
    if len(labels) != classes:
        raise ModelFileError(f"the network gives {classes} scores, and there are {len(labels)} labels")
    return labels
