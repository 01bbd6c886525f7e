"""The heads of detectors that people export, told by their outputs' names, shapes and values."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from edgevision.exporters.network_facts import face_layouts, suppressed_layouts, yolo_layouts
from edgevision.exporters.network_facts.grids import (
    STRIDES,
    Recognise,
    are_corners,
    are_indices,
    cell_count,
    levels_of,
    map_groups,
    part_of,
    unit_of,
)
from edgevision.exporters.network_facts.head_layouts import Sample, in_unit_range, sums_to_one
from edgevision.exporters.network_facts.suppressed_layouts import MOST_ROWS
from edgevision.runtime.tasks.detection.rows import grid_size
from edgevision.runtime.tasks.detection.spec import (
    Arrangement,
    BoxCoding,
    DetectionSpec,
    Field,
    HeadSpec,
    Level,
    Scores,
    Unit,
)

_FEW_QUERIES = 200
"""Of a network that has no rows for places."""

_SSD_STRIDES = (8, 16, 32, 64, 100, 300)
_SSD_SIDES = (30.0, 60.0, 111.0, 162.0, 213.0, 264.0, 315.0)


def _centernet(sample: Sample) -> DetectionSpec | None:
    """A heat map for each class, sizes and offsets at a quarter of the input: CenterNet."""
    rows, columns = grid_size(Level(stride=4), sample.height, sample.width)
    pairs = sample.of_shape(1, 2, rows, columns)
    heat = [name for name in sample.of_shape(1, None, rows, columns) if name not in pairs]
    sizes = [name for name in pairs if "wh" in name.lower() or "size" in name.lower()]
    offsets = [name for name in pairs if "reg" in name.lower() or "off" in name.lower()]
    if not (len(heat) == len(sizes) == len(offsets) == 1):
        return None
    head = HeadSpec(
        parts=(
            part_of(heat[0], Field.SCORES, arrangement=Arrangement.NCHW),
            part_of(sizes[0], Field.SIZE, arrangement=Arrangement.NCHW),
            part_of(offsets[0], Field.OFFSET, arrangement=Arrangement.NCHW),
        ),
        coding=BoxCoding.CENTERS,
        unit=Unit.STRIDES,
        cell_offset=0.0,
        peaks=True,
        scores=Scores.NONE if in_unit_range(sample.outputs[heat[0]]) else Scores.SIGMOID,
        levels=levels_of((4,)),
    )
    return DetectionSpec(head=head, iou=None, most=100)


def _detr(focal: bool) -> Recognise:
    """A recogniser of DETR, whose classes are apart (``focal``) or shares of a whole with "nothing"."""

    def recognise(sample: Sample) -> DetectionSpec | None:
        pair = _boxes_and_logits(sample)
        if pair is None:
            return None
        boxes, scores = pair
        array, logits = sample.outputs[boxes], sample.outputs[scores]
        queries, columns = array.shape[1], logits.shape[2]
        if queries > MOST_ROWS or not in_unit_range(array) or in_unit_range(logits):
            return None
        # The first kind was published with 100 queries, the other with 300 and more.
        if focal != (sample.labels == columns) and not (focal and not sample.labels and queries > _FEW_QUERIES):
            return None
        if columns < 2 and not focal:
            return None
        head = HeadSpec(
            parts=(part_of(boxes, Field.BOX), part_of(scores, Field.SCORES)),
            coding=BoxCoding.CENTER,
            unit=Unit.INPUT,
            scores=Scores.SIGMOID if focal else Scores.SOFTMAX,
            background=None if focal else -1,
        )
        return DetectionSpec(head=head, iou=None, min_score=0.5)

    nothing = "each apart: Deformable DETR, RT-DETR" if focal else 'with "nothing" last: DETR'
    recognise.__doc__ = f"Centre boxes of 0..1 and class logits for each of some hundred queries, {nothing}."
    return recognise


def _boxes_and_logits(sample: Sample) -> tuple[str, str] | None:
    """The two outputs of a DETR, beside which transformers' exports have the states that they were made of."""
    boxes, logits = sample.named("pred_boxes"), sample.named("logits")
    if len(boxes) != 1 or len(logits) != 1:
        return _boxes_and_scores(sample)
    pair = {name: sample.outputs[name] for name in (*boxes, *logits)}
    return _boxes_and_scores(replace(sample, outputs=pair))


