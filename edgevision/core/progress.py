"""Telling a person how long work is getting on: a bar on a terminal, a plain line now and then elsewhere."""

import logging
import sys
import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from edgevision.core.printable import one_line
from edgevision.core.terminal import unguarded

T = TypeVar("T")

_log = logging.getLogger(__name__)

_SECONDS_BETWEEN_LINES = 10.0

_bars: list[Any] = []
"""Those of :func:`track` that a terminal shows now."""


def track(items: Iterable[T], total: int, what: str, *, quiet: bool = False) -> Iterator[T]:
    """Yield ``items``, showing on standard error how many of ``total`` are done and the time left."""
    if quiet:
        yield from items
    elif sys.stderr.isatty():
        yield from _with_bar(items, total, what)
    else:
        yield from _with_lines(items, total, what)


class PartsProgress:
    """How far one long thing is, called after each part: a bar below that of :func:`track` on a terminal.

    Elsewhere a line comes into the log now and then.
    """

    def __init__(self, total: int, what: str) -> None:
        self._total, self._what, self._done = total, what, 0
        self._began = self._said = time.monotonic()
        self._row: Any = None

    def __call__(self) -> None:
        """One more of the parts is done."""
        self._done += 1
        if _bars:
            self._advance(_bars[-1])
            return
        now = time.monotonic()
        if now - self._said < _SECONDS_BETWEEN_LINES or self._done == self._total:
            return
        if sys.stderr is not None and sys.stderr.isatty():  # a window's program has none
            return
        self._said = now
        left = (now - self._began) / self._done * (self._total - self._done)
        _log.info("%d of %d %s, about %.0f s left", self._done, self._total, self._what, left)

    def _advance(self, bar: Any) -> None:
        if self._row is None and self._done < self._total:
            self._row = bar.add_task(self._what, total=self._total)
            # It goes with what it tells of, even if that has failed.
            weakref.finalize(self, bar.remove_task, self._row)
        if self._row is not None:
            bar.update(self._row, completed=self._done)


def track_parts(parts: Sequence[T], what: str) -> Iterator[T]:
    """Yield the ``parts`` of one long thing, of which :class:`PartsProgress` tells how many are done."""
    one_more = PartsProgress(len(parts), what)
    for part in parts:
        yield part
        one_more()


class StageProgress:
    """How far work in stages is that has a limit of time; what is called while the context is open.

    A terminal gets a bar with the time left, anything else a line where a stage begins and one now and then.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._stage = ""
        self._said = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> "StageProgress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, stage: str, used: float, seconds_left: float) -> None:
        """``stage`` is done now, of whose time and that of all others ``used`` (0..1) is gone."""
        if self._quiet:
            return
        if sys.stderr.isatty():
            self._bar = self._bar or _started_bar()
            left = time.strftime("%M:%S" if seconds_left < 3600 else "%H:%M:%S", time.gmtime(seconds_left))
            (task,) = self._bar.task_ids
            self._bar.update(task, completed=used, stage=one_line(stage), left=f"at most {left} left")
            return
        now = time.monotonic()
        if stage != self._stage:
            print(f"{stage} ...", file=sys.stderr, flush=True)  # noqa: T201
        elif now - self._said >= _SECONDS_BETWEEN_LINES:
            print(f"{stage}: at most {seconds_left:.0f} s left", file=sys.stderr, flush=True)  # noqa: T201
        else:
            return
        self._stage, self._said = stage, now


def _started_bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.fields[stage]}", markup=False), BarColumn(), TextColumn("{task.fields[left]}"))
    progress = Progress(*columns, console=Console(file=unguarded(sys.stderr)), transient=True)
    progress.add_task("", total=1.0, stage="", left="")
    progress.start()
    return progress


def _with_bar(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.3g}/s" if task.speed else "")

    text = TextColumn("{task.description}", markup=False)
    columns = (text, BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    console = Console(file=unguarded(sys.stderr))
    with Progress(*columns, console=console, transient=True) as progress:
        _bars.append(progress)
        try:
            yield from progress.track(items, total=total, description=one_line(what))
        finally:
            _bars.remove(progress)


def _with_lines(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    start = said = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - said >= _SECONDS_BETWEEN_LINES and done < total:
            rate = done / (now - start)
            line = f"{what}: {done} of {total}, {rate:.3g} a second, about {(total - done) / rate:.0f} s left"
            print(line, file=sys.stderr, flush=True)  # noqa: T201
            said = now
