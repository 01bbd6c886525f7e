"""Values of plain types, converted without pydantic."""

from pathlib import Path

import pytest

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
