import numpy as np
import pytest
from fake_engine import FakeEngine
from PIL import Image

from edgevision.core.errors import InputError, ModelFileError, NotFiniteError
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, Resize, TensorSpec, TileSpec
from edgevision.runtime.tasks.detection.spec import Scores
from edgevision.runtime.tasks.segmentation.segmenter import Segmenter
from edgevision.runtime.tasks.segmentation.spec import (
    Channels,
    MapField,
    MapPart,
    SegmentationHead,
    SegmentationSpec,
    WatershedSpec,
)


def metadata(*maps, image=None, labels=(), head=None, tile=None, **more):
    spec = SegmentationSpec(head=SegmentationHead(maps=maps, **(head or {})), labels=labels, **more)
    image = image or ImageSpec(size=(64, 96), resize=Resize.STRETCH)
    return ModelMetadata(task="segment", name="parts", image=image, spec=spec, tile=tile)


def engine(function, outputs=1, shape=(1, 3, 64, 96)):
    """``function`` makes of the picture's brightness (h, w), 0 to 1, the outputs."""
    return FakeEngine(
        (TensorSpec(name="image", shape=shape),),
        tuple(TensorSpec(name=f"out{index}", shape=(1, "c", "h", "w")) for index in range(outputs)),
        lambda inputs: [np.asarray(output)[None] for output in function(inputs["image"][0].mean(axis=0))],
    )


def part(*fields, output="out0", **more):
    return MapPart(output=output, fields=fields, **more)


