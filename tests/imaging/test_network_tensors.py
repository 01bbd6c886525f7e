import numpy as np
import pytest

from edgevision.imaging.network_tensors import NetworkTensors
from edgevision.imaging.samples import as_float, luma_of
from edgevision.metrics.figures import psnr_db
from edgevision.modelfiles.metadata import Color, ImageSpec

COLOURED = [Color.RGB, Color.BGR, Color.YCBCR, Color.LUMA]


@pytest.fixture
def colour():
    return np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)


def gray(dtype=np.uint8):
    return np.random.default_rng(1).integers(0, np.iinfo(dtype).max, (7, 5, 1), dtype=dtype, endpoint=True)


def there_and_back(tensors, samples):
    return tensors.in_picture_colors(tensors.from_tensor(tensors.to_tensor(samples)), samples)


@pytest.mark.parametrize("color", Color)
def test_a_colour_picture_comes_back_from_any_colour_space(colour, color):
    again = there_and_back(NetworkTensors(ImageSpec(color=color)), colour)
    assert again.shape == colour.shape
    assert again.dtype == np.float32
    # Pillow cuts YCbCr to 8 bits.
    assert psnr_db(as_float(colour), again) > (48 if color in (Color.YCBCR, Color.LUMA) else 120)


@pytest.mark.parametrize("color", Color)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_gray_picture_stays_gray_in_any_colour_space(color, dtype):
    samples = gray(dtype)
    again = there_and_back(NetworkTensors(ImageSpec(color=color)), samples)
    assert again.shape == samples.shape
    assert psnr_db(as_float(samples), again) > 120


@pytest.mark.parametrize("color", Color)
def test_float_samples_beyond_the_range_are_not_clipped_on_the_way(color):
    noisy = np.random.default_rng(2).normal(0.5, 0.5, (6, 6, 3)).astype(np.float32)
    again = there_and_back(NetworkTensors(ImageSpec(color=color)), noisy)
    assert noisy.min() < 0 < 1 < noisy.max()
    assert psnr_db(noisy, again) > 90


def test_the_network_sees_the_channels_in_its_own_order():
    red = np.zeros((2, 3, 3), np.uint8)
    red[:, :, 0] = 255
    expected = {
        Color.RGB: [1, 0, 0],
        Color.BGR: [0, 0, 1],
        Color.YCBCR: [0.299, 0.5 - 0.168736, 1],  # ITU-R BT.601, full range
        Color.LUMA: [0.299],
    }
    for color, values in expected.items():
        tensor = NetworkTensors(ImageSpec(color=color)).to_tensor(red)
        assert tensor.shape == (1, len(values), 2, 3)
        assert tensor.dtype == np.float32
        # Pillow cuts YCbCr to 8 bits.
        np.testing.assert_allclose(tensor[0, :, 1, 1], values, atol=1 / 255)


def test_a_colour_picture_goes_through_a_gray_network_channel_by_channel(colour):
    tensor = NetworkTensors(ImageSpec(color=Color.GRAY)).to_tensor(colour)
    assert tensor.shape == (3, 1, 7, 5)
    np.testing.assert_allclose(tensor[:, 0], as_float(colour).transpose(2, 0, 1), atol=1e-7)


@pytest.mark.parametrize("color", [Color.RGB, Color.BGR])
def test_a_gray_picture_in_a_colour_network_is_repeated_and_averaged(color):
    tensors, samples = NetworkTensors(ImageSpec(color=color)), gray()
    tensor = tensors.to_tensor(samples)
    assert tensor.shape == (1, 3, 7, 5)
    np.testing.assert_array_equal(tensor[0, 0], tensor[0, 2])
    tensor[0, 1] += 0.3
    answer = tensors.in_picture_colors(tensors.from_tensor(tensor), samples)
    np.testing.assert_allclose(answer, as_float(samples) + 0.1, atol=1e-6)


def test_a_gray_picture_has_no_chroma_for_a_ycbcr_network():
    tensor = NetworkTensors(ImageSpec(color=Color.YCBCR)).to_tensor(gray())
    np.testing.assert_array_equal(tensor[0, 1:], 0.5)


