"""What is changed in Typer so that the program starts fast; nothing else of Typer is touched, and nowhere else.

- Typer converts every value with pydantic, even one that was not given, and its import takes longer than a small
  model's inference. Values of plain types are converted here, with the errors that belong to it; Typer still parses.
- Completion renders the help of each candidate as Rich markup, which takes longer than all the rest of it and loses
  what stands in brackets, though no help here is written in markup.
"""

from collections.abc import Mapping
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer

from edgevision.cli.numbers import LARGEST, real_number, whole_number
from edgevision.core.printable import shortened


class QuickStart:
    """Mixed into a Typer command or group, before it: its parameters convert plain values by themselves."""

    def get_params(self, ctx: Any) -> list[Any]:
        parameters: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for parameter in parameters:
            if parameter._runtime_param is None:
                parameter._runtime_param = _Conversion(parameter)
        return parameters


def plain_completion() -> None:
    """Show the help of what could be completed as it stands."""
    import typer._completion_classes

    typer._completion_classes._sanitize_help_text = lambda text: text


class _Conversion:
    """Stands where Typer keeps its conversion of a parameter's values, which is built only when it is needed."""

    def __init__(self, parameter: Any) -> None:
        self._convert = _converter(parameter.type_descriptor.annotation, parameter)

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        if value is None or value == ():
            return () if param.multiple or param.nargs == -1 else None
        if self._convert is not None:
            try:
                return self._convert(value)
            except (TypeError, ValueError):  # Typer says what it should have been
                pass
        from typer._coercion import build_runtime_param

        return build_runtime_param(param.type_descriptor).coerce(value, param=param, ctx=ctx)


def _converter(kind: Any, parameter: Any) -> Any:
    """A function from text, or a default, to its value, which raises ``ValueError``; ``None`` where Typer has to."""
    if get_origin(kind) is list:
        convert = _converter(get_args(kind)[0], parameter)
        return None if convert is None else lambda values: [convert(value) for value in values]
    if get_origin(kind) is Literal:
        return partial(_choice, {str(value): value for value in get_args(kind)}, parameter)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return partial(_choice, {str(member.value): member for member in kind}, parameter)
    if kind in (int, float):
        return partial(_number, kind, parameter)
    return kind if kind in (str, Path) else None


def _choice(choices: Mapping[str, Any], parameter: Any, value: Any) -> Any:
    if value not in choices:
        raise typer.BadParameter(
            f"{shortened(str(value))} is not one of {', '.join(map(repr, choices))}.", param=parameter
        )
    return choices[value]


def _number(kind: type, parameter: Any, value: Any) -> float:
    """The number of an option, within the bounds that it declares, or else those of 64 bits.

    Raises:
        typer.BadParameter: it is none, NaN, infinite or outside; the bounds are named.
    """
    low, high = parameter.min, parameter.max
    if kind is int:
        low, high = -LARGEST if low is None else low, LARGEST if high is None else high
    try:
        number = (whole_number if kind is int else real_number)(value) if isinstance(value, str) else kind(value)
        inside = (low is None or number >= low) and (high is None or number <= high)
    except ValueError:
        inside = False
    if inside:
        return number
    bounds = f" of at least {low}" * (low is not None) if high is None else f" from {low} to {high}"
    what = "whole number" if kind is int else "number"
    raise typer.BadParameter(f"{shortened(str(value))} is not a {what}{bounds}.", param=parameter)
