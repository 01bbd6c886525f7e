"""Options declared as the fields of a dataclass: a verb takes them as one value, and ``--help`` as one panel."""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import MISSING, fields, is_dataclass
from inspect import Parameter, Signature, get_annotations, signature
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
from typer.models import OptionInfo


def option_groups(function: Callable[..., None]) -> Callable[..., None]:
    """Decorate a verb so that it takes every field of its dataclasses as an option, in their place.

    A keyword-only parameter that is annotated with a dataclass receives one, made from its options. The class
    attribute ``panel`` of the dataclass is the heading that they stand under in ``--help``, but for those that have
    one of their own (``rich_help_panel``). What the dataclass adds to its base stands before what it inherits.

        @dataclass(frozen=True, kw_only=True)
        class Int8Options:
            panel: ClassVar[str] = "Int8"
            target: Annotated[str, typer.Option(help="The device.")] = "auto"

        @option_groups
        def export(checkpoint: Path, *, int8: Int8Options) -> None: ...
    """
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters: list[Parameter] = []
    for parameter in signature(function).parameters.values():
        if parameter.name in groups:
            parameters += _options(groups[parameter.name])
        else:
            parameters.append(parameter.replace(annotation=hints[parameter.name]))

    def command(**values: Any) -> None:
        # An option may be called like the group of another.
        taken = {
            name: declared(**{field.name: values.pop(field.name) for field in fields(declared)})
            for name, declared in groups.items()
        }
        function(**values, **taken)

    command.__name__, command.__doc__ = function.__name__, function.__doc__
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _options(declared: Any) -> Iterator[Parameter]:
    hints = get_type_hints(declared, include_extras=True)
    own = get_annotations(declared)
    for field in sorted(fields(declared), key=lambda field: field.name not in own):
        annotation = _in_panel(hints[field.name], getattr(declared, "panel", None))
        default = Parameter.empty if field.default is MISSING else field.default
        yield Parameter(field.name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _in_panel(hint: Any, panel: str | None) -> Any:
    plain, *declared = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    info = next((item for item in declared if isinstance(item, OptionInfo)), None) or typer.Option()
    if panel is not None and info.rich_help_panel is None:
        info = copy(info)
        info.rich_help_panel = panel
    return Annotated[plain, info]
