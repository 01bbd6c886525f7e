"""A detector goes all the way: recognised, exported, run as a verb, evaluated, timed, quantised by its own figure."""

import contextlib
import csv
import io
import json
import shutil

import numpy as np
import pytest
from bright_squares import SIDE, write_detector, write_pictures
from PIL import Image

import edgevision
from edgevision.cli.app import main
from edgevision.core.errors import InputError
from edgevision.exporters.quantization.options import Preference, Preset
from edgevision.exporters.quantization.settings import QuantizationSettings
from edgevision.modelfiles.model_file import require_metadata
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.tasks.detection.board_files import detect_files

LABELS = {"task": "detect", "spec": {"labels": ["square"], "min_score": 0.7}}


def run(*words, code=0):
    """What a verb prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed, pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    assert (end.value.code or 0) == code, printed.getvalue()
    return printed.getvalue()


def read(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("squares")
    write_detector(folder / "squares.onnx")
    write_pictures(folder / "pictures")
    return folder


@pytest.fixture(scope="module")
def model(folder):
    edgevision.export(folder / "squares.onnx", folder / "finder.onnx", metadata=LABELS)
    return folder / "finder.onnx"


def test_where_nothing_is_said_a_picture_is_letterboxed(folder, model, tmp_path):
    image = require_metadata(model).image
    assert (image.resize, image.pad_value, image.resample) == ("pad", 114, "linear")
    stretched = LABELS | {"image": {"resize": "stretch"}}
    edgevision.export(folder / "squares.onnx", tmp_path / "stretched.onnx", metadata=stretched)
    image = require_metadata(tmp_path / "stretched.onnx").image
    assert (image.resize, image.pad_value) == ("stretch", 0)


def test_the_head_is_recognised_and_written_down(model):
    spec = require_metadata(model).spec
    assert (spec.layout, spec.labels, spec.min_score) == ("centernet", ("square",), 0.7)
    assert "strides 4" in run("inspect", model)


def test_boxes_are_found_where_they_are(model, folder):
    with edgevision.load(model) as find:
        found = find(folder / "pictures/00.png")
    things = (folder / "pictures/00.xml").read_text()
    assert len(found) == things.count("<object>")
    for x1, y1, x2, y2 in found.boxes:
        assert f"<xmin>{x1:.0f}</xmin><ymin>{y1:.0f}</ymin>" in things
        assert (x2 - x1, y2 - y1) == (SIDE, SIDE)


def test_everything_a_user_may_want_is_written(model, folder, tmp_path):
    pictures = folder / "pictures"
    printed = run(
        *("run", "detect", pictures, "--model", model, "-o", f"{tmp_path}/drawn/", "--crops", tmp_path / "crops"),
        *("--coco", tmp_path / "all.json", "--yolo", tmp_path / "yolo", "--json"),
    )
    document = json.loads(printed)
    count = sum(len(result["detections"]) for result in document["results"])
    assert len(document["results"]) == 12
    assert not np.array_equal(read(tmp_path / "drawn/00.png"), read(pictures / "00.png"))
    assert read(tmp_path / "drawn/00.png").shape == read(pictures / "00.png").shape
    assert len(list((tmp_path / "crops").iterdir())) == count
    assert read(next((tmp_path / "crops").iterdir())).shape == (SIDE, SIDE, 3)
    coco = json.loads((tmp_path / "all.json").read_text())
    assert (len(coco["images"]), len(coco["annotations"])) == (12, count)
    assert coco["categories"] == [{"id": 0, "name": "square"}]
    assert sum(len(path.read_text().splitlines()) for path in (tmp_path / "yolo").iterdir()) == count
    rows = list(csv.DictReader(run("run", "detect", pictures, "--model", model, "--csv").splitlines()))
    assert len(rows) == count
    assert rows[0]["label"] == "square"


def test_answers_can_be_narrowed(model, folder):
    def answers(*options):
        document = json.loads(run("run", "detect", folder / "pictures", "--model", model, "--json", *options))
        return sum(len(result["detections"]) for result in document["results"])

    assert answers("--max", 1) == 12
    assert answers("--min-score", 0.999) == 0
    assert answers("--class", "square") == answers()


@pytest.mark.parametrize(
    ("options", "code"),
    [(("--class", "circle"), 2), (("--json", "--csv"), 2), (("--coco", "boxes.txt"), 2), (("--min-score", 2), 2)],
)
def test_what_cannot_be_is_refused(model, folder, options, code):
    run("run", "detect", folder / "pictures", "--model", model, *options, code=code)


def test_nothing_is_overwritten(model, folder, tmp_path):
    (tmp_path / "all.json").write_text("mine")
    run("run", "detect", folder / "pictures/00.png", "--model", model, "--coco", tmp_path / "all.json", code=2)
    assert (tmp_path / "all.json").read_text() == "mine"


def test_a_damaged_picture_is_named_and_the_others_are_done(model, folder, tmp_path):
    write_pictures(tmp_path, 2)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    document = json.loads(run("run", "detect", tmp_path, "--model", model, "--json", code=1))
    assert len(document["results"]) == 2
    assert document["failures"][0]["input"].endswith("bad.png")


def test_it_is_evaluated_by_average_precision(model, folder):
    report = json.loads(run("evaluate", model, folder / "pictures", "--json"))
    assert report["map"] == pytest.approx(100)
    assert report["classes"][0]["recall"] == 100
    table = run("evaluate", model, folder / "pictures")
    assert "mAP50-95 100.00 %" in table
    assert "square" in table


def test_its_page_has_curves_and_the_pictures_in_which_things_were_missed(model, folder, tmp_path):
    pictures = tmp_path / "pictures"
    shutil.copytree(folder / "pictures", pictures)
    box = "<bndbox><xmin>24</xmin><ymin>50</ymin><xmax>34</xmax><ymax>60</ymax></bndbox>"
    more = f"<object><name>square</name>{box}</object></annotation>"
    (pictures / "00.xml").write_text((pictures / "00.xml").read_text().replace("</annotation>", more))
    table = run("evaluate", model, pictures, "--html", tmp_path / "page.html")
    assert "worst pictures: 00.png" in table
    page = (tmp_path / "page.html").read_text()
    assert page.count("<img src='data:image/jpeg;base64,") == 1
    assert "00.png: " in page
    assert page.count("<polyline class=curve") == 1
    report = json.loads(run("evaluate", model, pictures, "--json"))
    things = report["classes"][0]["things"]
    assert report["confusion"] == [[things - 1, 1], [0, 0]]
    assert len(report["classes"][0]["curve"]) == 101
    run("evaluate", model, pictures, "--html", tmp_path / "page.html", code=2)  # it is there already


def test_int8_is_judged_by_average_precision(model, folder):
    settings = QuantizationSettings(
        calibration=folder / "pictures", preset=Preset.QUICK, prefer=Preference.INT8, threads=1
    )
    report = edgevision.export(model, folder / "small.onnx", precision="int8", int8=settings)
    assert report.quantization.metric == "map"
    assert report.quantization.unit == "points"


def test_without_boxes_int8_is_judged_by_agreement(model, folder, tmp_path, caplog):
    write_pictures(tmp_path, 10)
    for path in tmp_path.glob("*.xml"):
        path.unlink()
    settings = QuantizationSettings(calibration=tmp_path, preset=Preset.QUICK, prefer=Preference.INT8, threads=1)
    report = edgevision.export(model, folder / "agreeing.onnx", precision="int8", int8=settings)
    assert report.quantization.metric == "agreement"
    # Some are judged on twice, to see how long it takes; it is said once.
    (why,) = (note for note in report.quantization.notes if "boxes agree with the float model's" in note)
    assert "has no boxes to compare with" in why
    assert "agree" not in caplog.text


def test_it_is_timed_from_picture_to_boxes(model, folder):
    measured = run(
        *("bench", model, "--end-to-end", "--picture", folder / "pictures/00.png", "--seconds", 0.1, "--json")
    )
    assert json.loads(measured)["subjects"][0]["end_to_end"]["runs"] >= 20


def test_a_board_gets_pictures_and_gives_drawn_ones_back(model, folder, tmp_path):
    given = {
        **dict.fromkeys(("crops", "coco", "yolo")),
        "model": model,
        "inputs": [str(folder / "pictures")],
        "output": f"{tmp_path}/",
        "force": False,
    }
    command = RemoteCommand("run detect", [], given)
    detect_files(command)
    assert len(command.inputs) == 1 + 12
    assert len(command.outputs) == 12
    with pytest.raises(InputError, match="--coco is not made on a board"):
        detect_files(RemoteCommand("run detect", [], given | {"coco": tmp_path / "a.json"}))


@pytest.mark.parametrize(
    ("spec", "rule"),
    [
        ({"layout": "yolov8"}, "the outputs are no yolov8: hm 1x1x16x24"),
        ({"layout": "yolo99"}, "'yolo99' is no layout that is known: tensorflow"),
        ({"head": {"parts": [{"outputs": ["hm"], "fields": ["box", "scores"]}]}}, "the head does not fit"),
        ({"head": {"parts": [{"outputs": ["gone"], "fields": ["box", "scores"]}]}}, "'gone'"),
        ({"head": {"parts": []}}, "the parts of a head"),
    ],
)
def test_a_head_that_is_none_is_refused(folder, spec, rule):
    with pytest.raises(InputError, match=rule):
        edgevision.export(folder / "squares.onnx", folder / "no.onnx", metadata={"task": "detect", "spec": spec})
    assert not (folder / "no.onnx").exists()
