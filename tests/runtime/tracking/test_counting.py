"""Lines that are crossed and zones that are entered."""

import numpy as np
import pytest

from edgevision.core.errors import InputError
from edgevision.runtime.tasks.detection.result import Detections
from edgevision.runtime.tracking.counting import LineCount, ZoneCount, count_rows, parsed_points
from edgevision.runtime.tracking.result import Tracks


def tracks(**places):
    """One thing for each name ``t3=(x, y)``, its centre there."""
    boxes = np.array([[x - 2, y - 2, x + 2, y + 2] for x, y in places.values()], np.float32).reshape(-1, 4)
    ids = np.array([int(name[1:]) for name in places], np.int64)
    count = len(ids)
    found = Detections(boxes, np.ones(count, np.float32), np.zeros(count, np.int64), size=(100, 100))
    return Tracks(found, ids, np.ones(count, bool))


def test_who_crosses_a_line_counts_once_and_by_direction():
    line = LineCount(((50, 0), (50, 100)))  # downwards: its left is at larger x
    for frame, x in enumerate(range(10, 91, 10)):
        line.see(tracks(t1=(x, 50), t2=(100 - x, 20), t3=(x, 150)), frame)
    assert (line.left, line.right) == (1, 1)


def test_standing_on_the_line_is_no_crossing_twice():
    line = LineCount(((50, 0), (50, 100)))
    for x in (49, 50, 51, 50, 51):
        line.see(tracks(t1=(x, 50)), 0)
    assert line.left - line.right == 1
    assert line.left + line.right in (1, 3)


def test_who_is_in_a_zone():
    zone = ZoneCount(((20, 20), (80, 20), (80, 80), (20, 80)))
    zone.see(tracks(t1=(50, 50), t2=(10, 50)), 0)
    assert (zone.inside, zone.visitors) == (1, 1)
    zone.see(tracks(t1=(50, 50), t2=(30, 50)), 59.9)
    zone.see(tracks(t2=(30, 50)), 60)
    zone.see(tracks(t2=(90, 50)), 61)
    assert (zone.inside, zone.visitors) == (0, 2)
    assert count_rows([], [zone]) == [
        {"minute": 0, "zone 1 things": 2, "zone 1 at once": 2},
        {"minute": 1, "zone 1 things": 1, "zone 1 at once": 1},
    ]


def test_minutes_without_anything_are_in_the_table():
    line = LineCount(((50, 0), (50, 100)))
    line.see(tracks(t1=(40, 50)), 0)
    line.see(tracks(t1=(60, 50)), 130)
    assert [row["line 1 left"] for row in count_rows([line], [])] == [0, 0, 1]


def test_points_from_the_command_line():
    assert parsed_points("--line", "1,2,3.5,4", 2, 2) == ((1, 2), (3.5, 4))
    for text in ("1,2,3", "1,2", "a,b,c,d", "1,2,3,nan", "1,2,3,4,5,6"):
        with pytest.raises(InputError, match="--line is 2 points"):
            parsed_points("--line", text, 2, 2)
