"""Results as files of text: one document of JSON, or the lines of a table as CSV."""

import csv
import io
import os
from pathlib import Path
from typing import Any

from edgevision.core.atomic_files import atomic_file
from edgevision.core.errors import OutputError
from edgevision.core.printable import csv_row, exact_json


def save_text(
    path: str | os.PathLike[str], document: dict[str, Any], rows: list[dict[str, Any]], *, force: bool
) -> None:
    """Write ``document`` where ``path`` ends in .json, or ``rows`` under their names where it ends in .csv.

    Raises:
        OutputError: another ending, or the folder cannot be written, or without ``force`` the file exists.
        DiskFullError: no space left; an earlier file is untouched.
    """
    target = Path(path)
    ending = target.suffix.lower()
    if ending == ".json":
        text = exact_json(document, indent=2) + "\n"
    elif ending == ".csv":
        lines = io.StringIO()
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(rows[0] if rows else [])
        writer.writerows(csv_row(list(row.values())) for row in rows)
        text = lines.getvalue()
    else:
        raise OutputError(f"this is written as .json or .csv, not {target.name!r}")
    with atomic_file(target, force=force) as temporary:
        temporary.write_text(text, encoding="utf-8")
