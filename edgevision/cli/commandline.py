"""What every verb of the command line shares: lazy groups, quick parsing, option names, JSON output, interruption."""

import inspect
import json
import math
import os
import sys
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn, Union, get_args, get_origin, get_type_hints

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from edgevision.core.errors import InputError, PartialFailureError
from edgevision.core.interruption import Terminated, exit_code
from edgevision.core.number_text import LARGEST, positive_number, real_number, shortened, whole_number
from edgevision.core.printable import exact_json, one_line, printable
from edgevision.core.terminal import encodable, results, results_apart
from edgevision.data.hole_kinds import HoleKind

REPORT_SCHEMA_VERSION = 1

_LAST_CORE = 8191
"""The largest number that Linux gives a core."""

_MOST_THREADS = max(64, 4 * (os.cpu_count() or 1))
"""Beyond what a machine has they only wait for each other, for minutes where there are a thousand."""

_LARGEST_INPUT = 2**28
"""Values of an input, which are a gigabyte."""

ModelOption = Annotated[
    Path | None, typer.Option("--model", "-m", help="Model file (.onnx or .xml); without it the one that ships.")
]
DEVICE = typer.Option("--device", "-d", help="cpu, cuda, tensorrt, gpu, npu, auto, or exactly as openvino:npu.")
THREADS = typer.Option(
    "--threads", min=1, max=_MOST_THREADS, help="CPU threads; by default as many as there are cores."
)
"""The options themselves, for verbs that take several of each."""

DeviceOption = Annotated[str, DEVICE]
FallbackOption = Annotated[
    bool, typer.Option("--allow-fallback", help="Let the CPU do what the device cannot; without it that is an error.")
]
ThreadsOption = Annotated[int | None, THREADS]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
SigmaOption = Annotated[float, typer.Option(min=0, max=255, help="Noise added to pictures to denoise, of 255.")]
HolesOption = Annotated[HoleKind, typer.Option(help="What the holes to inpaint look like.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no remarks.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, max=LARGEST, help="Makes random choices repeatable.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite what exists.")]


class Verb(NamedTuple):
    """A command: ``target`` is ``module:function``, imported only when the verb is called."""

    target: str
    help: str


class VerbGroup(NamedTuple):
    """Commands under a common word."""

    verbs: Mapping[str, Verb]
    help: str


class LazyGroup(TyperGroup):
    """A group that knows the names and the help of its commands without importing any of them."""

    verbs: Mapping[str, Verb | VerbGroup] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _convert_plain_types(self)

    def get_help_option(self, ctx: Any) -> Any:
        return _quick_help(super().get_help_option(ctx))

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.verbs)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        verb = self.verbs.get(cmd_name)
        if verb is None:
            return None
        if isinstance(verb, VerbGroup):
            group = LazyGroup(name=cmd_name, help=verb.help, rich_markup_mode=None, no_args_is_help=True)
            group.verbs = verb.verbs
            return group
        module, function = verb.target.split(":")
        app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        app.command(cmd_name, cls=QuickCommand, no_args_is_help=False)(getattr(import_module(module), function))
        return typer.main.get_command(app)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.help) for name, verb in self.verbs.items()])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        # Typer takes its suggestions for a mistyped name from here.
        self.commands = dict.fromkeys(self.verbs)  # type: ignore[assignment]
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:  # while a verb's modules are imported
            end_interrupted(interrupt)


class QuickCommand(TyperCommand):
    """A Typer command that starts faster, keeps to ``--cores`` and ends in the right way when interrupted.

    Typer converts every value with pydantic, whose import takes longer than a small model's inference. Values of
    plain types are converted here instead; Typer still parses, and words every error but those of numbers.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _convert_plain_types(self)

    def get_help_option(self, ctx: Any) -> Any:
        return _quick_help(super().get_help_option(ctx))

    def invoke(self, ctx: Any) -> Any:
        cores = ctx.find_root().params.get("cores")
        if cores is not None:
            from edgevision.core.machine import keep_to_cores

            wanted = parse_cores(cores)
            # With --on they are those of a board.
            if not ctx.params.get("on"):
                keep_to_cores(wanted)
        try:
            with results_apart():
                return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            end_interrupted(interrupt)


def end_interrupted(interrupt: KeyboardInterrupt) -> NoReturn:
    """End the program as a shell expects of one that Ctrl-C or a signal ended."""
    echo("terminated" if isinstance(interrupt, Terminated) else "interrupted", err=True)
    sys.exit(exit_code(interrupt))


def _convert_plain_types(command: Any) -> None:
    """Take the conversion of plain types out of Typer's hands."""
    hints = get_type_hints(inspect.unwrap(command.callback)) if command.callback else {}
    for parameter in command.params:
        convert = _converter(hints.get(parameter.name or ""), parameter)
        if convert is not None and parameter.callback is None:
            # An attribute of the instance stands before the method of the class.
            parameter.process_value = partial(_process_value, parameter, parameter.process_value, convert)


