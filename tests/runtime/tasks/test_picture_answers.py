"""What the verbs that find things write of each picture: nothing over an input, nothing over each other."""

import pytest
from PIL import Image


@pytest.fixture
def twins(tmp_path):
    """Two pictures that differ in their endings alone."""
    for ending in ("jpg", "png"):
        Image.new("RGB", (40, 30)).save(tmp_path / f"twin.{ending}")
    return tmp_path / "twin.jpg", tmp_path / "twin.png"


@pytest.mark.parametrize(("verb", "option"), [("detect", "--yolo"), ("segment", "--masks"), ("detect", "--crops")])
def test_files_of_two_pictures_never_share_a_name(edgevision, twins, tmp_path, verb, option):
    code, _out, err = edgevision("run", verb, *twins, option, tmp_path / "found", "--force")
    assert (code, "the same names, 'twin'" in err) == (2, True)
    assert not (tmp_path / "found").exists()


def test_a_mask_never_takes_the_place_of_a_picture_that_is_read(edgevision, twins):
    _jpg, png = twins
    before = png.read_bytes()
    code, _out, err = edgevision("run", "segment", png, "--masks", png.parent, "--force")
    assert (code, "is an input, which is never overwritten" in err) == (2, True)
    assert png.read_bytes() == before


def test_what_exists_is_said_before_the_work(edgevision, twins, tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/twin.txt").write_text("mine")
    code, _out, err = edgevision("run", "detect", twins[0], "--yolo", tmp_path / "labels")
    assert (code, "exists already; --force" in err) == (2, True)
    assert (tmp_path / "labels/twin.txt").read_text() == "mine"


def test_a_class_of_points_is_that_of_a_detector(edgevision, twins):
    code, _out, err = edgevision("run", "keypoints", twins[0], "--class", "face")
    assert (code, "--detector" in err) == (2, True)
    code, _out, err = edgevision("run", "keypoints", twins[0], "--detector", "detect", "--class", "face")
    assert (code, "is no class that" in err) == (2, True)


def test_the_background_is_no_answer(edgevision, twins):
    code, _out, err = edgevision("run", "segment", twins[0], "--class", "background")
    assert (code, " knows: person" in err) == (2, True)


@pytest.mark.parametrize(
    ("task", "finds"),
    [
        ("detect", "blood cells (RBC, WBC, Platelets)"),
        ("segment", "persons"),
        ("keypoints", "the 68 points of a face"),
        ("classify", "airplanes, automobiles, birds, cats, deer, dogs, frogs, horses, ships and trucks, nothing else"),
    ],
)
def test_of_a_model_that_ships_it_is_said_what_it_finds(edgevision, twins, task, finds):
    line = f"the model that ships for {task} finds {finds}; for anything else name one with --model"
    assert line in edgevision("run", task, twins[0])[2]
    assert line in edgevision("run", task, twins[0], "--csv")[2]
    assert line not in edgevision("run", task, twins[0], "--model", task)[2]
    assert line not in edgevision("run", task, twins[0], "--json")[2]
    assert edgevision("run", task, twins[0], "--quiet")[2] == ""
