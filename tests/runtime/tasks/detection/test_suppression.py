import numpy as np
import pytest

from edgevision.metrics.box_overlap import intersection_over_union
from edgevision.runtime.tasks.detection.spec import Merge
from edgevision.runtime.tasks.detection.suppression import merge_overlapping


def drawn(count, seed, spread=60.0):
    generator = np.random.default_rng(seed)
    corners = generator.uniform(0, spread, (count, 2))
    boxes = np.concatenate([corners, corners + generator.uniform(0, 30, (count, 2))], axis=1).astype(np.float32)
    return boxes, generator.random(count).astype(np.float32), generator.integers(0, 3, count)


def overlap(one, other):
    """By the definition, for two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    union = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - shared
    return shared / union if union > 0 else 0.0


def kept_by_definition(boxes, scores, classes, iou):
    kept = []
    for row in sorted(range(len(boxes)), key=lambda row: (-scores[row], row)):
        same = [other for other in kept if classes is None or classes[other] == classes[row]]
        if all(overlap(boxes[row].astype(float), boxes[other].astype(float)) <= iou for other in same):
            kept.append(row)
    return kept


def test_the_overlap_is_that_of_the_definition_and_of_pycocotools():
    boxes, _, _ = drawn(40, 1)
    ratios = intersection_over_union(boxes, boxes[:17])
    expected = np.array([[overlap(a, b) for b in boxes[:17].astype(float)] for a in boxes.astype(float)])
    np.testing.assert_allclose(ratios, expected, atol=1e-6)
    mask = pytest.importorskip("pycocotools.mask")
    sides = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).astype(float)
    reference = mask.iou(sides, sides[:17], np.zeros(17, np.uint8))
    np.testing.assert_allclose(ratios, reference, atol=1e-6)


def test_boxes_without_area_overlap_with_nothing():
    empty = np.array([[5, 5, 5, 9], [5, 5, 5, 9], [7, 3, 4, 9]], np.float32)
    assert not intersection_over_union(empty, empty).any()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("class_wise", [True, False])
def test_what_is_kept_is_what_the_definition_keeps(seed, class_wise):
    boxes, scores, classes = drawn(200, seed, spread=200.0)
    scores[::7] = scores[0]  # equal ones keep their order
    apart = classes if class_wise else None
    rows, kept, _, points = merge_overlapping(boxes, scores, apart, None, iou=0.4, most=1000)
    assert rows.tolist() == kept_by_definition(boxes, scores, apart, 0.4)
    np.testing.assert_array_equal(kept, boxes[rows])
    assert points is None


def test_no_more_are_kept_than_are_wanted():
    boxes, scores, classes = drawn(120, 3)
    most, _, _, _ = merge_overlapping(boxes, scores, classes, None, iou=0.4, most=1000)
    few, _, _, _ = merge_overlapping(boxes, scores, classes, None, iou=0.4, most=5)
    assert few.tolist() == most[:5].tolist()


def test_blended_boxes_are_means_weighted_by_their_scores():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]], np.float32)
    scores = np.array([0.9, 0.3, 0.5], np.float32)
    points = boxes[:, None, :2].copy()
    rows, blended, means, moved = merge_overlapping(boxes, scores, None, points, iou=0.3, most=9, merge=Merge.BLEND)
    assert rows.tolist() == [0, 2]
    np.testing.assert_allclose(blended[0], [0.25, 0, 10.25, 10], rtol=1e-6)
    np.testing.assert_allclose(means, [0.6, 0.5], rtol=1e-6)
    np.testing.assert_allclose(moved[0, 0], [0.25, 0], atol=1e-6)


def test_each_box_is_blended_with_the_first_that_it_overlaps():
    boxes, scores, _ = drawn(300, 11, spread=200.0)
    rows, blended, _, _ = merge_overlapping(boxes, scores, None, None, iou=0.3, most=1000, merge=Merge.BLEND)
    groups = {int(row): [] for row in rows}
    for row in range(len(boxes)):
        first = next(int(best) for best in rows if best == row or overlap(boxes[best], boxes[row]) > 0.3)
        groups[row if row in groups else first].append(row)
    assert max(map(len, groups.values())) > 2
    for row, box in zip(rows, blended, strict=True):
        own = groups[int(row)]
        np.testing.assert_allclose(box, np.average(boxes[own], axis=0, weights=scores[own]), rtol=1e-5)


def test_of_no_boxes_none_is_kept():
    rows, boxes, scores, _ = merge_overlapping(
        np.zeros((0, 4), np.float32), np.zeros(0, np.float32), None, None, iou=0.5, most=9
    )
    assert (len(rows), boxes.shape, scores.shape) == (0, (0, 4), (0,))
