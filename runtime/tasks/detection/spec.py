"""How a detector's outputs become boxes: what its metadata say of its head.

Heads differ in what a row of their outputs holds, in what a box is coded relative to, and in what a score is; each is
one field here, so that a head nobody has thought of is a new combination rather than new code.
"""

from enum import StrEnum

from edgevision.core.records import Record, record


class Field(StrEnum):
    """What stands in a row of an output, in columns beside each other."""

    BOX = "box"
    """4 numbers, or 4 times ``bins``."""
    OFFSET = "offset"
    """2 numbers: where in its cell a centre lies (CenterNet)."""
    SIZE = "size"
    """2 numbers: width and height (CenterNet)."""
    OBJECTNESS = "objectness"
    """1 number that the scores are multiplied by."""
    SCORES = "scores"
    """A number for each class: all columns that are left."""
    SCORE = "score"
    """1 number, that of the class in ``class``, or of the only one."""
    CLASS = "class"
    """1 number: the index of the class."""
    POINTS = "points"
    """2 or 3 numbers for each point: x, y and how visible it is."""
    COEFFICIENTS = "coefficients"
    """As many numbers as there are prototypes of masks (Bolya et al. 2019, YOLACT): how much of each a mask has."""
    COUNT = "count"
    """An output of its own: how many rows of the others are answers."""
    SKIP = "skip"
    """1 number that says nothing, as the index in the batch."""


class Arrangement(StrEnum):
    """How the rows lie in an output, the batch aside."""

    ROWS = "rows"
    """(rows, columns)"""
    COLUMNS = "columns"
    """(columns, rows)"""
    NCHW = "nchw"
    """(anchors x columns, height, width): a map for each level."""
    NHWC = "nhwc"
    """(height, width, anchors x columns)"""
    ANCHORS = "anchors"
    """(anchors, height, width, columns)"""


class BoxCoding(StrEnum):
    """What the four numbers t of a box are; p is the prior box of its row, s the stride of its level."""

    CORNERS = "corners"
    """x1, y1, x2, y2."""
    YX_CORNERS = "yx-corners"
    """y1, x1, y2, x2 (TensorFlow)."""
    CENTER = "center"
    """Centre x, y, width, height."""
    ORIGIN = "origin"
    """x1, y1, width, height."""
    PRIORS = "priors"
    """Centre p + v t p_size, size p_size exp(v' t), with the variances (v, v') (Liu et al. 2016, SSD)."""
    YX_PRIORS = "yx-priors"
    """The same with y before x and the height before the width (Tan et al. 2020, EfficientDet)."""
    SHIFTS = "shifts"
    """Centre p + t, size t (Bazarevsky et al. 2019, BlazeFace)."""
    YOLO_EXP = "yolo-exp"
    """Centre p + s sigmoid(t), size p_size exp(t) (Redmon & Farhadi 2017)."""
    YOLO_SQUARE = "yolo-square"
    """Centre p + s (2 sigmoid(t) - 0.5), size p_size (2 sigmoid(t))^2 (YOLOv5, YOLOv7)."""
    CELLS = "cells"
    """Centre p + s t, size s exp(t) (YOLOX, YuNet)."""
    DISTANCES = "distances"
    """How far left, top, right and bottom are from p (Tian et al. 2019, FCOS); with ``bins`` the expectation of a
    distribution over 0 .. bins - 1 (Li et al. 2020)."""
    CENTERS = "centers"
    """Centre p + s offset, size s size, of ``offset`` and ``size`` (Zhou et al. 2019, CenterNet)."""

    @property
    def has_priors(self) -> bool:
        """Whether a box is relative to the place of its row."""
        return self not in (BoxCoding.CORNERS, BoxCoding.YX_CORNERS, BoxCoding.CENTER, BoxCoding.ORIGIN)


class Unit(StrEnum):
    """What lengths are measured in."""

    PIXELS = "pixels"
    """Of the network's input."""
    INPUT = "input"
    """The width and the height of the network's input."""
    STRIDES = "strides"
    """The stride of the level."""