def _quick_help(option: Any) -> Any:
    """The ``--help`` that every command has: Typer would import pydantic to learn that it was not given."""
    if option is not None:
        by_typer = type(option).process_value
        option.process_value = lambda ctx, value: by_typer(option, ctx, value) if value else None
    return option


def _process_value(
    parameter: Any, by_typer: Callable[..., Any], convert: Callable[[Any], Any], ctx: Any, value: Any
) -> Any:
    if value is None or value == ():
        return by_typer(ctx, value) if parameter.required else None
    try:
        return convert(value)
    except (TypeError, ValueError):
        return by_typer(ctx, value)


def _converter(hint: Any, parameter: Any) -> Callable[[Any], Any] | None:
    arguments = [a for a in get_args(hint) if a is not type(None)]
    if get_origin(hint) in (Union, types.UnionType) and len(arguments) == 1:
        return _converter(arguments[0], parameter)
    if get_origin(hint) is list:
        convert = _converter(arguments[0], parameter)
        return None if convert is None else lambda values: _convert_all(convert, values)
    if hint in (int, float):
        return partial(_number, hint, parameter)
    if hint in (str, Path) or (isinstance(hint, type) and issubclass(hint, Enum)):
        plain: Callable[[Any], Any] = hint
        return plain
    return None


def _number(kind: type, parameter: Any, value: Any) -> float:
    """The number of an option, within the bounds that it declares, or else those of 64 bits.

    Raises:
        typer.BadParameter: it is none, NaN, infinite or outside; the bounds are named.
    """
    info = parameter.type_descriptor.parameter_info
    low, high = info.min, info.max
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


def _convert_all(convert: Callable[[Any], Any], values: Iterable[Any]) -> list[Any]:
    if not values:
        raise ValueError("nothing given: Typer knows whether that is allowed")
    return [convert(value) for value in values]


def echo(text: object, *, err: bool = False, nl: bool = True) -> None:
    """Print for the user, safely whatever file the words come from: see :mod:`edgevision.core.terminal`."""
    stream = sys.stderr if err else results()
    if stream is None:  # closed by who started the program
        return
    stream.write(encodable(printable(str(text)), stream.encoding) + "\n" * nl)
    stream.flush()


def print_json(document: Mapping[str, Any]) -> None:
    """The one document of a ``--json`` call on standard output, ``schema_version`` first."""
    whole = _finite({"schema_version": REPORT_SCHEMA_VERSION} | dict(document))
    ascii_only = not (getattr(results(), "encoding", None) or "").lower().startswith("utf")
    echo(exact_json(whole, ascii_only=ascii_only, indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    """JSON has no infinity, as which the PSNR of equal pictures comes: ``null`` stands for it."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def end_with_failures(failures: Sequence[tuple[str, str]], total: int) -> None:
    """Name every (picture, message) that failed, and end with the exit code for it; nothing where none did.

    Raises:
        PartialFailureError: there were failures.
    """
    if failures and total == 1:
        raise PartialFailureError(failures[0][1])
    for _, message in failures:
        echo(f"failed: {one_line(message)}", err=True)
    if failures:
        raise PartialFailureError(f"{len(failures)} of {total} pictures failed, the others were done")


def json_object(text: str, option: str) -> dict[str, Any]:
    """The value of an option that takes a JSON object; :class:`InputError` names ``option`` where it is none."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{option} must be a JSON object, not {text!r}: {error}") from error
    if not isinstance(document, dict):
        raise InputError(f"{option} must be a JSON object, not {text!r}")
    return document


def parse_share(text: str, option: str) -> float:
    """``2%`` or ``0.02`` as 0.02; :class:`InputError` names ``option`` where it is not that."""
    try:
        share = real_number(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = math.nan
    if not 0 < share < 1:
        raise InputError(f"{option} is a share between 0 and 100 %, as 2%, not {shortened(text)}")
    return share


def parse_cores(text: str) -> set[int]:
    """``0-2,5`` as numbers; :class:`InputError` where it is not that."""
    cores: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        try:
            low, high = whole_number(first), whole_number(last if dash else first)
        except ValueError:
            low, high = -1, -1
        if not (0 <= low <= _LAST_CORE and 0 <= high <= _LAST_CORE):
            raise InputError(f"--cores is numbers from 0 to {_LAST_CORE} and ranges as 0-2,5, not {shortened(text)}")
        cores |= set(range(low, high + 1))
    if not cores:
        raise InputError(f"--cores names no core: {shortened(text)}")
    return cores


def parse_shape(text: str) -> tuple[int, ...]:
    """``1x3x224x224`` as numbers; :class:`InputError` where it is not that."""
    try:
        shape = tuple(positive_number(side, LARGEST) for side in text.lower().split("x"))
    except ValueError:
        shape = ()
    if not shape or math.prod(shape) > _LARGEST_INPUT:
        raise InputError(
            f"a shape is positive numbers joined by x, as 1x3x224x224, {_LARGEST_INPUT} values in all at most, not"
            f" {shortened(text)}"
        )
    return shape
