"""The shared parts of the command line, and its face."""

import errno
import inspect
import json
import logging
import os
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import get_type_hints

import pytest
import typer
import typer.main

from edgevision.cli import app as cli
from edgevision.cli.groups import Verb, VerbGroup
from edgevision.cli.output import echo, print_json
from edgevision.cli.values import json_object, parse_cores, parse_shape, parse_share
from edgevision.core.errors import DatasetError, DeviceError, EdgevisionError, InputError, MissingExtraError
from edgevision.core.installation import install_command
from edgevision.core.terminal import results, results_apart
from edgevision.runtime.tasks.generation.command import parse_seeds
from edgevision.runtime.tasks.restoration.command import parse_memory, parse_tile

APP = """
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from edgevision.cli.groups import VerbCommand
from edgevision.cli.output import echo


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def paint(
    name: str,
    count: int = 2,
    share: float = 0.5,
    colour: Colour = Colour.RED,
    where: Path | None = None,
    tag: Annotated[list[str] | None, typer.Option()] = None,
    mix: Annotated[list[Colour] | None, typer.Option()] = None,
    level: Annotated[int, typer.Option(min=1, max=9)] = 3,
    dark: bool = False,
) -> None:
    echo(repr([name, count, share, colour, where, tag, mix, dark]))
    echo(f"level {level}")
    echo("pydantic" in sys.modules)
    if name == "interrupt":
        raise KeyboardInterrupt


app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
app.command(cls=VerbCommand)(paint)
"""


@pytest.fixture
def paint(tmp_path: Path, run_python):
    def run(*arguments: str):
        script = tmp_path / "app.py"
        script.write_text(APP + "\napp()\n")
        return run_python(str(script), *arguments)

    return run


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["a"], "['a', 2, 0.5, <Colour.RED: 'red'>, None, {none}, {none}, False]"),
        (
            [
                "a",
                "--count",
                "7",
                "--share",
                "1e-3",
                "--colour",
                "blue",
                "--where",
                "x/y",
                "--tag",
                "p",
                "--tag",
                "q",
                "--mix",
                "blue",
                "--mix",
                "red",
                "--level",
                "9",
                "--dark",
            ],
            "['a', 7, 0.001, <Colour.BLUE: 'blue'>, PosixPath('x/y'), ['p', 'q'],"
            " [<Colour.BLUE: 'blue'>, <Colour.RED: 'red'>], True]",
        ),
        (["3", "--count", "-4", "--share", "2"], "['3', -4, 2.0, <Colour.RED: 'red'>, None, {none}, {none}, False]"),
    ],
)
def test_plain_values_are_converted_without_pydantic(paint, arguments: list[str], shown: str) -> None:
    done = paint(*arguments)
    assert done.returncode == 0, done.stderr
    values, _, pydantic = done.stdout.splitlines()
    assert values in (shown.format(none="None"), shown.format(none="[]"))
    assert pydantic == "False"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["a", "--count", "many"], "--count"),
        (["a", "--share", "half"], "--share"),
        (["a", "--colour", "green"], "--colour"),
        (["a", "--mix", "red", "--mix", "green"], "--mix"),
        (["a", "--level", "10"], "--level"),
        (["a", "--level", "x"], "--level"),
        (["a", "--cuont", "3"], "--cuont"),
        ([], "name"),
    ],
)
def test_a_wrong_value_is_typers_error_and_exit_code_2(paint, arguments: list[str], named: str) -> None:
    done = paint(*arguments)
    assert done.returncode == 2, done.stdout
    assert named in done.stderr.lower()
    assert "Usage:" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_interrupted_verb_ends_with_130(paint) -> None:
    done = paint("interrupt")
    assert done.returncode == 130
    assert done.stderr == "interrupted\n"


def verbs() -> dict[str, Verb]:
    flat: dict[str, Verb] = {}
    for name, verb in cli.VERBS.items():
        if isinstance(verb, VerbGroup):
            flat |= {f"{name} {word}": inner for word, inner in verb.verbs.items()}
        else:
            flat[name] = verb
    return flat


@pytest.mark.parametrize(("name", "verb"), verbs().items())
def test_every_verb_names_a_module_of_ours_and_a_function(name: str, verb: Verb) -> None:
    module, function = verb.target.split(":")
    assert module.split(".")[0] == "edgevision"
    assert all(part.isidentifier() for part in [*module.split("."), function])
    assert verb.help.endswith(".")


def number_options() -> list[tuple[str, str, bool]]:
    """Every option of every verb that is a number: its verb, its longest name, whether it is a whole one."""
    found = []
    for name, verb in verbs().items():
        module, function = verb.target.split(":")
        command = getattr(import_module(module), function)
        app = typer.Typer()
        app.command()(command)
        hints = get_type_hints(inspect.unwrap(command))
        for parameter in typer.main.get_command(app).params:
            kinds = re.findall(r"\b(?:int|float)\b", str(hints.get(parameter.name)))
            if kinds:
                found.append((name, max(parameter.opts, key=len), kinds[0] == "int"))
    return found


