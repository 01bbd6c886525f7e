"""What classification sends to a board, and what is believed of the answer."""

import pytest
from PIL import Image

from edgevision.runtime.remote.job import Fetched
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.classification.board_files import classify_files

RAN = {"model": "m", "name": "n", "device": "cpu", "engine": "e", "nodes": {}}
INPUTS = ["in/00001.png", "in/00002.png"]


@pytest.fixture
def command(tmp_path):
    """For two pictures, with the model that ships."""
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    command = RemoteCommand(
        "run classify", [], {"model": None, "inputs": [str(tmp_path)], "output": None, "quiet": True, "as_json": True}
    )
    classify_files(command)
    return command


def classified(name, **changes):
    return {"input": name, "predictions": [{"label": "a", "probability": 0.5} | changes]}


GOOD = RAN | {"results": [classified(INPUTS[0])], "failures": [{"input": INPUTS[1], "error": "it is damaged"}]}


def test_pictures_and_the_model_that_ships_are_all_that_goes(command, tmp_path):
    assert command.inputs == {
        "model/00001/classify.onnx": shipped_model("classify"),
        **dict(zip(INPUTS, sorted(tmp_path.iterdir()), strict=True)),
    }
    assert command.in_user_names("model/00001/classify.onnx") == "classify (shipped)"


def test_the_users_own_model_goes_instead(write_colours):
    model = write_colours()
    command = RemoteCommand("run classify", [], {"model": model, "inputs": [], "output": None})
    classify_files(command)
    assert command.inputs == {"model/00001/colours.onnx": model}


def test_an_honest_document_passes(command):
    assert command.read_document(GOOD, Fetched(frozenset(), {})) == GOOD


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"boards": []},
        GOOD | {"results": None},
        GOOD | {"results": [classified(INPUTS[0], probability=1.5)]},
        GOOD | {"results": [classified(INPUTS[0], label=7)]},
        GOOD | {"results": [classified("in/00003.png")]},
        GOOD | {"results": [classified(INPUTS[1])]},
        GOOD | {"failures": []},
    ],
)
def test_a_document_about_something_else_is_refused(command, document):
    with pytest.raises(ValueError, match=r"document|asked for|twice|left out|probability"):
        command.read_document(document, Fetched(frozenset(), {}))
