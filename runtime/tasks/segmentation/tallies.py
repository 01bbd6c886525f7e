"""Figures of segmentation over many pictures: of the classes of pixels, and of things."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import DatasetError
from edgevision.data.mask_annotations import VOID, MaskedFolder, MaskKind
from edgevision.imaging.cropped_masks import CroppedMask, mask_overlap, split_ids
from edgevision.metrics.average_precision import OVERLAPS, AveragePrecision, Pairs, average_precision_of
from edgevision.metrics.figures import class_overlaps, confusion_matrix
from edgevision.metrics.matching import matched_share
from edgevision.runtime.tasks.segmentation.result import Segmentation


class ClassOrder:
    """The classes of masks by the index that a model gives them.

    Attributes:
        labels: all that are compared, by that index.
    """

    def __init__(self, labels: Sequence[str], background: int | None, masked: MaskedFolder) -> None:
        """Of a model with these classes, as in :class:`.Segmentation`; one without names is taken to have the data's.

        Raises:
            DatasetError: the data have classes that the model does not know.
        """
        names = masked.class_names
        self.foreground_only = masked.kind is not MaskKind.CLASSES and not masked.named
        if self.foreground_only:
            if background is None:
                raise DatasetError(
                    "the masks say what is foreground, and the model knows no background: name their two classes in a"
                    " file classes.txt among the data"
                )
            # Whatever the model finds is foreground.
            self.labels: tuple[str, ...] = ("background", labels[1] if len(labels) == 2 else "foreground")
            self.background: int | None = 0
            return
        self.labels, self.background = tuple(labels) or names, background
        known = self.labels if masked.named else names[: len(self.labels)]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise DatasetError(
                f"the model does not know the classes {', '.join(unknown[:5])}; it knows {', '.join(self.labels[:12])}"
            )
        own = [self.labels.index(name) for name in names] if masked.named else range(len(names))
        self._own = np.array([*own, VOID], np.int64)

    def expected(self, classes: NDArray[np.int64]) -> NDArray[np.int64]:
        """A map of the data's classes as one of the model's."""
        taken: NDArray[np.int64] = classes if self.foreground_only else self._own[classes]
        return taken

    def predicted(self, found: Segmentation) -> NDArray[np.int64]:
        """What the model says of each pixel, :data:`.VOID` where it says nothing."""
        if self.foreground_only:
            return (found.instance_map > 0).astype(np.int64)
        classes = found.class_map.astype(np.int64)
        classes[classes == found.void] = VOID
        return classes


class ClassTally:
    """Counts of pixels by their class and what they were taken for.

    Attributes:
        confusion: int64 (classes, classes + 1); the last column is what was taken for none.
        pictures: for each picture the mean intersection over union of its classes but the background, NaN without any.
    """

    def __init__(self, classes: int, background: int | None = None) -> None:
        self.confusion = np.zeros((classes, classes + 1), np.int64)
        self.pictures: list[float] = []
        self._background = background

    def add(self, expected: NDArray[np.int64], predicted: NDArray[np.int64]) -> None:
        """Count one picture: both are (H, W); where :data:`.VOID` is expected a pixel does not count."""
        classes = len(self.confusion)
        counted = expected != VOID
        said = np.where((predicted < 0) | (predicted >= classes), classes, predicted)
        confusion = confusion_matrix(expected[counted], said[counted], classes + 1)[:classes]
        self.confusion += confusion
        each = class_overlaps(confusion)
        if self._background is not None:
            each[self._background] = np.nan
        self.pictures.append(float(np.nanmean(each)) if not np.isnan(each).all() else float("nan"))

    @property
    def overlaps(self) -> NDArray[np.float64]:
        """Intersection over union of each class over all pictures; NaN where there is nothing of it."""
        return class_overlaps(self.confusion)

    @property
    def mean_overlap(self) -> float:
        """Over the classes that there are: mIoU, 0..1."""
        return float(np.nanmean(self.overlaps)) if self.confusion.any() else float("nan")

    @property
    def accuracy(self) -> float:
        """The share of pixels that were taken for what they are."""
        return float(np.trace(self.confusion) / max(1, self.confusion.sum()))


class ThingTally:
    """How well things were found, whatever their class.

    Attributes:
        shares: for each picture TP / (TP + FP + FN) at each of :data:`.OVERLAPS`.
    """

    def __init__(self) -> None:
        self.shares: list[list[float]] = []
        self.pairs: list[Pairs] = []

    def add(self, found: Sequence[CroppedMask], scores: NDArray[np.floating], there: Sequence[CroppedMask]) -> None:
        """Compare one picture; what was ``found`` comes best first."""
        overlap = mask_overlap(found, there)
        self.shares.append([matched_share(overlap, least) for least in OVERLAPS])
        self.pairs.append(
            Pairs(
                scores=scores.astype(float),
                classes=np.zeros(len(found), np.int64),
                areas=np.array([mask.area for mask in found], float),
                true_classes=np.zeros(len(there), np.int64),
                true_areas=np.array([mask.area for mask in there], float),
                ignored=np.zeros(len(there), bool),
                overlap=overlap,
            )
        )

    @property
    def pictures(self) -> list[float]:
        """For each picture the share at an overlap of 0.5."""
        return [share[0] for share in self.shares]

    @property
    def share_at_half(self) -> float:
        """The mean over pictures of TP / (TP + FP + FN) at an overlap of 0.5."""
        return float(np.mean(self.pictures))

    @property
    def mean_share(self) -> float:
        """The same over overlaps from 0.5 to 0.95, the figure of the Data Science Bowl 2018."""
        return float(np.mean(self.shares))

    def average_precision(self) -> AveragePrecision:
        """COCO's, of masks, with at most 100 things a picture."""
        return average_precision_of(self.pairs, 1)


def things_in(masked: MaskedFolder, name: str, size: tuple[int, int]) -> list[CroppedMask]:
    """The things in one picture of that (height, width)."""
    return list(split_ids(masked.instance_map(name, size)).values())
