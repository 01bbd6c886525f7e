"""Modules of the folder that the user stands in, for a network that lies there.

They are found after all that is installed, and only by whoever asks for the module that was named and by that module's
own code: a library that looks for an optional package does not get what lies in a folder of downloaded files.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


class _FolderFinder(MetaPathFinder):
    """Finds ``named`` in ``folder``, and what the modules found so far import."""

    def __init__(self, folder: str, named: str) -> None:
        self._folder = folder
        self._named: str | None = named
        self._found: set[str] = set()

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """A top-level module; those inside of packages are found by where their package lies."""
        if path is not None or (name != self._named and _importer() not in self._found):
            return None
        spec = PathFinder.find_spec(name, [self._folder])
        if spec is not None:
            self._found.add(name)
        return spec

    def close(self) -> None:
        """Find no longer what was named but what its code imports, which may be as late as when it runs."""
        self._named = None


@contextmanager
def current_folder_searched(module: str) -> Iterator[None]:
    """Let ``module`` be imported from the current folder within the block, where nothing of that name is installed."""
    finder = _FolderFinder(os.getcwd(), module.partition(".")[0])  # noqa: PTH109 - it goes where texts are expected
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        finder.close()


def lies_in_current_folder(module: str) -> bool:
    """Whether the current folder has a module of that name, be it hidden by another or not."""
    return PathFinder.find_spec(module.partition(".")[0], [os.getcwd()]) is not None  # noqa: PTH109


def _importer() -> str:
    """The top-level name of the module that has asked for an import."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("importlib"):
        frame = frame.f_back
    name: str = frame.f_globals.get("__name__", "")
    return name.partition(".")[0]
