"""Options that several verbs have in common, declared once."""

from collections.abc import Callable
from dataclasses import fields
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints


def shared_options(declared: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a verb so that it takes every field of the dataclass ``declared`` as an option, after its own.

    The verb receives them as one value, its parameter ``options``.
    """
    hints = get_type_hints(declared, include_extras=True)
    shared = [
        Parameter(f.name, Parameter.KEYWORD_ONLY, default=f.default, annotation=hints[f.name]) for f in fields(declared)
    ]

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = [p for p in signature(function).parameters.values() if p.name != "options"]

        def command(**values: Any) -> None:
            options = declared(**{p.name: values.pop(p.name) for p in shared})
            function(**values, options=options)

        command.__name__, command.__doc__ = function.__name__, function.__doc__
        # Typer reads the first, what converts values quickly the second.
        command.__signature__ = Signature([*own, *shared])  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in (*own, *shared)}
        return command

    return decorate
