"""Pictures that cannot be read are left out of a training and named: one of many must not end it."""

import logging
from collections.abc import Callable
from typing import TypeVar

from edgevision.core.errors import DatasetError, ImageError
from edgevision.training.launched import is_launched_helper

T = TypeVar("T")

_log = logging.getLogger(__name__)

_MOST_NAMED = 3


class LeftOut:
    """Remembers the pictures that could not be read, and what was wrong with the first ones."""

    def __init__(self) -> None:
        self._indices: set[int] = set()
        self._errors: list[str] = []

    def attempt(self, read: Callable[[int], T], index: int) -> T | None:
        """What ``read`` makes of a picture; ``None`` where it cannot be read."""
        try:
            return read(index)
        except (ImageError, DatasetError) as error:
            self._indices.add(index)
            if len(self._errors) < _MOST_NAMED:
                self._errors.append(str(error))
            return None

    def say(self, total: int) -> None:
        """Warn of what was left out of ``total`` pictures.

        Raises:
            DatasetError: nothing is left.
        """
        count = len(self._indices)
        if count and count == total:
            raise DatasetError(f"none of {total} pictures can be read, the first because {self._errors[0]}")
        if count and not is_launched_helper():
            more = f"; and {count - _MOST_NAMED} more" if count > _MOST_NAMED else ""
            _log.warning(
                "%d of %d pictures cannot be read and are left out: %s%s", count, total, "; ".join(self._errors), more
            )

    def next_readable(self, read: Callable[[int], T], index: int, total: int) -> tuple[int, T]:
        """What ``read`` makes of a picture or, where it has come to be unreadable, of the next, and which that is.

        Raises:
            DatasetError: none of ``total`` can be read any more.
        """
        for step in range(total):
            chosen = (index + step) % total
            if chosen in self._indices:
                continue
            found = self.attempt(read, chosen)
            if found is not None:
                return chosen, found
            if len(self._indices) <= _MOST_NAMED:
                _log.warning("%s; another picture takes its place", self._errors[-1])
        raise DatasetError(f"no picture can be read any more, the first because {self._errors[0]}")
