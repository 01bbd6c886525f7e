import numpy as np
import pytest
from coco_reference import coco_figures

from edgevision.metrics.average_precision import Found, Truth, average_precision

CLASSES = 3


def scene(seed, pictures=14):
    """Things of all sizes, and boxes near most of them, some of the wrong class, some of nothing."""
    generator = np.random.default_rng(seed)
    found, truth = [], []
    for _ in range(pictures):
        count = int(generator.integers(0, 9))
        corners = generator.uniform(0, 300, (count, 2))
        sides = np.exp(generator.uniform(np.log(6), np.log(220), (count, 2)))
        things = np.concatenate([corners, corners + sides], axis=1)
        classes = generator.integers(0, CLASSES, count)
        truth.append(Truth(things, classes, generator.random(count) < 0.1))
        moved = things + generator.normal(0, 0.12, things.shape) * np.tile(sides, 2)
        wild = generator.uniform(0, 200, (3, 2))
        boxes = np.concatenate([moved, moved, np.concatenate([wild, wild + 40], axis=1)])
        swapped = np.where(generator.random(count) < 0.2, (classes + 1) % CLASSES, classes)
        said = np.concatenate([swapped, classes, generator.integers(0, CLASSES, 3)])
        scores = np.round(generator.random(len(boxes)), 2)  # some are equal
        found.append(Found(boxes, scores, said))
    return found, truth


def by_pycocotools(found, truth):
    def sides(box):
        return [float(box[0]), float(box[1]), float(box[2] - box[0]), float(box[3] - box[1])]

    annotations = [
        {"image_id": image, "category_id": int(label), "bbox": sides(box), "iscrowd": int(crowd)}
        for image, one in enumerate(truth)
        for box, label, crowd in zip(*one, strict=True)
    ]
    for entry in annotations:
        entry["area"] = entry["bbox"][2] * entry["bbox"][3]
    results = [
        {"image_id": image, "category_id": int(label), "bbox": sides(box), "score": float(score)}
        for image, one in enumerate(found)
        for box, score, label in zip(*one, strict=True)
    ]
    return coco_figures(annotations, results, pictures=len(truth), classes=CLASSES, kind="bbox")


@pytest.mark.parametrize("seed", range(6))
def test_the_figures_are_those_of_pycocotools(seed):
    pytest.importorskip("pycocotools")
    found, truth = scene(seed)
    ours, theirs = average_precision(found, truth, CLASSES), by_pycocotools(found, truth)
    figures = [ours.mean, ours.at(0.5), ours.at(0.75), *(ours.sizes[name] for name in ("small", "medium", "large"))]
    np.testing.assert_allclose(np.nan_to_num(figures, nan=-1), theirs[:6], atol=1e-6)
    assert np.nanmean(ours.recall) == pytest.approx(theirs[8], abs=1e-6)


def test_what_is_found_exactly_is_worth_everything():
    _, truth = scene(3)
    truth = [Truth(one.boxes, one.classes, np.zeros(len(one.boxes), bool)) for one in truth]
    found = [Found(one.boxes, np.ones(len(one.boxes)), one.classes) for one in truth]
    assert average_precision(found, truth, CLASSES).mean == pytest.approx(1)


def test_nothing_found_is_worth_nothing_and_nothing_to_find_is_unknown():
    _, truth = scene(3)
    nothing = [Found(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int)) for _ in truth]
    assert average_precision(nothing, truth, CLASSES).mean == 0
    empty = [Truth(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0, bool)) for _ in truth]
    assert np.isnan(average_precision(nothing, empty, CLASSES).mean)
