"""From a picture to the input tensor, against the formula written out by hand."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from edgevision.imaging.images import to_array
from edgevision.imaging.preprocessing import Preprocessor, resize, sample
from edgevision.metrics.figures import sqnr_db
from edgevision.modelfiles.metadata import Color, ImageSpec, Resample, Resize

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def noise(height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, channels), dtype=np.uint8)


def by_hand(pixels: NDArray[np.uint8], spec: ImageSpec) -> NDArray[np.float64]:
    """The formula in ImageSpec's docstring, sample by sample, in double precision."""
    low, high = spec.value_range
    height, width, channels = pixels.shape
    tensor = np.empty((channels, height, width))
    for c in range(channels):
        mean = spec.mean[c] if spec.mean else 0.0
        std = spec.std[c] if spec.std else 1.0
        for y in range(height):
            for x in range(width):
                tensor[c, y, x] = (pixels[y, x, c] / 255 * (high - low) + low - mean) / std
    return tensor


@pytest.mark.parametrize(
    "spec",
    [
        ImageSpec(),
        ImageSpec(**IMAGENET),
        ImageSpec(value_range=(-1.0, 1.0)),
        ImageSpec(value_range=(0.0, 255.0), mean=(127.0,) * 3, std=(128.0,) * 3),
        ImageSpec(color=Color.BGR, value_range=(0.0, 255.0), mean=(103.9, 116.8, 123.7)),
        ImageSpec(color=Color.GRAY, mean=(0.1307,), std=(0.3081,)),
        ImageSpec(color=Color.YCBCR),
    ],
    ids=lambda spec: f"{spec.color}{spec.value_range}{spec.mean}",
)
def test_the_tensor_is_what_the_formula_says(spec: ImageSpec) -> None:
    image = Image.fromarray(noise(6, 9))
    tensor = Preprocessor(spec)(image)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    assert sqnr_db(by_hand(to_array(image, spec.color), spec), tensor) > 120  # float32 holds about 140 dB


def test_each_channel_gets_its_own_mean_in_the_order_of_the_colour() -> None:
    spec = ImageSpec(color=Color.BGR, mean=(0.1, 0.2, 0.3))
    tensor = Preprocessor(spec)(np.zeros((1, 1, 3), np.uint8))
    np.testing.assert_allclose(tensor.ravel(), [-0.1, -0.2, -0.3], rtol=1e-6)


@given(
    st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16"]),
    st.integers(1, 60),
    st.integers(1, 60),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from(Resize),
    st.sampled_from(Resample),
    st.sampled_from(Color),
)
@example("RGB", 29, 2, (1, 25), Resize.CROP, Resample.BILINEAR, Color.RGB)  # the cut was rounded out of the picture
def test_any_picture_fills_the_networks_input(
    mode: str, width: int, height: int, size: tuple[int, int], way: Resize, resample: Resample, color: Color
) -> None:
    spec = ImageSpec(size=size, resize=way, resample=resample, color=color)
    tensor = Preprocessor(spec)(Image.new(mode, (width, height)))
    assert tensor.shape == (color.channels, *size)
    assert tensor.min() >= 0
    assert tensor.max() <= 1


@given(st.integers(1, 50), st.integers(1, 50), st.tuples(st.integers(1, 30), st.integers(1, 30)))
def test_a_plain_colour_stays_that_colour_when_cropped_or_stretched(
    width: int, height: int, size: tuple[int, int]
) -> None:
    image = Image.new("RGB", (width, height), (10, 200, 77))
    for way in (Resize.CROP, Resize.STRETCH):
        pixels = sample(image, ImageSpec(size=size, resize=way))
        assert (pixels == (10, 200, 77)).all()


