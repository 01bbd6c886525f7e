"""What mkdocs adds to the pages in docs/: those that the program itself knows, and those that lie elsewhere.

The reference of the command line is made of the commands as they are. README, changelog, measurements and how to
contribute are taken from where they stand; links between all of them are kept, those to other files become text.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from edgevision.cli.app import app

ROOT = Path(__file__).parents[2]
ELSEWHERE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "benchmarks/RESULTS.md": "measurements.md",
    "examples/README.md": "examples.md",
}
"""Where a page stands in the repository, and on the site."""
COMMANDS = "reference/commands.md"
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that do not lie in docs/."""
    for source, target in ELSEWHERE.items():
        files.append(File.generated(config, target, content=(ROOT / source).read_text(encoding="utf-8")))
    files.append(File.generated(config, COMMANDS, content="\n".join(_reference())))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point the links of the repository at the site's pages."""
    on_site = page.file.src_uri
    in_repository = next((source for source, target in ELSEWHERE.items() if target == on_site), f"docs/{on_site}")

    def lead(link: re.Match[str]) -> str:
        image, text, target, place = link.groups()
        if "://" in target or on_site == COMMANDS:
            return link[0]
        meant = posixpath.normpath(posixpath.join(posixpath.dirname(in_repository), target))
        found = ELSEWHERE.get(meant, meant.removeprefix("docs/") if meant.startswith("docs/") else None)
        if found is None or files.get_file_from_path(found) is None:
            return f"{text} (`{meant}`)"
        return f"{image}[{text}]({posixpath.relpath(found, posixpath.dirname(on_site) or '.')}{place or ''})"

    return _LINK.sub(lead, markdown)


def _reference() -> Iterator[str]:
    program = typer.main.get_command(app)
    yield "# The command line\n\nMade of the commands themselves. These options stand anywhere on the line:\n"
    context: Any = program.make_context("edgevision", [], resilient_parsing=True)
    yield from _options(program, context)
    yield from _group(program, context)


def _group(group: Any, context: Any) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = command.make_context(name, [], parent=context, resilient_parsing=True)
        yield f"\n## {inner.command_path}\n"
        if hasattr(command, "list_commands"):
            yield f"{group.verbs[name].help}\n"
            yield from _group(command, inner)
            continue
        yield f"```text\n{inner.command_path} {' '.join(command.collect_usage_pieces(inner))}\n```\n"
        yield f"{command.help or group.verbs[name].help}\n"
        yield from _options(command, inner)
        if command.epilog:
            lines = "\n".join(line.strip() for line in command.epilog.strip().splitlines())
            yield f"\n```text\n{lines}\n```\n"


def _options(command: Any, context: Any) -> Iterator[str]:
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    yield "| option | |\n|---|---|"
    for name, text in filter(None, records):
        yield f"| `{name}` | {_cell(text)} |"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").replace("<", "&lt;")