@pytest.mark.parametrize("text", ["9" * 5000, f"-{'9' * 500}", "nan", "-inf", "1e400", "٣", "1_0", "", "0x10", "²"])
def test_no_number_that_cannot_be_meant_is_taken_by_any_option(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = number_options()
    assert len(options) > 60
    for verb, option, is_whole in options:
        with pytest.raises(SystemExit) as ended:
            cli.main([*verb.split(), f"{option}={text}"])
        out, err = capsys.readouterr()
        assert (ended.value.code, out) == (2, ""), (verb, option)
        assert f"'{option}'" in err, (verb, option, err)
        assert " is not a whole number from " in err if is_whole else " is not a number" in err, (verb, option, err)


@pytest.mark.parametrize(
    ("parse", "texts"),
    [
        (parse_cores, ["9" * 5000, "0-99999999999", "8192", "٣", "-1", "1-", "5-2", ""]),
        (parse_shape, ["9" * 5000, "1x3x99999999x99999999", "1x٣", "1x-3", "1x0", "1x+3", "1x 3", ""]),
        (lambda text: parse_share(text, "--precision"), ["9" * 5000, "nan", "٢%", "inf%", "1_0%", "100%", "0"]),
        (parse_memory, [f"{'9' * 500}GB", "9" * 5000, "0", "0.1", "nanGB", "-1GB", "٣GB", "1025GB", "1e9"]),
        (parse_tile, ["9" * 5000, "0", "-1", "٣", "65537", "1e3", "nan"]),
        (parse_seeds, ["9" * 5000 + ":1", "٣:1", "-1:2", "1", "1:2:3"]),
    ],
)
def test_numbers_in_words_are_refused_in_one_line_too(parse: Callable[[str], object], texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(InputError) as refused:
            parse(text)
        assert len(str(refused.value)) < 250


HEAVY = ("torch", "onnxruntime", "openvino", "onnx", "numpy", "PIL", "lightning", "pydantic", "rich")


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["run", "--help"], ["--version"], ["trian"]])
def test_help_is_shown_without_a_verbs_modules(run_python, arguments: list[str]) -> None:
    script = f"""
import sys
from edgevision.cli.app import main
try:
    main({arguments!r})
finally:
    print([name for name in {HEAVY!r} if name in sys.modules])
    print([name for name in sys.modules if name.startswith(("edgevision.runtime", "edgevision.training"))])
"""
    done = run_python("-c", script)
    assert done.stdout.splitlines()[-2:] == ["[]", "[]"], done.stdout + done.stderr


def test_help_lists_every_verb_with_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    for name, verb in cli.VERBS.items():
        assert f"{name} {verb.help}" in shown


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (["trian"], "Did you mean 'edgevision train'?"),
        (["train", "clasify"], "Did you mean 'edgevision train classify'?"),
        (["bnech"], "'edgevision bench'"),
        (["upscale"], "Did you mean 'edgevision run upscale'?"),
        (["inpant", "a.png", "mask.png"], "Did you mean 'edgevision run inpaint'"),
        (["clasify"], "'edgevision train classify', 'edgevision run classify'?"),
        (["run", "evaluate"], "Did you mean 'edgevision evaluate'?"),
    ],
)
def test_a_mistyped_verb_gets_a_suggestion(
    arguments: list[str], suggestion: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert suggestion in err


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    import edgevision

    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"edgevision {edgevision.__version__}\n"


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch):
    """Make ``edgevision fail`` raise the given error."""

    def install(error: BaseException) -> None:
        class Failing:
            def get_command(self, app: object) -> "Failing":
                return self

            def main(self, arguments: list[str], prog_name: str) -> None:
                raise error

        monkeypatch.setattr(cli.typer, "main", Failing())

    return install


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EdgevisionError("no"), 1),
        (InputError("no"), 2),
        (DatasetError("no"), 2),
        (DeviceError("no"), 3),
        (MissingExtraError("onnxruntime", "cpu"), 3),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("no"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_error_has_its_exit_code_and_no_traceback(
    failing, error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(error)
    with pytest.raises(SystemExit) as ended:
        cli.main(["fail"])
    assert ended.value.code == code
    out, err = capsys.readouterr()
    assert out == ""
    assert str(error) in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (MemoryError(), 1, "more memory than there is"),
        (RecursionError("maximum recursion depth exceeded"), 2, "nested too deeply"),
        (
            OSError(errno.ENAMETOOLONG, "File name too long", "xxx.onnx"),
            2,
            "'xxx.onnx' cannot be used: File name too long",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "a/b"), 2, "'a/b' cannot be used: Permission denied"),
        (OSError(errno.EIO, "Input/output error"), 2, "failed: Input/output error"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "no space left"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), 2, "not in the encoding"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_the_system_or_the_input_is_to_blame_for_is_a_sentence_wherever_it_comes_up(
    failing, error: Exception, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(error)
    with pytest.raises(SystemExit) as ended:
        cli.main(["fail"])
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (code, "")
    assert words in err
    assert "fault" not in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("error", [InputError("no"), ZeroDivisionError("no")], ids=repr)
def test_debug_shows_where(failing, error: Exception) -> None:
    failing(error)
    with pytest.raises(type(error)):
        cli.main(["fail", "--debug"])


def test_a_missing_extra_says_how_to_install_it() -> None:
    assert install_command("cpu") in str(MissingExtraError("onnxruntime", "cpu"))


def test_json_output_is_one_document_with_its_version_first(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "Käfer", "ms": 1.5})
    document = json.loads(capsys.readouterr().out)
    assert list(document.items()) == [("schema_version", 1), ("name", "Käfer"), ("ms", 1.5)]


def test_json_output_has_null_where_a_figure_is_not_finite(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"psnr": float("inf"), "each": [{"sqnr": float("-inf")}, 3.5], "name": "nan"})

    def refuse(constant: str) -> float:
        raise ValueError(f"{constant} is no JSON")

    document = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert document == {"schema_version": 1, "psnr": None, "each": [{"sqnr": None}, 3.5], "name": "nan"}


