"""Texture on pictures whose continuation is known: stripes, checks, and noise."""

import numpy as np
import pytest

from edgevision.runtime.tasks.restoration.texture.blending import correction
from edgevision.runtime.tasks.restoration.texture.fit import seams_per_pixel, unevenness
from edgevision.runtime.tasks.restoration.texture.labelling import label_coarsely, refine_labels
from edgevision.runtime.tasks.restoration.texture.large_holes import large_holes
from edgevision.runtime.tasks.restoration.texture.level import Level
from edgevision.runtime.tasks.restoration.texture.patch_offsets import dominant_offsets, moved, patch_offsets
from edgevision.runtime.tasks.restoration.texture.synthesis import synthesise
from edgevision.runtime.tasks.restoration.texture.texture_fill import fill_with_texture


def box(height, width, rows, columns):
    mask = np.zeros((height, width), bool)
    mask[rows, columns] = True
    return mask


def periodic(height, width, period=10):
    """A tile of noise, repeated."""
    tile = np.random.default_rng(0).random((period, period, 3), np.float32)
    return np.tile(tile, (height // period + 1, width // period + 1, 1))[:height, :width]


def gray_in(picture, hole):
    return np.where(hole[:, :, None], np.float32(0.5), picture)


def test_the_offsets_of_a_periodic_picture_are_its_periods():
    picture, hole = periodic(60, 70), box(60, 70, slice(20, 36), slice(20, 40))
    found = patch_offsets(picture, ~hole, np.random.default_rng(0))
    offsets = dominant_offsets(found, hole, ~hole, 12)
    assert (offsets[:6] % 10 == 0).all()
    reached = np.zeros_like(hole)
    for down, right in offsets:
        reached |= moved(~hole, down, right)
    assert reached[hole].all()


def test_where_there_is_no_whole_patch_there_are_no_offsets():
    assert patch_offsets(periodic(6, 40), np.ones((6, 40), bool), np.random.default_rng(0)).shape == (0, 2)


def test_a_periodic_picture_is_continued_without_a_seam():
    picture, hole = periodic(60, 70), box(60, 70, slice(20, 36), slice(20, 40))
    level = Level.of(gray_in(picture, hole), hole, ~hole)
    offsets = np.array([[3, 17], [20, 0], [-20, 20], [25, 1], [-20, 0], [0, 30]])
    labels = label_coarsely(level, offsets)
    rows, columns = np.nonzero(hole)
    down, right = offsets[labels[rows, columns]].T
    np.testing.assert_array_equal(picture[rows + down, columns + right], picture[rows, columns])


def test_labels_spread_to_neighbours_where_that_costs_less():
    picture, hole = periodic(60, 70), box(60, 70, slice(20, 30), slice(20, 30))
    level = Level.of(gray_in(picture, hole), hole, ~hole)
    labels = np.zeros(hole.shape, int)
    labels[20:30, 20:29] = 1
    offsets = np.array([[13, 14], [20, 0]])
    refine_labels(level, labels, offsets, sweeps=4)
    assert (labels[hole] == 1).all()


def test_a_step_in_brightness_between_copies_is_taken_away():
    hole = box(40, 80, slice(10, 30), slice(30, 50))
    ramp = np.broadcast_to(np.linspace(0, 1, 80, dtype=np.float32)[None, :, None], (40, 80, 1))
    labels = np.zeros((40, 80), int)
    labels[:, 40:] = 1
    offsets = np.array([[0, -20], [0, 20]])
    level = Level.of(ramp.copy(), hole, ~hole)
    rows, columns = np.nonzero(hole)
    copied = ramp.copy()
    copied[rows, columns] = ramp[rows, columns + offsets[labels[rows, columns], 1]]
    assert np.abs(copied - ramp).max() > 0.2
    blended = copied[hole] + correction(level, labels, offsets, copied, 1e-4)
    np.testing.assert_allclose(blended, ramp[hole], atol=2e-3)


def test_only_holes_that_the_network_cannot_see_across_are_large():
    holes = box(200, 300, slice(10, 40), slice(10, 290)) | box(200, 300, slice(70, 150), slice(20, 100))
    holes |= box(200, 300, slice(72, 200), slice(150, 300))
    found = [(place, hole.shape) for place, hole in large_holes(holes)]
    assert found == [
        ((slice(70, 150), slice(20, 100)), (80, 80)),
        ((slice(72, 200), slice(150, 300)), (128, 150)),
    ]


def test_even_texture_has_few_seams_and_an_even_rim():
    generator = np.random.default_rng(0)
    hole = box(60, 60, slice(20, 40), slice(20, 40))
    even = generator.random((60, 60, 3)).astype(np.float32)
    uneven = even.copy()
    uneven[:, :30] = 0.5
    assert unevenness(Level.of(even, hole, ~hole)) < 1.3 < 5 < unevenness(Level.of(uneven, hole, ~hole))
    labels = np.zeros((60, 60), int)
    assert seams_per_pixel(Level.of(even, hole, ~hole), labels) == 0
    labels[::2, ::2] = 1
    assert seams_per_pixel(Level.of(even, hole, ~hole), labels) == pytest.approx(0.95)


def test_nothing_is_copied_where_there_is_no_source():
    hole = box(80, 80, slice(0, 70), slice(0, 80))
    assert synthesise(periodic(80, 80), hole, np.zeros((80, 80), bool), 0, always=True) is None


@pytest.mark.parametrize(("height", "width"), [(1, 300), (300, 2), (100, 64)])
def test_pictures_of_any_shape_and_depth_are_filled_at_any_border(height, width):
    picture = (periodic(height, width) * 65535).astype(np.uint16)
    holes = box(height, width, slice(0, max(height // 2, 1)), slice(0, max(width // 2, 1)))
    filled = picture.copy()
    fill_with_texture(filled, holes, ~holes, 0, always=True)
    np.testing.assert_array_equal(filled[~holes], picture[~holes])
