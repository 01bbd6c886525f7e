"""What one process of a cluster does: it opens a verb's pipeline once and does the pictures that it is given."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgevision import __version__
from edgevision.core.errors import DeviceError, EdgevisionError, InputError
from edgevision.runtime.cluster.picture_work import PictureWork, PipelineDescription

_OURS = "EDGEVISION_"


@dataclass(frozen=True)
class Surroundings:
    """Of the process that the user started, what has to hold in every other."""

    folder: Path = field(default_factory=Path.cwd)
    version: str = __version__
    # Which signature a model has to have, and where the key of an encrypted one is; never a key itself.
    variables: dict[str, str] = field(
        default_factory=lambda: {name: value for name, value in os.environ.items() if name.startswith(_OURS)}
    )

    def enter(self) -> None:
        """Make this process alike.

        Raises:
            DeviceError: another edgevision is installed here.
            InputError: the folder in which the user is does not exist here.
        """
        node = os.uname().nodename if hasattr(os, "uname") else "a node"
        if __version__ != self.version:
            raise DeviceError(
                f"{node!r} has edgevision {__version__} and this machine {self.version}, whose results may differ;"
                " install the same on all nodes"
            )
        try:
            os.chdir(self.folder)
        except OSError as error:
            raise InputError(
                f"{str(self.folder)!r} does not exist on {node!r}; start in a folder that all nodes share"
            ) from error
        os.environ.update(self.variables)


class PictureWorker:
    """One warm pipeline. Errors are returned, not raised, so that they arrive as what they are."""

    def __init__(self, work: PictureWork, surroundings: Surroundings) -> None:
        self._work, self._surroundings = work, surroundings
        self._stack = ExitStack()
        self._pipeline: Any = None

    def open(self) -> PipelineDescription | EdgevisionError:
        """Load the model."""
        try:
            self._surroundings.enter()
            self._pipeline = self._stack.enter_context(self._work.open())
        except EdgevisionError as error:
            return error.with_traceback(None)
        return PipelineDescription.of(self._pipeline)

    def do(self, jobs: Sequence[Any], *, again: bool) -> list[tuple[Exception | None, Any]] | EdgevisionError:
        """What became of each job, in order, or what ends all of the work."""
        done: list[tuple[Exception | None, Any]] = []
        try:
            for _, error, result in self._work.each(self._pipeline, jobs, again=again):
                done.append((error, result))
        except EdgevisionError as error:
            # Of a missing extra the last word is spoken where all pictures are known.
            if len(done) < len(jobs):
                return error.with_traceback(None)
        return done
