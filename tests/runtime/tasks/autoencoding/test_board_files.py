"""What autoencoders send to a board, and what of it is taken back."""

import io
from pathlib import Path

import numpy as np
import pytest

from edgevision.core.errors import OutputError
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.tasks.autoencoding.board_files import codes_check, encode_files, reconstruct_files

VALUES = {"model": None, "force": False}


def command_for(files, **values):
    command = RemoteCommand("run encode", [], VALUES | values)
    files(command)
    return command


def codes(array, **changes):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"shape": array.shape, "fortran_order": False, "descr": array.dtype.str} | changes
    )
    return stream.getvalue() + array.tobytes()


CODES = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize(
    ("content", "telling"),
    [
        (codes(CODES), None),
        (codes(CODES, shape=(2, 10**15)), "longer or shorter"),
        (codes(CODES, shape=(3, 2)), "instead of 2 rows"),
        (codes(CODES, shape=(2, -3)), "longer or shorter"),
        (codes(CODES.astype(np.float64)), "instead of 2 rows of float32"),
        (codes(CODES, descr="|O"), "instead of 2 rows"),
        (codes(CODES * np.nan), "NaN"),
        (codes(CODES) + b"x", "longer"),
        (codes(CODES)[:40], "no file of NumPy's"),
        (b"PK\x03\x04", "no file of NumPy's"),
        (b"", "no file of NumPy's"),
    ],
)
def test_codes_are_rows_of_finite_numbers_and_nothing_else(refusal, content, telling):
    said = refusal(codes_check(2), content)
    assert said is None if telling is None else telling in said


@pytest.mark.usefixtures("elsewhere")
def test_codes_come_back_as_one_file(photos):
    command = command_for(encode_files, inputs=[str(photos)], output=Path("codes.npy"))
    assert {name: output.target for name, output in command.outputs.items()} == {"out/00001.npy": Path("codes.npy")}
    with pytest.raises(OutputError, match=r"\.npy"):
        command_for(encode_files, inputs=[str(photos)], output=Path("codes.txt"))


@pytest.mark.usefixtures("elsewhere")
def test_reconstructions_come_back_one_for_one(photos):
    command = command_for(reconstruct_files, inputs=[str(photos)], output="out/")
    assert (command.values["inputs"], command.values["output"]) == (
        ["in/00001.png", "in/00002.jpg", "in/00003.gif"],
        "out/",
    )
    assert [str(output.target) for output in command.outputs.values()] == ["out/-rf.png", "out/b c.jpg", "out/d.png"]
    assert {output.existing for output in command.outputs.values()} == {"refuse"}
