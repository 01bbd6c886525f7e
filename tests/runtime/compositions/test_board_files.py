"""What the verbs that change pictures send to a board, run there, and what of it is taken back."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevision.runtime.remote.job import Fetched
from edgevision.runtime.shipped_models import shipped_model


@pytest.fixture
def board(edgevision, tmp_path, monkeypatch):
    """Run a command line with ``--on``: a folder that only has what was sent, where the same edgevision runs."""
    commands = []

    monkeypatch.setattr("edgevision.runtime.remote.dispatch.dispatch", lambda command, _: commands.append(command))

    def run(*words):
        code, _, err = edgevision("run", *words, "--on", "pi", "--json")
        assert code == 0, err
        command = commands.pop()
        if command.answer is not None:
            return command
        folder = tmp_path / "board"
        for name, content in command.inputs.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.read_bytes())
        for name in command.folders:
            (folder / name).mkdir(exist_ok=True)
        with monkeypatch.context() as there:
            there.chdir(folder)
            code, out, err = edgevision(*command.command_line())
        assert code == 0, command.in_user_names(err)
        for name, output in command.outputs.items():
            output.check(folder / name)
            output.target.parent.mkdir(exist_ok=True)
            output.target.write_bytes((folder / name).read_bytes())
        command.document = command.read_document(json.loads(out), Fetched(frozenset(command.outputs), {}))
        return command

    return run


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_cutout_is_that_of_this_machine(board, edgevision, write_picture, segmenter, tmp_path):
    photo = write_picture()
    command = board("cutout", photo, "--segmenter", segmenter, "-o", tmp_path / "there.png")
    assert sorted(command.inputs) == ["in/00001.png", "model/00001/bright.onnx"]
    assert command.document["results"] == [{"input": "in/00001.png", "output": "out/00001.png"}]
    assert edgevision("run", "cutout", photo, "--segmenter", segmenter, "-o", tmp_path / "here.png")[0] == 0
    np.testing.assert_array_equal(read(tmp_path / "there.png"), read(tmp_path / "here.png"))


def test_masks_and_a_background_go_with_the_pictures(board, write_picture, tmp_path):
    mask = np.zeros((96, 128), np.uint8)
    mask[20:60, 10:50] = 255
    for name in ("in/a.jpg", "in/b.jpg"):
        write_picture(name)
        write_picture(name.replace("in", "masks").replace("jpg", "png"), mask)
    beach = write_picture("beach.png", np.full((96, 128, 3), 200, np.uint8))
    command = board(
        "cutout", tmp_path / "in", "--mask", tmp_path / "masks", "--background", beach, "-o", tmp_path / "out/"
    )
    assert {name.split("/")[0] for name in command.inputs} == {"in", "mask", "background"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.jpg", "b.jpg"]
    assert abs(int(read(tmp_path / "out/a.jpg")[90, 120].mean()) - 200) < 4


def test_models_that_ship_are_sent_where_none_is_named(board, write_picture, tmp_path):
    photo = write_picture()
    command = board("remove", photo, "--box", "16,24,48,56", "-o", tmp_path / "empty.png")
    assert {name for name in command.inputs if name.startswith("model/")} == {"model/00002/inpaint.onnx"}
    assert read(tmp_path / "empty.png")[40, 30].mean() < 150
    assert command.user_names["model/00002/inpaint.onnx"] == "inpaint (shipped)"
    assert command.inputs["model/00002/inpaint.onnx"] == shipped_model("inpaint")


def test_what_replaces_goes_too(board, write_picture, segmenter, tmp_path):
    photo, other = write_picture(), write_picture("other.png", np.full((96, 128, 3), 250, np.uint8))
    mask = np.zeros((96, 128), np.uint8)
    mask[30:60, 30:60] = 255
    other_mask = write_picture("which.png", mask)
    words = ("--class", "person", "--segmenter", segmenter, "--with", other, "--with-mask", other_mask)
    command = board("replace", photo, *words, "-o", tmp_path / "new.png")
    assert {"with/00001.png", "with/00002.png", "model/00001/bright.onnx", "model/00002/inpaint.onnx"} < set(
        command.inputs
    )
    assert command.values["other_mask"] == Path("with/00002.png")
    assert read(tmp_path / "new.png").shape == (96, 128, 3)


def test_what_is_done_already_is_not_sent(board, write_picture, tmp_path):
    write_picture("photos/a.png")
    write_picture("done/a.png")
    command = board("remove", tmp_path / "photos", "--box", "1,1,9,9", "-o", tmp_path / "done", "--resume")
    assert command.answer == {"results": [], "failures": [], "skipped": 1}


def test_a_board_writes_no_standard_output(edgevision, write_picture):
    code, _, err = edgevision("run", "cutout", write_picture(), "-o", "-", "--on", "pi")
    assert (code, "a board sends pictures as files" in err) == (2, True)
    code, _, err = edgevision("run", "remove", write_picture(), "--on", "pi")
    assert (code, "say what is to be removed" in err) == (2, True)
