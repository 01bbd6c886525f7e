"""How many things cross a line, and how many are in a zone, minute by minute."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edgevision.core.errors import InputError
from edgevision.core.printable import shortened
from edgevision.runtime.tracking.result import Tracks

Point = tuple[float, float]

_MOST_CORNERS = 1000


def parsed_points(option: str, text: str, least: int, most: int = _MOST_CORNERS) -> tuple[Point, ...]:
    """``x1,y1,x2,y2,...`` as points in pixels.

    Raises:
        InputError: they are not that, or fewer than ``least`` or more than ``most``.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    points = tuple(zip(numbers[::2], numbers[1::2], strict=False))
    if not np.isfinite(numbers).all() or len(numbers) % 2 or not least <= len(points) <= most:
        what = f"{least}" if least == most else f"{least} or more"
        raise InputError(f"{option} is {what} points as x1,y1,x2,y2 in pixels, not {shortened(text)}")
    return points


@dataclass
class LineCount:
    """Crossings of the line between two points.

    Whoever looks from the first point to the second has one side at the left: ``left`` are those who went there.

    Attributes:
        ends: the two points, x and y in pixels.
        minutes: by the minute, from 0, how many went to the left and how many to the right.
    """

    ends: tuple[Point, Point]
    minutes: dict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    _last: dict[int, Point] = field(default_factory=dict)

    def see(self, tracks: Tracks, seconds: float) -> None:
        """Take in the tracks of the next frame; of a box its centre counts."""
        for number, center in _centers(tracks):
            before, self._last[number] = self._last.get(number), center
            if before is None or not _cross(before, center, *self.ends):
                continue
            to_left = _side(*self.ends, center) < 0
            self.minutes[int(seconds // 60)][0 if to_left else 1] += 1

    @property
    def left(self) -> int:
        """How many went to the left, altogether."""
        return sum(counts[0] for counts in self.minutes.values())

    @property
    def right(self) -> int:
        """How many went to the right, altogether."""
        return sum(counts[1] for counts in self.minutes.values())


@dataclass
class ZoneCount:
    """Who is inside of a polygon.

    Attributes:
        corners: of the polygon, x and y in pixels.
        minutes: by the minute, from 0: the ids of those who were inside, and the most who were at once.
        inside: how many are now.
    """

    corners: tuple[Point, ...]
    minutes: dict[int, tuple[set[int], int]] = field(default_factory=dict)
    inside: int = 0
    _all: set[int] = field(default_factory=set)

    def see(self, tracks: Tracks, seconds: float) -> None:
        """Take in the tracks of the next frame; of a box its centre counts."""
        here = {number for number, center in _centers(tracks) if _contains(self.corners, center)}
        self.inside = len(here)
        self._all |= here
        ids, most = self.minutes.get(int(seconds // 60), (set(), 0))
        self.minutes[int(seconds // 60)] = (ids | here, max(most, len(here)))

    @property
    def visitors(self) -> int:
        """How many different things were inside, altogether."""
        return len(self._all)


def count_rows(lines: Sequence[LineCount], zones: Sequence[ZoneCount]) -> list[dict[str, str | int]]:
    """The lines of a table by minute: of each line who went left and right, of each zone who was there at all and at
    most at once."""
    minutes = {minute for line in lines for minute in line.minutes} | {m for zone in zones for m in zone.minutes}
    rows = []
    for minute in range(max(minutes, default=-1) + 1):
        row: dict[str, str | int] = {"minute": minute}
        for index, line in enumerate(lines, start=1):
            left, right = line.minutes.get(minute, (0, 0))
            row |= {f"line {index} left": left, f"line {index} right": right}
        for index, zone in enumerate(zones, start=1):
            ids, most = zone.minutes.get(minute, (set(), 0))
            row |= {f"zone {index} things": len(ids), f"zone {index} at once": most}
        rows.append(row)
    return rows


def _centers(tracks: Tracks) -> list[tuple[int, Point]]:
    centers = (tracks.found.boxes[:, :2] + tracks.found.boxes[:, 2:]) / 2
    return [(int(number), (x, y)) for number, (x, y) in zip(tracks.ids, centers.tolist(), strict=True)]


def _side(one: Point, other: Point, point: Point) -> float:
    """Above 0 where ``point`` is right of the way from one to the other, with y going down."""
    return (other[0] - one[0]) * (point[1] - one[1]) - (other[1] - one[1]) * (point[0] - one[0])


def _cross(before: Point, after: Point, one: Point, other: Point) -> bool:
    """Whether the way from before to after crosses the line, whose own points belong to its right side."""
    changed = (_side(one, other, before) < 0) != (_side(one, other, after) < 0)
    return changed and (_side(before, after, one) < 0) != (_side(before, after, other) < 0)


def _contains(corners: Sequence[Point], point: Point) -> bool:
    """Whether a ray from the point to the right meets the polygon's sides an odd number of times."""
    x, y = point
    inside = False
    for (x1, y1), (x2, y2) in zip(corners, (*corners[1:], corners[0]), strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
            inside = not inside
    return inside
