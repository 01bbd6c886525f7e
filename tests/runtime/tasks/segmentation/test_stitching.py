"""A picture seen through windows is answered as one that is seen at once."""

import numpy as np
import pytest
from fake_engine import FakeEngine

from edgevision.core.errors import InputError
from edgevision.imaging.cropped_masks import CroppedMask, mask_overlap
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, Resize, TensorSpec, TileSpec
from edgevision.runtime.tasks.segmentation.result import Segmentation
from edgevision.runtime.tasks.segmentation.segmenter import Segmenter
from edgevision.runtime.tasks.segmentation.spec import (
    MapField,
    MapPart,
    SegmentationHead,
    SegmentationSpec,
    WatershedSpec,
)
from edgevision.runtime.tasks.segmentation.stitching import stitch_classes, stitch_things
from edgevision.runtime.tasks.windows import Window, windows


def segmenter(*, tile, size=None, shape=(1, 3, "h", "w"), watershed=None):
    """It takes what is bright for foreground, and what is brighter for the middle of a thing."""
    fields = (MapField.FOREGROUND, MapField.DISTANCE) if watershed else (MapField.FOREGROUND,)
    head = SegmentationHead(maps=(MapPart(output="maps", fields=fields),), watershed=watershed)
    metadata = ModelMetadata(
        task="segment",
        name="bright",
        image=ImageSpec(size=size, resize=Resize.STRETCH),
        spec=SegmentationSpec(head=head, labels=("no", "thing")),
        tile=TileSpec(size=64, multiple=8),
    )
    engine = FakeEngine(
        (TensorSpec(name="image", shape=shape),),
        (TensorSpec(name="maps", shape=(1, len(fields), "h", "w")),),
        lambda inputs: [inputs["image"][:, : len(fields)]],
    )
    return Segmenter(engine, metadata, tile=tile)


def cells(height, width, *disks):
    """Foreground in the first channel, hills in the second: ``disks`` are (y, x, radius)."""
    y, x = np.mgrid[:height, :width]
    hills = np.max([1 - np.hypot(y - dy, x - dx) / radius for dy, dx, radius in disks], axis=0).clip(0, 1)
    pixels = np.zeros((height, width, 3))
    pixels[:, :, 0], pixels[:, :, 1] = hills > 0, hills
    return (255 * pixels).round().astype(np.uint8)


def test_classes_have_no_seam():
    generator = np.random.default_rng(0)
    pixels = (generator.random((150, 230, 1)) > 0.5).astype(np.uint8).repeat(3, axis=2) * 255
    whole, tiled = (segmenter(tile=tile)(pixels) for tile in (None, "auto"))
    np.testing.assert_array_equal(tiled.class_map, whole.class_map)
    np.testing.assert_allclose(tiled.scores, whole.scores)


def test_windows_show_what_is_too_small_in_the_whole():
    pixels = np.zeros((256, 256, 3), np.uint8)
    pixels[101:103, 7:9] = 255
    at_once, tiled = (segmenter(tile=tile, size=(32, 32), shape=(1, 3, 32, 32))(pixels) for tile in (None, "auto"))
    assert len(at_once) == 0
    np.testing.assert_array_equal(tiled.mask(), pixels[:, :, 0] == 255)


def test_a_window_counts_less_towards_its_rim():
    shown = {0: (0, 0.9), 30: (1, 0.9)}

    def classify(window):
        shape = (window.bottom - window.top, window.right - window.left)
        index, sure = shown[window.left]
        return np.full(shape, index, np.int32), np.full(shape, sure, np.float32), (slice(0, 10), slice(0, 40))

    classes, certainty = stitch_classes([Window(0, 0, 40, 10), Window(30, 0, 70, 10)], classify, (10, 70), nothing=-1)
    assert (classes[:, :35] == 0).all()
    assert (classes[:, 35:] == 1).all()
    assert certainty == pytest.approx(0.9)
    shown[0] = (0, 0.3)  # which is less sure, and gives way earlier
    classes, _ = stitch_classes([Window(0, 0, 40, 10), Window(30, 0, 70, 10)], classify, (10, 70), nothing=-1)
    assert 30 < np.flatnonzero(classes[0] == 1)[0] < 35


DISKS = [(60, 20, 12), (20, 64, 10), (64, 64, 9), (100, 100, 40), (150, 200, 14), (48, 180, 20), (11, 120, 8)]


@pytest.mark.parametrize("tile", ["auto", 64, 96, 128])
def test_things_are_those_of_the_whole_however_windows_cut_them(tile):
    """One of them is larger than what windows share, and at 64 larger than a window."""
    pixels = cells(190, 260, *DISKS)
    whole, tiled = (segmenter(tile=t, watershed=WatershedSpec(prominence=0.05))(pixels) for t in (None, tile))
    assert len(tiled) == len(whole) == len(DISKS)
    assert (mask_overlap(whole.masks, tiled.masks).max(axis=1) > 0.97).all()
    assert (np.diff(tiled.scores) <= 0).all()


def part(window, *boxes, scores=None, labels=None):
    masks = [CroppedMask(np.ones((y2 - y1, x2 - x1), bool), x1, y1) for x1, y1, x2, y2 in boxes]
    size = (window.bottom - window.top, window.right - window.left)
    return window, Segmentation(
        masks,
        np.array(scores or [0.9] * len(boxes), np.float32),
        np.array(labels or [1] * len(boxes)),
        size=size,
        labels=("no", "one", "two"),
    )


LEFT, RIGHT = Window(0, 0, 100, 50), Window(75, 0, 175, 50)


def test_what_is_whole_in_a_neighbour_is_not_found_twice():
    found = stitch_things([part(LEFT, (90, 10, 100, 20)), part(RIGHT, (15, 10, 40, 20))], (50, 175))
    assert [mask.box for mask in found.masks] == [(90, 10, 115, 20)]


def test_the_surest_of_whole_things_is_kept():
    found = stitch_things(
        [part(LEFT, (80, 10, 95, 20), scores=[0.6]), part(RIGHT, (5, 10, 19, 20), scores=[0.8])], (50, 175)
    )
    assert [mask.box for mask in found.masks] == [(80, 10, 94, 20)]
    assert found.scores.tolist() == pytest.approx([0.8])


def test_pieces_are_put_together_where_they_agree():
    long = part(LEFT, (20, 10, 100, 20), scores=[0.6]), part(RIGHT, (0, 10, 80, 20), scores=[0.8])
    found = stitch_things(long, (50, 175))
    assert [mask.box for mask in found.masks] == [(20, 10, 155, 20)]
    assert found.masks[0].pixels.all()
    assert found.scores.tolist() == pytest.approx([0.7])
    apart = part(LEFT, (20, 10, 100, 20)), part(RIGHT, (0, 17, 80, 27))
    assert len(stitch_things(apart, (50, 175))) == 2
    others = part(LEFT, (20, 10, 100, 20), labels=[1]), part(RIGHT, (0, 10, 80, 20), labels=[2])
    assert len(stitch_things(others, (50, 175))) == 2


def test_nothing_in_any_window_is_nothing():
    assert len(stitch_things([part(LEFT), part(RIGHT)], (50, 175))) == 0


def test_small_pictures_are_seen_at_once_and_thousands_of_windows_are_refused():
    assert windows((70, 80), "auto", (64, 64)) == [(0, 0, 80, 70)]
    with pytest.raises(InputError, match="larger --tile"):
        windows((20_000, 20_000), 32, (64, 64))
