"""How good a classifier is on labelled pictures."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.errors import DatasetError
from edgevision.core.progress import track
from edgevision.core.records import Record, record
from edgevision.data.datasets import ImageDataset
from edgevision.metrics.figures import ClassScore, class_scores, confusion_matrix
from edgevision.runtime.files.batch import ABOUT_ONE_FILE, each_done, failure_message
from edgevision.runtime.tasks.classification.classifier import Classifier
from edgevision.runtime.tasks.classification.result import Classification

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

    def failed(index: int, error: Exception) -> None:
        failures[picture_name(data, index)] = failure_message(picture_name(data, index), error)

    starts = range(0, len(data), _BATCH)
    for start in track(starts, len(starts), "evaluating", quiet=quiet):
        read = list(each_done(range(start, min(start + _BATCH, len(data))), data.image, failed))
        answers = list(_answers(classifier, read, failed))
        if answers:
            scores = np.stack([answer.scores for _, answer in answers])
            ranked.append(np.argsort(-scores, axis=1, kind="stable")[:, :5])
            kept.append(np.array([index for index, _ in answers]))
    if not ranked:
        raise none_left(len(data), failures)
    return _report(expected[np.concatenate(kept)], np.concatenate(ranked), classifier.labels, failures)


def none_left(count: int, failures: Mapping[str, str]) -> DatasetError:
    """The error where every one of ``count`` pictures failed; the first failure stands for all."""
    first = next(iter(failures.values()), "there are none")
    return DatasetError(f"not one of the {count} pictures could be used: {first}")


def _answers(
    classifier: Classifier, read: Sequence[tuple[int, Image.Image]], failed: Callable[[int, Exception], None]
) -> Iterator[tuple[int, Classification]]:
    """The answers for pictures that are read, by their index; one by one where one of them spoils the batch."""
    try:
        answers = classifier([image for _, image in read])
    except ABOUT_ONE_FILE:
        singly = each_done(read, lambda one: classifier(one[1]), lambda one, error: failed(one[0], error))
        yield from ((index, answer) for (index, _), answer in singly)
    else:
        yield from ((index, answer) for (index, _), answer in zip(read, answers, strict=True))


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


def picture_name(data: ImageDataset, index: int) -> str:
    """What a picture is called in reports; data that is not made of files has numbers only."""
    names: tuple[str, ...] = getattr(data, "names", ())
    return names[index] if names else f"picture {index}"
