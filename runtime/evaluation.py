"""How good a classifier is on labelled pictures."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets import ImageDataset
from edgevision.errors import DatasetError, ImageError
from edgevision.images import ImageSource
from edgevision.metrics import ClassScore, class_scores, confusion_matrix
from edgevision.progress import track
from edgevision.records import Record, record
from edgevision.runtime.pipelines.classify import Classifier

_BATCH = 64


@record
class ClassificationReport(Record):
    """Figures of a classifier, all in percent but the counts.

    ``precision``, ``recall`` and ``f1`` are unweighted means over the classes. ``confusion[i][j]`` counts the pictures
    of ``classes[i]`` that were taken for the model's label j; ``failures`` names pictures that could not be read.
    """

    images: int
    top1: float
    top5: float
    precision: float
    recall: float
    f1: float
    classes: tuple[ClassScore, ...]
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    failures: Mapping[str, str]


def evaluate_classifier(classifier: Classifier, data: ImageDataset, *, quiet: bool = False) -> ClassificationReport:
    """Classify every picture of ``data`` and compare with its class.

    Raises:
        DatasetError: no class folders, classes that the model does not know, or not one readable picture.
    """
    expected = expected_labels(classifier.labels, data)
    kept: list[NDArray[np.int64]] = []
    ranked: list[NDArray[np.int64]] = []
    failures: dict[str, str] = {}
    starts = range(0, len(data), _BATCH)
    for start in track(starts, len(starts), "evaluating", quiet=quiet):
        images: list[ImageSource] = []
        indices: list[int] = []
        for index in range(start, min(start + _BATCH, len(data))):
            try:
                images.append(data.image(index))
                indices.append(index)
            except ImageError as error:
                failures[_name(data, index)] = str(error)
        scores = [answer.scores for answer in classifier(images)]
        if scores:
            ranked.append(np.argsort(-np.stack(scores), axis=1, kind="stable")[:, :5])
            kept.append(np.array(indices))
    if not ranked:
        raise DatasetError(f"not one of the {len(data)} pictures could be read")
    return _report(expected[np.concatenate(kept)], np.concatenate(ranked), classifier.labels, failures)


def expected_labels(labels: tuple[str, ...], data: ImageDataset) -> NDArray[np.int64]:
    """The index of each picture's class among the model's ``labels``, int64 (len(data),).

    Raises:
        DatasetError: the data has no classes, or classes that are not among the labels.
    """
    if not data.class_names:
        raise DatasetError("the data has no class folders, so there is nothing to compare the answers with")
    if labels == tuple(f"class {index}" for index in range(len(labels))):
        # The model does not name its classes; folders in alphabetical order are how such models are trained.
        if len(labels) != len(data.class_names):
            raise DatasetError(f"the model has {len(labels)} unnamed classes, the data has {len(data.class_names)}")
        return data.labels
    unknown = [name for name in data.class_names if name not in labels]
    if unknown:
        raise DatasetError(
            f"the model does not know the classes {', '.join(unknown[:5])}; it knows {', '.join(labels)}"
        )
    return np.array([labels.index(name) for name in data.class_names], np.int64)[data.labels]


def _report(
    expected: NDArray[np.int64], ranked: NDArray[np.int64], labels: tuple[str, ...], failures: dict[str, str]
) -> ClassificationReport:
    matrix = confusion_matrix(expected, ranked[:, 0], len(labels))
    scores = class_scores(matrix, labels)
    present = [score for score in scores if score.support]
    return ClassificationReport(
        images=len(expected),
        top1=100 * float(np.mean(ranked[:, 0] == expected)),
        top5=100 * float(np.mean((ranked == expected[:, None]).any(axis=1))),
        precision=100 * float(np.mean([score.precision for score in present])),
        recall=100 * float(np.mean([score.recall for score in present])),
        f1=100 * float(np.mean([score.f1 for score in present])),
        classes=scores,
        labels=labels,
        confusion=tuple(tuple(int(count) for count in row) for row in matrix),
        failures=failures,
    )


def _name(data: ImageDataset, index: int) -> str:
    names: tuple[str, ...] = getattr(data, "names", ())
    return names[index] if names else f"picture {index}"