def test_an_option_that_takes_an_object_says_so() -> None:
    assert json_object('{"shortcut": "B"}', "--model-options") == {"shortcut": "B"}
    for text in ("[1]", "{", "B", ""):
        with pytest.raises(InputError, match="--model-options must be a JSON object"):
            json_object(text, "--model-options")


@pytest.mark.parametrize(("text", "cores"), [("0", {0}), ("0-2,5", {0, 1, 2, 5}), ("4,6", {4, 6}), ("1-1", {1})])
def test_cores_are_numbers_and_ranges(text, cores):
    assert parse_cores(text) == cores


@pytest.mark.parametrize("text", ["", "a", "0-", "-1", "0,,1", "2-1", "1.5", "٣"])
def test_what_names_no_cores_is_refused(text):
    with pytest.raises(InputError, match="--cores"):
        parse_cores(text)


def test_every_verb_keeps_to_the_cores_that_are_named(run_python):
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system cannot keep a process to some cores")
    core = min(os.sched_getaffinity(0))
    for line in (["--cores", str(core), "devices", "--json"], ["devices", "--json", f"--cores={core}"]):
        done = run_python("-m", "edgevision", *line)
        assert done.returncode == 0
        assert json.loads(done.stdout)["machine"]["cores"] == 1
    for line in (["--cores", "4000", "devices"], ["run", "classify", "no.png", "--cores", "4000"]):
        done = run_python("-m", "edgevision", *line)
        assert done.returncode == 2
        assert "there is no core 4000" in done.stderr


def test_a_picture_may_be_called_like_the_option_for_cores(run_python):
    done = run_python("-m", "edgevision", "run", "classify", "--", "--cores", "4000")
    assert done.returncode == 1
    assert "--cores" in done.stderr
    assert "no core" not in done.stderr


def test_threads_that_are_there_already_keep_to_the_cores(run_python):
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system cannot keep a process to some cores")
    core = min(os.sched_getaffinity(0))
    done = run_python(
        "-c",
        "import os, threading, edgevision.core.machine\n"
        "release = threading.Event()\n"
        "thread = threading.Thread(target=release.wait)\n"
        "thread.start()\n"
        f"edgevision.core.machine.keep_to_cores({{{core}}})\n"
        "print(os.sched_getaffinity(thread.native_id))\n"
        "release.set()",
    )
    assert done.stdout == f"{{{core}}}\n"


def test_a_module_of_the_current_folder_stands_in_for_no_installed_one(run_python, tmp_path):
    for name in ("typer", "numpy", "logging"):
        (tmp_path / f"{name}.py").write_text(f"print({name!r})\n")
    done = run_python("-m", "edgevision", "devices", "--json", cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["schema_version"] == 1


LOUD = """
import atexit, ctypes, os, subprocess, sys, threading
from edgevision.cli.output import echo, print_json
from edgevision.core.terminal import guarded_streams, results_apart

def speak():
    print("print")
    os.write(1, b"write\\n")
    sys.__stdout__.write("stream\\n")
    ctypes.CDLL(None).puts(b"puts")
    subprocess.run([sys.executable, "-c", "print('child')"], check=True)

atexit.register(speak)
with guarded_streams(), results_apart():
    speak()
    print_json({"answer": 42})
    threading.Thread(target=speak).start()
    speak()
"""


def test_what_a_network_prints_does_not_mix_with_the_results(run_python):
    done = run_python("-c", LOUD)
    assert json.loads(done.stdout) == {"schema_version": 1, "answer": 42}
    assert [done.stderr.count(word) for word in ("print", "write", "stream", "puts", "child")] == [4] * 5


def test_results_go_nowhere_where_standard_output_is_closed(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    with results_apart():
        echo("a result")
        assert results() is None
    assert capsys.readouterr() == ("", "")


def test_after_a_command_nothing_is_logged_to_its_standard_error(edgevision):
    logger = logging.getLogger("edgevision")
    before = logger.handlers[:], logger.level
    code, _, _ = edgevision("devices", "--json")
    assert code == 0
    assert (logger.handlers, logger.level) == before
