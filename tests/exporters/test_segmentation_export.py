"""A segmenter goes all the way: exported, run as a verb, evaluated, timed, quantised by its own figure."""

import contextlib
import csv
import io
import json
import shutil

import numpy as np
import onnx
import pytest
from bright_squares import SIDE, write_boxed_segmenter, write_pictures, write_segmenter
from fake_engine import FakeEngine
from PIL import Image
from pycocotools import mask as coco_masks

import edgevision
from edgevision.cli.app import main
from edgevision.core.errors import InputError
from edgevision.data.datasets import ImageFolder
from edgevision.exporters.quantization.options import Preference, Preset
from edgevision.exporters.quantization.settings import QuantizationSettings
from edgevision.modelfiles.model_file import require_metadata
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.tasks.segmentation.board_files import segment_files
from edgevision.runtime.tasks.segmentation.quality import SegmentationQuality

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
    run("run", "segment", pictures / "00.png", "--model", model, "--class", "background", code=2)


def test_pictures_of_any_size_get_the_one_that_a_file_is_fixed_to(folder, tmp_path):
    graph = onnx.load(folder / "squares.onnx")
    for value in (*graph.graph.input, *graph.graph.output):
        for axis in (2, 3):
            value.type.tensor_type.shape.dim[axis].dim_param = f"{value.name}_{axis}"
    onnx.save(graph, tmp_path / "any.onnx")
    edgevision.export(tmp_path / "any.onnx", tmp_path / "any_size.onnx", metadata=SQUARES)
    assert require_metadata(tmp_path / "any_size.onnx").image.size is None
    edgevision.export(tmp_path / "any_size.onnx", tmp_path / "one.onnx", static=(1, 3, 64, 96))
    image = require_metadata(tmp_path / "one.onnx").image
    assert (image.size, image.scale_up) == ((64, 96), False)
    with edgevision.load(tmp_path / "one.onnx") as find:
        assert len(find(folder / "pictures/00.png")) == squares(folder, "00")


def parts(folder, target):
    """The same network, whose answer is the class of each pixel."""
    spec = SQUARES["spec"] | {"head": {"maps": [FOREGROUND]}}
    edgevision.export(folder / "squares.onnx", target, metadata=SQUARES | {"spec": spec})
    return target


@pytest.fixture(scope="module")
def masked(folder):
    write_pictures(folder / "masked/images", masks=folder / "masked/masks")
    return folder / "masked"


def test_things_are_evaluated_by_what_matches(model, masked):
    report = json.loads(run("evaluate", model, masked, "--json"))
    assert (report["images"], report["matched50"], report["map"]) == (12, 100, pytest.approx(100))
    assert report["things"] == report["found"]
    table = run("evaluate", model, masked)
    assert "TP/(TP+FP+FN) at IoU 0.5 100.00 %" in table
    assert "worst pictures: none" in table


@pytest.mark.parametrize("kind", ["things", "classes"])
def test_pages_show_the_pictures_in_which_masks_are_wrong(model, folder, masked, tmp_path, kind):
    chosen = model if kind == "things" else parts(folder, tmp_path / "parts.onnx")
    shutil.copytree(masked, tmp_path / "data")
    mask = read(tmp_path / "data/masks/03.png").copy()
    mask[:20, :20] = 900
    Image.fromarray(mask).save(tmp_path / "data/masks/03.png")
    run("evaluate", chosen, tmp_path / "data", "--html", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert page.count("<figcaption>images/03.png: ") == page.count("<figcaption>") == 1
    assert "magenta" in page
    assert ("<h2>Confusion</h2>" in page) == (kind == "classes")


def test_classes_are_evaluated_by_their_overlap(folder, masked, tmp_path):
    model = parts(folder, tmp_path / "parts.onnx")
    report = json.loads(run("evaluate", model, masked, "--json"))
    assert (report["miou"], report["pixel_accuracy"], report["median_picture_iou"]) == (100, 100, 100)
    assert [score["label"] for score in report["classes"]] == ["background", "square"]
    table = run("evaluate", model, masked)
    assert "mIoU 100.00 %" in table
    assert "square      100.00     100.00  100.00" in table


def test_a_mask_of_another_size_is_a_failure_of_its_picture(model, masked, tmp_path):
    shutil.copytree(masked, tmp_path / "data")
    Image.new("I;16", (40, 30)).save(tmp_path / "data/masks/03.png")
    report = json.loads(run("evaluate", model, tmp_path / "data", "--json", code=1))
    assert report["images"] == 11
    assert "is 40x30 and its picture 96x64" in report["failures"]["images/03.png"]


def test_classes_that_the_model_does_not_know_are_named(model, masked, tmp_path, capsys):
    shutil.copytree(masked, tmp_path / "data")
    (tmp_path / "data/classes.txt").write_text("background\ncat\n")
    run("evaluate", parts(masked.parent, tmp_path / "parts.onnx"), tmp_path / "data", code=2)
    assert "does not know the classes cat" in capsys.readouterr().err


@pytest.mark.parametrize(("data", "metric"), [("masked", "matched50"), ("pictures", "agreement")])
def test_int8_is_judged_by_masks_or_by_agreement(model, folder, masked, data, metric):
    settings = QuantizationSettings(calibration=folder / data, preset=Preset.QUICK, prefer=Preference.INT8, threads=1)
    report = edgevision.export(model, folder / f"{metric}.onnx", precision="int8", int8=settings)
    assert (report.quantization.metric, report.quantization.unit) == (metric, "points")


@pytest.mark.parametrize(("value", "loss"), [(0.0, 100), (1.0, 100)])
def test_a_form_that_marks_nothing_or_all_is_broken(model, folder, value, loss):
    metadata = require_metadata(model)
    data = ImageFolder(folder / "pictures")
    with edgevision.load(model) as find:
        measure = SegmentationQuality(metadata, find.engine, data)
        broken = FakeEngine(
            find.engine.inputs, find.engine.outputs, lambda inputs: [np.full((1, 1, 32, 48), 99 * (2 * value - 1))]
        )
        assert measure(find.engine).loss == 0
        assert measure(broken).loss >= loss


def test_masks_of_classes_have_a_palette(folder, tmp_path):
    model = parts(folder, tmp_path / "parts.onnx")
    run("run", "segment", folder / "pictures/00.png", "--model", model, "--masks", tmp_path)
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


def test_boxes_with_masks_of_prototypes_go_all_the_way(tmp_path, folder):
    """Exported by what it looks like, run, drawn, evaluated by its things."""
    write_boxed_segmenter(tmp_path / "boxed.onnx")
    metadata = {"task": "segment", "spec": {"labels": ["square"]}}
    edgevision.export(tmp_path / "boxed.onnx", tmp_path / "things.onnx", metadata=metadata)
    spec = require_metadata(tmp_path / "things.onnx").spec
    assert (spec.layout, spec.head.boxes.head.coefficients, spec.labels) == ("yolov8-seg", 1, ("square",))
    write_pictures(tmp_path / "pictures", 4, masks=tmp_path / "masks")
    with edgevision.load(tmp_path / "things.onnx", task="segment", min_score=0.7) as segment:
        for path in sorted((tmp_path / "pictures").glob("*.png")):
            found, ids = segment(path), read(tmp_path / "masks" / path.name)
            assert len(found.masks) == ids.max()
            # Smooth prototypes round the four corners off.
            assert np.count_nonzero((found.instance_map > 0) != (ids > 0)) <= 4 * ids.max()
            assert set(found.names) == {"square"}
    printed = run("inspect", tmp_path / "things.onnx")
    assert "things in boxes" in printed
