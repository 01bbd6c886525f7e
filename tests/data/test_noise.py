"""Noise of every kind: repeatable, of the stated strength, and like that of cameras and files."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edgevision.data.noise import add_camera_noise, add_impulse_noise, add_jpeg_noise, add_noise_of_kind
from edgevision.data.noise_kinds import NoiseKind
from edgevision.metrics.figures import psnr_db

Array = NDArray[np.float32]

kinds = pytest.mark.parametrize("kind", NoiseKind)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def photograph(height: int = 48, width: int = 64, channels: int = 3) -> Array:
    y, x = np.mgrid[:height, :width]
    wave = 0.5 + 0.3 * np.sin(x / 3) * np.cos(y / 5)
    return np.dstack([wave * (1 - 0.2 * channel) for channel in range(channels)]).astype(np.float32)


def flat(value: float = 0.5, side: int = 96) -> Array:
    return np.full((side, side, 3), value, np.float32)


@kinds
@pytest.mark.parametrize("shape", [(48, 64, 3), (33, 17, 1), (2, 5, 3), (1, 1, 1), (1, 1, 3)])
def test_every_kind_keeps_the_shape_and_has_no_nan(kind: NoiseKind, shape: tuple[int, int, int]) -> None:
    for seed in range(12):
        noisy = add_noise_of_kind(kind, photograph(*shape), 25.0, generator(seed))
        assert noisy.shape == shape
        assert noisy.dtype == np.float32
        assert np.isfinite(noisy).all()


@kinds
def test_the_same_seed_gives_the_same_noise_and_another_does_not(kind: NoiseKind) -> None:
    first, again, other = (add_noise_of_kind(kind, photograph(), 25.0, generator(seed)) for seed in (3, 3, 5))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@kinds
def test_what_is_given_is_not_changed(kind: NoiseKind) -> None:
    image = photograph()
    add_noise_of_kind(kind, image, 25.0, generator())
    np.testing.assert_array_equal(image, photograph())


@pytest.mark.parametrize("kind", [NoiseKind.CAMERA, NoiseKind.JPEG, NoiseKind.IMPULSE])
def test_what_comes_out_of_a_file_has_8_bits(kind: NoiseKind) -> None:
    for seed in range(6):
        steps = add_noise_of_kind(kind, photograph(), 40.0, generator(seed)) * 255
        np.testing.assert_allclose(steps, steps.round(), atol=1e-3)
        assert steps.min() >= 0
        assert steps.max() <= 255


@pytest.mark.parametrize("sigma", [5.0, 20.0])
def test_a_cameras_noise_on_middle_gray_is_as_strong_as_asked_for(sigma: float) -> None:
    strengths = [(add_camera_noise(flat(), sigma, generator(seed)) - 0.5).std() * 255 for seed in range(30)]
    # JPEG, on two of five, takes some of it away.
    assert np.median(strengths) == pytest.approx(sigma, rel=0.05)
    assert max(strengths) < 1.1 * sigma
    assert min(strengths) > 0.3 * sigma


def test_a_cameras_noise_is_spread_over_neighbours() -> None:
    correlations = []
    for seed in range(20):
        noise = add_camera_noise(flat(), 15.0, generator(seed)) - np.float32(0.5)
        correlations.append(float((noise[:, 1:] * noise[:, :-1]).mean() / noise.var()))
    assert min(correlations) > -0.2
    assert np.median(correlations) > 0.3
    assert max(correlations) > 0.7


def test_a_sensors_shot_noise_grows_with_the_light() -> None:
    # In light; on the display a gamma makes up for it, or more.
    bright, dark = (
        np.mean([((add_camera_noise(flat(value), 5.0, generator(s))) ** 2.2).std() for s in range(20)])
        for value in (0.7, 0.3)
    )
    assert bright > 1.5 * dark


def test_a_worse_jpeg_is_further_from_the_picture() -> None:
    image = np.clip(photograph() + generator(1).normal(0, 0.05, (48, 64, 1)), 0, 1).astype(np.float32)
    qualities = [psnr_db(image, add_jpeg_noise(image, quality, generator(0))) for quality in (10, 40, 95)]
    assert qualities == sorted(qualities)
    assert qualities[2] > qualities[0] + 5


def test_the_blocks_of_a_jpeg_begin_anywhere() -> None:
    image = photograph(64, 64, 1)
    starts = set()
    for seed in range(40):
        error = (add_jpeg_noise(image, 10, generator(seed)) - image)[:, :, 0]
        steps = np.abs(np.diff(error, axis=1)).mean(axis=0)
        starts.add(int(np.argmax([steps[first::8].mean() for first in range(8)])))
    assert len(starts) >= 5


@pytest.mark.parametrize("share", [0.01, 0.2])
def test_impulse_noise_hits_the_share_of_pixels_asked_for(share: float) -> None:
    for seed in range(6):
        noisy = add_impulse_noise(flat(), share, generator(seed))
        assert (noisy == 0).mean() == pytest.approx(share / 2, rel=0.3)
        assert (noisy == 1).mean() == pytest.approx(share / 2, rel=0.3)


def test_mixed_noise_is_of_every_kind_and_sometimes_none() -> None:
    image = photograph(32, 32)
    noisy = [add_noise_of_kind(NoiseKind.MIXED, image, 50.0, generator(seed)) for seed in range(150)]
    clean = sum(np.array_equal(one, image) for one in noisy)
    assert 2 <= clean <= 25
    assert any(one.min() < 0 or one.max() > 1 for one in noisy)  # white noise that is not rounded
    assert any(0.003 < ((one == 0) | (one == 1)).mean() < 0.2 and psnr_db(image, one) < 25 for one in noisy)
