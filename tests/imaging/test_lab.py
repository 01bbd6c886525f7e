import numpy as np
import pytest

from edgevision.imaging.lab import from_lab, lightness_of, to_lab


def colors(count=4096):
    return np.random.default_rng(0).random((count // 64, 64, 3), dtype=np.float32)


def test_lab_is_that_of_scikit_image():
    color = pytest.importorskip("skimage.color")
    np.testing.assert_allclose(to_lab(colors()), color.rgb2lab(colors()), atol=0.03)


def test_known_colours_have_their_known_lab():
    """Red, blue and middle gray of sRGB under D65, as Bruce Lindbloom's calculator gives them."""
    rgb = np.array([[[1, 0, 0], [0, 0, 1], [0.5, 0.5, 0.5]]], np.float32)
    expected = [[53.24, 80.09, 67.20], [32.30, 79.19, -107.86], [53.39, 0, 0]]
    np.testing.assert_allclose(to_lab(rgb)[0], expected, atol=0.03)


def test_there_and_back_is_the_same_colour():
    lab = to_lab(colors())
    np.testing.assert_allclose(from_lab(lab[:, :, 0], lab[:, :, 1:]), colors(), atol=1e-4)


def test_the_lightness_of_gray_is_that_of_its_colour():
    gray = np.linspace(0, 1, 256, dtype=np.float32)
    np.testing.assert_allclose(
        lightness_of(gray), to_lab(np.repeat(gray[None, :, None], 3, axis=2))[0, :, 0], atol=1e-4
    )


def test_what_srgb_does_not_have_is_clipped():
    rgb = from_lab(np.array([[50, 100]], np.float32), np.array([[[120, 120], [50, 50]]], np.float32))
    assert rgb.min() >= 0
    assert rgb.max() <= 1
