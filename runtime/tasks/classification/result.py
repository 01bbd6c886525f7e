"""What a classifier says of a picture."""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.numpy_protocol import requested_array
from edgevision.imaging.images import read_image, to_array
from edgevision.imaging.picture_sources import ImageSource
from edgevision.imaging.pictures import Picture
from edgevision.metrics.figures import sqnr_db
from edgevision.runtime.tasks.classification.scores import probabilities
from edgevision.runtime.tasks.classification.spec import ClassificationSpec


class Classification:
    """The answer for one picture; ``numpy.asarray`` gives its probabilities.

    Attributes:
        labels: the classes, in the order of ``scores``.
        scores: the model's output, float32 (classes,), as :func:`.scores.class_scores` has it: logits, or
            what the model ends in.
    """

    __slots__ = ("_probabilities", "_spec", "labels", "scores")

    def __init__(
        self, labels: tuple[str, ...], scores: NDArray[np.float32], spec: ClassificationSpec | None = None
    ) -> None:
        self.labels = labels
        self.scores = scores
        self._spec = spec or ClassificationSpec()
        self._probabilities: NDArray[np.float32] | None = None

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """float32 (classes,), adding up to 1 unless any number of the classes may be true."""
        # Only when asked for: the softmax of a small model's answer is a twentieth of its inference.
        if self._probabilities is None:
            self._probabilities = probabilities(self.scores, self._spec)
        return self._probabilities

    @property
    def label(self) -> str:
        """The most probable label."""
        return self.labels[int(self.scores.argmax())]

    @property
    def probability(self) -> float:
        """The probability of :attr:`label`, 0..1."""
        return float(self.probabilities.max())

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """The ``count`` most probable labels with their probabilities, best first."""
        order = np.argsort(-self.scores, kind="stable")[:count]
        return [(self.labels[i], float(self.probabilities[i])) for i in order]

    def to_dict(self, count: int = 5) -> dict[str, Any]:
        """The :meth:`top` predictions."""
        return {"predictions": self.to_rows(count)}

    def to_rows(self, count: int = 5) -> list[dict[str, Any]]:
        """``label`` and ``probability`` of the :meth:`top` predictions, a row for each."""
        return [{"label": label, "probability": probability} for label, probability in self.top(count)]

    def save(self, path: str | os.PathLike[str], *, force: bool = True) -> None:
        """Write the predictions for all labels, best first, as .json or .csv; raises as :func:`save_text`."""
        from edgevision.runtime.tasks.result_files import save_text

        count = len(self.labels)
        save_text(path, self.to_dict(count), self.to_rows(count), force=force)

    def draw(self, picture: ImageSource) -> Picture:
        """``picture`` with the most probable label in its corner."""
        from edgevision.imaging.drawing import Marker, class_color

        marker = Marker(Image.fromarray(to_array(read_image(picture))))
        index = int(self.scores.argmax())
        text = f"{self.labels[index]} {100 * self.probability:.0f}"
        marker.label((0, 0, *marker.image.size), text, class_color(index))
        return Picture.read(marker.image)

    def compare(self, reference: "Classification") -> dict[str, float]:
        """``agreement``, 100 where the label is the same and 0 where not, and ``sqnr`` of the scores in dB.

        Raises:
            ValueError: they are of other labels.
        """
        if self.labels != reference.labels:
            raise ValueError("only answers of the same labels can be compared")
        return {
            "agreement": 100.0 * (self.label == reference.label),
            "sqnr": sqnr_db(reference.scores, self.scores),
        }

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return requested_array(self.probabilities, dtype, copy, shared=True)

    def __repr__(self) -> str:
        return f"Classification({self.label!r}, {self.probability:.3f})"
