"""What pages of evaluations share: what things were taken for, and the worst pictures on one sheet."""

import io
from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape

from PIL import Image

from edgevision.core.html_page import html_table
from edgevision.core.printable import one_line

WORST = 12
"""Pictures on a sheet at most."""
MISSED = (255, 0, 200)
"""The colour of what was not found, or taken for something else."""

_THUMBNAIL = 420


def confusion_section(rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[str]], note: str) -> str:
    """In ``rows`` what things are, in ``columns`` what they were taken for."""
    names = [escape(one_line(name)) for name in rows]
    table = html_table(
        ("", *(escape(one_line(name)) for name in columns)),
        [[name, *line] for name, line in zip(names, cells, strict=True)],
        numbers=range(1, len(columns) + 1),
    )
    return f"<h2>Confusion</h2>{table}<p class=soft>{note}</p>"


def worst_section(pictures: Iterable[tuple[str, Image.Image]], note: str) -> str:
    """Captions and pictures, on which what is wrong is marked; empty where there are none."""
    figures = [
        f"<figure><img src='{_embedded(image)}' alt=''><figcaption>{escape(one_line(caption))}</figcaption></figure>"
        for caption, image in pictures
    ]
    if not figures:
        return ""
    return f"<h2>Worst pictures</h2><div class=sheet>{''.join(figures)}</div><p class=soft>{note}</p>"


def _embedded(image: Image.Image) -> str:
    small = image.copy()
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{b64encode(buffer.getvalue()).decode()}"
