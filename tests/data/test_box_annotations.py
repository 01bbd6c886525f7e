import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from edgevision.core.errors import DatasetError
from edgevision.data.box_annotations import AnnotatedFolder
from edgevision.data.datasets import ImageFolder

VOC = """<annotation><size><width>40</width><height>30</height></size>{}</annotation>"""
OBJECT = """<object><name>{}</name>{}<bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox>
</object>"""


def voc(*things):
    return VOC.format("".join(OBJECT.format(*thing) for thing in things))


def pictures(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30)).save(path)


def test_voc_files_beside_the_pictures(tmp_path):
    pictures(tmp_path, "a.png", "b.png", "c.png")
    (tmp_path / "a.xml").write_text(voc(("dog", "", 1, 2, 11, 22), ("cat", "<difficult>1</difficult>", 5, 5, 9, 9)))
    (tmp_path / "b.xml").write_text(voc())
    found = AnnotatedFolder(ImageFolder(tmp_path))
    assert found.class_names == ("cat", "dog")
    one = found.of("a.png")
    np.testing.assert_array_equal(one.boxes, [[1, 2, 11, 22], [5, 5, 9, 9]])
    assert (one.labels, one.ignored.tolist()) == (("dog", "cat"), [False, True])
    assert len(found.of("b.png").labels) == 0  # somebody looked, and there is nothing
    assert found.of("c.png") is None


def test_in_a_zip_with_splits_and_boxes_without_area_left_out(tmp_path):
    pictures(tmp_path / "set", "train/a.png", "test/b.png")
    (tmp_path / "set/train/a.xml").write_text(voc(("dog", "", 1, 2, 11, 22)))
    (tmp_path / "set/test/b.xml").write_text(voc(("cat", "", 1, 2, 1, 22), ("cat", "", 1, 2, 3, 4)))
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in sorted((tmp_path / "set").rglob("*.*")):
            archive.write(path, path.relative_to(tmp_path / "set"))
    found = AnnotatedFolder(ImageFolder(tmp_path / "set.zip"))
    assert (found.folder.split, found.class_names, found.skipped) == ("test", ("cat",), 1)
    np.testing.assert_array_equal(found.of("test/b.png").boxes, [[1, 2, 3, 4]])


def test_a_coco_document(tmp_path):
    pictures(tmp_path, "images/a.png", "images/b.png")
    document = {
        "images": [{"id": 7, "file_name": "a.png"}, {"id": 8, "file_name": "gone.png"}],
        "categories": [{"id": 3, "name": "zebra"}, {"id": 9, "name": "ant"}],
        "annotations": [
            {"image_id": 7, "category_id": 9, "bbox": [1, 2, 10, 20]},
            {"image_id": 7, "category_id": 3, "bbox": [0, 0, 5, 5], "iscrowd": 1},
        ],
    }
    (tmp_path / "instances.json").write_text(json.dumps(document))
    found = AnnotatedFolder(ImageFolder(tmp_path))
    assert found.class_names == ("zebra", "ant")
    one = found.of("images/a.png")
    np.testing.assert_array_equal(one.boxes, [[1, 2, 11, 22], [0, 0, 5, 5]])
    assert (one.labels, one.ignored.tolist()) == (("ant", "zebra"), [False, True])


def coco(*images, box=(1, 2, 10, 20), category=1):
    """A document with a box in each of the images, which gets farther right from one to the next."""
    x, *rest = box
    return json.dumps(
        {
            "images": [{"id": number, "file_name": name} for number, name in enumerate(images)],
            "categories": [{"id": 1, "name": "ant"}],
            "annotations": [
                {"image_id": number, "category_id": category, "bbox": [x + number, *rest]}
                for number in range(len(images))
            ],
        }
    )


