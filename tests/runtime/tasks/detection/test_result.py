import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest

from edgevision.core.errors import OutputError
from edgevision.runtime.tasks.detection.result import Detections
from edgevision.runtime.tasks.pipeline import Result


def found(**more):
    boxes = np.array([[10, 5, 30, 25], [0, 0, 8, 40]], np.float32)
    return Detections(
        boxes,
        np.array([0.9, 0.4], np.float32),
        np.array([1, 2]),
        **({"size": (40, 60), "labels": ("dog", "cat")} | more),
    )


def test_it_is_a_result_and_an_array():
    assert isinstance(found(), Result)
    np.testing.assert_allclose(np.asarray(found())[0], [10, 5, 30, 25, 0.9, 1], rtol=1e-6)
    assert found().names == ("cat", "class 2")
    assert repr(found()) == "Detections(1 cat, 1 class 2)"
    assert len(found().of_classes(["cat"])) == 1


def test_its_files_are_read_by_others(tmp_path):
    found().save(tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text())["detections"][0] == {
        "label": "cat",
        "class": 1,
        "score": 0.9,
        "box": [10, 5, 30, 25],
    }
    found().save(tmp_path / "a.csv")
    rows = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    assert (rows[1]["label"], rows[1]["y2"]) == ("class 2", "40.0")
    found().save(tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text().splitlines()[0] == "1 0.333333 0.375000 0.333333 0.500000 0.9000"
    with pytest.raises(OutputError, match=r"not 'a\.png'; draw\(\) makes a picture"):
        found().save(tmp_path / "a.png")


def test_coco_has_sides_and_points():
    points = np.array([[[1, 2, 0.9], [3, 4, 0.1]]] * 2, np.float32)
    result = found(points=points).to_coco(7)[0]
    assert result["bbox"] == [10, 5, 20, 20]
    assert (result["image_id"], result["category_id"]) == (7, 1)
    assert result["keypoints"][:2] == [1, 2]
    assert len(result["keypoints"]) == 6


def test_drawing_and_cropping():
    picture = np.zeros((40, 60, 3), np.uint8)
    drawn = np.asarray(found().draw(picture))
    assert drawn.shape == picture.shape
    assert drawn.any()
    assert not picture.any()
    assert [(crop.width, crop.height) for crop in found().crops(picture)] == [(20, 20), (8, 40)]
    with pytest.raises(ValueError, match=r"the picture is \(50, 50\)"):
        found().draw(np.zeros((50, 50, 3), np.uint8))


def test_a_box_thinner_than_a_pixel_has_a_crop():
    thin = Detections(
        np.array([[59.8, 39.9, 60, 40]], np.float32), np.ones(1, np.float32), np.zeros(1, int), size=(40, 60)
    )
    assert [(crop.width, crop.height) for crop in thin.crops(np.zeros((40, 60, 3), np.uint8))] == [(1, 1)]


def test_equal_boxes_agree_and_moved_ones_do_not():
    moved = found()
    moved.boxes = moved.boxes + np.float32(10)
    assert found().compare(found()) == {"f1": 100.0}
    assert found().compare(moved) == {"f1": 0.0}
    one_less = found().chosen(np.array([0]))
    assert one_less.compare(found())["f1"] == pytest.approx(100 * 2 / 3)
    nothing = found().chosen(np.zeros(2, bool))
    assert nothing.compare(nothing) == {"f1": 100.0}


def test_what_supervision_holds_becomes_detections():
    theirs = SimpleNamespace(
        xyxy=np.array([[1, 2, 3, 4], [5, 6, 7, 8]], float),
        confidence=np.array([0.2, 0.7]),
        class_id=np.array([3, 0]),
        data={"class_name": np.array(["bird", "dog"])},
    )
    ours = Detections.from_supervision(theirs, (40, 60))
    assert ours.names == ("dog", "bird")
    np.testing.assert_allclose(ours.scores, [0.7, 0.2], rtol=1e-6)


def test_to_supervision_and_back_is_the_same():
    pytest.importorskip("supervision")
    back = Detections.from_supervision(found().to_supervision(), (40, 60))
    np.testing.assert_array_equal(np.asarray(back), np.asarray(found()))
