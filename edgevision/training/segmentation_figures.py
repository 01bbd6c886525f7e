"""How good maps are: what the device makes of them, beside the masks that people made."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgevision.data.mask_annotations import VOID
from edgevision.imaging.preprocessing import Placement
from edgevision.metrics.average_precision import OVERLAPS
from edgevision.metrics.figures import class_overlaps, confusion_matrix
from edgevision.metrics.matching import matched_share
from edgevision.runtime.tasks.segmentation.class_maps import class_map
from edgevision.runtime.tasks.segmentation.instances import find_things
from edgevision.runtime.tasks.segmentation.maps import MapPlacement, gather_maps
from edgevision.runtime.tasks.segmentation.spec import SegmentationSpec

OUTPUT = "maps"
"""The name of the network's output."""


class JudgedMasks(Protocol):
    """What was found in pictures beside what there is, until it is asked how good that is."""

    monitor: str
    """The figure that the best weights have most of."""

    def update(self, maps: NDArray[np.float32], mask: NDArray[np.int64], start: tuple[int, int] = (0, 0)) -> None:
        """Take in what the network says of a picture, (outputs, H, W), and its mask (h, w) from the pixel ``start`` on,
        a row and a column."""

    def compute(self) -> dict[str, float]:
        """Figures in percent of all since the last time."""


def judged_masks(spec: SegmentationSpec) -> JudgedMasks:
    """What judges a network whose outputs become masks as ``spec`` says."""
    assert spec.head is not None
    return _JudgedThings(spec) if spec.head.watershed is not None else _JudgedClasses(spec)


class _JudgedClasses:
    """The mean over classes of the intersection over the union."""

    monitor = "miou"

    def __init__(self, spec: SegmentationSpec) -> None:
        self._spec = spec
        self._confusion = self._nothing()

    def update(self, maps: NDArray[np.float32], mask: NDArray[np.int64], start: tuple[int, int] = (0, 0)) -> None:
        assert self._spec.head is not None
        found, _ = class_map(
            gather_maps(self._spec.head, {OUTPUT: maps[None]}), _place(maps, mask, start), self._spec.threshold
        )
        known = mask != VOID
        self._confusion += confusion_matrix(mask[known], found[known], len(self._confusion))

    def compute(self) -> dict[str, float]:
        each = 100 * class_overlaps(self._confusion)
        self._confusion = self._nothing()
        known = {
            f"iou_{name}": float(value) for name, value in zip(self._spec.labels, each, strict=True) if value == value
        }
        return {self.monitor: float(np.mean(list(known.values()))) if known else 0.0, **known}

    def _nothing(self) -> NDArray[np.int64]:
        return np.zeros((len(self._spec.labels), len(self._spec.labels)), np.int64)


class _JudgedThings:
    """The share of things that are matched, as :func:`.matched_share`, in percent and on average over the pictures:
    where they overlap by half, and the mean over overlaps from 0.5 to 0.95."""

    monitor = "matched50"

    def __init__(self, spec: SegmentationSpec) -> None:
        self._spec = spec
        self._shares: list[list[float]] = []

    def update(self, maps: NDArray[np.float32], mask: NDArray[np.int64], start: tuple[int, int] = (0, 0)) -> None:
        assert self._spec.head is not None
        found, _, scores = find_things(
            self._spec.head,
            gather_maps(self._spec.head, {OUTPUT: maps[None]}),
            _place(maps, mask, start),
            self._spec.threshold,
        )
        kept = np.concatenate([[False], scores >= self._spec.min_score])
        overlap = id_overlaps(np.where(kept[found] & (mask != VOID), found, 0), np.maximum(mask, 0))
        self._shares.append([matched_share(overlap, least) for least in OVERLAPS])

    def compute(self) -> dict[str, float]:
        mean = 100 * np.mean(self._shares or np.zeros((1, len(OVERLAPS))), axis=0)
        self._shares = []
        return {self.monitor: float(mean[0]), "matched": float(mean.mean())}


def id_overlaps(found: NDArray[np.integer], truth: NDArray[np.integer]) -> NDArray[np.float64]:
    """Intersection over union (found, there) of the things in two maps of numbers (H, W), 0 for none."""
    ours, theirs = (np.unique(ids, return_inverse=True) for ids in (found, truth))
    shape = (len(ours[0]), len(theirs[0]))
    shared = np.bincount(ours[1].ravel() * shape[1] + theirs[1].ravel(), minlength=shape[0] * shape[1]).reshape(shape)
    overlap = shared / (shared.sum(1, keepdims=True) + shared.sum(0) - shared)
    things: NDArray[np.float64] = overlap[ours[0] != 0][:, theirs[0] != 0]
    return things


def _place(maps: NDArray[np.float32], mask: NDArray[np.int64], start: tuple[int, int]) -> MapPlacement:
    place = Placement((1.0, 1.0), (float(start[1]), float(start[0])))
    return MapPlacement(place, (mask.shape[0], mask.shape[1]), (maps.shape[1], maps.shape[2]))
