import numpy as np
import pytest
from fake_engine import FakeEngine
from PIL import Image

from edgevision.core.errors import ModelFileError, NotFiniteError
from edgevision.imaging.preprocessing import placement, resize
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, Resize, TensorSpec, TileSpec
from edgevision.runtime.tasks.detection.detector import Detector
from edgevision.runtime.tasks.detection.spec import BoxCoding, DetectionSpec, Field, HeadSpec, Level, OutputPart, Unit

SPEC = DetectionSpec(
    head=HeadSpec(
        parts=(OutputPart(outputs=("boxes",), fields=(Field.BOX,)), OutputPart(outputs=("s",), fields=(Field.SCORES,)))
    ),
    labels=("dog", "cat"),
)


def metadata(image=None, spec=SPEC, **more):
    return ModelMetadata(task="detect", name="finder", image=image or ImageSpec(size=(64, 96)), spec=spec, **more)


def engine(boxes, scores, shape=(1, 3, 64, 96)):
    outputs = [np.array([boxes], np.float32), np.array([scores], np.float32)]
    return FakeEngine(
        (TensorSpec(name="image", shape=shape),),
        (TensorSpec(name="boxes", shape=(1, "n", 4)), TensorSpec(name="s", shape=(1, "n", 2))),
        lambda inputs: [np.repeat(output, len(inputs["image"]), axis=0) for output in outputs],
    )


def test_boxes_are_in_pixels_of_the_picture():
    finder = Detector(
        engine([[24, 16, 48, 32]], [[0.9, 0.1]]), metadata(ImageSpec(size=(64, 96), resize=Resize.STRETCH))
    )
    found = finder(np.zeros((128, 480, 3), np.uint8))
    np.testing.assert_allclose(found.boxes, [[120, 32, 240, 64]])
    assert found.names == ("dog",)
    assert found.size == (128, 480)