def test_images_of_one_name_are_told_apart_by_their_folders(tmp_path):
    pictures(tmp_path, "north/1.png", "south/1.png")
    (tmp_path / "all.json").write_text(coco("data/south/1.png", "data/north/1.png", "east/1.png"))
    with pytest.raises(DatasetError, match=r"may be any of north/1\.png, south/1\.png"):
        AnnotatedFolder(ImageFolder(tmp_path))
    (tmp_path / "all.json").write_text(coco("data/south/1.png", "data/north/1.png"))
    found = AnnotatedFolder(ImageFolder(tmp_path))
    assert [found.of(f"{name}/1.png").boxes[0, 0] for name in ("south", "north")] == [1, 2]


def test_a_document_of_each_folder_is_about_the_pictures_beside_it(tmp_path):
    pictures(tmp_path, "north/1.png", "south/1.png")
    for place, x in (("north", 3), ("south", 5)):
        (tmp_path / place / "boxes.json").write_text(coco("1.png", box=(x, 2, 10, 20)))
    found = AnnotatedFolder(ImageFolder(tmp_path))
    assert [found.of(f"{name}/1.png").boxes[0, 0] for name in ("north", "south")] == [3, 5]


def test_a_document_of_another_split_is_not_read(tmp_path):
    pictures(tmp_path, "train/1.png", "valid/1.png")
    for place, x in (("train", 3), ("valid", 5)):
        (tmp_path / place / "boxes.json").write_text(coco("1.png", box=(x, 2, 10, 20)))
    for split, place, x in (("train", "train", 3), ("val", "valid", 5)):
        assert AnnotatedFolder(ImageFolder(tmp_path, (split,))).of(f"{place}/1.png").boxes[0, 0] == x


@pytest.mark.parametrize(
    ("documents", "rule"),
    [
        ([coco("1.png"), coco("1.png")], "keep one of them"),
        ([coco("1.png", "1.png")], "has two images for '1.png'"),
        ([coco("1.png", category=7)], "has no category 7"),
    ],
)
def test_documents_that_contradict_each_other_or_themselves(tmp_path, documents, rule):
    pictures(tmp_path, "1.png")
    for number, text in enumerate(documents):
        (tmp_path / f"{number}.json").write_text(text)
    with pytest.raises(DatasetError, match=rule):
        AnnotatedFolder(ImageFolder(tmp_path))


@pytest.mark.parametrize(
    ("listed", "text"),
    [
        ("classes.txt", "dog\ncat\n"),
        ("data.yaml", "nc: 2\nnames: ['dog', \"cat\"]\n"),
        ("data.yaml", "names:\n  0: dog\n  1: cat\npath: .\n"),
        ("data.yaml", "names:\n- dog\n- cat\n"),
    ],
)
def test_yolo_lines_in_their_own_folder(tmp_path, listed, text):
    pictures(tmp_path, "images/a.png", "images/b.png")
    (tmp_path / listed).write_text(text)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.txt").write_text("1 0.5 0.5 0.5 0.2\n0 0.1 0.1 0.3 0.1 0.3 0.4 0.1 0.4\n")
    found = AnnotatedFolder(ImageFolder(tmp_path))
    assert found.class_names == ("dog", "cat")
    one = found.of("images/a.png")
    np.testing.assert_allclose(one.boxes, [[10, 12, 30, 18], [4, 3, 12, 12]], atol=1e-4)
    assert one.labels == ("cat", "dog")


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("a.xml", "<annotation><object>", "no VOC annotation"),
        ("a.xml", voc(("dog", "", "x", 2, 3, 4)), "no VOC annotation"),
        ("a.xml", '<!DOCTYPE a [<!ENTITY b "c">]><annotation/>', "defines entities"),
        ("a.txt", "0 0.5 0.5 0.2\n", "a line is: class, centre x"),
        ("a.txt", "dog 0.5 0.5 0.2 0.1\n", "line 1 of 'a.txt'"),
        ("b.json", '{"images": [{"id": 1}], "annotations": [], "categories": []}', "no whole COCO document"),
    ],
)
def test_damaged_annotations_are_named(tmp_path, name, text, rule):
    pictures(tmp_path, "a.png")
    (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError, match=rule):
        AnnotatedFolder(ImageFolder(tmp_path))