def _detr_rows(sample: Sample) -> DetectionSpec | None:
    """Centre boxes of 0..1 and class scores in one output: RT-DETR of Ultralytics, (1, queries, 4 + classes)."""
    if sample.only is None:
        return None
    name, array = sample.only
    if array.ndim != 3 or array.shape[0] != 1 or not 5 <= array.shape[2] < array.shape[1] <= MOST_ROWS:
        return None
    if sample.labels not in (0, array.shape[2] - 4) or not in_unit_range(array) or are_indices(array[0, :, -1]):
        return None
    head = HeadSpec(parts=(part_of(name, Field.BOX, Field.SCORES),), coding=BoxCoding.CENTER, unit=Unit.INPUT)
    return DetectionSpec(head=head, iou=None, min_score=0.5)


def _fcos(sample: Sample) -> DetectionSpec | None:
    """Class scores, distances in pixels and centre-ness, a map each for strides 8 to 128: FCOS."""
    groups = map_groups(sample, _PYRAMID_STRIDES, 3)
    if groups is None:
        return None
    names: dict[Field, list[str]] = {Field.SCORES: [], Field.BOX: [], Field.OBJECTNESS: []}
    for group in groups:
        channels = {sample.outputs[name].shape[1]: name for name in group}
        if not {1, 4} < set(channels) or float(sample.outputs[channels[4]].min()) < 0:
            return None
        names[Field.OBJECTNESS].append(channels.pop(1))
        names[Field.BOX].append(channels.pop(4))
        names[Field.SCORES] += channels.values()
    if len({sample.outputs[name].shape[1] for name in names[Field.SCORES]} - {sample.labels or None}) > 1:
        return None
    logits = not all(in_unit_range(sample.outputs[name]) for name in names[Field.SCORES])
    activation = Scores.SIGMOID if logits else Scores.NONE
    head = HeadSpec(
        parts=tuple(part_of(tuple(own), field, arrangement=Arrangement.NCHW) for field, own in names.items()),
        coding=BoxCoding.DISTANCES,
        scores=activation,
        objectness=activation,
        geometric=True,
        levels=levels_of(_PYRAMID_STRIDES),
    )
    return DetectionSpec(head=head, min_score=0.4, iou=0.6)


def _ssd300(sample: Sample) -> DetectionSpec | None:
    """Offsets from 8732 prior boxes and class scores with a background first: SSD with an input of 300x300."""
    pair = _boxes_and_scores(sample)
    if pair is None or (sample.height, sample.width) != (300, 300):
        return None
    boxes, scores = pair
    array, values = sample.outputs[boxes], sample.outputs[scores]
    if array.shape[1] != 8732 or are_corners(array[0]) or sample.labels not in (0, values.shape[2] - 1):
        return None
    head = HeadSpec(
        parts=(part_of(boxes, Field.BOX), part_of(scores, Field.SCORES)),
        coding=BoxCoding.PRIORS,
        scores=Scores.NONE if sums_to_one(values) else Scores.SOFTMAX,
        background=0,
        levels=levels_of(_SSD_STRIDES, tuple(map(_ssd_anchors, range(len(_SSD_STRIDES))))),
    )
    return DetectionSpec(head=head, min_score=0.4)


def _ssd_anchors(level: int) -> tuple[tuple[float, float], ...]:
    """A square, a larger one, and boxes of the ratios of their sides (Liu et al. 2016, for VOC)."""
    side, larger = _SSD_SIDES[level : level + 2]
    ratios = (2.0, 3.0) if level in (1, 2, 3) else (2.0,)
    pairs = [(side * root, side / root) for root in (ratio**0.5 for ratio in ratios)]
    turned = [box for width, height in pairs for box in ((width, height), (height, width))]
    return ((side, side), ((side * larger) ** 0.5,) * 2, *turned)


def _decoded(sample: Sample) -> DetectionSpec | None:
    """Decoded corners and class scores in two outputs, (1, n, 4) and (1, n, classes) or turned round (1, classes, n),
    maybe with a background."""
    pair, arrangement = _boxes_and_scores(sample), Arrangement.ROWS
    if pair is None:
        pair, arrangement = _boxes_and_turned_scores(sample), Arrangement.COLUMNS
    if pair is None:
        return None
    boxes, scores = pair
    array, values = sample.outputs[boxes].reshape(-1, 4), sample.outputs[scores]
    if arrangement is Arrangement.COLUMNS:
        values = values.transpose(0, 2, 1)
    if not in_unit_range(values) or not are_corners(array):
        return None
    columns = values.shape[2]
    background = None
    if columns > 1 and sums_to_one(values) and sample.labels != columns:
        # A sample shows nothing, which is what most rows are of.
        means = values[0].mean(axis=0)
        background = -1 if means[-1] > max(0.75, float(means[0])) else 0
    head = HeadSpec(
        parts=(part_of(boxes, Field.BOX), part_of(scores, Field.SCORES, arrangement=arrangement)),
        unit=unit_of(array),
        background=background,
    )
    return DetectionSpec(head=head)


