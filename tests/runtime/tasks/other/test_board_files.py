"""What running any model sends to a board, and what of it is taken back."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgevision.core.errors import OutputError
from edgevision.runtime.remote.job import Fetched
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.tasks.other.board_files import check_arrays, other_files

RAN = {"model": "m", "name": "n", "device": "cpu", "engine": "e", "nodes": {}, "seconds": 1.0}

pytestmark = pytest.mark.usefixtures("elsewhere")


def command_for(model, **values):
    command = RemoteCommand("run other", [], {"model": model, "output": None, "force": False} | values)
    other_files(command)
    return command


@pytest.fixture
def arrays(tmp_path):
    """Two files of arrays."""
    paths = [tmp_path / "a.npy", tmp_path / "b.npy"]
    for path in paths:
        np.save(path, np.zeros((1, 3, 8, 8), np.float32))
    return [str(path) for path in paths]


def test_arrays_go_under_numbers_and_come_back_under_their_names(write_colours, arrays):
    model = write_colours()
    command = command_for(model, inputs=arrays, output="out/")
    assert command.values["inputs"] == ["in/00001.npy", "in/00002.npy"]
    assert (command.values["output"], command.values["model"]) == ("out/", Path("model/00001/colours.onnx"))
    assert {name: output.target for name, output in command.outputs.items()} == {
        "out/00001.npz": Path("out/a.npz"),
        "out/00002.npz": Path("out/b.npz"),
    }
    single = command_for(model, inputs=arrays[:1], output="x.npy", force=True)
    assert single.values["output"] == "out/00001.npy"
    assert [(output.target, output.existing) for output in single.outputs.values()] == [(Path("x.npy"), "replace")]
    with pytest.raises(OutputError, match=r"\.npz"):
        command_for(model, inputs=arrays[:1], output="x.png")


def test_a_document_names_what_was_sent_and_what_came(write_colours, arrays):
    command = command_for(write_colours(), inputs=arrays)
    values = {"logits": {"shape": [1], "dtype": "float32", "values": [0.5]}}
    document = RAN | {
        "results": [{"input": "in/00001.npy", "outputs": values}],
        "failures": [{"input": "in/00002.npy", "error": "it is damaged"}],
    }
    nothing = Fetched(frozenset(), {})
    assert command.read_document(document, nothing) == document
    with pytest.raises(ValueError, match="left out"):
        command.read_document(document | {"failures": []}, nothing)
    lie = [{"input": "in/00001.npy", "output": "/etc/passwd"}]
    with pytest.raises(ValueError, match="asked for"):
        command.read_document(document | {"results": lie}, nothing)


def saved(save, *arrays, **named):
    stream = io.BytesIO()
    save(stream, *arrays, **named)
    return stream.getvalue()


def zipped(content, compression=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        archive.writestr("a.npy", content)
    return stream.getvalue()


NUMBERS = np.arange(600, dtype=np.int64).reshape(2, 300)
OBJECTS = saved(np.save, np.array([{}], object), allow_pickle=True)
WHOLE = saved(np.savez, NUMBERS, other=np.float32(1))


@pytest.mark.parametrize(
    ("content", "taken"),
    [
        (WHOLE, True),
        (saved(np.save, NUMBERS), True),
        (saved(np.savez), True),
        (saved(np.save, NUMBERS)[:-8], False),
        (saved(np.save, NUMBERS) + b"x", False),
        (saved(np.savez_compressed, np.zeros((1000, 1000))), False),
        (WHOLE.replace(NUMBERS.tobytes(), NUMBERS[::-1].tobytes()), False),
        (zipped(OBJECTS), False),
        (zipped(b"no array"), False),
        (OBJECTS, False),
        (b"PK\x03\x04", False),
        (b"", False),
    ],
)
def test_files_are_whole_arrays_of_numbers_and_nothing_else(refusal, content, taken):
    assert refusal(check_arrays, content) == (None if taken else "it is no file of NumPy's arrays")