def test_a_luma_network_leaves_the_chroma_as_it_was(colour):
    tensors = NetworkTensors(ImageSpec(color=Color.LUMA))
    samples = as_float(colour) / 2 + 0.25
    darker = tensors.in_picture_colors(tensors.from_tensor(tensors.to_tensor(samples)) - 0.1, samples)
    np.testing.assert_allclose(darker, samples - 0.1, atol=1e-5)


def test_chroma_is_interpolated_to_the_size_of_a_luma_networks_answer(colour):
    tensors = NetworkTensors(ImageSpec(color=Color.LUMA))
    flat = np.full_like(colour, (200, 100, 50))
    luma = tensors.from_tensor(tensors.to_tensor(flat)).repeat(2, axis=0).repeat(2, axis=1)
    enlarged = tensors.in_picture_colors(luma, flat)
    assert enlarged.shape == (14, 10, 3)
    np.testing.assert_allclose(enlarged * 255, np.broadcast_to([200, 100, 50], (14, 10, 3)), atol=1.5)


@pytest.mark.parametrize(
    "spec",
    [
        ImageSpec(value_range=(0.0, 255.0)),
        ImageSpec(value_range=(-1.0, 1.0)),
        ImageSpec(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        ImageSpec(color=Color.BGR, value_range=(0.0, 255.0), mean=(103.9, 116.8, 123.7), std=(1.0, 2.0, 3.0)),
        ImageSpec(color=Color.GRAY, value_range=(-1.0, 1.0), mean=(0.1,), std=(0.5,)),
    ],
)
def test_the_networks_own_range_is_undone_exactly(colour, spec):
    tensors = NetworkTensors(spec)
    low, high = spec.value_range
    mean, std = np.array(spec.mean or [0.0]), np.array(spec.std or [1.0])
    fifth = tensors.to_tensor(np.full((1, 1, spec.color.channels), 51, np.uint8))
    np.testing.assert_allclose(
        fifth.ravel() * std + mean, np.full(spec.color.channels, 0.2 * (high - low) + low), rtol=1e-4
    )
    assert psnr_db(as_float(colour), there_and_back(tensors, colour)) > 100


def test_an_output_range_of_its_own_replaces_that_of_the_input():
    tensors = NetworkTensors(ImageSpec(value_range=(0.0, 255.0), mean=(1.0, 2.0, 3.0)), output_range=(-1.0, 1.0))
    tensor = np.array([-1, 0, 1], np.float32).reshape(1, 3, 1, 1)
    np.testing.assert_allclose(tensors.from_tensor(tensor)[0, 0], [0, 0.5, 1], atol=1e-7)


@pytest.mark.parametrize("color", COLOURED)
def test_the_luma_of_the_answer_is_that_of_the_picture(colour, color):
    tensors = NetworkTensors(ImageSpec(color=color))
    luma = tensors.luma(tensors.from_tensor(tensors.to_tensor(colour)))
    assert luma.shape == (7, 5)
    np.testing.assert_allclose(luma, luma_of(colour), atol=1 / 255)


def test_the_luma_of_a_colour_picture_from_a_gray_network_is_no_single_channel(colour):
    tensors = NetworkTensors(ImageSpec(color=Color.GRAY))
    luma = tensors.luma(tensors.from_tensor(tensors.to_tensor(colour)))
    np.testing.assert_allclose(luma, luma_of(colour), atol=1 / 255)


@pytest.mark.parametrize("color", Color)
def test_the_number_of_channels_is_known_before_the_network_runs(colour, color):
    tensors = NetworkTensors(ImageSpec(color=color))
    for samples in (colour, gray()):
        assert tensors.from_tensor(tensors.to_tensor(samples)).shape[2] == tensors.channels(samples.shape[2])


def test_samples_of_any_depth_lie_between_0_and_1():
    np.testing.assert_array_equal(as_float(np.array([0, 65535], np.uint16)), [0, 1])
    np.testing.assert_array_equal(as_float(np.array([0, 255], np.uint8)), [0, 1])
    np.testing.assert_array_equal(as_float(np.array([-0.5, 1.5], np.float32)), [-0.5, 1.5])


def test_sixteen_bits_are_not_lost_on_the_way():
    samples = gray(np.uint16)
    again = there_and_back(NetworkTensors(ImageSpec(color=Color.GRAY, value_range=(-1.0, 1.0))), samples)
    np.testing.assert_array_equal(np.rint(again * 65535), samples)