def _boxes_and_scores(sample: Sample) -> tuple[str, str] | None:
    """The two outputs (1, n, 4), or (1, n, 1, 4), and (1, n, classes) of a network that has no others."""
    shapes = {name: array.shape for name, array in sample.outputs.items()}
    shapes = {
        name: (*shape[:2], shape[3]) if len(shape) == 4 and shape[2:] == (1, 4) else shape
        for name, shape in shapes.items()
    }
    if len(shapes) != 2 or len({shape[:-1] for shape in shapes.values()}) != 1:
        return None
    if any(len(shape) != 3 for shape in shapes.values()):
        return None
    fours = [name for name, shape in shapes.items() if shape[2] == 4]
    if len(fours) == 2:  # boxes of a network of four classes: only the name can tell
        fours = [name for name in fours if "box" in name.lower() or "loc" in name.lower()]
    if len(fours) != 1:
        return None
    return fours[0], next(name for name in shapes if name != fours[0])


def _boxes_and_turned_scores(sample: Sample) -> tuple[str, str] | None:
    """The two outputs (1, n, 4) and (1, classes, n) of a network that has no others: PP-YOLOE of PaddleDetection."""
    boxes = sample.of_shape(1, None, 4)
    if len(sample.outputs) != 2 or len(boxes) != 1:
        return None
    rows = sample.outputs[boxes[0]].shape[1]
    scores = sample.of_shape(1, None, rows)
    return (boxes[0], scores[0]) if len(scores) == 1 and scores != boxes else None


def _pyramid_anchors(pairs: Sequence[tuple[float, float]]) -> tuple[Level, ...]:
    """Boxes for strides 8 to 128: four strides wide, at three scales of an octave, with sides as ``pairs``."""
    return levels_of(
        _PYRAMID_STRIDES,
        tuple(
            tuple((4 * stride * width, 4 * stride * height) for width, height in pairs) for stride in _PYRAMID_STRIDES
        ),
    )


def _pyramid(pairs: Sequence[tuple[float, float]], coding: BoxCoding, cell_offset: float) -> Recognise:
    """A recogniser of offsets from nine such boxes a cell."""

    def recognise(sample: Sample) -> DetectionSpec | None:
        pair = _boxes_and_scores(sample)
        if pair is None:
            return None
        boxes, scores = pair
        array, values = sample.outputs[boxes], sample.outputs[scores]
        if array.shape[1] != 9 * cell_count(sample, *_PYRAMID_STRIDES) or sample.labels not in (0, values.shape[2]):
            return None
        if array.ndim != 3 or are_corners(array[0]):
            return None
        head = HeadSpec(
            parts=(part_of(boxes, Field.BOX), part_of(scores, Field.SCORES)),
            coding=coding,
            variances=(1.0, 1.0),
            cell_offset=cell_offset,
            scores=Scores.NONE if in_unit_range(values) else Scores.SIGMOID,
            levels=_pyramid_anchors(pairs),
        )
        return DetectionSpec(head=head)

    order = "y, x" if coding is BoxCoding.YX_PRIORS else "x, y"
    recognise.__doc__ = f"Offsets {order} from nine boxes a cell of strides 8 to 128 (1, n, 4), and (1, n, classes)."
    return recognise


_PYRAMID_STRIDES = (*STRIDES, 64, 128)
_OCTAVE = tuple(2 ** (step / 3) for step in range(3))
# As they were published: (width, height), scale by scale (Tan et al. 2020), and shape by shape (Lin et al. 2017).
_EFFICIENTDET_SIDES = tuple(
    (scale * width, scale * height) for scale in _OCTAVE for width, height in ((1.0, 1.0), (1.4, 0.7), (0.7, 1.4))
)
_RETINANET_SIDES = tuple((scale / ratio**0.5, scale * ratio**0.5) for ratio in (0.5, 1.0, 2.0) for scale in _OCTAVE)

LAYOUTS: Mapping[str, Recognise] = {
    **suppressed_layouts.LAYOUTS,
    **yolo_layouts.LAYOUTS,
    **face_layouts.LAYOUTS,
    "centernet": _centernet,
    "fcos": _fcos,
    "ssd300": _ssd300,
    "efficientdet": _pyramid(_EFFICIENTDET_SIDES, BoxCoding.YX_PRIORS, 0.5),
    "retinanet": _pyramid(_RETINANET_SIDES, BoxCoding.PRIORS, 0.0),
    "detr": _detr(focal=False),
    "detr-focal": _detr(focal=True),
    "detr-rows": _detr_rows,
    "decoded": _decoded,
}
"""By name; more than one may fit the same outputs, which then do not tell what they are."""
