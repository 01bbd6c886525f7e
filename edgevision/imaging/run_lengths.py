"""Masks as run lengths, in the form that COCO's own tools read: column by column, first what is not in the mask."""

from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

_BITS = 5
_MORE = 1 << _BITS
_SIGN = 1 << (_BITS - 1)
_FIRST = 48
"""The character of 0."""


class RunLengths(TypedDict):
    """``size`` is [height, width]; ``counts`` the compressed runs, six bits a character."""

    size: list[int]
    counts: str


def encode_mask(mask: NDArray[np.bool_], size: tuple[int, int], corner: tuple[int, int] = (0, 0)) -> RunLengths:
    """A mask of a picture of ``size`` (height, width), of which ``mask`` is the part whose upper left pixel is at
    ``corner`` (x, y)."""
    height, width = size
    x, y = corner
    framed = np.zeros((mask.shape[1], mask.shape[0] + 2), np.int8)
    framed[:, 1:-1] = mask.T
    steps = np.diff(framed, axis=1)
    edges = []
    for step in (1, -1):
        columns, rows = np.nonzero(steps == step)
        edges.append((columns + x) * height + rows + y)
    starts, stops = edges
    if len(starts):
        # What reaches from the lower edge of a column to the upper of the next is one run.
        apart = np.concatenate([[True], starts[1:] != stops[:-1]])
        starts, stops = starts[apart], stops[np.concatenate([apart[1:], [True]])]
    places = np.concatenate([[0], np.stack([starts, stops], axis=1).ravel(), [height * width]])
    counts = np.diff(places)
    return {"size": [height, width], "counts": _compressed(counts if counts[-1] else counts[:-1])}


def decode_mask(runs: RunLengths | dict[str, Any]) -> NDArray[np.bool_]:
    """The mask (height, width); ``counts`` may be compressed, as text or bytes, or a list of numbers.

    Raises:
        ValueError: the runs are not as long as the picture is large.
    """
    height, width = (int(side) for side in runs["size"])
    counts = runs["counts"]
    if isinstance(counts, bytes):
        counts = counts.decode("ascii", "replace")
    lengths = np.asarray(_expanded(counts) if isinstance(counts, str) else counts, np.int64)
    if (lengths.size and lengths.min() < 0) or lengths.sum() != height * width:
        raise ValueError(f"the runs of a mask add up to {lengths.sum()}, and it has {width}x{height} pixels")
    inside = np.arange(len(lengths)) % 2 == 1
    return np.repeat(inside, lengths).reshape(width, height).T


def _compressed(counts: NDArray[np.int64]) -> str:
    differences = counts.copy()
    differences[3:] -= counts[1:-2]
    characters = []
    for number in differences.tolist():
        while True:
            bits, number = number & (_MORE - 1), number >> _BITS
            if number == (-1 if bits & _SIGN else 0):
                characters.append(chr(_FIRST + bits))
                break
            characters.append(chr(_FIRST + bits + _MORE))
    return "".join(characters)


def _expanded(text: str) -> list[int]:
    counts: list[int] = []
    number = shift = 0
    for character in text:
        bits = ord(character) - _FIRST
        if not 0 <= bits < 2 * _MORE:
            raise ValueError(f"{character!r} is no character of a mask's runs")
        number |= (bits & (_MORE - 1)) << shift
        shift += _BITS
        if bits & _MORE:
            continue
        if bits & _SIGN:
            number -= 1 << shift
        counts.append(number + (counts[-2] if len(counts) > 2 else 0))
        number = shift = 0
    return counts
