import csv
import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from edgevision.cli.app import main
from edgevision.modelfiles.model_file import model_hash
from edgevision.runtime.tasks.classification.classifier import Classifier

COLOURS = ("red", "green", "blue")


@pytest.fixture
def pictures(tmp_path, paint):
    folder = tmp_path / "pictures"
    for colour in COLOURS:
        (folder / colour).mkdir(parents=True)
        for index in range(2):
            Image.fromarray(paint(colour)).save(folder / colour / f"{index}.png")
    return folder


def test_one_picture_is_shown_as_a_table(edgevision, write_colours, pictures):
    code, out, _ = edgevision("run", "classify", pictures / "red/0.png", "--model", write_colours(), "--top", 2)
    lines = out.splitlines()
    assert code == 0
    assert len(lines) == 3
    assert lines[1].split()[0] == "red"


def test_a_folder_is_shown_line_by_line(edgevision, write_colours, pictures):
    code, out, _ = edgevision("run", "classify", pictures, "--model", write_colours())
    assert code == 0
    assert len(out.splitlines()) == 6
    assert all(line.split("/")[-2] == line.split()[1] for line in out.splitlines())


def test_json_is_one_document_on_standard_output_and_nothing_else(edgevision, write_colours, pictures):
    code, out, err = edgevision("run", "classify", pictures, "--model", write_colours(), "--json", "--top", 1)
    document = json.loads(out)
    assert code == 0
    assert err == ""
    assert document["schema_version"] == 1
    assert document["device"] == "cpu"
    assert {result["predictions"][0]["label"] for result in document["results"]} == set(COLOURS)


def test_csv_has_a_line_for_each_label(edgevision, write_colours, pictures):
    _, out, _ = edgevision("run", "classify", pictures / "blue", "--model", write_colours(), "--csv", "--top", 2)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["label"] for row in rows][::2] == ["blue", "blue"]
    assert 0 <= float(rows[0]["probability"]) <= 1
    assert len(rows) == 4


def test_standard_input_is_a_picture(edgevision, write_colours, pictures, monkeypatch):
    encoded = io.BytesIO((pictures / "green/0.png").read_bytes())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(encoded))
    code, out, _ = edgevision("run", "classify", "-", "--model", write_colours(), "--json")
    assert code == 0
    assert json.loads(out)["results"][0]["predictions"][0]["label"] == "green"


def test_a_bad_file_among_good_ones_is_reported_at_the_end(edgevision, write_colours, pictures):
    (pictures / "red" / "broken.jpg").write_bytes(b"\xff\xd8 cut")
    code, out, err = edgevision("run", "classify", pictures, "--model", write_colours())
    assert code == 1
    assert len(out.splitlines()) == 6
    assert "broken.jpg" in err
    assert "1 of 7 pictures failed" in err


def test_a_picture_that_takes_too_much_memory_does_not_end_the_others(edgevision, write_colours, pictures, monkeypatch):
    answer = Classifier._classify

    def short_of_memory(self, images):
        if "green" in str(images[0]):
            raise MemoryError
        return answer(self, images)

    monkeypatch.setattr(Classifier, "_classify", short_of_memory)
    code, out, err = edgevision("run", "classify", pictures, "--model", write_colours(), "--csv", "--top", "1")
    assert code == 1
    assert len(out.splitlines()) == 1 + 4
    assert err.count("green/0.png: it takes more memory than there is") == 1
    assert "2 of 6 pictures failed" in err


