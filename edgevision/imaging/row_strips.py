"""A large picture a few rows at a time: a copy of them, or their samples in float32, takes little memory beside it."""

from collections.abc import Iterator

# Few beside any picture that is large, and enough for numpy.
_PIXELS = 1 << 19


def row_strips(height: int, width: int) -> Iterator[slice]:
    """The rows of a picture of that size from top to bottom, in slices that start at even rows."""
    rows = 2 * max(_PIXELS // (2 * width), 1)
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))
