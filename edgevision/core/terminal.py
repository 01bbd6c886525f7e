"""Standard output and error as the command line uses them: whatever is written there, a terminal only ever shows it.

:func:`guarded_streams` stands around the whole program, so that messages of libraries, of the argument parser and of
the log are safe too; an encoding that lacks a character gets an escape, or plain letters for what this program draws.
"""

import codecs
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, TextIO, cast

from edgevision.core.errors import DISK_FULL, DiskFullError, EdgevisionError, OutputError
from edgevision.core.printable import printable

_PLAIN = str.maketrans({"█": "#", "▁": "_", "▂": "_", "▃": ".", "▄": "-", "▅": "=", "▆": "*", "▇": "%", "…": "...",
                        "–": "-", "—": "-", "·": "|", "×": "x", "±": "+-", "µ": "u", "μ": "u", "°": " deg", "é": "e",
                        "→": "->", "≥": ">=", "≤": "<="})  # fmt: skip


class GuardedStream:
    """A text stream that passes on what is printable, in the characters that its encoding has.

    What goes to its ``buffer``, as networks with a wrapper of their own write, takes the same way. Where it cannot be
    written any more, that is an error, but for standard error, which then is lost: there is no other place to say so.
    """

    def __init__(self, stream: TextIO, *, is_error: bool = False) -> None:
        self._stream = stream
        self._is_error = is_error
        self._failure: Exception | None = None

    def write(self, text: str) -> int:
        try:
            self._stream.write(encodable(printable(text), self._stream.encoding))
        except OSError as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered.

        Raises:
            BrokenPipeError: nobody reads it any more.
            DiskFullError, OutputError: it cannot be written.
        """
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)
        if self._failure is not None:
            raise self._failure

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def _give_up(self, error: OSError) -> None:
        # What is still buffered would fail again, and louder, when the process ends.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        if self._is_error:
            return
        # Kept, for whoever wrote may have been ready for anything: typer tries what a stream takes by writing to it.
        if isinstance(error, BrokenPipeError):
            self._failure = error
        elif error.errno in DISK_FULL:
            self._failure = DiskFullError("no space left to write the standard output; free some and run again")
        else:
            self._failure = OutputError(f"standard output cannot be written: {error.strerror}; send it elsewhere")
        raise self._failure from error

    @property
    def buffer(self) -> BinaryIO:
        """A binary stream whose text comes here; who closes it closes nothing else."""
        return cast(BinaryIO, _Bytes(self))

    def detach(self) -> BinaryIO:
        """As ``buffer``; this stream can still be written."""
        return self.buffer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Bytes(io.BufferedIOBase):
    """What is written as bytes, in UTF-8, goes to a stream as text."""

    def __init__(self, stream: GuardedStream) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        content = bytes(data)
        self._stream.write(self._decoder.decode(content))
        return len(content)

    def flush(self) -> None:
        if not self.closed:
            self._stream.flush()


@contextmanager
def guarded_streams() -> Iterator[None]:
    """Guard ``sys.stdout`` and ``sys.stderr`` while the context is open."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _guarded(sys.stdout), _guarded(sys.stderr, is_error=True)
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
            with suppress(EdgevisionError, OSError):  # which was raised above, or is not the first thing to go wrong
                stream.flush()
            stream.close()


def results() -> TextIO:
    """Where the results of a verb go."""
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


def _guarded(stream: Any, *, is_error: bool = False) -> TextIO:
    if isinstance(stream, GuardedStream):
        return cast(TextIO, stream)
    if stream is None:
        stream = _Closed()
    if hasattr(stream, "reconfigure"):
        # For what is drawn past the guard.
        stream.reconfigure(errors="backslashreplace")
    return cast(TextIO, GuardedStream(stream, is_error=is_error))


class _Closed(io.StringIO):
    """A stream that who started the program has closed."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, "it is closed")
