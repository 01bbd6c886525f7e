"""The options of a request: those of the task's verb, read where the command line reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from inspect import Parameter, signature
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from typer.models import OptionInfo

from edgevision.cli.numbers import real_number, whole_number
from edgevision.core.errors import InputError
from edgevision.core.lazy_objects import load_object
from edgevision.core.printable import shortened
from edgevision.runtime.tasks.served import ServedTask

_TYPES = {int: "integer", float: "number", bool: "boolean"}
_TRUE, _FALSE = ("true", "1", "on", "yes"), ("false", "0", "off", "no")


@dataclass(frozen=True, kw_only=True)
class DeclaredOption:
    """One option.

    Attributes:
        parameter: of the verb's function.
        name: of the form's field, which is the command line's without its dashes, as ``min-score``.
        kind: int, float, bool, str, or a closed set.
        several: whether it may be given more than once.
        default: its value where it is not given.
        minimum, maximum: of numbers; ``None`` without.
        help: what the command line says of it.
        shown_default: what ``None`` stands for; empty where nothing is said.
        form: how a text is written, as ``A:B``; empty where anything may be.
    """

    parameter: str
    name: str
    kind: type
    several: bool
    default: Any
    minimum: float | None
    maximum: float | None
    help: str
    shown_default: str
    form: str

    @property
    def type_name(self) -> str:
        """As in JSON's schemas."""
        return "array" if self.several else _TYPES.get(self.kind, "string")

    @property
    def choices(self) -> list[str] | None:
        """The values of a closed set."""
        return [str(item.value) for item in self.kind] if issubclass(self.kind, Enum) else None

    def parse(self, texts: Sequence[str]) -> Any:
        """The value of what a form says; :class:`InputError` where the option cannot be that."""
        if self.several:
            return [self._parse(text) for text in texts]
        if len(texts) > 1:
            raise InputError(f"{self.name} is given {len(texts)} times, and one value is taken")
        return self._parse(texts[0])

    def _parse(self, text: str) -> Any:
        if self.kind is bool:
            if text.lower() not in (*_TRUE, *_FALSE):
                raise InputError(f"{self.name} is true or false, not {shortened(text)}")
            return text.lower() in _TRUE
        if issubclass(self.kind, Enum):
            if text not in (self.choices or ()):
                raise InputError(f"{self.name} is one of {', '.join(self.choices or ())}, not {shortened(text)}")
            return self.kind(text)
        if self.kind is str:
            return text
        return self._number(text)

    def _number(self, text: str) -> int | float:
        low, high = self.minimum, self.maximum
        try:
            number = whole_number(text) if self.kind is int else real_number(text)
        except ValueError:
            what = "a whole number" if self.kind is int else "a number"
            raise InputError(f"{self.name} is {what}, not {shortened(text)}") from None
        if (low is not None and number < low) or (high is not None and number > high):
            limits = [f"{word} {limit:g}" for word, limit in (("from", low), ("up to", high)) if limit is not None]
            raise InputError(f"{self.name} is a number {' '.join(limits)}, not {shortened(text)}")
        return number

    def to_dict(self) -> dict[str, Any]:
        """What ``/v1/tasks`` says of it."""
        return {
            "name": self.name,
            "type": self.type_name,
            "default": list(self.default) if self.several else self.default,
            "shown_default": self.shown_default,
            "form": self.form,
            "choices": self.choices,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "help": self.help,
        }


def declared_options(command: str, served: ServedTask) -> dict[str, DeclaredOption]:
    """The options of the verb ``command``, as ``"module:function"``, that a request may give, by their names."""
    parameters = signature(load_object(command)).parameters
    declared = [_declared(parameters[name], served.maximum.get(name)) for name in served.options]
    return {option.name: option for option in declared}


def option_values(options: Mapping[str, DeclaredOption], given: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The value of every option by its parameter; :class:`InputError` for one that is not known, or cannot be so."""
    for name in given:
        if name not in options:
            raise InputError(f"there is no option {shortened(name)} here; there are {', '.join(options) or 'none'}")
    return {
        option.parameter: option.parse(given[name]) if name in given else option.default
        for name, option in options.items()
    }


def _declared(parameter: Parameter, maximum: float | None) -> DeclaredOption:
    hint, *rest = get_args(parameter.annotation)
    info = next(item for item in rest if isinstance(item, OptionInfo))
    if get_origin(hint) in (Union, UnionType):
        hint = next(part for part in get_args(hint) if part is not NoneType)
    several = get_origin(hint) is list
    # In an annotation typer has the first name in place of the default.
    names = (info.default, *(info.param_decls or ()))
    named = next((name for name in names if isinstance(name, str) and name.startswith("--")), parameter.name)
    return DeclaredOption(
        parameter=parameter.name,
        name=named.lstrip("-").replace("_", "-"),
        kind=get_args(hint)[0] if several else hint,
        several=several,
        default=parameter.default,
        minimum=info.min,
        maximum=info.max if maximum is None else maximum,
        help=info.help or "",
        shown_default=info.show_default if isinstance(info.show_default, str) else "",
        form=info.metavar or "",
    )
