"""What the float model and a quantised form make of the same inputs: pictures compared, and answers that changed."""

import io
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.html_page import html_table
from edgevision.core.printable import one_line
from edgevision.runtime.tasks.quality import Example

Pairs = Sequence[tuple[Example, Example]]
"""Of the same input, what the float model makes of it and what the form does."""

EXAMPLE_STYLE = """
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem; }
figure { margin: 0; } figcaption { overflow-wrap: anywhere; } figure img { display: block; width: 100%; }
.over { --cut: 50%; } .under { position: relative; } .under img + img { position: absolute; inset: 0;
  clip-path: inset(0 0 0 var(--cut)); } .over input { width: 100%; margin: .3rem 0; }
.changed { display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: 1rem; }
.changed img { image-rendering: pixelated; aspect-ratio: 1; object-fit: contain; }
.changed figcaption { font-size: .85rem; line-height: 1.35; } .changed { margin-top: 1rem; }
"""

_USUAL = 99.5
_SIDE, _THUMBNAIL, _CHANGED, _CLASSES = 256, 96, 24, 100


def examples_section(pairs: Pairs, form: str) -> list[str]:
    """Parts of a page; none where there is nothing to see."""
    if not pairs:
        return []
    if pairs[0][0].answer is not None:
        return ["<h2>Answers that changed</h2>", *_answers(pairs, form)]
    words = f"Left of the slider the float model, right of it {form}; beneath, what lies between them, brightened."
    pictures = "".join(_compared(one, other) for one, other in pairs)
    return ["<h2>Pictures</h2>", f"<p class=soft>{escape(words)}</p><div class=pictures>{pictures}</div>"]


def _compared(one: Example, other: Example) -> str:
    first, second = _middle(one.picture()), _middle(other.picture())
    if first.shape != second.shape:
        return ""
    apart = np.abs(first.astype(int) - second)
    most = int(apart.max())
    # By a power of two, so that pictures can be compared with each other; a few pixels may be cut.
    usual = max(1.0, float(np.percentile(apart, _USUAL)))
    factor = 1 << int(np.log2(255 / usual)) if most else 1
    difference = (apart * factor).clip(0, 255).astype(np.uint8)
    error = float(np.mean(apart.astype(float) ** 2))
    figure = f"PSNR {10 * np.log10(255**2 / error):.1f} dB between both" if error else "both are equal"
    return (
        f"<figure class=over><div class=under><img src='{_data(first)}' alt='float'><img src='{_data(second)}'"
        " alt='quantised'></div><input type=range min=0 max=100 value=50 aria-label='where the float model ends'>"
        f"<img src='{_data(difference)}' alt='difference'><figcaption>{escape(one_line(one.name))}<div class=soft>"
        f"{figure}, at most {most} of 255; difference times {factor}</div></figcaption></figure>"
    )


def _answers(pairs: Pairs, form: str) -> list[str]:
    changed = [(one, other) for one, other in pairs if one.answer != other.answer]
    known = all(one.expected is not None for one, _ in pairs)
    parts = [f"<p>{len(changed)} of {len(pairs)} answers of {escape(form)} are others than the float model's"]
    if known:
        lost = sum(one.answer == one.expected for one, _ in changed)
        gained = sum(other.answer == other.expected for one, other in changed)
        parts[0] += f": {lost} of them lost, which it had right, and {gained} gained"
    parts[0] += ".</p>"
    if not changed:
        return parts
    parts.append(_by_class(pairs) if known else _by_answer(changed))
    # Those that were right come first.
    order = sorted(changed, key=lambda pair: pair[0].answer != pair[0].expected)
    shown = "".join(_changed(one, other) for one, other in order[:_CHANGED])
    more = f"<p class=soft>And {len(order) - _CHANGED} more.</p>" if len(order) > _CHANGED else ""
    return [*parts, f"<div class=changed>{shown}</div>{more}"]


def _by_class(pairs: Pairs) -> str:
    """What each class lost and gained, those first that changed for the worse; the others are only counted."""
    classes = sorted({str(one.expected) for one, _ in pairs})
    rows: list[tuple[int, tuple[str, ...]]] = []
    for name in classes:
        own = [(one.answer == name, str(other.answer)) for one, other in pairs if one.expected == name]
        lost = Counter(answer for before, answer in own if before and answer != name)
        gained = sum(not before and answer == name for before, answer in own)
        before = sum(right for right, _ in own)
        if lost or gained:
            to = ", ".join(f"{count} to {answer}" for answer, count in lost.most_common(3))
            figures = (lost.total(), gained, before, before - lost.total() + gained, len(own))
            rows.append((gained - lost.total(), (escape(one_line(name)), *map(str, figures), escape(one_line(to)))))
    if not rows:
        return ""
    rows.sort(key=lambda row: row[0])
    head = ("class", "lost", "gained", "right before", "now", "of", "lost to")
    table = html_table(head, [cells for _, cells in rows[:_CLASSES]], numbers=range(1, 6))
    kept = len(classes) - len(rows)
    return table + (f"<p class=soft>{kept} other classes neither lost nor gained.</p>" if kept else "")


def _by_answer(changed: Pairs) -> str:
    """Which answer became which, and how often."""
    counts = Counter((str(one.answer), str(other.answer)) for one, other in changed)
    rows = [(*map(escape, map(one_line, pair)), str(count)) for pair, count in counts.most_common(_CLASSES)]
    return html_table(("float", "now", "pictures"), rows, numbers=(2,))


def _changed(one: Example, other: Example) -> str:
    picture = Image.fromarray(_drawable(one.picture()))
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
    expected = "" if one.expected is None else f"<div class=soft>{escape(one_line(one.expected))} is right</div>"
    return (
        f"<figure><img src='{_data(np.asarray(picture))}' alt=''><figcaption>{escape(one_line(one.answer))} →"
        f" {escape(one_line(other.answer))}{expected}<div class=soft>{escape(one_line(one.name))}</div></figcaption>"
        "</figure>"
    )


def _middle(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """As much of it as a page bears, pixel for pixel."""
    height, width = pixels.shape[:2]
    top, left = max(0, (height - _SIDE) // 2), max(0, (width - _SIDE) // 2)
    return pixels[top : top + _SIDE, left : left + _SIDE]


def _drawable(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels


def _data(pixels: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(_drawable(pixels))).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(buffer.getvalue()).decode()}"
