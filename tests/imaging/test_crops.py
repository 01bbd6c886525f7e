import math

import numpy as np
import pytest
from PIL import Image

from edgevision.imaging.crops import Crop, jittered


def dot(x, y, width, height, radius=4.0):
    down, right = np.mgrid[:height, :width] + 0.5
    values = 255 * np.exp(-((right - x) ** 2 + (down - y) ** 2) / (2 * radius**2))
    return Image.fromarray(values.astype(np.uint8))


def center(image):
    values = np.asarray(image, float)
    down, right = np.mgrid[: values.shape[0], : values.shape[1]] + 0.5
    return (right * values).sum() / values.sum(), (down * values).sum() / values.sum()


@pytest.mark.parametrize("seed", range(40))
def test_what_is_seen_in_a_crop_is_where_it_was_within_half_a_pixel(seed):
    generator = np.random.default_rng(seed)
    width, height = (int(side) for side in generator.integers(150, 900, 2))
    size = tuple(int(side) for side in generator.integers(40, 200, 2))
    x, y = generator.uniform(0.4, 0.6, 2) * (width, height)
    pixel = generator.uniform(1, 4)  # of the crop, in the picture's
    crop = Crop(
        center=(x + generator.uniform(-4, 4), y + generator.uniform(-4, 4)),
        size=(pixel * size[1], 1.1 * pixel * size[0]),
        angle=generator.uniform(-180, 180),
        mirrored=bool(generator.integers(2)),
    )
    small = crop.cut_out(dot(x, y, width, height, 3 * pixel), size)
    assert small.size == size[::-1]
    found = np.array(center(small)) / (size[1], size[0])
    np.testing.assert_allclose(crop.to_picture(found), (x, y), atol=0.5)


def test_points_go_there_and_back():
    crop = Crop(center=(10.5, -3), size=(20, 40), angle=33, mirrored=True)
    points = np.random.default_rng(0).uniform(-50, 50, (3, 5, 2))
    np.testing.assert_allclose(crop.to_picture(crop.to_shares(points)), points, atol=1e-9)


def test_a_turn_is_clockwise():
    crop = Crop(center=(0, 0), size=(10, 10), angle=90)
    np.testing.assert_allclose(crop.to_picture(np.array([1, 0.5])), (0, 5), atol=1e-9)


def test_a_box_is_made_as_wide_for_its_height_as_the_input_and_grown():
    assert Crop.of_box((10, 20, 30, 80), 0.75, 0.0).corner_box == (-2.5, 20, 42.5, 80)
    assert Crop.of_box((0, 0, 40, 10), 1.0, 0.5).corner_box == (-10, -25, 50, 35)


def test_what_is_outside_of_the_picture_is_filled():
    image = Image.new("RGB", (20, 20), (255, 0, 0))
    pixels = np.asarray(Crop.of_box((10, 10, 30, 30), 1.0, 0.0).cut_out(image, (20, 20), fill=128))
    assert pixels[2, 2].tolist() == [255, 0, 0]
    assert pixels[2, 17].tolist() == pixels[17, 2].tolist() == [128, 128, 128]
    away = np.asarray(Crop.of_box((500, 500, 600, 600), 1.0, 0.0).cut_out(image, (8, 8), fill=7))
    assert (away == 7).all()


def test_a_large_picture_is_averaged_and_not_picked_from():
    stripes = np.tile(np.array([0, 255], np.uint8), (400, 200))
    small = np.asarray(Crop.of_box((0, 0, 400, 400), 1.0, 0.0).cut_out(Image.fromarray(stripes), (20, 20)))
    assert small[5:-5, 5:-5].std() < 10


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (3, 3, 1, 9), (0, 0, math.nan, 1), (0, 0, math.inf, 1)])
def test_a_box_without_an_area_is_refused(box):
    with pytest.raises(ValueError, match="x1 < x2"):
        Crop.of_box(box, 1.0, 0.0)


def test_jitter_is_bounded_by_the_sides():
    generator = np.random.default_rng(1)
    for _ in range(200):
        x1, y1, x2, y2 = jittered((10, 20, 50, 40), 0.2, generator)
        assert abs((x1 + x2) / 2 - 30) <= 8
        assert abs((y1 + y2) / 2 - 30) <= 4
        assert 32 <= x2 - x1 <= 48
        assert (x2 - x1) / (y2 - y1) == pytest.approx(2)