def picture(height=128, width=192):
    """Dark, with a bright square and a gray one."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[height // 4 : height // 2, width // 4 : width // 2] = 255
    pixels[height // 2 : 3 * height // 4, width // 2 : 3 * width // 4] = 128
    return pixels


def three_classes(bright):
    return [np.stack([0.25 - bright, 0.24 - np.abs(bright - 0.5), bright - 0.75]) * 20]


NAMES = ("nothing", "gray", "bright")


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("stride", [1, 4])
def test_the_highest_score_is_the_class(last, stride):
    def scores(bright):
        values = three_classes(bright)[0][:, ::stride, ::stride]
        return [values.transpose(1, 2, 0) if last else values]

    channels = Channels.LAST if last else Channels.FIRST
    described = metadata(
        part(MapField.SCORES, channels=channels, activation=Scores.SOFTMAX), labels=NAMES, head={"background": 0}
    )
    found = Segmenter(engine(scores), described)(picture())
    assert found.names == ("gray", "bright")
    expected = np.array([0, 1, 2])[(picture()[:, :, 0].astype(int) + 127) // 128]
    assert (found.class_map == expected).mean() > (0.999 if stride == 1 else 0.95)
    assert found.class_map.dtype == np.uint8
    assert (found.scores > 0.8).all()


def test_the_surest_classes_are_kept_where_only_so_many_are_wanted():
    described = metadata(part(MapField.SCORES, activation=Scores.SOFTMAX), labels=NAMES)
    several, one = (Segmenter(engine(three_classes), described, most=most)(picture()) for most in (2, 1))
    assert (len(several), len(one)) == (2, 1)
    assert one.scores[0] == several.scores.max()


def test_a_threshold_that_changes_nothing_is_refused():
    with pytest.raises(InputError, match="without a threshold"):
        Segmenter(engine(three_classes), metadata(part(MapField.SCORES)), threshold=0.3)
    with pytest.raises(InputError, match=r"0\.\.1"):
        Segmenter(engine(three_classes), metadata(part(MapField.FOREGROUND, activation=Scores.SIGMOID)), threshold=5)


def test_class_indices_are_taken_as_they_are():
    def indices(bright):
        return [(bright * 2).round().astype(np.int64)]

    found = Segmenter(engine(indices), metadata(part(MapField.CLASS), labels=NAMES))(picture())
    assert found.names == NAMES
    assert (found.class_map == np.round(picture()[:, :, 0] / 127.5)).all()


def test_one_channel_is_foreground_from_the_threshold_on():
    described = metadata(part(MapField.FOREGROUND, activation=Scores.SIGMOID), labels=("background", "square"))
    segmenter = Segmenter(engine(lambda bright: [(bright - 0.75) * 20]), described)
    found = segmenter(picture())
    assert found.names == ("square",)
    assert (found.mask("square") == (picture()[:, :, 0] == 255)).mean() > 0.999  # corners are round
    segmenter.threshold = 0.001
    assert (segmenter(picture()).mask() == (picture()[:, :, 0] >= 128)).mean() > 0.99


@pytest.mark.parametrize("how", list(Resize))
def test_masks_lie_where_the_picture_has_them(how):
    """A bright square in pictures of any size, through a network of a quarter of its input's size."""
    generator = np.random.default_rng(3)
    described = metadata(
        part(MapField.FOREGROUND), image=ImageSpec(size=(96, 128), resize=how, pad_value=0), labels=("no", "square")
    )
    segmenter = Segmenter(
        engine(lambda bright: [bright.reshape(24, 4, 32, 4).mean(axis=(1, 3))], shape=(1, 3, 96, 128)), described
    )
    for _ in range(20):
        height, width = (int(side) for side in generator.integers(90, 400, 2))
        pixels = np.zeros((height, width, 3), np.uint8)
        square = (slice(height // 2 - 30, height // 2 + 25), slice(width // 2 - 25, width // 2 + 30))
        pixels[square] = 255
        found = segmenter(pixels)
        assert found.size == (height, width)
        x1, y1, x2, y2 = found.boxes[0]
        scale = 8 * max(height / 96, width / 128)
        expected = [width // 2 - 25, height // 2 - 30, width // 2 + 30, height // 2 + 25]
        np.testing.assert_allclose([x1, y1, x2, y2], expected, atol=0.5 * scale)


def test_what_a_crop_leaves_out_is_background_or_of_no_class():
    image = ImageSpec(size=(64, 64), resize=Resize.CROP)
    ones = engine(lambda bright: [np.stack([bright * 0, bright * 0 + 1])], shape=(1, 3, 64, 64))
    for background, outside in ((0, 0), (None, 255)):
        described = metadata(part(MapField.SCORES), image=image, head={"background": background})
        classes = Segmenter(ones, described)(np.zeros((64, 128, 3), np.uint8)).class_map
        assert (classes[:, :32] == outside).all()
        assert (classes[:, 96:] == outside).all()
        assert (classes[:, 32:96] == 1).all()


def disks(bright):
    """Foreground, and how far from the edge of one of two disks that touch."""
    y, x = np.mgrid[: bright.shape[0], : bright.shape[1]]
    distance = np.max([1 - np.hypot(y - 32, x - cx) / 16 for cx in (30, 56)], axis=0)
    return [np.stack([distance > 0, distance])]


def test_things_that_touch_are_told_apart_by_a_distance():
    described = metadata(
        part(MapField.FOREGROUND, MapField.DISTANCE), head={"watershed": WatershedSpec()}, labels=("no", "disk")
    )
    found = Segmenter(engine(disks), described)(picture())
    assert found.names == ("disk", "disk")
    assert not found.whole_classes
    assert set(np.unique(np.asarray(found))) == {0, 1, 2}
    centers = np.sort((found.boxes[:, 0] + found.boxes[:, 2]) / 2)
    np.testing.assert_allclose(centers, [58, 114], atol=4)
    np.testing.assert_allclose(found.areas, 4 * np.pi * 16**2 * 0.95, rtol=0.08)


def test_a_thing_is_of_the_class_that_most_of_its_pixels_are():
    def outputs(bright):
        distance = disks(bright)[0][1]
        left = np.arange(bright.shape[1])[None] < 40
        scores = np.stack([distance <= 0, (distance > 0) & left, (distance > 0) & ~left])
        return [scores, distance[None]]

    described = metadata(
        part(MapField.SCORES),
        part(MapField.DISTANCE, output="out1"),
        head={"watershed": WatershedSpec(), "background": 0},
        labels=NAMES,
    )
    found = Segmenter(engine(outputs, 2), described)(picture())
    assert sorted(found.names) == ["bright", "gray"]


def test_a_boundary_parts_things_as_well():
    def outputs(bright):
        distance = disks(bright)[0][1]
        middle = np.abs(np.arange(bright.shape[1])[None] - 43) < 2
        return [np.stack([distance <= 0, (distance > 0) & ~middle, (distance > 0) & middle])]

    described = metadata(
        part(MapField.SKIP, MapField.FOREGROUND, MapField.BOUNDARY),
        head={"watershed": WatershedSpec(prominence=0.3)},
        labels=("no", "disk"),
    )
    assert Segmenter(engine(outputs), described)(picture()).names == ("disk", "disk")


def test_a_picture_of_any_size_is_padded_to_what_the_network_takes():
    seen = []

    def bright(values):
        seen.append(values.shape)
        return [values]

    described = metadata(part(MapField.FOREGROUND), image=ImageSpec(), tile=TileSpec(multiple=32))
    found = Segmenter(engine(bright, shape=(1, 3, "h", "w")), described)(picture(70, 101))
    assert seen == [(96, 128)]
    assert found.size == (70, 101)
    np.testing.assert_array_equal(found.mask(), picture(70, 101)[:, :, 0] >= 128)


def test_nothing_is_an_answer():
    described = metadata(part(MapField.FOREGROUND), head={"watershed": WatershedSpec()})
    found = Segmenter(engine(lambda bright: [bright * 0]), described)(picture())
    assert (len(found), found.boxes.shape, found.to_dict()["segments"]) == (0, (0, 4), [])
    assert not found.mask().any()


def test_answers_that_are_not_finite_are_refused():
    segmenter = Segmenter(engine(lambda bright: [bright * np.nan]), metadata(part(MapField.FOREGROUND)))
    with pytest.raises(NotFiniteError, match=r"not finite"):
        segmenter(picture())


@pytest.mark.parametrize(
    ("described", "message"),
    [
        (metadata(part(MapField.FOREGROUND, MapField.DISTANCE)), "has 1 channels, which are not foreground, distance"),
        (metadata(part(MapField.FOREGROUND, output="mask")), "takes the output 'mask', and the network has 'out0'"),
    ],
)
def test_outputs_that_are_others_than_the_head_says_are_refused(described, message):
    with pytest.raises(ModelFileError, match=message):
        Segmenter(engine(lambda bright: [bright]), described)(picture())


def test_a_list_gives_a_list():
    segmenter = Segmenter(engine(lambda bright: [bright]), metadata(part(MapField.FOREGROUND)))
    assert [found.size for found in segmenter([picture(), Image.new("L", (30, 20))])] == [(128, 192), (20, 30)]
