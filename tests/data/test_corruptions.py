from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from edgevision.data.corruptions import STRENGTHS, Corruption, corrupted


def photograph(side: int) -> Image.Image:
    generator = np.random.default_rng(5)
    coarse = Image.fromarray(generator.integers(0, 256, (8, 8, 3), np.uint8))
    return coarse.resize((side, side), Image.Resampling.BICUBIC)


def error(picture: Image.Image, kind: Corruption, strength: int) -> float:
    changed = corrupted(picture, kind, strength, np.random.default_rng(0))
    assert (changed.size, changed.mode) == (picture.size, picture.mode)
    difference = np.asarray(changed, np.float64) - np.asarray(picture, np.float64)
    return float(np.sqrt(np.mean(difference**2)))


@pytest.mark.parametrize("side", [32, 128])
@pytest.mark.parametrize("kind", Corruption)
def test_each_strength_does_more_than_the_one_before(kind: Corruption, side: int) -> None:
    errors = [error(photograph(side), kind, strength) for strength in STRENGTHS]
    assert errors[0] > 0.1
    assert errors[-1] > 1.2 * errors[0]
    # How much JPEG loses of one small picture is not in order to the last percent.
    assert all(later > 0.97 * earlier for earlier, later in pairwise(errors))


@pytest.mark.parametrize("kind", Corruption)
def test_a_seed_gives_the_same_picture_and_gray_stays_gray(kind: Corruption) -> None:
    gray = photograph(48).convert("L")
    first, again = (np.asarray(corrupted(gray, kind, 3, np.random.default_rng(1))) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.shape == (48, 48)


def test_noise_blur_and_contrast_are_as_strong_as_the_paper_says() -> None:
    flat = Image.new("RGB", (256, 256), (128, 128, 128))
    noisy = np.asarray(corrupted(flat, Corruption.NOISE, 1, np.random.default_rng(0)), np.float64)
    assert noisy.std() / 255 == pytest.approx(0.08, rel=0.02)
    picture = photograph(256)
    foggy = np.asarray(corrupted(picture, Corruption.FOG, 3, np.random.default_rng(0)), np.float64)
    assert foggy.std(axis=(0, 1)) == pytest.approx(0.2 * np.asarray(picture, np.float64).std(axis=(0, 1)), rel=0.03)
    assert foggy.mean() == pytest.approx(np.asarray(picture).mean(), abs=0.6)
    bright = np.asarray(corrupted(Image.new("RGB", (80, 80), (100, 50, 0)), Corruption.BRIGHTNESS, 2, None), np.float64)
    assert bright[0, 0] == pytest.approx([151, 75.5, 0], abs=1)