class Scores(StrEnum):
    """What makes scores of the numbers that the network gives."""

    NONE = "none"
    SIGMOID = "sigmoid"
    SOFTMAX = "softmax"


class Merge(StrEnum):
    """What becomes of boxes that overlap by more than ``iou``."""

    SUPPRESS = "suppress"
    """The best is kept (greedy non-maximum suppression)."""
    BLEND = "blend"
    """Their mean, weighted by their scores, with the mean score (Bazarevsky et al. 2019)."""


@record
class OutputPart(Record):
    """Some columns of the rows: in one output, or in one output for each level.

    ``fields`` are what stands in a row, from left to right.
    """

    outputs: tuple[str, ...]
    fields: tuple[Field, ...]
    arrangement: Arrangement = Arrangement.ROWS

    def __post_init__(self) -> None:
        if not self.outputs or not self.fields:
            raise ValueError(f"a part of a head has outputs and fields, not {self.outputs!r} and {self.fields!r}")


@record
class Level(Record):
    """One grid of cells, each ``stride`` pixels wide, with a prior box of each (width, height) of ``anchors`` in
    pixels; one without a size where there are none."""

    stride: int
    anchors: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise ValueError(f"a stride is at least 1, not {self.stride}")
        if any(min(size) <= 0 for size in self.anchors):
            raise ValueError(f"anchors are positive (width, height) in pixels, not {self.anchors!r}")

    @property
    def per_cell(self) -> int:
        """Rows for each cell."""
        return len(self.anchors) or 1


@record
class HeadSpec(Record):
    """From the outputs to boxes.

    Attributes:
        parts: where what stands in the rows is found.
        coding: what a box is.
        unit: of coded lengths that are not relative to a prior's size.
        levels: the grids that the rows belong to, one after the other, each row by row.
        anchors_last: whether of a flat list the anchors of one cell stand beside each other; else each anchor has its
            whole grid.
        cell_offset: where in its cell a prior's centre is, of its side.
        even_cells: whether cells share the input evenly where a stride does not divide it (YOLACT); else the last ones
            reach beyond it.
        variances: of :attr:`BoxCoding.PRIORS` and its kin, for centres and for sizes.
        bins: of a distribution for each side; 1 for none.
        scores, objectness: what makes scores of the numbers.
        geometric: scores are the square root of the product with the objectness (YuNet), not the product.
        background: the column of the scores that is no class; negative ones count from the end.
        peaks: only scores that are the highest of the nine round them count (CenterNet).
        points: how many points a row has, each with ``point_width`` numbers, coded as the box's centre.
        point_scale: what coded points are multiplied by first; YOLOv8 has 2.
        coefficients: how many coefficients of masks a row has.
        coefficient_tanh: whether they are the tanh of the numbers, where a graph like YOLACT's leaves that out.
    """

    parts: tuple[OutputPart, ...]
    coding: BoxCoding = BoxCoding.CORNERS
    unit: Unit = Unit.PIXELS
    levels: tuple[Level, ...] = ()
    anchors_last: bool = True
    cell_offset: float = 0.5
    even_cells: bool = False
    variances: tuple[float, float] = (0.1, 0.2)
    bins: int = 1
    scores: Scores = Scores.NONE
    objectness: Scores = Scores.NONE
    geometric: bool = False
    background: int | None = None
    peaks: bool = False
    points: int = 0
    point_width: int = 2
    point_scale: float = 1.0
    coefficients: int = 0
    coefficient_tanh: bool = False

    def __post_init__(self) -> None:
        fields = {field for part in self.parts for field in part.fields}
        boxes = {Field.OFFSET, Field.SIZE} if self.coding is BoxCoding.CENTERS else {Field.BOX}
        if not boxes <= fields:
            raise ValueError(f"the parts of a head with {self.coding} have {_named(boxes)}, not {_named(fields)}")
        if not fields & {Field.SCORES, Field.SCORE, Field.OBJECTNESS}:
            raise ValueError(f"a head has scores, score or objectness in its parts, not {_named(fields)}")
        if (Field.POINTS in fields) != (self.points > 0):
            raise ValueError(f"points is how many there are where a part has them: {self.points} with {_named(fields)}")
        if (Field.COEFFICIENTS in fields) != (self.coefficients > 0):
            raise ValueError(
                f"coefficients is how many there are where a part has them: {self.coefficients} with {_named(fields)}"
            )
        if self.coding.has_priors and not self.levels:
            raise ValueError(f"a head with {self.coding} has levels, each with its stride")
        if self.coding in _SIZED and not all(level.anchors for level in self.levels):
            raise ValueError(f"a head with {self.coding} has anchors at each level")
        if self.bins < 1 or (self.bins > 1 and self.coding is not BoxCoding.DISTANCES):
            raise ValueError(f"bins are those of distances, at least 1, not {self.bins} with {self.coding}")
        if self.point_width not in (2, 3):
            raise ValueError(f"a point has 2 or 3 numbers, not {self.point_width}")
        for part in self.parts:
            levels = len(part.outputs)
            if levels > 1 and levels != len(self.levels):
                raise ValueError(f"{levels} outputs need as many levels, not {len(self.levels)}")

    def columns(self, fields: tuple[Field, ...]) -> int | None:
        """How many numbers stand in a row of ``fields``; ``None`` where the classes' are among them."""
        if Field.SCORES in fields:
            return None
        return sum(self.width(field) for field in fields)

    def width(self, field: Field) -> int:
        """How many numbers of a row are a ``field``'s, the scores of the classes aside."""
        if field is Field.BOX:
            return 4 * self.bins
        if field is Field.POINTS:
            return self.points * self.point_width
        if field is Field.COEFFICIENTS:
            return self.coefficients
        return 2 if field in (Field.OFFSET, Field.SIZE) else 1


