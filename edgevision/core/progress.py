"""Telling a person how long work is getting on: a bar on a terminal, a plain line now and then elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from edgevision.core.printable import one_line
from edgevision.core.terminal import unguarded

T = TypeVar("T")

_SECONDS_BETWEEN_LINES = 10.0


def track(items: Iterable[T], total: int, what: str, *, quiet: bool = False) -> Iterator[T]:
    """Yield ``items``, showing on standard error how many of ``total`` are done and the time left."""
    if quiet:
        yield from items
    elif sys.stderr.isatty():
        yield from _with_bar(items, total, what)
    else:
        yield from _with_lines(items, total, what)


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

    text = TextColumn(one_line(what), markup=False)
    columns = (text, BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    console = Console(file=unguarded(sys.stderr))
    with Progress(*columns, console=console, transient=True) as progress:
        yield from progress.track(items, total=total)


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
