"""What things were taken for, as text for a terminal."""

from collections.abc import Sequence

WIDEST = 100
"""Characters of a line in which all names stand whole; in a wider table they have numbers."""

_GAP = 2


def confusion_table(
    corner: str, rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[str]]
) -> list[str]:
    """Lines with a header: in ``rows`` what things are, in ``columns`` what they were taken for.

    Both begin with the same classes. Where their names are too wide to stand over the columns, these are numbered, and
    so are the rows.
    """
    common = next((i for i, pair in enumerate(zip(rows, columns, strict=False)) if pair[0] != pair[1]), len(columns))
    lines = _laid_out(corner, rows, columns, cells)
    if len(lines[0]) <= WIDEST:
        return lines
    numbers = [str(index + 1) for index in range(common)]
    numbered = [f"{number:>{len(numbers[-1])}} {row}" for number, row in zip(numbers, rows, strict=False)]
    return _laid_out(corner, [*numbered, *rows[common:]], [*numbers, *columns[common:]], cells)


def _laid_out(corner: str, rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    first = max(map(len, [corner, *rows]))
    widths = [max(map(len, column)) + _GAP for column in zip(columns, *cells, strict=True)]
    return [
        f"{name:<{first}}" + "".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True))
        for name, line in zip([corner, *rows], [columns, *cells], strict=True)
    ]
