"""A job from the login to its result, on a board that is a shell of this machine, with what is copied for it."""

import io
import sys
import zipfile
from pathlib import Path

import pytest

from edgevision.core.errors import DeviceError, EdgevisionError, InputError
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.runtime.remote.board import Board
from edgevision.runtime.remote.environment import Setup
from edgevision.runtime.remote.job import Job, Output
from edgevision.runtime.remote.run_job import run_job
from edgevision.runtime.remote.session import Session
from edgevision.runtime.remote.software import Code, RequirementsWheel, Software

# In the place of the environment's Python: it says where its code lies, and copies its input to its output.
PYTHON = """#!/bin/sh
echo "from $PYTHONPATH"
cat in/1.txt > out/1.txt
exit $(cat in/1.txt)
"""


def setup_with(code):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("edgevision/__init__.py", code)
    software = Software(Code(f"{code}-key", stream.getvalue()), RequirementsWheel("w.whl", "k", b""))
    return Setup(software, {ModelFormat.ONNX}, ["cpu"])


@pytest.fixture
def store(local):
    """The folder of what is kept on the board, whose environment is prepared."""
    cache = Path(local.environment["HOME"], ".cache/edgevision")
    python = cache / "environments/cpu-k/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON)
    python.chmod(0o755)
    (cache / "environments/cpu-k/prepared").write_text(sys.version)
    return cache / "store"


@pytest.fixture
def run(local, store, tmp_path, caplog):
    """Run a job that gets ``content``, with ``code``: its result, its output here, and what was said of copying."""

    def run(content, code="1"):
        caplog.clear()
        outputs = {"out/1.txt": Output(tmp_path / "o", lambda path: None, "replace")}
        job = Job(("run",), {"in/1.txt": content}, ("in", "out"), outputs)
        with caplog.at_level("INFO", logger="edgevision"):
            result = run_job(Board(Session("local", local)), job, setup_with(code))
        return result, (tmp_path / "o").read_bytes(), [line for line in caplog.messages if "copying" in line]

    return run


def test_a_job_runs_with_its_code_and_its_output_comes_back(run, store):
    result, output, copied = run(b"0")
    assert (result.code, output, copied) == (0, b"0", ["local: copying 2 files, 0.0 MB"])
    assert result.output == f"from {store.parent / 'code/1-key'}\n"
    assert list((store.parent / "jobs").glob("*/")) == []


def test_only_what_the_board_lacks_is_copied(run):
    run(b"0")
    assert run(b"0")[2] == []
    assert run(b"0", code="2")[2] == ["local: copying 1 file, 0.0 MB"]
    assert run(b"0", code="1")[2] == []
    assert run(b" 0")[2] == ["local: copying 1 file, 0.0 MB"]


@pytest.mark.parametrize(("content", "kind"), [(b"1", EdgevisionError), (b"2", InputError), (b"3", DeviceError)])
def test_how_edgevision_ended_there_is_how_it_ends_here(run, content, kind):
    result, *_ = run(content)
    with pytest.raises(kind, match="local: ended with code") as caught:
        result.raise_for_code()
    assert type(caught.value) is kind
