"""How good a classifier is on labelled pictures."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.errors import DatasetError
from edgevision.core.records import record
from edgevision.data.datasets import ImageDataset, LabelledData
from edgevision.metrics.figures import ClassScore, confusion_matrix, precision_recall_f1
from edgevision.runtime.files.batch import ABOUT_ONE_FILE, each_done, failure_message
from edgevision.runtime.tasks.classification.classifier import Classifier
from edgevision.runtime.tasks.classification.result import Classification
from edgevision.runtime.tasks.evaluation import QualityReport, measure_each, none_left, picture_name

_BATCH = 64

# A wider matrix does not fit a terminal; --json has it.
_WIDEST_MATRIX = 16


@record
class ClassificationReport(QualityReport):
    """Figures of a classifier, all in percent but the counts.

    ``precision``, ``recall`` and ``f1`` are unweighted means over the classes. ``confusion[i][j]`` counts the pictures
    of ``classes[i]`` that were taken for the model's label j; ``failures`` names pictures that could not be read.
    """

    top1: float
    top5: float
    precision: float
    recall: float
    f1: float
    classes: tuple[ClassScore, ...]
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]

    def headline(self) -> str:
        """Accuracy and mean F1."""
        return f"top1 {self.top1:.2f} %  f1 {self.f1:.2f} %"

    def table(self) -> str:
        """The figures, and a line for each class with what its pictures were taken for."""
        figures = ("top1", "top5", "precision", "recall", "f1")
        lines = ["  ".join(f"{name} {getattr(self, name):.2f} %" for name in figures), ""]
        width = max(len("class"), *(len(label) for label in self.labels))
        shown = len(self.labels) <= _WIDEST_MATRIX
        # Down to here a class that was never asked for would only be noise.
        rows = [(index, score) for index, score in enumerate(self.classes) if score.support]
        column = max(5, *(len(str(count)) for row in self.confusion for count in row)) + 1
        header = f"{'class':<{width}}  precision  recall     f1  pictures"
        lines.append(header + ("   taken for" if shown else ""))
        if shown:
            lines[-1] += " " * 2 + "".join(f"{label[: column - 1]:>{column}}" for label in self.labels)
        for index, score in rows:
            line = f"{score.label:<{width}}  {100 * score.precision:9.2f}  {100 * score.recall:6.2f}"
            line += f"  {100 * score.f1:5.2f}  {score.support:8d}"
            if shown:
                line += " " * 14 + "".join(f"{count:>{column}}" for count in self.confusion[index])
            lines.append(line)
        return "\n".join(lines)


def evaluate_classifier(classifier: Classifier, data: ImageDataset, *, quiet: bool = False) -> ClassificationReport:
    """Classify every picture of ``data`` and compare with its class.

    Raises:
        DatasetError: no class folders, classes that the model does not know, or not one readable picture.
    """
    expected = expected_labels(classifier.labels, data)
    kept: list[int] = []
    ranked: list[NDArray[np.int64]] = []
    failures: dict[str, str] = {}

    def measure(start: int) -> tuple[list[int], NDArray[np.int64], dict[str, str]]:
        """Of a batch the pictures that are answered, the best five labels of each, and those that failed."""
        failures: dict[str, str] = {}

        def failed(index: int, error: Exception) -> None:
            failures[picture_name(data, index)] = failure_message(picture_name(data, index), error)

        read = list(each_done(range(start, min(start + _BATCH, len(data))), data.image, failed))
        answers = list(_answers(classifier, read, failed))
        scores = [np.argsort(-answer.scores, kind="stable")[:5] for _, answer in answers]
        return [index for index, _ in answers], np.array(scores, np.int64), failures

    def failed(start: int, error: Exception) -> None:
        raise error

    for _, (indices, best, failed_ones) in measure_each(range(0, len(data), _BATCH), measure, failed, quiet=quiet):
        failures |= failed_ones
        kept += indices
        ranked += [best] * bool(indices)
    if not ranked:
        raise none_left(len(data), failures)
    return classification_report(expected[kept], np.concatenate(ranked), classifier.labels, failures)


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


def expected_labels(labels: tuple[str, ...], data: LabelledData) -> NDArray[np.int64]:
    """The index of the class of each picture, or whatever it is, among the model's ``labels``, int64 (len(data),).

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


def classification_report(
    expected: NDArray[np.int64], ranked: NDArray[np.int64], labels: tuple[str, ...], failures: dict[str, str]
) -> ClassificationReport:
    """The figures of answers: ``expected`` (n,) is right, ``ranked`` (n, up to 5) what was said, best first."""
    matrix = confusion_matrix(expected, ranked[:, 0], len(labels))
    scores = precision_recall_f1(matrix, labels)
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
