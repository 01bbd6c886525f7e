"""Text from a board, made safe to show: no escape sequence, no control character, no reversed writing."""

from collections.abc import Mapping
from typing import Any


def printable(text: str) -> str:
    """``text`` without what a terminal could take for a command; line feeds and tabs stay."""
    return "".join(c for c in text if c.isprintable() or c in "\n\t")


def printable_values(value: Any) -> Any:
    """JSON values with every string in them, keys too, made :func:`printable`."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {printable(key): printable_values(item) for key, item in value.items()}
    if isinstance(value, list):
        return [printable_values(item) for item in value]
    return value
