"""What a network over frames says of a clip."""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.core.numpy_protocol import requested_array
from edgevision.metrics.figures import sqnr_db
from edgevision.runtime.tasks.classification.result import Classification
from edgevision.runtime.tasks.classification.scores import probabilities
from edgevision.runtime.tasks.classification.spec import ClassificationSpec


class ClipClassification:
    """The answers after each frame of a clip; ``numpy.asarray`` gives their probabilities (frames, classes).

    Attributes:
        labels: the classes, in the order of ``scores``.
        scores: what the model said, float32 (frames, classes); of every ``every``-th frame of the clip.
        every: of so many frames one was looked at.
    """

    __slots__ = ("_spec", "every", "labels", "scores")

    def __init__(
        self, labels: tuple[str, ...], scores: NDArray[np.float32], spec: ClassificationSpec, every: int = 1
    ) -> None:
        self.labels, self.scores, self.every = labels, scores, every
        self._spec = spec

    @property
    def last(self) -> Classification:
        """The answer after the last frame, which is that for the clip."""
        return Classification(self.labels, self.scores[-1], self._spec)

    @property
    def label(self) -> str:
        """The most probable label after the last frame."""
        return self.last.label

    @property
    def probability(self) -> float:
        """Its probability, 0..1."""
        return self.last.probability

    @property
    def frames(self) -> list[Classification]:
        """The answer after each frame."""
        return [Classification(self.labels, scores, self._spec) for scores in self.scores]

    def frames_until(self, label: int) -> int | None:
        """After how many frames of the clip the answer is the ``label`` of that index and stays so; ``None``: never."""
        others = np.flatnonzero(self.scores.argmax(axis=1) != label)
        if not len(others):
            return 1
        last = int(others[-1])
        return None if last == len(self.scores) - 1 else (last + 1) * self.every + 1

    def to_dict(self) -> dict[str, Any]:
        """The label of the clip, and that after each frame."""
        return {"label": self.label, "probability": self.probability, "frames": self.to_rows()}

    def to_rows(self) -> list[dict[str, Any]]:
        """``frame``, from 0, with the ``label`` and its ``probability`` then."""
        return [
            {"frame": number * self.every, "label": answer.label, "probability": answer.probability}
            for number, answer in enumerate(self.frames)
        ]

    def save(self, path: str | os.PathLike[str], *, force: bool = True) -> None:
        """Write the answers as .json or .csv; raises as :func:`save_text`."""
        from edgevision.runtime.tasks.result_files import save_text

        save_text(path, self.to_dict(), self.to_rows(), force=force)

    def compare(self, reference: "ClipClassification") -> dict[str, float]:
        """``agreement``, the percentage of frames with the same label, and ``sqnr`` of the scores in dB.

        Raises:
            ValueError: they are of other labels, or of clips of another length.
        """
        if self.labels != reference.labels or self.scores.shape != reference.scores.shape:
            raise ValueError("only answers of the same labels for clips of the same length can be compared")
        same = self.scores.argmax(axis=1) == reference.scores.argmax(axis=1)
        return {"agreement": 100 * float(same.mean()), "sqnr": sqnr_db(reference.scores, self.scores)}

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return requested_array(probabilities(self.scores, self._spec), dtype, copy, shared=False)

    def __repr__(self) -> str:
        return f"ClipClassification({self.label!r}, {self.probability:.3f}, {len(self.scores)} frames)"
