"""Masks in boxes: each is a weighted sum of prototypes, which its box cuts off (Bolya et al. 2019, YOLACT)."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import ModelFileError
from edgevision.imaging.cropped_masks import CroppedMask
from edgevision.runtime.tasks.detection.decoding import candidates, sigmoid
from edgevision.runtime.tasks.detection.rows import gather_rows
from edgevision.runtime.tasks.detection.spec import DetectionSpec
from edgevision.runtime.tasks.detection.suppression import merge_overlapping
from edgevision.runtime.tasks.segmentation.maps import Array, MapPlacement


class BoxedMasks(NamedTuple):
    """Things with a box: masks, scores float32 (N,), the highest first, and classes int64 (N,)."""

    masks: list[CroppedMask]
    scores: Array
    classes: NDArray[np.int64]


def boxed_masks(
    spec: DetectionSpec,
    outputs: Mapping[str, NDArray[Any]],
    prototypes: Array,
    place: MapPlacement,
    *,
    threshold: float,
    min_score: float,
    most: int,
) -> BoxedMasks:
    """The things of one picture, of the outputs by name with a batch of 1 and their ``prototypes`` (C, h, w).

    A mask without a pixel is left out. It is cut off by its box at the picture's own pixels.

    Raises:
        ModelFileError: the outputs do not have the rows that the head says, or other coefficients than prototypes.
    """
    head = spec.head
    assert head is not None
    if head.coefficients != len(prototypes):
        raise ModelFileError(f"a box has {head.coefficients} coefficients, and there are {len(prototypes)} prototypes")
    height, width = place.input_size
    rows = gather_rows(head, outputs, height, width)
    found = candidates(head, rows, height, width, min_score=min_score, multi_label=spec.multi_label)
    boxes, scores, classes, _, coefficients = found
    assert coefficients is not None
    if spec.iou is None:
        kept = np.argsort(-scores, kind="stable")[:most]
    else:
        apart = classes if spec.class_wise else None
        kept, *_ = merge_overlapping(boxes, scores, apart, None, iou=spec.iou, most=most)
    logits = coefficients[kept] @ prototypes.reshape(len(prototypes), -1)
    masks = [
        _mask(values.reshape(prototypes.shape[1:]), place.box_in_picture(box), place, threshold)
        for values, box in zip(sigmoid(logits), boxes[kept], strict=True)
    ]
    drawn = np.array([mask.area > 0 for mask in masks], bool)
    return BoxedMasks(
        [mask for mask in masks if mask.area > 0], scores[kept][drawn], classes[kept][drawn].astype(np.int64)
    )


def _mask(values: Array, box: tuple[int, int, int, int], place: MapPlacement, threshold: float) -> CroppedMask:
    x1, y1, x2, y2 = box
    if x1 >= x2 or y1 >= y2:
        return CroppedMask(np.zeros((0, 0), bool), x1, y1)
    return CroppedMask.of(place.to_window(values, box) >= threshold, x1, y1)
