"""A segmenter goes all the way: exported, run as a verb, evaluated, timed, quantised by its own figure."""

import contextlib
import csv
import io
import json

import numpy as np
import pytest
from bright_squares import SIDE, write_pictures, write_segmenter
from PIL import Image
from pycocotools import mask as coco_masks

import edgevision
from edgevision.cli.app import main
from edgevision.core.errors import InputError
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.tasks.segmentation.board_files import segment_files

FOREGROUND = {"output": "logit", "fields": ["foreground"], "activation": "sigmoid"}
SQUARES = {
    "task": "segment",
    "spec": {"labels": ["background", "square"], "head": {"maps": [FOREGROUND], "watershed": {"prominence": 0.5}}},
}


def run(*words, code=0):
    """What a verb prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed, pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    assert (end.value.code or 0) == code, printed.getvalue()
    return printed.getvalue()


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("squares")
    write_segmenter(folder / "squares.onnx")
    write_pictures(folder / "pictures")
    return folder


@pytest.fixture(scope="module")
def model(folder):
    edgevision.export(folder / "squares.onnx", folder / "things.onnx", metadata=SQUARES)
    return folder / "things.onnx"


def squares(folder, name):
    return (folder / "pictures" / f"{name}.xml").read_text().count("<object>")


def test_things_are_found_where_they_are(model, folder):
    with edgevision.load(model) as find:
        found = find(folder / "pictures/00.png")
    assert len(found) == squares(folder, "00")
    np.testing.assert_array_equal(found.mask(), read(folder / "pictures/00.png")[:, :, 0] == 250)
    assert (found.areas == SIDE * SIDE).all()
    assert "foreground" in run("inspect", model)


def test_everything_a_user_may_want_is_written(model, folder, tmp_path):
    pictures = folder / "pictures"
    printed = run(
        *("run", "segment", pictures, "--model", model, "-o", f"{tmp_path}/drawn/", "--crops", tmp_path / "crops"),
        *("--coco", tmp_path / "all.json", "--masks", tmp_path / "masks", "--json"),
    )
    document = json.loads(printed)
    count = sum(squares(folder, path.stem) for path in pictures.glob("*.png"))
    assert sum(len(result["segments"]) for result in document["results"]) == count
    drawn, plain = read(tmp_path / "drawn/00.png"), read(pictures / "00.png")
    assert drawn.shape[0] > plain.shape[0]  # the legend
    assert not np.array_equal(drawn[: plain.shape[0]], plain)
    cut = read(next((tmp_path / "crops").iterdir()))
    assert cut.shape == (SIDE, SIDE, 4)
    ids = read(tmp_path / "masks/00.png")
    assert (ids.dtype, ids.max()) == (np.uint16, squares(folder, "00"))
    coco = json.loads((tmp_path / "all.json").read_text())
    assert (len(coco["images"]), len(coco["annotations"])) == (12, count)
    mask = coco["annotations"][0]["segmentation"]
    assert (mask["size"], coco_masks.area(mask)) == ([*plain.shape[:2]], SIDE * SIDE)
    rows = list(csv.DictReader(run("run", "segment", pictures, "--model", model, "--csv").splitlines()))
    assert {row["area"] for row in rows} == {str(SIDE * SIDE)}
    assert f"{SIDE * SIDE} pixels" in run("run", "segment", pictures / "00.png", "--model", model)
    assert "nothing" in run("run", "segment", pictures / "00.png", "--model", model, "--class", "background")


def test_masks_of_classes_have_a_palette(folder, tmp_path):
    head = {"maps": [FOREGROUND]}
    spec = SQUARES["spec"] | {"head": head}
    edgevision.export(folder / "squares.onnx", tmp_path / "parts.onnx", metadata=SQUARES | {"spec": spec})
    run("run", "segment", folder / "pictures/00.png", "--model", tmp_path / "parts.onnx", "--masks", tmp_path)
    with Image.open(tmp_path / "00.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), read(folder / "pictures/00.png")[:, :, 0] == 250)


def test_a_head_that_names_another_output_is_refused(folder, tmp_path):
    head = {"maps": [FOREGROUND | {"output": "masks"}]}
    spec = SQUARES["spec"] | {"head": head}
    with pytest.raises(InputError, match=r"'masks', but its graph's outputs are 'logit'"):
        edgevision.export(folder / "squares.onnx", tmp_path / "no.onnx", metadata=SQUARES | {"spec": spec})


def test_a_board_is_sent_pictures_and_gives_masks(model, folder):
    given = {"inputs": [str(folder / "pictures/00.png")], "model": model, "output": None, "force": False}
    command = RemoteCommand("run segment", [], given | {"crops": None, "masks": None, "coco": None})
    segment_files(command)
    document = json.loads(run("run", "segment", folder / "pictures/00.png", "--model", model, "--json"))
    document["results"][0]["input"] = command.values["inputs"][0]
    assert command.read_document(document, {}) == document
