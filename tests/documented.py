"""The code that the pages show: what a test runs of it, and what is marked as not run by one, with the reason."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = tuple(
    sorted(
        path
        for pattern in ("*.md", "docs/**/*.md", "docker/*.md", "examples/**/*.md", "benchmarks/*.md")
        for path in ROOT.glob(pattern)
    )
)
PROGRAMS = frozenset(
    (
        *("age-keygen", "apt-get", "curl", "docker", "edgevision", "git", "jupyter", "make", "npm", "openssl", "pip"),
        *("py", "pytest", "python", "python3", "ray", "source", "sudo", "uv"),
    )
)
"""What a line begins with that is a command, wherever it stands."""
MARK = re.compile(r"# (?:not )?executed\b(.*)")
_FENCE = re.compile(r"(\s*)```(.*)")


@dataclass(frozen=True)
class Block:
    """One block of a page: its ``language`` (empty without one, or where it is indented), and its lines."""

    page: Path
    number: int
    language: str
    text: str


@dataclass(frozen=True)
class Code:
    """Some lines of Python, or one command; ``mark`` is why the tests of the pages do not run it, if they do not.

    A command behind which ``# refused`` stands has to fail.
    """

    page: Path
    number: int
    language: str
    text: str
    mark: str | None = None

    @property
    def refused(self) -> bool:
        return self.text.endswith("# refused")

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text, comments=True)


def blocks(page: Path) -> Iterator[Block]:
    """The fenced and the indented blocks, by the number of their first line."""
    language: str | None = None
    start, lines = 0, list[str]()
    for number, line in enumerate([*page.read_text(encoding="utf-8").splitlines(), ""], 1):
        fence = _FENCE.fullmatch(line)
        indented = language is None and line.startswith("    ") and not fence
        if language is None and lines and not indented:
            yield Block(page, start, "", "\n".join(lines))
            lines = []
        if fence and language is None:
            language, start = fence[2].strip(), number + 1
        elif fence:
            yield Block(page, start, language or "", "\n".join(lines))
            language, lines = None, []
        elif language is not None or indented:
            start = start if lines or language is not None else number
            lines.append(line)


def code(page: Path) -> Iterator[Code]:
    """What its blocks of sh and Python say, in order; a mark holds to the next one, or to the end of its block."""
    for block in blocks(page):
        mark = None
        if block.language == "python":
            found = MARK.match(block.text)
            yield Code(page, block.number, "python", block.text, found[1] if found else None)
        elif block.language == "sh":
            number, begun = block.number, ""
            for number, line in enumerate(block.text.splitlines(), block.number):
                if found := MARK.fullmatch(line):
                    mark = found[1]
                elif line.endswith("\\"):
                    begun += line[:-1]
                elif line.strip() and not line.startswith("#"):
                    yield Code(page, number, "sh", begun + line.strip(), mark)
                    begun = ""


def begins_with_a_program(line: str) -> bool:
    """Whether a line is a command."""
    first = line.split()[0] if line.split() else ""
    return first in PROGRAMS or first.startswith((".venv/bin/", "rknn/bin/", "litert/bin/"))
