"""Masks mixed from prototypes: what a box cuts out of a weighted sum."""

import numpy as np
import pytest

from edgevision.core.errors import ModelFileError
from edgevision.imaging.preprocessing import Placement
from edgevision.runtime.tasks.detection.spec import (
    Arrangement,
    BoxCoding,
    DetectionSpec,
    Field,
    HeadSpec,
    Level,
    OutputPart,
    Scores,
)
from edgevision.runtime.tasks.segmentation.boxed_masks import boxed_masks
from edgevision.runtime.tasks.segmentation.maps import MapPlacement
from edgevision.runtime.tasks.segmentation.spec import MapField, MapPart, SegmentationHead, WatershedSpec

SIDE = 64
PART = OutputPart(
    outputs=("rows",), fields=(Field.BOX, Field.SCORES, Field.COEFFICIENTS), arrangement=Arrangement.COLUMNS
)
SPEC = DetectionSpec(head=HeadSpec(parts=(PART,), coding=BoxCoding.CENTER, coefficients=2), iou=0.5)
MAPS = (MapPart(output="proto", fields=(MapField.PROTOTYPES,)),)


def rows_of(*rows):
    """The output of some rows: centre x, y, width, height, two scores, two coefficients."""
    return {"rows": np.array(rows, np.float32).T[None]}


def prototypes():
    """The left half and the upper half, +8 inside and -8 outside, at a quarter of the input's sides."""
    left = np.full((16, 16), -8, np.float32)
    left[:, :8] = 8
    return np.stack([left, left.T])


def placement(scale=1.0, size=(SIDE, SIDE), offset=(0.0, 0.0)):
    return MapPlacement(Placement((scale, scale), offset), size, (SIDE, SIDE))


def found(outputs, place=None, **how):
    how = {"threshold": 0.5, "min_score": 0.3, "most": 10} | how
    return boxed_masks(SPEC, outputs, prototypes(), place or placement(), **how)


def test_a_box_cuts_its_own_part_of_the_sum() -> None:
    masks = found(rows_of([32, 32, 40, 40, 0.2, 0.9, 1, 0], [32, 32, 40, 40, 0.8, 0.1, 0, 1]))
    assert masks.scores.tolist() == pytest.approx([0.9, 0.8])
    assert masks.classes.tolist() == [1, 0]
    left, upper = (mask.in_picture((SIDE, SIDE)) for mask in masks.masks)
    wanted = np.zeros((SIDE, SIDE), bool)
    wanted[12:52, 12:32] = True
    np.testing.assert_array_equal(left, wanted)
    np.testing.assert_array_equal(upper, wanted.T)


def test_the_picture_has_its_own_pixels() -> None:
    """A picture of twice the size that lies in the input with a margin above."""
    place = placement(scale=0.5, size=(96, 128), offset=(0.0, 8.0))
    (mask,) = found(rows_of([32, 32, 64, 40, 0.9, 0, 1, 0]), place).masks
    wanted = np.zeros((96, 128), bool)
    wanted[8:88, :64] = True
    np.testing.assert_array_equal(mask.in_picture((96, 128)), wanted)


def test_boxes_of_one_thing_give_one_mask() -> None:
    masks = found(rows_of([32, 32, 40, 40, 0.9, 0, 1, 0], [33, 32, 40, 40, 0.8, 0, 1, 0]))
    assert len(masks.masks) == 1


def test_a_mask_without_a_pixel_is_none() -> None:
    outputs = rows_of([50, 32, 8, 8, 0.9, 0, 1, 0], [90, 90, 8, 8, 0.9, 0, 1, 0])
    assert found(outputs, most=5).masks == []
    assert len(found(rows_of([1, 1, 0, 0, 0.9, 0, 1, 1])).scores) == 0


def test_no_answers_at_all() -> None:
    masks = found(rows_of([32, 32, 40, 40, 0.1, 0, 1, 0]))
    assert (masks.masks, masks.scores.shape, masks.classes.shape) == ([], (0,), (0,))


def test_other_prototypes_than_coefficients() -> None:
    with pytest.raises(ModelFileError, match="a box has 2 coefficients, and there are 3 prototypes"):
        boxed_masks(
            SPEC,
            rows_of([32, 32, 40, 40, 0.9, 0, 1, 0]),
            np.zeros((3, 4, 4), np.float32),
            placement(),
            threshold=0.5,
            min_score=0.3,
            most=10,
        )


def test_heads_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="belong together"):
        SegmentationHead(maps=MAPS)
    with pytest.raises(ValueError, match="coefficients among its fields"):
        SegmentationHead(maps=MAPS, boxes=DetectionSpec())
    with pytest.raises(ValueError, match="has no watershed"):
        SegmentationHead(maps=MAPS, boxes=SPEC, watershed=WatershedSpec())
    with pytest.raises(ValueError, match="coefficients is how many"):
        HeadSpec(parts=(PART,), coding=BoxCoding.CENTER)
    assert SegmentationHead(maps=MAPS, boxes=SPEC).tells_apart


def test_a_head_like_yolacts_by_hand() -> None:
    """Boxes coded by priors, a background among the scores, and coefficients whose tangent the graph leaves out."""
    parts = tuple(
        OutputPart(outputs=(name,), fields=(field,))
        for name, field in (("loc", Field.BOX), ("conf", Field.SCORES), ("mask", Field.COEFFICIENTS))
    )
    head = HeadSpec(
        parts=parts,
        coding=BoxCoding.PRIORS,
        levels=(Level(stride=32, anchors=((24, 24),)),),
        scores=Scores.SOFTMAX,
        background=0,
        coefficients=2,
        coefficient_tanh=True,
    )
    loc, conf, mask = np.zeros((1, 4, 4), np.float32), np.zeros((1, 4, 3), np.float32), np.zeros((1, 4, 2), np.float32)
    conf[0, :, 0] = 9  # nothing
    conf[0, 1] = 0, 0, 5  # the prior with its centre at 48, 16
    loc[0, 1] = 1, 0, np.log(2) / 0.2, 0  # 0.1 * 24 to the right, twice as wide
    mask[0, 1] = 20, -0.3
    (row,) = zip(
        *boxed_masks(
            DetectionSpec(head=head, iou=0.5),
            {"loc": loc, "conf": conf, "mask": mask},
            prototypes(),
            placement(),
            threshold=0.5,
            min_score=0.3,
            most=10,
        ),
        strict=True,
    )
    found_mask, score, label = row
    assert (label, score) == (1, pytest.approx(np.exp(5) / (np.exp(5) + 2)))
    # The sum is 8 (tanh(20) L + tanh(-0.3) U), L and U 1 inside and -1 outside: positive in the left half alone.
    wanted = np.zeros((SIDE, SIDE), bool)
    wanted[4:28, 26:32] = True  # of the box from 26.4 to 64
    np.testing.assert_array_equal(found_mask.in_picture((SIDE, SIDE)), wanted)
