"""How a segmentation network's outputs become masks: what its metadata say of its head.

A head gives maps. Four ways lead from them to an answer: the class of each pixel (semantic segmentation), things told
apart by a map that is high in their middle (a watershed) or by embeddings that are alike in each (a clustering), or
boxes, each with a mask mixed from prototypes.
"""

from enum import StrEnum

from edgevision.core.records import Record, record
from edgevision.runtime.tasks.detection.spec import DetectionSpec, Scores


class MapField(StrEnum):
    """What channels of an output are."""

    SCORES = "scores"
    """A map for each class: all channels that are left. The highest is the class."""
    CLASS = "class"
    """1 map of class indices."""
    FOREGROUND = "foreground"
    """1 map: from ``threshold`` on a pixel is of class 1, below of class 0, the background."""
    DISTANCE = "distance"
    """1 map, high in the middle of a thing and low at its border: the distance to the border, or a centre's heat. It
    may have any scale."""
    BOUNDARY = "boundary"
    """1 map, high between a thing and its neighbours."""
    EMBEDDING = "embedding"
    """All channels that are left: numbers that are alike within a thing and others in its neighbours (De Brabandere et
    al. 2017)."""
    PROTOTYPES = "prototypes"
    """A map for each coefficient of a box: the sigmoid of their weighted sum is its mask (Bolya et al. 2019)."""
    SKIP = "skip"
    """1 map that says nothing."""

    @property
    def is_several(self) -> bool:
        """Whether it is all channels that are left."""
        return self in (MapField.SCORES, MapField.EMBEDDING, MapField.PROTOTYPES)

    @property
    def is_probability(self) -> bool:
        """Whether an activation makes probabilities of it."""
        return self not in (MapField.DISTANCE, MapField.CLASS, MapField.EMBEDDING, MapField.PROTOTYPES)


class Channels(StrEnum):
    """Where the channels of an output are, the batch aside; one of a single channel may lack that axis."""

    FIRST = "first"
    """(channels, height, width)"""
    LAST = "last"
    """(height, width, channels)"""


@record
class MapPart(Record):
    """The maps in one output: ``fields`` are its channels from first to last.

    ``activation`` makes probabilities of the channels: softmax over all of them but distances, sigmoid of each.
    """

    output: str
    fields: tuple[MapField, ...]
    channels: Channels = Channels.FIRST
    activation: Scores = Scores.NONE

    def __post_init__(self) -> None:
        if not self.fields:
            raise ValueError(f"a part of a head has fields; {self.output!r} has none")


@record
class WatershedSpec(Record):
    """How things are told apart: each hill of the landscape is one (Chazal et al. 2013, persistence-based clustering).

    The landscape is the distance, else the foreground, less the boundary where there is one. Two hills are one thing
    where the lower stands out of the saddle between them by less than ``prominence``.

    Attributes:
        prominence: in the unit of the landscape.
        min_peak: the least height of a hill's top.
        min_area: the least number of pixels of the network's output.
    """

    prominence: float = 0.1
    min_peak: float = 0.0
    min_area: int = 0

    def __post_init__(self) -> None:
        if self.prominence < 0 or self.min_area < 0:
            raise ValueError(f"prominence and min_area are at least 0, not {self.prominence} and {self.min_area}")


@record
class ClusteringSpec(Record):
    """How things are told apart by their embeddings: each cluster is one, found by mean shift.

    Attributes:
        radius: how far from a thing's mean its embeddings are at most: half of what training holds the means apart, by
            default that of the discriminative loss as published, 1.5.
        min_area: the least number of pixels of the network's output.
    """

    radius: float = 0.75
    min_area: int = 20

    def __post_init__(self) -> None:
        if self.radius <= 0 or self.min_area < 0:
            raise ValueError(f"radius is above 0 and min_area at least 0, not {self.radius} and {self.min_area}")


@record
class SegmentationHead(Record):
    """From the outputs to masks.

    Attributes:
        maps: what the outputs are that are maps.
        background: the class that is nothing, of ``scores`` or ``class``; with ``foreground`` it is always 0.
        watershed, clustering: how things are told apart; without, the answer is the class of each pixel.
        boxes: what is found with a box, whose rows have coefficients of the ``prototypes``.
    """

    maps: tuple[MapPart, ...]
    background: int | None = None
    watershed: WatershedSpec | None = None
    clustering: ClusteringSpec | None = None
    boxes: DetectionSpec | None = None

    def __post_init__(self) -> None:
        fields = self.fields
        if (self.boxes is not None) != (MapField.PROTOTYPES in fields):
            raise ValueError(f"boxes and prototypes belong together; the maps are {_named(fields)}")
        if self.boxes is not None:
            if self.boxes.head is None or not self.boxes.head.coefficients:
                raise ValueError("the head of boxes with masks has coefficients among its fields")
            if self.watershed is not None or self.clustering is not None:
                raise ValueError("boxes tell things apart already: a head with them has no watershed or clustering")
            return
        if (self.clustering is not None) != (MapField.EMBEDDING in fields):
            raise ValueError(f"a clustering and an embedding belong together; the maps are {_named(fields)}")
        if self.clustering is not None and self.watershed is not None:
            raise ValueError("a watershed and a clustering exclude each other: either tells things apart")
        if len(set(fields)) < len([field for field in fields if field is not MapField.SKIP]):
            raise ValueError(f"each field stands once in a head, not {_named(fields)}")
        if not set(fields) & {MapField.SCORES, MapField.CLASS, MapField.FOREGROUND}:
            raise ValueError(f"a head has scores, class or foreground in its maps, not {_named(fields)}")
        if self.tells_apart and self.background_class is None:
            raise ValueError("things are told apart in a foreground: a head that does has one, or a background class")

    @property
    def fields(self) -> tuple[MapField, ...]:
        """What all maps are."""
        return tuple(field for part in self.maps for field in part.fields)

    @property
    def tells_apart(self) -> bool:
        """Whether the answers are things, not the class of each pixel."""
        return not (self.watershed is None and self.clustering is None and self.boxes is None)

    @property
    def background_class(self) -> int | None:
        """The class that is nothing."""
        return 0 if MapField.FOREGROUND in self.fields else self.background


@record
class SegmentationSpec(Record):
    """What a network segments, and which of its masks are answers.

    Attributes:
        head: from the outputs to masks; ``None`` as long as it is not known.
        layout: the name of the head's kind, as ``foreground``, where it is one of those that are recognised.
        labels: the classes, by their index, the background among them; ``class 0``, ``class 1``, ... without.
        threshold: from what on a pixel belongs to the foreground, or to a thing's mask, after the activation.
        min_score: the least score of an answer, 0..1.
        most: how many things there are at most.
    """

    head: SegmentationHead | None = None
    layout: str | None = None
    labels: tuple[str, ...] = ()
    threshold: float = 0.5
    min_score: float = 0.0
    most: int = 1000

    def __post_init__(self) -> None:
        if not 0 <= self.min_score <= 1:
            raise ValueError(f"min_score is a score of 0..1, not {self.min_score}")
        if self.most < 1:
            raise ValueError(f"most is at least 1, not {self.most}")

    @property
    def background(self) -> int | None:
        """The class that is nothing; ``None`` without, or as long as the head is not known."""
        return None if self.head is None else self.head.background_class


def _named(fields: tuple[MapField, ...]) -> str:
    return ", ".join(fields) or "nothing"