@record
class DetectionSpec(Record):
    """What a detector finds, and which of its boxes are answers.

    Attributes:
        head: from the outputs to boxes; ``None`` as long as it is not known.
        layout: the name of the head's kind, as ``yolov8``, where it is one of those that are recognised.
        labels: the classes, by their index; ``class 0``, ``class 1``, ... where there are none.
        min_score: the least score of an answer, 0..1.
        iou: boxes that overlap more are the same thing; ``None`` where the network has seen to that itself.
        class_wise: whether only boxes of one class can be the same thing.
        merge: what becomes of those.
        multi_label: whether one row can be an answer for several classes; else its best counts.
        most: how many answers there are at most.
        point_names, skeleton: of the points, and which of them are drawn joined, by index.
    """

    head: HeadSpec | None = None
    layout: str | None = None
    labels: tuple[str, ...] = ()
    min_score: float = 0.25
    iou: float | None = 0.45
    class_wise: bool = True
    merge: Merge = Merge.SUPPRESS
    multi_label: bool = False
    most: int = 300
    point_names: tuple[str, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.min_score <= 1:
            raise ValueError(f"min_score is a score of 0..1, not {self.min_score}")
        if self.iou is not None and not 0 < self.iou <= 1:
            raise ValueError(f"iou is a share of 0..1, not {self.iou}")
        if self.most < 1:
            raise ValueError(f"most is at least 1, not {self.most}")
        points = self.head.points if self.head is not None else 0
        if self.point_names and len(self.point_names) != points:
            raise ValueError(f"{len(self.point_names)} point_names are given for {points} points")
        if any(not 0 <= end < points for pair in self.skeleton for end in pair):
            raise ValueError(f"skeleton joins two of the {points} points, by index, not {self.skeleton!r}")


_SIZED = (BoxCoding.PRIORS, BoxCoding.YX_PRIORS, BoxCoding.YOLO_EXP, BoxCoding.YOLO_SQUARE)


def _named(fields: set[Field]) -> str:
    return ", ".join(sorted(fields)) or "nothing"
