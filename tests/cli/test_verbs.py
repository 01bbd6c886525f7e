"""What holds for every verb: its help, its examples, its options."""

import inspect
import re
import shlex
from collections.abc import Callable
from importlib import import_module
from typing import Any, get_type_hints

import pytest
import typer
import typer.main

from edgevision.cli import app as cli
from edgevision.cli.groups import Verb, VerbGroup


def verbs() -> dict[str, Verb]:
    flat: dict[str, Verb] = {}
    for name, verb in cli.VERBS.items():
        if isinstance(verb, VerbGroup):
            flat |= {f"{name} {word}": inner for word, inner in verb.verbs.items()}
        else:
            flat[name] = verb
    return flat


def context_of(name: str) -> Any:
    """The context of a verb without arguments, as its help is made in."""
    command: Any = typer.main.get_command(cli.app)
    context = command.make_context("edgevision", [name], resilient_parsing=True)
    for word in name.split():
        command = context.command.get_command(context, word)
        context = command.make_context(word, [], parent=context, resilient_parsing=True)
    return context


EVERY_VERB = pytest.mark.parametrize("name", verbs())


@pytest.mark.parametrize(("name", "verb"), verbs().items())
def test_every_verb_names_a_module_of_ours_and_a_function(name: str, verb: Verb) -> None:
    module, function = verb.target.split(":")
    assert module.split(".")[0] == "edgevision"
    assert all(part.isidentifier() for part in [*module.split("."), function])
    assert verb.help.endswith(".")


@pytest.mark.parametrize("name", [name for name in verbs() if name.startswith("train ")])
def test_every_training_says_how_long_it_takes(name: str) -> None:
    said = " ".join(context_of(name).command.get_help(context_of(name)).split())
    assert re.search(r"took [\d.]+ (minutes|hours)|[Ee]xpect seconds|How long it takes", said.partition("Examples:")[0])


def test_compression_says_on_both_sides_what_it_is_bad_at() -> None:
    for name in ("run compress", "run decompress"):
        assert "faint pattern" in " ".join(context_of(name).command.get_help(context_of(name)).split())


@EVERY_VERB
def test_help_has_all_options_with_a_text_and_those_that_stand_alone_last(name: str) -> None:
    context = context_of(name)
    shown = context.command.get_help(context)
    assert "list[" not in shown
    assert "\nExamples:\n" in shown
    for parameter in context.command.get_params(context):
        assert parameter.help, (name, parameter.name)
        for option in parameter.opts if parameter.param_type_name == "option" else ():
            assert re.search(rf"^  (-\w, )?{option}\b", shown, re.MULTILINE) or option == "-h", (name, option)
    headings = re.findall(r"^(\w[^:\n]*):$", shown, re.MULTILINE)
    assert len(headings) == len(set(headings))
    assert headings[-2:] == ["Options", "Examples"]
    assert set(headings[:-2]) - {"Arguments"}, "no panel"


@EVERY_VERB
def test_the_examples_of_a_verb_are_commands_that_it_takes(name: str) -> None:
    context = context_of(name)
    examples = context.command.epilog.strip().splitlines()
    assert examples
    for line in examples:
        words = shlex.split(line)
        assert words[: 1 + len(name.split())] == ["edgevision", *name.split()], line
        command = context_of(name).command
        made = command.make_context(name, words[1 + len(name.split()) :])  # raises for what it does not take
        assert made.args == []


@pytest.mark.parametrize("columns", [60, 100, 170])
def test_help_is_as_wide_as_the_terminal(run_python: Any, columns: int) -> None:
    script = f"""
import os
os.environ["COLUMNS"] = "{columns}"
from edgevision.cli.app import main
main(["evaluate", "-h"])
"""
    lines = run_python("-c", script).stdout.split("Examples:")[0].splitlines()
    assert columns - 15 < max(map(len, lines)) <= columns


@pytest.mark.parametrize("words", [["-h"], ["run", "-h"], ["bench", "-h"]])
def test_help_has_a_short_name(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 0
    assert "Usage: edgevision" in capsys.readouterr().out


def test_the_networks_in_the_help_of_a_training_are_those_there_are(need: Callable[[str], None]) -> None:
    need("torch")
    registry = import_module("edgevision.models")
    for verb, names in (
        ("classify", "CLASSIFIERS"),
        ("sequence", "SEQUENCE_NETWORKS"),
        ("gan", "GENERATORS"),
        ("vae", "AUTOENCODERS"),
    ):
        (option,) = (p for p in context_of(f"train {verb}").command.params if p.name == "model")
        assert re.findall(r"\w+", option.help.replace(" or ", " ")) == list(getattr(registry, names))


def test_the_kinds_of_restoration_are_those_that_have_defaults() -> None:
    from edgevision.training.settings import RESTORATION_DEFAULTS

    parameters = {p.name: p for p in context_of("train restore").command.params}
    assert list(parameters["kind"].type_descriptor.choices) == [str(kind) for kind in RESTORATION_DEFAULTS]
    assert parameters["crop"].show_default == "96 to inpaint, colorize; 64 to denoise, upscale; 256 to brighten"
    assert (
        parameters["loss"].show_default == "psnr=1 to inpaint; l1=1 to denoise, upscale, brighten; colors=1 to colorize"
    )


@pytest.mark.parametrize(
    "words",
    [["classify", "--data", "."], ["gan", "--data", "none"], ["restore", "--kind", "denoise", "--data", "none"]],
)
def test_what_is_wrong_with_the_data_of_a_training_is_said_before_torch_is_imported(
    run_python: Any, tmp_path: Any, words: list[str]
) -> None:
    (tmp_path / "a.png").touch()
    script = f"""
import sys
from edgevision.cli.app import main
try:
    main(["train", *{words!r}])
finally:
    print([name for name in ("torch", "lightning") if name in sys.modules], file=sys.stderr)
"""
    done = run_python("-c", script, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    error, heavy = done.stderr.splitlines()
    assert "0 class folders; a classifier needs two or more" in error or "'none' does not exist" in error
    assert heavy == "[]"


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
