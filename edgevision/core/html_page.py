"""A self-contained page: one file that asks nothing of the network and follows the reader's light or dark mode."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from html import escape
from pathlib import Path

from edgevision.core.atomic_files import atomic_file
from edgevision.core.drawing import CHART_STYLE
from edgevision.core.printable import one_line, printable

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #667085; --line: #d0d5dd; --page: #ffffff;
  --quiet: #98a2b3; --first: #1f6feb; --second: #d1550b; --mark: #fdecea; --warn: #b42318; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #9aa4b5; --line: #3a4353; --page: #12161d;
  --quiet: #5d6878; --first: #6ea8fe; --second: #ff9b5c; --mark: #3b1d1d; --warn: #ff8f84; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 60rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
h1, h2, h3, p, dd, li { overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td.n, th.n { text-align: right; } .n + :not(.n) { padding-left: .6rem; } .soft { color: var(--soft); }
text { fill: var(--soft); font-size: 12px; } .axis { stroke: var(--line); }
.scroll { overflow-x: auto; } .share { height: .5rem; border-radius: 2px; background: var(--first); }
@media (max-width: 480px) { .scroll table { font-size: .75rem; } .scroll th { white-space: normal; }
  .scroll th, .scroll td { padding-right: .3rem; } }
"""


def write_html(
    path: Path, title: str, body: Iterable[str], style: str = "", script: str = "", *, force: bool = True
) -> None:
    """Write an :func:`html_page`; without ``force`` an :class:`OutputError` where the file exists."""
    with atomic_file(path, force=force) as temporary:
        temporary.write_text(html_page(title, body, style, script), encoding="utf-8")


def html_page(title: str, body: Iterable[str], style: str = "", script: str = "") -> str:
    """The page of those parts, which are HTML already; ``style`` is added to what all pages have in common.

    The page may load nothing, and runs no other script than ``script``, whatever stands in its parts: a browser knows
    that one by its hash.
    """
    rules = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    if script:
        rules += f"; script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"
    head = f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{escape(one_line(title))}</title>"
    head += f'<meta http-equiv=Content-Security-Policy content="{rules}">'
    head += "<meta name=viewport content='width=device-width, initial-scale=1'>"
    head += f"<style>{_STYLE}{CHART_STYLE}{style}</style></head>"
    end = f"<script>{script}</script>" if script else ""
    return f"{head}<body>{printable(''.join(body))}{end}</body></html>\n"


def share_bar(words: str, share: float) -> str:
    """``words`` of a cell and below them a bar, whose ``share`` of the cell's width is 0..1."""
    return f"{words}<div class=share style='width:{max(1.0, 100 * share):.0f}%'></div>"


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Iterable[int] = ()) -> str:
    """A table of cells that are HTML already; the columns ``numbers`` are aligned to the right."""
    right = set(numbers)

    def line(tag: str, cells: Sequence[str]) -> str:
        return "".join(f"<{tag}{' class=n' * (i in right)}>{cell}</{tag}>" for i, cell in enumerate(cells))

    lines = "".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    return f"<div class=scroll><table><tr>{line('th', head)}</tr>{lines}</table></div>"
