"""What users give as pictures: every kind of array, one or several, and what is wrong with others."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.errors import ImageError
from edgevision.imaging.images import read_image, to_array
from edgevision.imaging.picture_sources import check_array_color, split_pictures
from edgevision.imaging.pictures import Picture
from edgevision.modelfiles.metadata import Color


def noise(*shape: int, dtype: type = np.uint8) -> NDArray[Any]:
    generator = np.random.default_rng(sum(shape))
    if np.issubdtype(dtype, np.floating):
        return generator.random(shape).astype(dtype)
    return generator.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [(), (1,), (2,), (3,), (4,)])
@pytest.mark.parametrize("color", ["rgb", "bgr"])
def test_an_array_comes_back_in_its_depth_and_order(dtype: type, channels: tuple[int, ...], color: Any) -> None:
    array = noise(5, 7, *channels, dtype=dtype)
    (source,), several = split_pictures(array, color)
    assert not several
    again = np.asarray(Picture.read(source).with_array_color(color))
    assert again.dtype == dtype
    np.testing.assert_array_equal(again, array[:, :, 0] if channels == (1,) else array)


@pytest.mark.parametrize("dtype", [">u2", "<u2", ">f4"])
def test_the_order_of_bytes_of_an_array_is_any(dtype: str) -> None:
    array = noise(4, 5, 3, dtype=np.uint8).astype(dtype) / np.dtype(dtype).type(1 if dtype.endswith("u2") else 255)
    again = Picture.read(array.astype(dtype)).pixels
    assert again.dtype.isnative
    np.testing.assert_array_equal(again, array.astype(dtype))


def test_of_a_masked_array_the_values_are_seen() -> None:
    array = noise(4, 5, 3)
    pixels = Picture.read(np.ma.masked_array(array, array > 9)).pixels
    assert type(pixels) is np.ndarray
    np.testing.assert_array_equal(pixels, array)


@pytest.mark.parametrize("picture", [bytearray(b"\xff\xd8"), memoryview(b"\xff\xd8"), io.BytesIO(b"\xff\xd8")])
def test_what_holds_an_encoded_picture_but_is_no_bytes_is_no_list_of_pictures(picture: Any) -> None:
    with pytest.raises(TypeError, match=f"not {type(picture).__name__}; give its"):
        split_pictures(picture)


@pytest.mark.parametrize("read", [read_image, Picture.read])
def test_a_pillow_picture_without_pixels_is_refused(read: Any) -> None:
    with pytest.raises(ImageError, match="no pixels: it is 0x7"):
        read(Image.new("RGB", (0, 7)))


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_floats_of_any_size_become_float32(dtype: type) -> None:
    array = noise(4, 5, 3, dtype=dtype)
    picture = Picture.read(array)
    assert picture.pixels.dtype == np.float32
    np.testing.assert_array_equal(picture.pixels, array.astype(np.float32))


def test_opencv_s_blue_is_blue() -> None:
    blue = np.zeros((2, 3, 4), np.uint8)
    blue[:, :, 0], blue[:, :, 3] = 200, 51
    (source,), _ = split_pictures(blue, "bgr")
    picture = Picture.read(source)
    assert picture.pixels[0, 0].tolist() == [0, 0, 200]
    assert picture.alpha is not None
    assert picture.alpha[0, 0] == 51


def test_an_array_is_copied_so_that_the_next_frame_may_take_its_place() -> None:
    for array in (noise(4, 5, 3), noise(4, 5, 4), noise(4, 5), noise(4, 5, 3, dtype=np.float32)):
        before, picture = array.copy(), Picture.read(array)
        array[...] = 0
        np.testing.assert_array_equal(np.asarray(picture), before)


@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([(), (1,), (3,)]), st.sampled_from(["u1", "u2", "f4"]))
def test_what_classifiers_see_has_8_bits(height: int, width: int, channels: tuple[int, ...], dtype: str) -> None:
    array = noise(height, width, *channels)
    factor = {"u1": 1.0, "u2": 257.0, "f4": 1 / 255}[dtype]
    color = Color.RGB if channels == (3,) else Color.GRAY
    seen = to_array(read_image((array * factor).astype(dtype)), color)
    np.testing.assert_array_equal(seen, array.reshape(height, width, -1))


@pytest.mark.parametrize("dtype", [np.int64, np.uint32, bool, object, complex])
def test_an_array_of_another_dtype_is_refused(dtype: type) -> None:
    with pytest.raises(TypeError, match=r"must be uint8, uint16 or floats in 0\.\.1, not .*astype\(numpy\.uint8\)"):
        read_image(np.zeros((4, 4, 3), dtype))


@pytest.mark.parametrize("shape", [(4,), (4, 4, 5), (1, 4, 4, 3), (0, 4, 3), (4, 0), (4, 4, 0)])
def test_an_array_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="an image array must"):
        read_image(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("value", [-0.01, 1.01, 255, np.nan, np.inf])
def test_floats_outside_0_to_1_are_refused(value: float) -> None:
    array = noise(4, 5, 3, dtype=np.float32)
    array[1, 2, 0] = value
    with pytest.raises(ValueError, match=r"must lie in 0\.\.1, not in .*; divide it by its white"):
        Picture.read(array)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_that_come_first_are_refused_with_the_transposition(channels: int) -> None:
    first = noise(channels, 20, 30)
    with pytest.raises(ValueError, match=r"channels last, \(H, W, C\).*give array\.transpose\(1, 2, 0\)"):
        Picture.read(first)
    assert Picture.read(first.transpose(1, 2, 0)).width == 30
    with pytest.raises(ValueError, match=r"channels last, \(N, H, W, C\).*give array\.transpose\(0, 2, 3, 1\)"):
        split_pictures(first[None])


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("color", ["rgb", "bgr"])
def test_a_batch_is_as_many_pictures(channels: int, color: Any) -> None:
    batch = noise(3, 6, 5, channels)
    pictures, several = split_pictures(batch, color)
    assert several
    one_by_one = [split_pictures(image, color)[0][0] for image in batch]
    np.testing.assert_array_equal(np.stack(pictures), np.stack(one_by_one))  # type: ignore[arg-type]


def test_whatever_can_be_gone_through_is_several_pictures(tmp_path: Path) -> None:
    array, image = noise(4, 5, 3), Image.new("RGB", (3, 3))
    for several in ([array, image], (array, image), iter([array, image])):
        assert split_pictures(several) == ([array, image], True)
    assert split_pictures([]) == ([], True)
    assert split_pictures(np.zeros((0, 4, 4, 3), np.uint8)) == ([], True)
    for single in (tmp_path, "a.jpg", b"\xff\xd8", image, Picture(array)):
        assert split_pictures(single) == ([single], False)


def test_a_picture_is_read_as_it_is() -> None:
    picture = Picture(noise(4, 5, 3), noise(4, 5))
    assert Picture.read(picture) is picture
    np.testing.assert_array_equal(to_array(read_image(picture)), to_array(picture.to_pillow()))


def test_an_order_of_channels_that_arrays_do_not_have_is_refused() -> None:
    assert [check_array_color(color) for color in ("rgb", "bgr")] == ["rgb", "bgr"]
    with pytest.raises(ValueError, match="'rgb' or 'bgr', not 'BGR'"):
        check_array_color("BGR")


@given(
    st.lists(st.integers(0, 5), max_size=5),
    st.sampled_from(["u1", "u2", "u4", "i1", "i8", "f2", "f4", "f8", "b1", "c8", "O", "U2", "M8[s]"]),
    st.sampled_from(["rgb", "bgr"]),
    st.randoms(use_true_random=False),
)
def test_any_array_is_a_picture_or_misuse(shape: list[int], dtype: str, color: Any, random: Any) -> None:
    array = np.zeros(shape, dtype)
    if dtype[0] in "uf" and array.size:
        array.flat[0] = random.choice([0, 1, 0.5, -1, 300, np.nan, np.inf]) if dtype[0] == "f" else 1
    try:
        sources, several = split_pictures(array, color)
        pictures = [Picture.read(source) for source in sources]
        images = [read_image(source) for source in sources]
    except (TypeError, ValueError) as error:
        refused = str(error)
        assert refused.startswith("an image array ")  # it may as well be taken
        return
    assert several == (array.ndim == 4)
    for picture, image in zip(pictures, images, strict=True):
        assert image.size == (picture.width, picture.height)
        assert min(image.size) >= 1
        assert picture.pixels.dtype in (np.uint8, np.uint16, np.float32)