@pytest.mark.parametrize("how", list(Resize))
@pytest.mark.parametrize("corner", [False, True])
@pytest.mark.parametrize("scale_up", [False, True])
def test_what_is_marked_in_a_picture_is_found_where_it_is(how, corner, scale_up):
    """A bright square is found in the network's input by looking, and has to come back to where it was drawn."""
    generator = np.random.default_rng(5)
    spec = ImageSpec(size=(96, 128), resize=how, pad_corner=corner, scale_up=scale_up, pad_value=114)
    for _ in range(20):
        width, height = (int(side) for side in generator.integers(60, 400, 2))
        pixels = np.zeros((height, width, 3), np.uint8)
        middle, side = (width // 2, height // 2), 10
        square = np.array([middle[0] - side, middle[1] - side, middle[0] + side, middle[1] + side], float)
        pixels[middle[1] - side : middle[1] + side, middle[0] - side : middle[0] + side] = 255
        small = np.asarray(resize(Image.fromarray(pixels), spec))[:, :, 0].astype(float)
        small[small == 114] = 0
        columns, rows = small.max(axis=0), small.max(axis=1)
        # Edges to a part of a pixel: how bright the pixels at them are.
        x1, x2 = _ends(columns)
        y1, y2 = _ends(rows)
        place = placement(width, height, spec)
        scale, offset = np.array(place.scale), np.array(place.offset)
        back = (np.array([[x1, y1], [x2, y2]]) - offset) / scale
        tolerance = 0.5 + 0.75 / scale.min()
        np.testing.assert_allclose(back.reshape(-1), square, atol=tolerance)


def _ends(profile):
    bright = np.flatnonzero(profile > 127)
    return bright[0], bright[-1] + 1


def test_the_way_to_the_network_and_back_is_exact_for_any_size():
    generator = np.random.default_rng(0)
    for number in range(1000):
        width, height = (int(side) for side in generator.integers(1, 5000, 2))
        spec = ImageSpec(
            size=tuple(int(side) for side in generator.integers(16, 1280, 2)),
            resize=list(Resize)[number % 3],
            pad_corner=bool(number % 2),
            scale_up=bool(number % 5),
        )
        scale, offset = (np.array(pair) for pair in placement(width, height, spec))
        corners = generator.uniform(0, 1, (5, 2)) * (width, height)
        there = corners * scale + offset
        np.testing.assert_allclose((there - offset) / scale, corners, atol=0.5)
        if spec.resize is not Resize.CROP:
            edges = np.array([[0, 0], [width, height]]) * scale + offset
            assert edges.min() >= 0
            assert (edges <= np.array(spec.size[::-1]) + 1e-6).all()


def test_the_same_thing_is_found_once_and_each_class_by_itself():
    boxes = [[10, 10, 30, 30], [11, 10, 31, 30], [10, 11, 30, 31], [60, 20, 80, 40]]
    scores = [[0.9, 0], [0.8, 0], [0, 0.7], [0.2, 0]]
    finder = Detector(engine(boxes, scores), metadata())
    found = finder(np.zeros((64, 96, 3), np.uint8))
    assert found.names == ("dog", "cat")  # 0.2 is below the model's least score
    everything = Detector(engine(boxes, scores), metadata(), min_score=0.1, most=2)(np.zeros((64, 96, 3), np.uint8))
    assert everything.scores.tolist() == pytest.approx([0.9, 0.7])
    of_any_class = metadata(spec=SPEC.updated(class_wise=False))
    assert Detector(engine(boxes, scores), of_any_class)(np.zeros((64, 96, 3), np.uint8)).names == ("dog",)


def test_what_lies_in_the_padding_is_no_answer_and_boxes_end_with_the_picture():
    padded = ImageSpec(size=(64, 96), resize=Resize.PAD)
    finder = Detector(engine([[0, 0, 10, 60], [20, 40, 90, 60]], [[0.9, 0], [0.8, 0]]), metadata(padded))
    found = finder(np.zeros((64, 32, 3), np.uint8))  # columns 32 to 64 of the input
    np.testing.assert_allclose(found.boxes, [[0, 40, 32, 60]])


def test_a_picture_of_any_size_is_padded_to_what_the_network_takes():
    seen = []

    def network(inputs):
        seen.append(inputs["image"].shape)
        return [np.array([[[0, 0, 5, 5]]], np.float32), np.array([[[1, 0]]], np.float32)]

    fake = engine([], [], shape=(1, 3, "height", "width"))
    fake._function = network
    finder = Detector(fake, metadata(ImageSpec(size=None), tile=TileSpec(multiple=32)))
    assert finder(np.zeros((33, 64, 3), np.uint8)).size == (33, 64)
    assert seen == [(1, 3, 64, 64)]


def test_a_fixed_batch_gets_copies():
    finder = Detector(engine([[0, 0, 5, 5]], [[1, 0]], shape=(4, 3, 64, 96)), metadata())
    assert len(finder([np.zeros((64, 96, 3), np.uint8)] * 3)) == 3


def test_ten_thousand_boxes_and_none():
    generator = np.random.default_rng(0)
    corners = generator.uniform(0, 60, (10_000, 2))
    boxes = np.concatenate([corners, corners + generator.uniform(0, 30, (10_000, 2))], axis=1)
    many = Detector(engine(boxes, np.full((10_000, 2), 0.9)), metadata())(np.zeros((64, 96, 3), np.uint8))
    assert 0 < len(many) <= 300
    none = Detector(engine(boxes, np.zeros((10_000, 2))), metadata())(np.zeros((64, 96, 3), np.uint8))
    assert len(none) == 0
    assert none.to_dict() == {"width": 96, "height": 64, "detections": []}


def test_metadata_without_a_head_are_refused():
    with pytest.raises(ModelFileError, match="does not say how its outputs become boxes"):
        Detector(engine([], []), metadata(spec=DetectionSpec(labels=("dog", "cat"))))


def test_a_wrong_stride_is_named_when_the_model_runs():
    head = SPEC.head.updated(coding=BoxCoding.DISTANCES, unit=Unit.STRIDES, levels=(Level(stride=8),))
    finder = Detector(engine([[0, 0, 5, 5]], [[1, 0]]), metadata(spec=SPEC.updated(head=head)))
    with pytest.raises(ModelFileError, match=r"96 rows for a picture of 96x64, and box has 1"):
        finder(np.zeros((64, 96, 3), np.uint8))


def bright_spots(inputs):
    """Boxes of 4 pixels round what is brighter than half, for each picture: what a network of squares would say."""
    boxes = np.zeros((len(inputs["image"]), 6, 4), np.float32)
    scores = np.zeros((len(inputs["image"]), 6, 2), np.float32)
    for place, picture in enumerate(inputs["image"]):
        rows, columns = np.nonzero(picture[0] > 0.5)
        for number, (row, column) in enumerate(list(zip(rows, columns, strict=True))[:6]):
            boxes[place, number] = column - 2, row - 2, column + 2, row + 2
            scores[place, number, 0] = picture[0, row, column]
    return [boxes, scores]


def spotting(*, batch, **options):
    engine = FakeEngine(
        (TensorSpec(name="image", shape=(batch, 3, 64, 96)),),
        (TensorSpec(name="boxes", shape=(batch, 6, 4)), TensorSpec(name="s", shape=(batch, 6, 2))),
        bright_spots,
    )
    return Detector(engine, metadata(ImageSpec(size=(64, 96), resize=Resize.STRETCH)), **options)


def spots(*places, size=(192, 384), brightness=255):
    pixels = np.zeros((*size, 3), np.uint8)
    for x, y in places:
        pixels[y, x] = brightness
    return pixels


def test_small_things_are_found_in_windows_at_their_place():
    places = {(50, 30), (101, 60), (200, 100), (380, 180)}
    picture = spots(*places)
    assert len(spotting(batch=1)(picture)) == 0  # a pixel is lost where the whole is made smaller
    found = spotting(batch=1, tile="auto")(picture)
    assert {((x1 + x2) / 2, (y1 + y2) / 2) for x1, y1, x2, y2 in found.boxes.tolist()} == places


def test_what_a_window_cuts_through_is_left_to_its_neighbour():
    # Windows of 96 pixels that overlap by 24 begin at 0, 72, 144, ...; the box round 73 is cut by the second.
    found = spotting(batch=1, tile="auto", iou=0.99)(spots((73, 10)))
    assert found.boxes.tolist() == [[71, 8, 75, 12]]


@pytest.mark.parametrize("batch", ["batch", 4])
def test_batches_give_the_same_boxes_as_one_by_one(batch):
    pictures = [spots((50 + 7 * number, 30), size=(64, 96), brightness=200 + number) for number in range(7)]
    alone, together = spotting(batch=1), spotting(batch=batch)
    together.batch = 3
    for one, other in zip(alone(pictures), together(pictures), strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
        assert len(one) == 1
    assert (alone.engine.calls, together.engine.calls) == (7, 3)


def test_outputs_of_a_network_without_a_batch_of_their_own_are_not_shared_out():
    finder = engine([[24, 16, 48, 32]], [[0.9, 0.1]], shape=("batch", 3, 64, 96))
    found = Detector(finder, metadata(), batch=4)([np.zeros((64, 96, 3), np.uint8)] * 4)
    assert [len(one) for one in found] == [1] * 4
    assert finder.calls == 4


def test_a_network_that_gives_no_numbers_at_all_is_an_error_and_single_ones_are_no_answers():
    boxes, pixels = [[0, 0, 9, 9], [20, 0, 29, 9]], np.zeros((64, 96, 3), np.uint8)
    with pytest.raises(NotFiniteError, match="every score"):
        Detector(engine(boxes, np.full((2, 2), np.nan)), metadata())(pixels)
    assert len(Detector(engine(boxes, [[np.nan, np.nan], [0.9, 0]]), metadata())(pixels)) == 1
