"""The heads of networks for points that people export, told by their outputs' names, shapes and values."""

from collections.abc import Callable, Mapping

import numpy as np

from edgevision.exporters.network_facts.head_layouts import Sample, is_named
from edgevision.runtime.tasks.keypoints.schemes import scheme_of
from edgevision.runtime.tasks.keypoints.spec import (
    Activation,
    Coding,
    KeypointHead,
    KeypointsSpec,
    Number,
    Refinement,
    Unit,
)

# What SimCC's bins are for each pixel, as it was published (Li et al. 2022) and as RTMPose has it.
_BINS_PER_PIXEL = (2, 3, 1)
_MOST_POINTS = 1000

_MEDIAPIPE = {
    # The side of the input, and what the numbers of a point are.
    468: (192, (Number.X, Number.Y, Number.SKIP)),
    478: (256, (Number.X, Number.Y, Number.SKIP)),
    21: (224, (Number.X, Number.Y, Number.SKIP)),
    39: (256, (Number.X, Number.Y, Number.SKIP, Number.SCORE, Number.SKIP)),
}
"""By how many points there are: faces, with irises, hands, bodies."""
_THINGS = {468: "face", 478: "face", 21: "hand", 39: "person"}


def _heatmaps(sample: Sample) -> KeypointsSpec | None:
    """A heat map for each point, (1, points, h, w) or (1, h, w, points), smaller than the input, of several outputs
    alike the last; the peak is where the point is."""
    names = list(sample.outputs)
    if any(array.ndim != 4 for array in sample.outputs.values()) or len(_alike(sample)) != 1:
        return None
    name = names[-1]  # stacked hourglasses refine what the ones before them gave
    array = sample.outputs[name]
    last = _are_maps(sample, array.shape[1:3]) and not _are_maps(sample, array.shape[2:])
    rows, columns = array.shape[1:3] if last else array.shape[2:]
    points = array.shape[3] if last else array.shape[1]
    if not _are_maps(sample, (rows, columns)) or sample.labels not in (0, points):
        return None
    logits = float(np.abs(array).max()) > 2
    head = KeypointHead(
        coding=Coding.HEATMAPS,
        outputs=(name,),
        points=points,
        refinement=Refinement.DARK if _is_unit(array) else Refinement.QUARTER,
        activation=Activation.SIGMOID if logits else Activation.NONE,
        channels_last=last,
    )
    return _known(head)


def _are_maps(sample: Sample, size: tuple[int, ...]) -> bool:
    """Whether maps of ``size`` (rows, columns) lie over the input."""
    rows, columns = size
    return sample.height * columns == sample.width * rows and 1 < sample.height / rows <= 32


def _alike(sample: Sample) -> set[tuple[int, ...]]:
    """The shapes that the outputs have."""
    return {array.shape for array in sample.outputs.values()}


def _offset_heatmaps(sample: Sample) -> KeypointsSpec | None:
    """A heat map for each point and two maps of offsets in cells, in one output (1, 3 points, h, w) called "offset"."""
    found = sample.only
    if found is None or found[1].ndim != 4 or "offset" not in found[0].lower() or found[1].shape[1] % 3:
        return None
    head = KeypointHead(
        coding=Coding.HEATMAPS,
        outputs=(found[0],),
        points=found[1].shape[1] // 3,
        refinement=Refinement.OFFSETS,
        cell_offset=0.0,
        activation=Activation.SIGMOID,
    )
    return _known(head)


def _simcc(sample: Sample) -> KeypointsSpec | None:
    """SimCC: for each point a line along x, (1, points, k width), and one along y, (1, points, k height)."""
    if len(sample.outputs) != 2:
        return None
    for bins in _BINS_PER_PIXEL:
        along_x, along_y = (sample.of_shape(1, None, bins * side) for side in (sample.width, sample.height))
        if sample.width == sample.height and len(along_x) == 2:
            # Only their names can tell which is which; without, the first is x as in MMPose.
            by_name = [sample.named(axis) for axis in ("_x", "_y")]
            along_x, along_y = by_name if all(len(names) == 1 for names in by_name) else [[n] for n in along_x]
        if len(along_x) == len(along_y) == 1:
            x, y = along_x[0], along_y[0]
            points = sample.outputs[x].shape[1]
            if points != sample.outputs[y].shape[1] or points > _MOST_POINTS:
                return None
            head = KeypointHead(
                coding=Coding.SIMCC,
                outputs=(x, y),
                points=points,
                refinement=Refinement.NONE,
                cell_offset=0.0,
                activation=Activation.NONE if _is_unit(sample.outputs[x]) else Activation.SOFTMAX,
            )
            return _known(head)
    return None


