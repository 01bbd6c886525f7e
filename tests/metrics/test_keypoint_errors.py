import contextlib
import io

import numpy as np
import pytest

from edgevision.metrics.average_precision import Pairs, average_precision_of
from edgevision.metrics.keypoint_errors import error_scale, keypoint_similarity, normalised_errors
from edgevision.runtime.tasks.keypoints.schemes import BODY_SIGMAS

SEEN = np.ones(3, bool)
POINTS = np.array([[0, 0], [3, 4], [10, 0]], float)


def test_errors_are_distances_in_some_scale():
    found = POINTS + np.array([[0, 1], [3, 4], [0, 0]])
    np.testing.assert_allclose(normalised_errors(found, POINTS, SEEN, 10), [0.1, 0.5, 0])
    np.testing.assert_allclose(normalised_errors(found, POINTS, np.array([True, False, True]), 10), [0.1, 0])


def test_the_scale_is_a_distance_of_two_points_or_the_side_of_the_box():
    box = np.array([0, 0, 9, 4], float)
    assert error_scale(POINTS, SEEN, box, (0, 1)) == 5
    assert error_scale(POINTS, SEEN, box, None) == 6
    assert error_scale(POINTS, np.array([True, False, True]), box, (0, 1)) == 6


def scene(seed):
    """Things of 17 points in pictures, some crowds, some without a visible point, and points near them."""
    generator = np.random.default_rng(seed)
    annotations, results = [], []
    for image in range(8):
        for _ in range(int(generator.integers(0, 5))):
            x, y = generator.uniform(0, 200, 2)
            w, h = generator.uniform(20, 180, 2)
            points = generator.uniform((x, y), (x + w, y + h), (17, 2))
            visible = generator.integers(0, 3, 17) * int(generator.random() > 0.15)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": 1,
                    "bbox": [x, y, w, h],
                    "area": w * h * 0.7,
                    "iscrowd": int(generator.random() < 0.1),
                    "num_keypoints": int((visible > 0).sum()),
                    "keypoints": np.column_stack([points, visible]).reshape(-1).tolist(),
                }
            )
            for _ in range(int(generator.integers(0, 3))):
                near = points + generator.normal(0, generator.choice([1, 4, 12]), (17, 2))
                results.append(
                    {
                        "image_id": image,
                        "category_id": 1,
                        "score": float(generator.uniform()),
                        "keypoints": np.column_stack([near, np.ones(17)]).reshape(-1).tolist(),
                    }
                )
    return annotations, results


def by_pycocotools(annotations, results):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": image} for image in range(8)],
            "categories": [{"id": 1}],
            "annotations": annotations,
        }
        coco.createIndex()
        judged = COCOeval(coco, coco.loadRes([dict(result) for result in results]), "keypoints")
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    return judged.stats


def ours(annotations, results):
    pictures = []
    for image in range(8):
        things = [one for one in annotations if one["image_id"] == image]
        found = [one for one in results if one["image_id"] == image]
        triples = np.array([one["keypoints"] for one in things]).reshape(-1, 17, 3)
        points = np.array([one["keypoints"] for one in found]).reshape(-1, 17, 3)[:, :, :2]
        boxes = np.array([one["bbox"] for one in things]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        visible, areas = triples[:, :, 2] > 0, np.array([one["area"] for one in things], float)
        crowd = np.array([one["iscrowd"] for one in things], bool)
        sides = np.ptp(points, axis=1) if len(points) else np.zeros((0, 2))
        pictures.append(
            Pairs(
                scores=np.array([one["score"] for one in found], float),
                classes=np.zeros(len(found), int),
                areas=sides.prod(axis=1),
                true_classes=np.zeros(len(things), int),
                true_areas=areas,
                ignored=crowd | ~visible.any(axis=1),
                overlap=keypoint_similarity(points, triples[:, :, :2], visible, boxes, areas, np.array(BODY_SIGMAS)),
                crowd=crowd,
            )
        )
    return average_precision_of(pictures, 1, most=20)


@pytest.mark.parametrize("seed", range(6))
def test_the_figures_are_those_of_pycocotools(seed):
    pytest.importorskip("pycocotools")
    annotations, results = scene(seed)
    scores, theirs = ours(annotations, results), by_pycocotools(annotations, results)
    figures = [scores.mean, scores.at(0.5), scores.at(0.75), scores.sizes["medium"], scores.sizes["large"]]
    np.testing.assert_allclose(np.nan_to_num(figures, nan=-1), theirs[:5], atol=1e-6)
