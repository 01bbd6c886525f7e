"""The reference of the Python API on the site: the public names and what they give, made of their docstrings."""

import re
from collections.abc import Iterator
from importlib import import_module
from inspect import Parameter, Signature, cleandoc, getmembers, isclass, isfunction, signature
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import edgevision
from edgevision.core import errors
from edgevision.imaging.pictures import Picture
from edgevision.runtime.tasks.pipeline import Pipeline

ROOT = Path(__file__).parents[2]
PAGE = "reference/python.md"
_ROLE = re.compile(r":(?:class|func|meth|mod|attr|data|exc):`([^`]+)`")
_SECTION = re.compile(r"^(Args|Returns|Raises|Attributes):$")
_ITEM = re.compile(r"^    (\S[^:]*): (.*)$")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page."""
    files.append(File.generated(config, PAGE, content="\n".join(reference())))
    return files


def reference() -> Iterator[str]:
    """The lines of the page."""
    yield "# The Python API\n\nMade of the docstrings. How it is used stands under [Python](../python.md).\n"
    yield "## edgevision\n"
    for name in edgevision.__all__:
        value = getattr(edgevision, name)
        if isfunction(value):
            yield from _function(f"edgevision.{name}", value, "###")
    yield "## Pipelines and pictures\n"
    yield from _class(Pipeline)
    yield from _class(Picture)
    yield "## Results\n\nWhat pipelines give when they are called.\n"
    for kind in result_types():
        yield from _class(kind)
    yield "## Errors\n"
    yield f"```text\n{cleandoc(errors.__doc__ or '')}\n```\n"


def result_types() -> list[type]:
    """The classes of the rooms' modules for results, in the order of the rooms' names."""
    found = []
    for path in sorted((ROOT / "runtime").glob("**/result.py")):
        name = ".".join(("edgevision", *path.relative_to(ROOT).with_suffix("").parts))
        module = import_module(name)
        own = [kind for _, kind in getmembers(module, isclass) if kind.__module__ == name]
        found += [kind for kind in own if not kind.__name__.startswith("_")]
    return found


def _class(kind: type) -> Iterator[str]:
    yield f"### {kind.__name__}\n"
    yield from _text(kind.__doc__)
    for name, value in vars(kind).items():
        inner: Any = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if name.startswith("_") and name != "__call__":
            continue
        if isinstance(inner, property):
            yield f"**`{name}`** · {_line(inner.__doc__)}\n"
        elif isfunction(inner):
            called = kind.__name__ if name == "__call__" else name
            yield f"**`{called}{_signature(inner, method=not isinstance(value, staticmethod))}`**\n"
            yield from _text(inner.__doc__)


def _function(name: str, function: Any, heading: str) -> Iterator[str]:
    yield f"{heading} {name}\n"
    yield f"```python\n{name}{_signature(function, method=False)}\n```\n"
    yield from _text(function.__doc__)


def _signature(function: Any, *, method: bool) -> str:
    """The parameters with their defaults; what they may be the text says."""
    own = signature(function)
    parameters = list(own.parameters.values())[1 if method else 0 :]
    plain = [parameter.replace(annotation=Parameter.empty) for parameter in parameters]
    return str(Signature(plain))


def _line(docstring: str | None) -> str:
    return _plain(" ".join(cleandoc(docstring or "").partition("\n\n")[0].split()))


def _text(docstring: str | None) -> Iterator[str]:
    """A docstring as Markdown: its sections as lists, what is indented as code."""
    items, code = False, False
    for line in cleandoc(docstring or "").splitlines():
        section, item = _SECTION.match(line), _ITEM.match(line)
        if section is not None:
            items = True
            yield f"\n*{section[1]}*\n"
        elif items and item is not None:
            yield f"- `{item[1]}`: {_plain(item[2])}"
        elif items and line.startswith("    "):
            yield f"  {_plain(line.strip())}"
        elif line.startswith("    "):
            if not code:
                yield "```python"
            code = True
            yield line[4:]
        else:
            if code:
                yield "```"
            code, items = False, items and bool(line.strip() == "")
            yield _plain(line)
    yield "```\n" if code else ""


def _plain(text: str) -> str:
    """Without the marks of another language: roles become the last part of their names."""
    text = _ROLE.sub(lambda role: f"`{role[1].rpartition('.')[2] if role[1][0] in '~.' else role[1]}`", text)
    return text.replace("``", "`")
