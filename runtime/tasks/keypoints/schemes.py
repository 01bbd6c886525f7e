"""Sets of points that people number alike: their names, what is joined, and what swaps in a mirror."""

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

Pairs = tuple[tuple[int, int], ...]


class Scheme(NamedTuple):
    """What is known of numbered points; the fields are those of :class:`.KeypointsSpec`."""

    thing: str
    point_names: tuple[str, ...]
    skeleton: Pairs
    swaps: Pairs
    scale_points: tuple[int, int] | None = None
    sigmas: tuple[float, ...] = ()


def swaps_by_name(names: tuple[str, ...]) -> Pairs:
    """The points called left and right, the rest of whose names is the same."""
    places = {name.lower(): index for index, name in enumerate(names)}
    pairs = []
    for name, index in places.items():
        other = places.get(name.replace("left", "right"))
        if "left" in name and other is not None:
            pairs.append((index, other))
    return tuple(pairs)


def _numbered(name: str, count: int) -> tuple[str, ...]:
    return tuple(f"{name} {number}" for number in range(1, count + 1))


def _path(start: int, end: int, *, closed: bool = False) -> Pairs:
    """The lines along points ``start`` to ``end``."""
    return tuple(pairwise(range(start, end + 1))) + (((end, start),) if closed else ())


# Sagonas et al. 2013 (300-W); left and right are those of the picture.
_FACE_PARTS = (
    ("jaw", 17),
    ("left eyebrow", 5),
    ("right eyebrow", 5),
    ("nose bridge", 4),
    ("nose base", 5),
    ("left eye", 6),
    ("right eye", 6),
    ("outer lips", 12),
    ("inner lips", 8),
)
_FACE_LINES = (
    *_path(0, 16),
    *_path(17, 21),
    *_path(22, 26),
    *_path(27, 30),
    *_path(31, 35),
    *_path(36, 41, closed=True),
    *_path(42, 47, closed=True),
    *_path(48, 59, closed=True),
    *_path(60, 67, closed=True),
)
_FACE_SWAPS = (
    *((index, 16 - index) for index in range(8)),
    *((17 + index, 26 - index) for index in range(5)),
    (31, 35),
    (32, 34),
    (36, 45),
    (37, 44),
    (38, 43),
    (39, 42),
    (40, 47),
    (41, 46),
    (48, 54),
    (49, 53),
    (50, 52),
    (59, 55),
    (58, 56),
    (60, 64),
    (61, 63),
    (67, 65),
)

_BODY_NAMES = (
    "nose",
    "left eye",
    "right eye",
    "left ear",
    "right ear",
    "left shoulder",
    "right shoulder",
    "left elbow",
    "right elbow",
    "left wrist",
    "right wrist",
    "left hip",
    "right hip",
    "left knee",
    "right knee",
    "left ankle",
    "right ankle",
)
_BODY_LINES = (
    *((0, 1), (0, 2), (1, 3), (2, 4), (5, 6), (5, 7), (7, 9), (6, 8), (8, 10)),
    *((5, 11), (6, 12), (11, 12), (11, 13), (13, 15), (12, 14), (14, 16)),
)
# How far people disagree of each point, as COCO measured it (cocodataset.org, keypoint evaluation).
BODY_SIGMAS = tuple(number / 1000 for number in (26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89))

_EYES = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")

SCHEMES: Mapping[str, Scheme] = {
    "face68": Scheme(
        "face",
        tuple(name for part, count in _FACE_PARTS for name in _numbered(part, count)),
        _FACE_LINES,
        _FACE_SWAPS,
        scale_points=(36, 45),
    ),
    "face5": Scheme("face", _EYES, (), swaps_by_name(_EYES), scale_points=(0, 1)),
    "coco17": Scheme("person", _BODY_NAMES, _BODY_LINES, swaps_by_name(_BODY_NAMES), sigmas=BODY_SIGMAS),
}
"""By name: 68 points of a face (300-W), five of a face, 17 of a body (COCO)."""


def scheme_of(points: int) -> Scheme | None:
    """What is known of so many points, where there is one such set."""
    return next((scheme for scheme in SCHEMES.values() if len(scheme.point_names) == points), None)
