"""Any verb takes ``--on`` by saying, beside itself, what its values mean for a board."""

import inspect
import json
from importlib import import_module
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from edgevision.cli.app import VERBS
from edgevision.cli.groups import VerbGroup
from edgevision.cli.options import JsonOption
from edgevision.core.errors import ImageError, InputError
from edgevision.runtime.files.inputs import PictureInput
from edgevision.runtime.remote import dispatch
from edgevision.runtime.remote.job import Fetched
from edgevision.runtime.remote.on_boards import on_boards
from edgevision.runtime.remote.run_job import JobResult, run_on_each

# --- a verb of a toy task: it counts the words of texts, and writes the sum to a file


def count_files(command):
    """What the toy's values mean for a board."""
    texts = enumerate(command.given["texts"], start=1)
    command.values["texts"] = [command.send_file("text", number, PictureInput(str(t), t)) for number, t in texts]
    command.values["output"] = Path(command.fetch("sum/all.txt", command.given["output"], _check_number, "replace"))
    command.read_document = _read_document


def _check_number(path):
    if not path.read_text().isdigit():
        raise ImageError("it is no number")


def _read_document(document, fetched):
    if document.keys() != {"words"}:
        raise ValueError("it says more")
    return document


@on_boards("run count", f"{__name__}:count_files")
def count(
    texts: Annotated[list[Path], typer.Argument()],
    output: Annotated[Path, typer.Option("--output", "-o")],
    as_json: JsonOption = False,
) -> None:
    """Count words."""
    output.write_text("0")


# --- and what becomes of it


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """Run the toy's command line: the jobs that boards got, and the result. A board sends ``content`` as the file."""
    jobs = []

    def run(*words, content="3"):
        def run_job(board, job, setup):
            jobs.append(job)
            for output in job.outputs.values():
                (tmp_path / "sent").write_text(content)
                output.check(tmp_path / "sent")
            fetched = Fetched(frozenset(job.outputs), {})
            return JobResult(board.host, 0, json.dumps({"words": "text/00001.txt"}), "", fetched)

        monkeypatch.setattr(dispatch, "run_job", run_job)
        app = typer.Typer()
        app.command()(count)
        return jobs, CliRunner().invoke(app, [str(word) for word in words])

    return run


def test_a_toy_task_is_packed_for_a_board_by_what_stands_beside_it(toy, tmp_path):
    text = tmp_path / "my words.txt"
    text.write_text("one two three")
    [job], result = toy(text, "-o", tmp_path / "sum.txt", "--json", "--on", "pi")
    assert result.exit_code == 0, result.output
    assert job.arguments == ("run", "count", "--output=sum/all.txt", "--json", "--", "text/00001.txt")
    assert (dict(job.inputs), job.folders) == ({"text/00001.txt": text}, ("sum", "text"))
    assert {name: output.target for name, output in job.outputs.items()} == {"sum/all.txt": tmp_path / "sum.txt"}
    assert json.loads(result.stdout) == {"schema_version": 1, "host": "pi", "words": str(text)}


def test_what_fails_the_toys_check_is_not_taken(toy, tmp_path):
    (tmp_path / "t.txt").touch()
    _, result = toy(tmp_path / "t.txt", "-o", tmp_path / "sum.txt", "--on", "pi", content="many")
    assert isinstance(result.exception, ImageError)


def test_without_a_board_the_verb_runs_here(toy, tmp_path):
    (tmp_path / "t.txt").touch()
    words = (tmp_path / "t.txt", "-o", tmp_path / "sum.txt")
    jobs, result = toy(*words)
    assert (jobs, result.exit_code, (tmp_path / "sum.txt").read_text()) == ([], 0, "0")
    _, refused = toy(*words, "--wheelhouse", tmp_path)
    assert isinstance(refused.exception, InputError)


def test_a_board_is_named_once():
    with pytest.raises(InputError, match="each board once"):
        run_on_each(["pi", "pi"], lambda board: None)


def test_every_verb_with_on_says_what_its_values_mean_for_a_board():
    verbs = {}
    for name, entry in VERBS.items():
        inner = entry.verbs if isinstance(entry, VerbGroup) else {None: entry}
        verbs |= {f"{name} {n}" if n else name: e.target for n, e in inner.items()}
    taking = {}
    for name, target in verbs.items():
        module, function = target.split(":")
        if not module.startswith("edgevision.runtime."):
            continue  # of which a board gets no code
        verb = getattr(import_module(module), function)
        if "on" in inspect.signature(verb).parameters:
            taking[name] = inspect.getclosurevars(verb).nonlocals
    assert {"bench", "devices", "run classify"} <= taking.keys()
    assert all(declared["verb"] == name for name, declared in taking.items())
    for target in (declared[key] for declared in taking.values() for key in ("files", "dispatch")):
        module, function = target.split(":")
        assert callable(getattr(import_module(module), function))
