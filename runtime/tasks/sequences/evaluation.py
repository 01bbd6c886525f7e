"""How good a network over frames is on labelled clips, and how soon it is right."""

import numpy as np
from numpy.typing import NDArray

from edgevision.core.records import record
from edgevision.runtime.files.batch import failure_message
from edgevision.runtime.tasks.classification.evaluation import (
    ClassificationReport,
    classification_report,
    expected_labels,
)
from edgevision.runtime.tasks.evaluation import measure_each, none_left
from edgevision.runtime.tasks.sequences.clips import ClipDataset
from edgevision.runtime.tasks.sequences.result import ClipClassification
from edgevision.runtime.tasks.sequences.sequence_classifier import SequenceClassifier

_BEST = 5


@record
class SequenceReport(ClassificationReport):
    """As of a classifier, clips in the place of pictures: a clip's answer is that after its last frame.

    ``frames_until_right`` is the mean, over clips that are answered right, of after how many frames the answer is right
    and stays so, by label; of a label that is never answered right there is none. ``mean_frames_until_right`` is that
    over all of them, ``None`` where no clip is.
    """

    frames_until_right: dict[str, float]
    mean_frames_until_right: float | None

    def headline(self) -> str:
        """Accuracy, mean F1, and how soon it is right."""
        mean = self.mean_frames_until_right
        return super().headline() + ("" if mean is None else f"  right after {mean:.1f} frames")

    def table(self) -> str:
        """As of a classifier, and after how many frames clips of each class are answered right."""
        soon = [f"{label} {frames:.1f}" for label, frames in self.frames_until_right.items()]
        mean = self.mean_frames_until_right
        lines = [] if mean is None else [f"frames until right: {mean:.1f}; {', '.join(soon)}"]
        return "\n".join([super().table().replace("  pictures", "     clips"), "", *lines]).rstrip()


def evaluate_sequences(classifier: SequenceClassifier, data: ClipDataset, *, quiet: bool = False) -> SequenceReport:
    """Answer every clip of ``data`` and compare with its class.

    Raises:
        DatasetError: no class folders, classes that the model does not know, or not one readable clip.
    """
    expected = expected_labels(classifier.labels, data)
    failures: dict[str, str] = {}
    names = clip_names(data)

    def failed(index: int, error: Exception) -> None:
        failures[names[index]] = failure_message(names[index], error)

    def answer(index: int) -> ClipClassification:
        found: ClipClassification = classifier(data.frames(index))  # type: ignore[assignment]
        return found

    done = list(measure_each(range(len(data)), answer, failed, quiet=quiet))
    if not done:
        raise none_left(len(data), failures)
    return _report(done, expected, classifier.labels, failures)


def clip_names(data: ClipDataset) -> tuple[str, ...]:
    """What the clips are called; those that are not made of files have numbers only."""
    return getattr(data, "names", None) or tuple(f"clip {index}" for index in range(len(data)))


def _report(
    done: list[tuple[int, ClipClassification]],
    expected: NDArray[np.int64],
    labels: tuple[str, ...],
    failures: dict[str, str],
) -> SequenceReport:
    right = expected[[index for index, _ in done]]
    ranked = np.stack([np.argsort(-answer.scores[-1], kind="stable")[:_BEST] for _, answer in done])
    until: dict[str, list[int]] = {}
    for label, (_, answer) in zip(right.tolist(), done, strict=True):
        if (frames := answer.frames_until(label)) is not None:
            until.setdefault(labels[label], []).append(frames)
    every = [frames for each in until.values() for frames in each]
    plain = classification_report(right, ranked, labels, failures)
    return SequenceReport(
        **vars(plain),
        frames_until_right={label: float(np.mean(until[label])) for label in labels if label in until},
        mean_frames_until_right=float(np.mean(every)) if every else None,
    )
