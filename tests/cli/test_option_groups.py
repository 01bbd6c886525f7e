"""Options declared as the fields of a dataclass."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import pytest
import typer
import typer.main

from edgevision.cli.option_groups import option_groups


@dataclass(frozen=True, kw_only=True)
class Paint:
    panel: ClassVar[str] = "Paint"

    colour: Annotated[str, typer.Option("--colour", "-c", help="What colour.")]
    coats: int = 2
    gloss: Annotated[bool, typer.Option("--gloss", rich_help_panel="Finish")] = False


@dataclass(frozen=True, kw_only=True)
class Brush:
    paint: str = "old"  # called like the group of the others
    width: float = 1.5


TAKEN: list[object] = []


@option_groups
def decorate(wall: str, speed: int = 3, *, paint: Paint, brush: Brush, quick: bool = False) -> None:
    """Paint a wall."""
    TAKEN[:] = [wall, speed, paint, brush, quick]


def command_of(function):
    app = typer.Typer(add_completion=False)
    app.command()(function)
    return typer.main.get_command(app)


def test_a_verb_receives_each_group_as_one_value():
    words = ["north", "--colour", "red", "--gloss", "--paint", "new", "--width", "2", "--quick"]
    command_of(decorate).main(words, standalone_mode=False)
    assert ["north", 3, Paint(colour="red", gloss=True), Brush(paint="new", width=2.0), True] == TAKEN
    command_of(decorate).main(["south", "-c", "blue", "--speed", "4"], standalone_mode=False)
    assert ["south", 4, Paint(colour="blue", coats=2), Brush(), False] == TAKEN


def test_a_group_is_a_panel_but_for_options_that_have_one_of_their_own():
    panels = {p.name: getattr(p, "rich_help_panel", None) for p in command_of(decorate).params}
    assert panels == {
        "wall": None,
        "speed": None,
        "colour": "Paint",
        "coats": "Paint",
        "gloss": "Finish",
        "paint": None,
        "width": None,
        "quick": None,
    }


def test_an_option_without_a_default_has_to_be_given(capsys):
    with pytest.raises(SystemExit) as ended:
        command_of(decorate).main(["north"])
    assert ended.value.code == 2
    assert "--colour" in capsys.readouterr().err


def test_two_options_of_one_name_are_refused_where_they_are_declared():
    def broken(colour: str, *, paint: Paint) -> None: ...

    with pytest.raises(ValueError, match="duplicate parameter name: 'colour'"):
        option_groups(broken)