def _regressed(unit: Unit) -> Callable[[Sample], KeypointsSpec | None]:
    words = {
        Unit.PIXELS: "in pixels of the input",
        Unit.SHARES: "in shares of the input's sides",
        Unit.CENTERED: "from -1 to 1 across the input",
    }

    def recognise(sample: Sample) -> KeypointsSpec | None:
        found = sample.only
        if found is None:
            return None
        name, array = found
        if array.size < 4 or _is_one_of_maps(array) or _mediapipe(sample) is not None:
            return None
        width = 3 if array.ndim == 3 and array.shape[2] == 3 else 2
        points = sample.labels or array.size // width
        if array.size != points * width or points > _MOST_POINTS:
            return None
        coordinates = array.reshape(points, width)[:, :2]
        if not _fits(unit, coordinates, sample):
            return None
        # Of three numbers the last is how visible it is.
        activation = Activation.NONE if width == 2 or _is_unit(array.reshape(points, 3)[:, 2]) else Activation.SIGMOID
        head = KeypointHead(
            coding=Coding.POINTS, outputs=(name,), points=points, unit=unit, point_width=width, activation=activation
        )
        return _known(head)

    recognise.__doc__ = f"Coordinates x, y of each point in one output, {words[unit]}."
    return recognise


def _movenet(sample: Sample) -> KeypointsSpec | None:
    """Rows of y, x in shares of the input's sides and a score, for one thing: MoveNet, (1, 1, 17, 3)."""
    if sample.only is None:
        return None
    name, array = sample.only
    if array.ndim != 4 or array.shape[:2] != (1, 1) or array.shape[3] != 3 or not _is_unit(array):
        return None
    points = array.shape[2]
    if sample.labels not in (0, points):
        return None
    head = KeypointHead(
        coding=Coding.POINTS,
        outputs=(name,),
        points=points,
        unit=Unit.SHARES,
        point_width=3,
        numbers=(Number.Y, Number.X, Number.SCORE),
    )
    return _known(head)


def _mediapipe(sample: Sample) -> KeypointsSpec | None:
    """Rows of x, y in pixels and a depth, of 468 points of a face, 21 of a hand, or 39 of a body with how visible they
    are: MediaPipe, beside outputs that say whether there is one."""
    for points, (side, numbers) in _MEDIAPIPE.items():
        found = [name for name, array in sample.outputs.items() if array.size == points * len(numbers)]
        if not found or (sample.height, sample.width) != (side, side):
            continue
        # Of two as long, those in metres come last.
        pixels = [name for name in found if not is_named(name, "world")]
        if not pixels or sample.labels not in (0, points) or _is_one_of_maps(sample.outputs[pixels[0]]):
            continue
        head = KeypointHead(
            coding=Coding.POINTS,
            outputs=(pixels[0],),
            points=points,
            point_width=len(numbers),
            numbers=numbers,
            activation=Activation.SIGMOID if Number.SCORE in numbers else Activation.NONE,
        )
        return _known(head).updated(thing=_THINGS[points])
    return None


def _is_one_of_maps(array: np.ndarray) -> bool:
    return array.ndim == 4 and min(array.shape[2:]) > 1


def _fits(unit: Unit, coordinates: np.ndarray, sample: Sample) -> bool:
    """Whether coordinates may be in that unit: of a sample, which shows nothing, they lie round a mean thing."""
    low, high = float(coordinates.min()), float(coordinates.max())
    if unit is Unit.PIXELS:
        return high > 4 and low > -0.25 * sample.width and high < 1.25 * max(sample.width, sample.height)
    if high > 2 or low < -2:
        return False
    # Points spread over a picture are on both sides of its middle, where that is the origin.
    negative = float((coordinates < 0).mean())
    return negative < 0.25 if unit is Unit.SHARES else negative > 0.05


LAYOUTS: Mapping[str, Callable[[Sample], KeypointsSpec | None]] = {
    "heatmaps": _heatmaps,
    "offset-heatmaps": _offset_heatmaps,
    "simcc": _simcc,
    "movenet": _movenet,
    "mediapipe": _mediapipe,
    "points-pixels": _regressed(Unit.PIXELS),
    "points-shares": _regressed(Unit.SHARES),
    "points-centered": _regressed(Unit.CENTERED),
}
"""By name; more than one may fit the same outputs, which then do not tell what they are."""


def _known(head: KeypointHead) -> KeypointsSpec:
    """With what is known of as many points as some people number alike."""
    scheme = scheme_of(head.points)
    return KeypointsSpec(head=head, **(scheme._asdict() if scheme is not None else {}))


def _is_unit(values: np.ndarray) -> bool:
    return float(values.min()) >= -1e-3 and float(values.max()) <= 1 + 1e-3