def test_a_bad_file_is_in_the_json_too(edgevision, write_colours, tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    code, out, _ = edgevision("run", "classify", tmp_path / "text.jpg", "--model", write_colours(), "--json")
    document = json.loads(out)
    assert code == 1
    assert document["results"] == []
    assert "text.jpg" in document["failures"][0]["error"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("run", "classify", "nowhere.jpg", "-m", "MODEL"), 1, "'nowhere.jpg' does not exist"),
        (("run", "classify", "nowhere.jpg", "-m", "missing.onnx"), 2, "'missing.onnx' does not exist"),
        (("run", "classify", "nowhere.jpg", "-m", "MODEL", "--device", "tpu"), 3, "no device 'tpu'"),
        (("run", "classify", "nowhere.jpg", "--json", "--csv"), 2, "exclude each other"),
        (("evaluate", "MODEL", "nowhere"), 2, "'nowhere' does not exist"),
        (("bench", "MODEL", "--shape", "1x3xx"), 2, "a shape is positive numbers"),
        (("bench", "picture.jpg"), 2, "no model file"),
        (("inspect", "missing.onnx"), 2, "'missing.onnx' does not exist"),
    ],
)
def test_a_wrong_command_is_one_or_two_lines_with_the_right_code(edgevision, write_colours, arguments, code, message):
    model = write_colours()
    quiet = [] if arguments[0] == "inspect" else ["-q"]
    found, out, err = edgevision(*(model if argument == "MODEL" else argument for argument in arguments), *quiet)
    assert found == code
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert len(err.splitlines()) <= 2


def test_evaluate_prints_the_figures_and_the_confusions(edgevision, write_colours, pictures):
    Image.fromarray(np.full((9, 9, 3), (0, 0, 255), np.uint8)).save(pictures / "red/wrong.png")
    code, out, _ = edgevision("evaluate", write_colours(), pictures)
    assert code == 0
    assert "top1 85.71 %" in out
    assert "red" in out
    code, out, _ = edgevision("evaluate", write_colours(), pictures, "--json")
    document = json.loads(out)
    assert document["confusion"] == [[2, 0, 1], [0, 2, 0], [0, 0, 2]]
    assert document["top1"] == pytest.approx(600 / 7)


def test_evaluate_with_a_damaged_picture_ends_with_1(edgevision, write_colours, pictures):
    (pictures / "red/broken.png").write_bytes(b"\x89PNG")
    code, out, err = edgevision("evaluate", write_colours(), pictures)
    assert code == 1
    assert "top1 100.00 %" in out
    assert "broken.png" in err or "damaged" in err


@pytest.mark.parametrize(("name", "beside"), [("colours.onnx", ""), ("colours.xml", " with colours.bin")])
def test_inspect_shows_what_is_in_the_file(edgevision, write_colours, name, beside):
    path = write_colours(name)
    code, out, _ = edgevision("inspect", path)
    assert code == 0
    assert out.splitlines()[0].startswith(f"{'file':<11} {path}{beside} (")
    assert out.splitlines()[1] == f"{'sha256':<11} {model_hash(path)}"
    for text in ("image float32", "logits float32", "red, green, blue", "1 ReduceMean"):
        assert text in out
    document = json.loads(edgevision("inspect", path, "--json")[1])
    assert document["metadata"]["spec"]["labels"] == list(COLOURS)
    assert document["inputs"][0]["name"] == "image"


def test_inspect_with_a_device_ends_in_what_runs_there(edgevision, write_colours):
    assert edgevision("inspect", write_colours(), "--device", "cpu")[1].splitlines()[-1].startswith("runs on     cpu ")


def test_devices_tells_the_truth_in_both_forms(edgevision):
    code, out, _ = edgevision("devices")
    assert code == 0
    assert "cpu" in out
    document = json.loads(edgevision("devices", "--json")[1])
    assert any(device["device"] == "cpu" and device["available"] for device in document["devices"])
    assert document["machine"]["cores"] >= 1


def test_debug_shows_the_traceback():
    from edgevision.core.errors import ModelFileError

    with pytest.raises(ModelFileError):
        main(["inspect", "missing.onnx", "--debug"])


def test_the_version_is_printed(edgevision):
    import edgevision as package

    assert edgevision("--version")[1].strip() == f"edgevision {package.__version__}"