def test_crop_keeps_the_centre() -> None:
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, 10:20] = noise(10, 10)
    cropped = sample(pixels, ImageSpec(size=(10, 10), resize=Resize.CROP))
    np.testing.assert_array_equal(cropped, pixels[:, 10:20])
    upright = sample(pixels.transpose(1, 0, 2), ImageSpec(size=(10, 10), resize=Resize.CROP))
    np.testing.assert_array_equal(upright, pixels.transpose(1, 0, 2)[10:20])


def test_crop_keeps_the_aspect_ratio() -> None:
    """A disc in the middle stays as wide as it is high."""
    y, x = np.mgrid[-30:30, -60:60] + 0.5
    disc = np.where(y**2 + x**2 < 400, 255, 0).astype(np.uint8)
    cropped = sample(disc, ImageSpec(size=(32, 32), resize=Resize.CROP, color=Color.GRAY))[:, :, 0]
    np.testing.assert_array_equal(cropped, cropped[::-1, ::-1])
    assert abs(int((cropped[16] > 127).sum()) - int((cropped[:, 16] > 127).sum())) <= 1


def test_pad_letterboxes_in_black_around_the_centre() -> None:
    padded = sample(np.full((10, 20, 3), 200, np.uint8), ImageSpec(size=(20, 20), resize=Resize.PAD))
    assert (padded[5:15] == 200).all()
    assert (padded[:5] == 0).all()
    assert (padded[15:] == 0).all()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P"])
def test_the_padding_is_black_beside_a_transparent_picture_too(mode: str) -> None:
    image = Image.new("RGBA", (20, 10), (90, 90, 90, 255)).convert(mode)
    padded = sample(image, ImageSpec(size=(20, 20), resize=Resize.PAD))
    assert np.abs(padded[5:15].astype(int) - 90).max() <= 1
    assert (padded[:5] == 0).all()


def test_a_picture_of_one_transparent_colour_is_white_after_resizing() -> None:
    """A colour key must be resolved before interpolation makes other colours of it."""
    image = Image.new("RGB", (20, 20), (0, 0, 0))
    image.info["transparency"] = (0, 0, 0)
    assert (sample(image, ImageSpec(size=(10, 10))) == 255).all()


@pytest.mark.parametrize("size", [(8, 16), (50, 31), (10, 30), (3, 3), (10, 19), (20, 60), (41, 90)])
@pytest.mark.parametrize("gray", [False, True])
def test_linear_is_what_opencv_does(size: tuple[int, int], gray: bool) -> None:
    cv2 = pytest.importorskip("cv2")
    pixels = noise(20, 38)
    color = Color.GRAY if gray else Color.RGB
    pixels = pixels[:, :, :1] if gray else pixels
    spec = ImageSpec(size=size, resize=Resize.STRETCH, resample=Resample.LINEAR, color=color)
    theirs = cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_LINEAR).reshape(*size, -1)
    assert np.abs(sample(pixels[:, :, 0] if gray else pixels, spec).astype(int) - theirs).max() <= 1


def test_stretch_changes_both_sides_independently() -> None:
    image = Image.fromarray(noise(10, 30))
    expected = np.asarray(image.resize((16, 8), Image.Resampling.BICUBIC))
    spec = ImageSpec(size=(8, 16), resize=Resize.STRETCH, resample=Resample.BICUBIC)
    np.testing.assert_array_equal(sample(image, spec), expected)


def test_a_picture_of_the_right_size_is_left_alone() -> None:
    image = Image.fromarray(noise(8, 12))
    assert resize(image, ImageSpec(size=(8, 12))) is image
    assert resize(image, ImageSpec(size=None)) is image


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(Resize), st.sampled_from(Color))
def test_the_device_does_what_training_does_in_two_steps(width: int, height: int, way: Resize, color: Color) -> None:
    spec = ImageSpec(size=(16, 16), resize=way, color=color, mean=(0.5,) * color.channels)
    image = Image.fromarray(noise(height, width))
    np.testing.assert_array_equal(Preprocessor(spec)(image), Preprocessor(spec).normalise(sample(image, spec)))
