"""Objects that tables name, as ``"module:object"``, and that are imported when they are needed."""

from importlib import import_module
from typing import Any


def load_object(target: str) -> Any:
    """The object of ``target``; its module's import may raise anything."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)
