"""From a verb's values back to the words of a command line."""

from collections.abc import Mapping, Sequence
from inspect import Parameter
from typing import Any, get_args

from typer.models import ArgumentInfo, OptionInfo


def command_words(parameters: Sequence[Parameter], values: Mapping[str, Any]) -> list[str]:
    """The words that give ``parameters``, declared for Typer, their ``values``; defaults are left out."""
    options: list[str] = []
    arguments: list[str] = []
    for parameter in parameters:
        value = values[parameter.name]
        info = next((i for i in get_args(parameter.annotation) if isinstance(i, ArgumentInfo | OptionInfo)), None)
        if isinstance(info, ArgumentInfo):
            arguments += [str(word) for word in (value if isinstance(value, list | tuple) else [value])]
        elif value != parameter.default and value is not None:
            options += _option(_names(parameter, info), value)
    return [*options, "--", *arguments] if arguments else options


def _names(parameter: Parameter, info: OptionInfo | None) -> tuple[str, str]:
    """The option's long name, and the one that says no, for a flag."""
    # Inside Annotated, Typer keeps the first name where its default would be.
    words = [info.default, *(info.param_decls or ())] if info else []
    declared = [word for word in words if isinstance(word, str) and word.startswith("--")]
    yes, _, no = (declared[0] if declared else f"--{parameter.name.replace('_', '-')}").partition("/")
    return yes, no or f"--no-{yes.removeprefix('--')}"


def _option(names: tuple[str, str], value: Any) -> list[str]:
    if isinstance(value, bool):
        return [names[0] if value else names[1]]
    return [f"{names[0]}={item}" for item in (value if isinstance(value, list | tuple) else [value])]
