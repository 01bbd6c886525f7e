"""The last error of a command, kept for ``edgevision report-bug`` without anything that belongs to the user.

It is written when a command fails, and imported then only. What cannot be written is left: the error itself is what the
user has to see.
"""

import json
import os
import platform
import re
import socket
import time
import traceback
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from edgevision import __version__
from edgevision.core.atomic_files import atomic_file
from edgevision.core.user_cache import user_cache

_NAME = "last-error.json"
_MOST_FRAMES = 40
_LONGEST_MESSAGE = 2000

_REMOVED = (
    # Addresses before paths, which they hold; names in quotes with spaces before those without.
    (re.compile(r"\b[\w+.-]+://[^\s'\"]+"), "<address>"),
    (re.compile(r"\b[\w.-]+@[\w.-]+(?::\S+)?"), "<address>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), "<address>"),
    (re.compile(r"(['\"])(?:(?!\1).)*[\\/](?:(?!\1).)*\1"), "'<path>'"),
    (re.compile(r"(?<![\w<])(?:[A-Za-z]:|~|\.{1,2})?[\\/][^\s'\",;]*[^\s'\",;.:)]"), "<path>"),
    (re.compile(r"(['\"])(?:(?!\1).)*?(\.[A-Za-z][A-Za-z0-9]{1,7})\1"), r"'<name>\2'"),
    (re.compile(r"(?<![\w<.])[\w-]+(?:[\\/][\w.-]+)+"), "<path>"),
    (
        re.compile(
            r"(?<![\w<])[\w.-]+\.(onnx|xml|bin|pth?|ckpt|pt2|safetensors|zip|json|csv|html|param|tflite|rknn|txt|toml|mp4|avi"
            r"|mov|mkv|webm|jpe?g|png|gif|webp|tiff?|bmp|avif|hei[cf])\b",
            re.IGNORECASE,
        ),
        r"<name>.\1",
    ),
)


def without_names(text: str, given: Iterable[str] = ()) -> str:
    """``text`` without paths, file names, addresses, the names of the user and the machine, and what was ``given``."""
    own = [os.environ.get(name, "") for name in ("USER", "LOGNAME", "USERNAME", "HOSTNAME", "COMPUTERNAME")]
    own += [socket.gethostname(), platform.node()]
    for word in sorted({word for word in given if len(word) > 1}, key=len, reverse=True):
        text = text.replace(word, "<argument>")
    for expression, shown in _REMOVED:
        text = expression.sub(shown, text)
    for word in sorted({word for word in own if len(word) > 1}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "<name>", text)
    return text


def record_error(error: BaseException, arguments: Sequence[str], verbs: Iterable[str]) -> None:
    """Keep what is known of ``error``, which ended a command; ``arguments`` are its line, ``verbs`` the words of that
    which are the program's own."""
    known = set(verbs)
    options = [word.partition("=")[0] for word in arguments if word.startswith("-")]
    values = [word for word in arguments if not word.startswith("-") and word not in known]
    values += [word.partition("=")[2] for word in arguments if word.startswith("-") and "=" in word]
    document = {
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "version": __version__,
        "verb": " ".join(word for word in arguments[:2] if word in known),
        "options": sorted(set(options)),
        "error": type(error).__name__,
        "message": without_names(str(error), values)[:_LONGEST_MESSAGE],
        "caused_by": [type(cause).__name__ for cause in _causes(error)],
        "traceback": [_frame(frame) for frame in traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]],
    }
    with suppress(Exception):
        folder = user_cache()
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_file(folder / _NAME) as file:
            file.write_text(json.dumps(document), encoding="utf-8")


def last_error() -> dict[str, Any] | None:
    """What was kept; ``None`` where nothing was that :func:`record_error` could have written."""
    with suppress(OSError, ValueError, RecursionError):
        document = json.loads((user_cache() / _NAME).read_text(encoding="utf-8"))
        if isinstance(document, dict) and all(isinstance(document.get(key), str) for key in ("error", "verb")):
            return document
    return None


def _causes(error: BaseException) -> Iterable[BaseException]:
    cause = error.__cause__ or error.__context__
    for _ in range(8):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or cause.__context__


def _frame(frame: traceback.FrameSummary) -> str:
    """Where in which package, without where that lies."""
    parts = Path(frame.filename).parts
    known = [place for place, part in enumerate(parts) if part in ("edgevision", "site-packages", "dist-packages")]
    place = "/".join(parts[known[-1] :]) if known else parts[-1]
    return f"{place}:{frame.lineno} {frame.name}"
