"""Frozen dataclasses that go to JSON and back without losing what they do not know.

A :class:`Record` crosses a border: into a model file, a report, another machine. Decoding checks every type and names
the field that is wrong; keys the program does not know are kept in ``extra`` and written out again, so that a file
made by a later release of the same schema survives a round trip through this one.
"""

import types
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from functools import cache
from typing import Any, Self, TypeVar, Union, dataclass_transform, get_args, get_origin, get_type_hints

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """Make a subclass of :class:`Record` a frozen, keyword-only dataclass.

    Comparison and text come from :class:`Record` instead of being generated for each class, which halves the time that
    defining one takes; the command line defines a dozen before it does anything.
    """
    return dataclass(frozen=True, kw_only=True, eq=False, repr=False)(cls)


@record
class Record:
    """Base of all records. ``extra`` holds the keys of the document that this release does not know."""

    extra: Mapping[str, Any] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record) or type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, f.name) == getattr(other, f.name) for f in fields(self))

    __hash__ = None  # type: ignore[assignment]  # mappings among the fields have none either

    def __repr__(self) -> str:
        values = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self))
        return f"{type(self).__name__}({values})"

    def updated(self, **changes: Any) -> Self:
        """A copy with ``changes`` applied, as :func:`dataclasses.replace`."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, optional fields that are ``None`` or empty left out, unknown keys included."""
        document = {
            f.name: _encode(value)
            for f in fields(self)
            if f.name != "extra" and ((value := getattr(self, f.name)) not in (None, (), {}) or _is_required(f))
        }
        return document | dict(self.extra)

    @classmethod
    def from_dict(cls, document: object, path: str = "") -> Self:
        """Build from JSON values.

        Raises:
            ValueError: a field is missing or of the wrong type; the message names it by its path from ``path``.
        """
        where = path or cls.__name__
        if not isinstance(document, Mapping):
            raise ValueError(f"{where} must be an object, not {document!r:.60}")
        hints = _type_hints(cls)  # type: ignore[arg-type]  # a class is hashable
        known = {key: value for key, value in document.items() if key in hints and key != "extra"}
        values = {key: _decode(hints[key], value, f"{where}.{key}") for key, value in known.items()}
        extra = {key: value for key, value in document.items() if key not in known}
        try:
            return cls(**values, extra=extra)
        except TypeError:
            required = [f.name for f in fields(cls) if f.name not in values and _is_required(f)]
            raise ValueError(f"{where} lacks {', '.join(required)}") from None


@cache
def _type_hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def _is_required(f: Any) -> bool:
    return repr(f.default) == repr(f.default_factory)  # both are the MISSING sentinel


def _encode(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: _encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_encode(item) for item in value]
    return value


def _decode(hint: Any, value: Any, path: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (types.UnionType, Union):
        return _decode_union(arguments, value, path)
    if origin is tuple and isinstance(value, list | tuple):
        if arguments[-1] is Ellipsis:
            return tuple(_decode(arguments[0], item, f"{path}[{i}]") for i, item in enumerate(value))
        if len(value) == len(arguments):
            return tuple(_decode(a, v, f"{path}[{i}]") for i, (a, v) in enumerate(zip(arguments, value, strict=True)))
    elif origin in (dict, Mapping) and isinstance(value, Mapping):
        return {key: _decode(arguments[1], item, f"{path}.{key}") for key, item in value.items()}
    elif isinstance(hint, type) and issubclass(hint, Record):
        return hint.from_dict(value, path)
    elif isinstance(hint, type) and issubclass(hint, Enum):
        try:
            return hint(value)
        except ValueError:
            known = ", ".join(str(member.value) for member in hint)
            raise ValueError(f"{path} must be one of {known}, not {value!r}") from None
    elif hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    elif isinstance(hint, type) and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise ValueError(f"{path} must be {getattr(hint, '__name__', None) or hint}, not {value!r:.60}")


def _decode_union(arguments: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and type(None) in arguments:
        return None
    candidates = [argument for argument in arguments if argument is not type(None)]
    for candidate in candidates[:-1]:
        try:
            return _decode(candidate, value, path)
        except ValueError:
            continue
    return _decode(candidates[-1], value, path)
