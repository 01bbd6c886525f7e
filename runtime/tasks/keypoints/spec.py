"""How a network's outputs become points: what the metadata say of its head, its points and its crops."""

from enum import StrEnum

from edgevision.core.records import Record, record


class Coding(StrEnum):
    """What the outputs say of a point; K is the number of points."""

    HEATMAPS = "heatmaps"
    """(K, rows, columns): how likely it is in each cell; 3 K maps have offsets (dx, dy) of each cell behind."""
    POINTS = "points"
    """K times the numbers of a point: x, y, and with ``point_width`` 3 how visible it is, or as ``numbers`` says."""
    SIMCC = "simcc"
    """(K, columns) and (K, rows): how likely it is at each place along either side (Li et al. 2022, SimCC)."""


class Refinement(StrEnum):
    """How a place is found more finely than the cells of a heat map or the bins of SimCC are."""

    NONE = "none"
    """The middle of the highest cell."""
    QUARTER = "quarter"
    """A quarter of a cell towards the higher neighbour (Newell et al. 2016)."""
    PARABOLA = "parabola"
    """The peak of the parabola through the highest cell and its two neighbours."""
    DARK = "dark"
    """One step of Newton's method on the logarithm of the map, smoothed first (Zhang et al. 2020, equation 8)."""
    MEAN = "mean"
    """The mean place, each weighed by its softmax (Sun et al. 2018)."""
    OFFSETS = "offsets"
    """By the offsets of the highest cell, in cells, which the network gives (Papandreou et al. 2017)."""


class Unit(StrEnum):
    """What regressed coordinates are measured in."""

    PIXELS = "pixels"
    """Of the network's input."""
    SHARES = "shares"
    """0..1 of its sides."""
    CENTERED = "centered"
    """-1..1 from one side to the other."""


class Number(StrEnum):
    """What one of the numbers of a regressed point is."""

    X = "x"
    Y = "y"
    SCORE = "score"
    SKIP = "skip"
    """What says nothing here, as a depth."""


class Activation(StrEnum):
    """What makes a score of 0..1 of the numbers that the network gives."""

    NONE = "none"
    SIGMOID = "sigmoid"
    SOFTMAX = "softmax"
    """Over the cells or bins: the score is the probability that the point is within a tenth of the input's side."""


@record
class KeypointHead(Record):
    """From the outputs to points.

    Attributes:
        coding: what the outputs say.
        outputs: their names: one, or for SimCC that along x and that along y.
        points: how many there are.
        refinement: of heat maps and SimCC.
        unit, point_width: of regressed points.
        numbers: what these ``point_width`` numbers are, where they are not x, y and how visible it is.
        beyond: how many of the cells or bins lie beyond the input, at either end of a side.
        cell_offset: where in its cell a point is that has its peak there: 0.5 is the middle.
        activation: what makes scores of the highest numbers, or of those that regressed points have.
        blur: standard deviation of the smoothing before DARK, in cells.
        scores: the output with how visible each point is, where it is one of its own.
        channels_last: heat maps are (rows, columns, K).
    """

    coding: Coding
    outputs: tuple[str, ...]
    points: int
    refinement: Refinement = Refinement.PARABOLA
    unit: Unit = Unit.PIXELS
    point_width: int = 2
    numbers: tuple[Number, ...] = ()
    beyond: float = 0.0
    cell_offset: float = 0.5
    activation: Activation = Activation.NONE
    blur: float = 0.0
    scores: str | None = None
    channels_last: bool = False

    def __post_init__(self) -> None:
        wanted = 2 if self.coding is Coding.SIMCC else 1
        if len(self.outputs) != wanted:
            raise ValueError(f"a head of {self.coding} has {wanted} outputs, not {self.outputs!r}")
        if self.points < 1:
            raise ValueError(f"a head has at least 1 point, not {self.points}")
        if not self.numbers and self.point_width not in (2, 3):
            raise ValueError(f"a point has 2 or 3 numbers, unless numbers says what they are, not {self.point_width}")
        if self.numbers and (len(self.numbers) != self.point_width or not {Number.X, Number.Y} <= set(self.numbers)):
            raise ValueError(
                f"numbers says of {self.point_width} numbers of a point which are x and y, not {self.numbers!r}"
            )
        if self.blur < 0 or self.beyond < 0:
            raise ValueError(f"blur and beyond are numbers of cells of 0 or more, not {self.blur} and {self.beyond}")
        if self.coding is Coding.SIMCC and self.refinement is Refinement.OFFSETS:
            raise ValueError("SimCC has no offsets; its refinement is another")

    @property
    def order(self) -> tuple[Number, ...]:
        """What the numbers of a regressed point are."""
        return self.numbers or (Number.X, Number.Y, Number.SCORE)[: self.point_width]

    @property
    def has_distributions(self) -> bool:
        """Whether its scores are probabilities that a point is near where it was found, so that they tell doubt."""
        return self.activation is Activation.SOFTMAX and self.coding is not Coding.POINTS


@record
class KeypointsSpec(Record):
    """What points a network finds, how a thing is cut out for it, and by what its errors are measured.

    Attributes:
        head: from the outputs to points; ``None`` as long as it is not known.
        layout: the name of the head's kind, where it is one of those that are recognised.
        thing: what the points are of, as "face"; a detector that finds the things calls them as it knows them.
        point_names: by index; ``point 0``, ``point 1``, ... where there are none.
        skeleton: which points are drawn joined, by index.
        swaps: pairs of points that change places in a mirror, by index.
        margin: how much of its side a thing's box grows before it is cut out.
        min_score: the least score of a point that counts as visible.
        scale_points: the two points whose distance errors are measured in, as the outer corners of the eyes; without
            them it is the square root of the box's area.
        sigmas: of COCO's object keypoint similarity, one for each point; without them 0.05 for all, and COCO's for 17.
        groups: a regular expression that finds in a picture's name what it shows, as a person's name: training holds a
            tenth of these out, not of the pictures.
    """

    head: KeypointHead | None = None
    layout: str | None = None
    thing: str = "thing"
    point_names: tuple[str, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()
    swaps: tuple[tuple[int, int], ...] = ()
    margin: float = 0.25
    min_score: float = 0.0
    scale_points: tuple[int, int] | None = None
    sigmas: tuple[float, ...] = ()
    groups: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.margin <= 10:
            raise ValueError(f"margin is a share of the box's side, 0..10, not {self.margin}")
        if not 0 <= self.min_score <= 1:
            raise ValueError(f"min_score is a score of 0..1, not {self.min_score}")
        if any(sigma <= 0 for sigma in self.sigmas):
            raise ValueError(f"sigmas are positive, not {self.sigmas!r}")
        if self.head is None:
            return
        points = self.head.points
        for name, values in (("point_names", self.point_names), ("sigmas", self.sigmas)):
            if values and len(values) != points:
                raise ValueError(f"{len(values)} {name} are given for {points} points")
        pairs = (*self.skeleton, *self.swaps, *((self.scale_points,) if self.scale_points else ()))
        if any(not 0 <= end < points for pair in pairs for end in pair):
            raise ValueError(
                f"skeleton, swaps and scale_points name two of the {points} points by index, and one does not"
            )
        ends = [end for pair in self.swaps for end in pair]
        if len(set(ends)) != len(ends):
            raise ValueError("swaps name a point in one pair only")

    def mirrored(self, points: int) -> list[int]:
        """Which point is where each was, in a mirror."""
        order = list(range(points))
        for one, other in self.swaps:
            order[one], order[other] = other, one
        return order