def test_pictures_without_boxes_say_what_is_looked_for(tmp_path):
    pictures(tmp_path, "a.png")
    with pytest.raises(DatasetError, match=r"NAME\.xml beside the pictures \(VOC\)"):
        AnnotatedFolder(ImageFolder(tmp_path))


def test_annotations_of_another_size_are_said_once(tmp_path, caplog):
    pictures(tmp_path, "a.png", "b.png")
    for name in "ab":
        (tmp_path / f"{name}.xml").write_text(
            voc(("dog", "", 1, 2, 11, 22)).replace("<width>40<", "<width>80<").replace("<height>30<", "<height>60<")
        )
    found = AnnotatedFolder(ImageFolder(tmp_path))
    for name in ("a.png", "b.png"):
        assert len(found.inside(name, (30, 40)).boxes) == 1
    assert [record.message.split(";")[0] for record in caplog.records] == [
        "'a.xml' is about a picture of 80x60, and 'a.png' is 40x30"
    ]


@pytest.mark.parametrize("kind", ["voc", "coco"])
def test_annotations_of_another_size_with_boxes_outside_are_refused(tmp_path, kind):
    pictures(tmp_path, "a.png")
    if kind == "voc":
        (tmp_path / "a.xml").write_text(voc(("dog", "", 1, 2, 71, 22)).replace("<width>40<", "<width>80<"))
    else:
        document = json.loads(coco("a.png", box=(1, 2, 70, 20)))
        document["images"][0] |= {"width": 80, "height": 30}
        (tmp_path / "all.json").write_text(json.dumps(document))
    with pytest.raises(
        DatasetError, match=r"about a picture of 80x30, and 'a.png' is 40x30, so that boxes lie outside"
    ):
        AnnotatedFolder(ImageFolder(tmp_path)).inside("a.png", (30, 40))


def test_annotations_that_say_no_size_or_the_right_one_are_not_remarked(tmp_path, caplog):
    pictures(tmp_path, "a.png", "b.png")
    (tmp_path / "a.xml").write_text(voc(("dog", "", 30, 20, 90, 22)))
    (tmp_path / "b.xml").write_text(voc(("dog", "", 1, 2, 9, 22)).replace("<width>40<", "<width>0<"))
    found = AnnotatedFolder(ImageFolder(tmp_path))
    np.testing.assert_array_equal(found.inside("a.png", (30, 40)).boxes, [[30, 20, 40, 22]])
    assert len(found.inside("b.png", (30, 40)).boxes) == 1
    assert not caplog.records


def yolo(folder, text):
    pictures(folder, "a.png")
    (folder / "data.yaml").write_text(text)
    (folder / "a.txt").write_text("1 0.5 0.5 0.5 0.2\n")
    return AnnotatedFolder(ImageFolder(folder))


@pytest.mark.parametrize(
    "text",
    [
        "names: ['dog', 'cat'\nnc: 2\n",
        "names: dog, cat\n",
        "names:\n  0: dog\n  2: cat\n",
        "names: {0: dog, x: cat}\n",
        "names: ['dog', '']\n",
        "nc: 3\nnames: [dog, cat]\n",
    ],
)
def test_a_broken_data_yaml_is_refused(tmp_path, text):
    with pytest.raises(DatasetError, match=r"'data\.yaml'"):
        yolo(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        "names: {0: dog, 1: cat}  # two\n",
        "# names: [no]\nnames: [\n  dog,\n  cat  # tame\n]\nnc: 2\n",
        "names:\n\n- dog\n\n- 'cat'\nnc: 2\n",
    ],
)
def test_ways_to_write_names(tmp_path, text):
    assert yolo(tmp_path, text).class_names == ("dog", "cat")


def test_names_that_lack_are_said(tmp_path, caplog):
    assert yolo(tmp_path / "none", "train: images\n").class_names == ("class 0", "class 1")
    assert "'data.yaml' names no classes" in caplog.text
    assert yolo(tmp_path / "few", "names: [dog]\n").class_names == ("dog", "class 1")
    assert "lines are of 2 classes, and 1 have names" in caplog.text
