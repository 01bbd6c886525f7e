import numpy as np
import pytest
from coco_reference import coco_figures

from edgevision.data.mask_annotations import VOID
from edgevision.imaging.cropped_masks import CroppedMask
from edgevision.runtime.tasks.segmentation.tallies import ClassTally, ThingTally

SIZE = (150, 200)


def ellipse(generator, near=None):
    """A mask, or one like another."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    if near is None:
        middle, radius = generator.uniform((10, 10), (140, 190)), np.exp(generator.uniform(1.5, 4.2, 2))
    else:
        box = np.array(near.box, float)
        middle = (box[1] + box[3]) / 2 + generator.normal(0, 2), (box[0] + box[2]) / 2 + generator.normal(0, 2)
        radius = (box[3] - box[1]) / 2 * generator.uniform(0.7, 1.3), (box[2] - box[0]) / 2
    return CroppedMask.of(((y - middle[0]) / radius[0]) ** 2 + ((x - middle[1]) / radius[1]) ** 2 < 1)


@pytest.mark.parametrize("seed", range(3))
def test_average_precision_of_masks_is_that_of_pycocotools(seed):
    pytest.importorskip("pycocotools")
    generator = np.random.default_rng(seed)
    tally, annotations, results = ThingTally(), [], []
    for picture in range(8):
        there = [ellipse(generator) for _ in range(generator.integers(0, 8))]
        found = [ellipse(generator, near) for near in there] + [ellipse(generator) for _ in range(2)]
        found = [mask for mask in found if mask.area]
        scores = np.sort(np.round(generator.random(len(found)), 2))[::-1]
        tally.add(found, scores, there)
        common = {"image_id": picture, "category_id": 0}
        annotations += [
            common | {"segmentation": mask.encode(SIZE), "area": mask.area, "bbox": [0, 0, 1, 1], "iscrowd": 0}
            for mask in there
        ]
        results += [
            common | {"segmentation": mask.encode(SIZE), "score": float(score)}
            for mask, score in zip(found, scores, strict=True)
        ]
    theirs = coco_figures(annotations, results, pictures=8, classes=1, kind="segm", size=SIZE)
    ours = tally.average_precision()
    figures = [ours.mean, ours.at(0.5), ours.at(0.75), *(ours.sizes[name] for name in ("small", "medium", "large"))]
    np.testing.assert_allclose(np.nan_to_num(figures, nan=-1), theirs[:6], atol=1e-6)


def test_what_is_of_no_class_does_not_count():
    tally = ClassTally(3, background=0)
    tally.add(np.array([[0, 0, 1, 1, 1, VOID]]), np.array([[0, 1, 1, 1, VOID, 2]]))
    np.testing.assert_array_equal(tally.confusion, [[1, 1, 0, 0], [0, 2, 0, 1], [0, 0, 0, 0]])
    np.testing.assert_allclose(tally.overlaps, [0.5, 0.5, np.nan])
    assert (tally.mean_overlap, tally.accuracy, tally.pictures) == (0.5, 0.6, [0.5])


def test_a_picture_without_any_of_the_classes_has_no_figure():
    tally = ClassTally(2, background=0)
    tally.add(np.zeros((2, 2), int), np.zeros((2, 2), int))
    assert np.isnan(tally.pictures[0])
    assert tally.mean_overlap == 1
