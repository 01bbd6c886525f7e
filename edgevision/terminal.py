"""Standard output and error as the command line uses them: whatever is written there, a terminal only ever shows it.

:func:`guarded_streams` stands around the whole program, so that messages of libraries, of the argument parser and of
the log are safe too; an encoding that lacks a character gets an escape, or plain letters for what this program draws.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from edgevision.printable import printable

_PLAIN = str.maketrans({"█": "#", "▁": "_", "▂": "_", "▃": ".", "▄": "-", "▅": "=", "▆": "*", "▇": "%", "…": "...",
                        "–": "-", "—": "-", "·": "|", "×": "x", "±": "+-", "µ": "u", "μ": "u", "°": " deg", "é": "e",
                        "→": "->", "≥": ">=", "≤": "<="})  # fmt: skip


class GuardedStream:
    """A text stream that passes on what is printable, in the characters that its encoding has.

    It has no ``buffer``: what went there would not be seen.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(encodable(printable(text), self._stream.encoding))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":
            raise AttributeError("a guarded stream takes text only")
        return getattr(self._stream, name)


@contextmanager
def guarded_streams() -> Iterator[None]:
    """Guard ``sys.stdout`` and ``sys.stderr`` while the context is open; one that is closed stays so."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _guarded(sys.stdout), _guarded(sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


@contextmanager
def results_apart() -> Iterator[None]:
    """Keep standard output for :func:`results` while a verb runs: what anything else prints goes to standard error.

    That is somebody's network, a library in C, a program that either starts. Where the standard output is the
    process's own, its descriptor stays where it is put, for there is more to print while the process ends.
    """
    before, stream = sys.stdout, _on_a_descriptor_of_its_own(sys.stdout)
    _APART.append(stream)
    sys.stdout = sys.stderr
    try:
        yield
        if stream is not None:
            stream.flush()
    finally:
        _APART.pop()
        sys.stdout = before
        if stream is not before:
            _close(stream)


def results() -> TextIO:
    """Where the results of a verb go; ``None``, as ``sys.stdout`` is, where who started the program has closed it."""
    return _APART[-1] if _APART else sys.stdout


_APART: list[TextIO] = []


def _on_a_descriptor_of_its_own(stream: TextIO) -> TextIO:
    """``stream``, or what takes its place after its descriptor was given to standard error."""
    plain = None if stream is None else unguarded(stream)
    try:
        if plain is None or plain.fileno() != 1:
            return stream
    except (OSError, ValueError):  # a stream of a test, say
        return stream
    plain.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
    except OSError:  # standard error is closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return _guarded(open(kept, "w", encoding=plain.encoding))  # noqa: PTH123


def _close(stream: TextIO) -> None:
    """Whatever could not be written has raised its error already; it is not tried again, and again, on the way out."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    stream.close()


@contextmanager
def drawing_streams() -> Iterator[None]:
    """For a library that moves the cursor itself: the streams without their guard, while nothing of a file is shown."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = unguarded(sys.stdout), unguarded(sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def unguarded(stream: TextIO) -> TextIO:
    """The stream behind its guard; it still never fails for a character that its encoding lacks."""
    return stream._stream if isinstance(stream, GuardedStream) else stream


def encodable(text: str, encoding: str | None) -> str:
    """``text`` in characters that ``encoding`` has: plain ones for what this program draws, escapes for others."""
    if text.isascii() or not encoding:
        return text
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        pass
    else:
        return text
    try:
        return "".join(_in_encoding(c, encoding) for c in text)
    except LookupError:
        return text


def _in_encoding(character: str, encoding: str) -> str:
    for form in (character, character.translate(_PLAIN)):
        try:
            form.encode(encoding)
        except UnicodeEncodeError:
            continue
        return form
    return character.encode("unicode_escape").decode("ascii")


def _guarded(stream: TextIO | None) -> TextIO:
    if stream is None or isinstance(stream, GuardedStream):
        return stream  # type: ignore[return-value]  # closed by who started the program
    if hasattr(stream, "reconfigure"):
        # For what is drawn past the guard.
        stream.reconfigure(errors="backslashreplace")
    return cast(TextIO, GuardedStream(stream))
