"""The page of exit codes on the site, made of the tree of errors that fixes them."""

import signal
from collections.abc import Iterator

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from edgevision.cli.interruption import Terminated, exit_code
from edgevision.core import errors
from edgevision.core.errors import EdgevisionError

PAGE = "reference/exit_codes.md"
_ANSWERS = {
    1: "The answer is no, or not all of it could be done. What is whole was written.",
    2: "The command or what it was given is wrong: an option, a path, a file. The same line fails again.",
    3: "The device, the board or an optional package is not there, or cannot do this.",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page."""
    files.append(File.generated(config, PAGE, content="\n".join(page())))
    return files


def page() -> Iterator[str]:
    """The lines of the page."""
    yield "# Exit codes\n\nMade of the errors themselves; each says on standard error what to do.\n"
    yield "| code | |\n|---|---|\n| 0 | Done. |"
    for code, meaning in _ANSWERS.items():
        yield f"| {code} | {meaning} |"
    yield f"| {exit_code(KeyboardInterrupt())} | Ctrl-C; nothing half-written stays. |"
    yield f"| {exit_code(Terminated(signal.SIGTERM))} | SIGTERM, in the same way (128 and the signal's number). |"
    yield "\nAn unknown option is a 2 as well; a reader of the output who went away is a 1, as is a fault of ours.\n"
    for code, meaning in _ANSWERS.items():
        yield f"\n## {code}\n\n{meaning}\n\n| error, from Python | |\n|---|---|"
        for error in vars(errors).values():
            if isinstance(error, type) and issubclass(error, EdgevisionError) and error.exit_code == code:
                yield f"| `{error.__name__}` | {_summary(error)} |"


def _summary(error: type[EdgevisionError]) -> str:
    own = error.__dict__.get("__doc__") or ""
    return " ".join(own.split("\n\n")[0].split())
