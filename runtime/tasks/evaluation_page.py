"""An evaluation as one page: its figures, and what the task shows beneath them."""

from html import escape
from pathlib import Path
from typing import Any

from edgevision.core.html_page import write_html
from edgevision.core.printable import one_line, printable
from edgevision.data.datasets import ImageFolder
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.tasks.evaluation import QualityReport

STYLE = """
pre { overflow-x: auto; } .curve { fill: none; stroke-width: 2; } .grid { stroke: var(--line); }
.sheet { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)); }
figure { margin: 0; } figure img { width: 100%; } figcaption { color: var(--soft); overflow-wrap: anywhere; }
"""


def write_evaluation(
    path: Path, report: QualityReport, pipeline: Any, data: ImageFolder, title: str, *, force: bool = True
) -> None:
    """Write the page of ``report``, which is what ``pipeline`` gave on ``data``; errors as :func:`write_html`."""
    parts = find_task(pipeline.metadata.task).page_parts(report, pipeline, data)
    figures = report.headline() if parts else report.table()
    body = [f"<h1>{escape(one_line(title))}</h1>", f"<pre>{escape(printable(figures))}</pre>", *parts]
    if report.failures:
        lines = "".join(f"<li>{escape(one_line(message))}</li>" for message in report.failures.values())
        body.append(f"<h2>Not counted</h2><ul>{lines}</ul>")
    write_html(path, title, body, STYLE, force=force)
