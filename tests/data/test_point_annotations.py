import json

import numpy as np
import pytest
from PIL import Image

from edgevision.core.errors import DatasetError, InputError
from edgevision.data.datasets import ImageFolder
from edgevision.data.point_annotations import PointedFolder, held_out_by


def folder(tmp_path, *names, **texts):
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30)).save(path)
    for name, text in texts.items():
        (tmp_path / name.replace("__", ".")).write_text(text)
    return tmp_path


def read(path, *splits):
    return PointedFolder(ImageFolder(path, splits))


def test_lines_of_a_name_and_coordinates(tmp_path):
    text = "file,0,1,2,3\na.png,1,2,11,22\nb.png,5,6,,\nb.png,7,8,9,10\nelsewhere.png,1,1,1,1\n"
    pointed = read(folder(tmp_path, "a.png", "b.png", points__csv=text))
    assert (pointed.count, pointed.names, pointed.point_names) == (2, ["a.png", "b.png"], ())
    a, b = pointed.things("a.png"), pointed.things("b.png")
    np.testing.assert_array_equal(a.points, [[[1, 2], [11, 22]]])
    np.testing.assert_array_equal(a.boxes, [[1, 2, 11, 22]])
    assert a.areas.tolist() == [200]
    assert b.visible.tolist() == [[True, False], [True, True]]
    assert b.counted.tolist() == [1]  # one point has no box


def test_names_of_points_are_those_of_the_first_line(tmp_path):
    text = ",left eye_x,left eye_y,right eye_x,right eye_y\na.png,1,2,3,4\n"
    assert read(folder(tmp_path, "a.png", points__csv=text)).point_names == ("left eye", "right eye")


def test_a_first_line_of_coordinates_is_one(tmp_path):
    assert len(read(folder(tmp_path, "a.png", "b.png", p__csv="a.png,1,2\nb.png,3,4\n"))) == 2


def test_a_split_has_its_own_lines(tmp_path):
    folder(
        tmp_path,
        "training/a.png",
        "test/a.png",
        training_points__csv="a.png,1,2,3,9\n",
        test_points__csv="a.png,5,6,9,9\n",
    )
    assert read(tmp_path, "train").things("training/a.png").points[0, 0].tolist() == [1, 2]
    assert read(tmp_path, "test").things("test/a.png").points[0, 0].tolist() == [5, 6]


def test_cocos_keypoints(tmp_path):
    document = {
        "images": [{"id": 7, "file_name": "sub/a.png"}],
        "categories": [{"id": 1, "name": "x", "keypoints": ["nose", "tail"], "skeleton": [[1, 2]]}],
        "annotations": [
            {"image_id": 7, "category_id": 1, "bbox": [1, 2, 10, 20], "area": 99, "keypoints": [3, 4, 2, 0, 0, 0]},
            {"image_id": 7, "category_id": 1, "bbox": [1, 2, 10, 20], "iscrowd": 1, "keypoints": [3, 4, 2, 5, 6, 1]},
            {"image_id": 7, "category_id": 1, "bbox": [1, 2, 10, 20], "keypoints": [0, 0, 0, 0, 0, 0]},
        ],
    }
    pointed = read(folder(tmp_path, "a.png", all__json=json.dumps(document)))
    things = pointed.things("a.png")
    assert (pointed.point_names, pointed.skeleton) == (("nose", "tail"), ((0, 1),))
    assert things.boxes[0].tolist() == [1, 2, 11, 22]
    assert things.areas.tolist() == [99, 200, 200]
    assert things.visible[0].tolist() == [True, False]
    assert things.counted.tolist() == [0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a.png,1e300,2\n", "in no picture"),
        ("a.png,1,x\n", "no number"),
        ("a.png,1,2,3,4\nb.png,1,2\n", "2 coordinates, and the others 4"),
        ("", "no points"),
        ("a.png\n", "no points"),
        ("a.png,1,2,3\n", "no points"),
    ],
)
def test_what_is_wrong_with_lines_is_said(tmp_path, text, said):
    text = "" if not text else f"name,p_x,p_y\n{text}" if "x\n" in text else text
    with pytest.raises(DatasetError, match=said):
        read(folder(tmp_path, "a.png", "b.png", points__csv=text))


def test_nan_is_a_point_that_is_not_visible(tmp_path):
    things = read(folder(tmp_path, "a.png", p__csv="a.png,nan,inf,3,4,5,6\n")).things("a.png")
    assert things.visible.tolist() == [[False, True, True]]
    assert np.isfinite(things.points).all()


def test_a_damaged_document_of_coco_is_named(tmp_path):
    document = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [{"image_id": 1}],
        "categories": [{"id": 1, "keypoints": ["a"]}],
    }
    with pytest.raises(DatasetError, match=r"all\.json"):
        read(folder(tmp_path, "a.png", all__json=json.dumps(document)))


def test_groups_are_held_out_whole():
    held_out = held_out_by(r"^(.+)_\d+")
    assert held_out.group_of("training/Ada_Byron_07.jpg") == "Ada_Byron"
    assert held_out.group_of("other.jpg") == "other.jpg"
    names = [f"person{number}_{frame:02d}.jpg" for number in range(200) for frame in range(3)]
    out = {held_out.group_of(name) for name in names if held_out(name)}
    assert 5 < len(out) < 40
    assert not any(held_out.group_of(name) in out for name in names if not held_out(name))
    with pytest.raises(InputError, match="regular expression"):
        held_out_by("(")
