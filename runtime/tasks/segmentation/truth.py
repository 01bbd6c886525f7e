"""Masks that people made, held against what a segmenter says: by the model's own classes, and by the same figures."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import DatasetError
from edgevision.data.mask_annotations import VOID, MaskedFolder, MaskKind


class ClassOrder:
    """The classes of data by the index that a model gives them.

    Attributes:
        labels: all that are compared, by the model's index.
    """

    def __init__(self, labels: Sequence[str], masked: MaskedFolder) -> None:
        """Of a model with these ``labels``; one that has none is taken to have the data's.

        Raises:
            DatasetError: the data have classes that the model does not know.
        """
        names = masked.class_names
        self.labels = tuple(labels) or names
        if masked.kind is not MaskKind.CLASSES and not masked.named:
            # Nobody says what is in the foreground, so that is all that the model finds.
            self._map = np.array([0, 1], np.int64)
            self.labels = (self.labels[0], self.labels[1] if len(self.labels) == 2 else "foreground")
            self.foreground_only = len(labels) != 2
            return
        self.foreground_only = False
        unknown = (
            [name for name in names if name not in self.labels] if masked.named else list(names[len(self.labels) :])
        )
        if unknown:
            raise DatasetError(
                f"the model does not know the classes {', '.join(unknown[:5])}; it knows {', '.join(self.labels[:12])}"
            )
        own = [self.labels.index(name) for name in names] if masked.named else range(len(names))
        self._map = np.array([*own, VOID], np.int64)

    def expected(self, classes: NDArray[np.int64]) -> NDArray[np.int64]:
        """A map of the data's classes as one of the model's."""
        taken: NDArray[np.int64] = self._map[classes]
        return taken
