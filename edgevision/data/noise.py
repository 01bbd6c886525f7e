"""What is wrong with photographs as cameras and files leave them, added on purpose: to train on, and to measure with.

Pictures are float32 (H, W, C) in 0..1 with one or three channels. All randomness comes from the generator that is
passed in, so that a seed gives the same noise on every machine; only JPEG depends on Pillow's encoder.
"""

import io
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.data.degradations import add_noise
from edgevision.data.noise_kinds import NoiseKind

Array = NDArray[np.float32]

# How often each is drawn where noise is mixed.
_SHARES = {NoiseKind.CAMERA: 0.40, NoiseKind.WHITE: 0.22, NoiseKind.JPEG: 0.22, NoiseKind.IMPULSE: 0.10}
_BLOCK = 8


def add_noise_of_kind(kind: NoiseKind, image: Array, sigma: float, generator: np.random.Generator) -> Array:
    """``image`` with noise of a ``kind``, which is clipped and rounded to 8 bits except for white noise.

    ``sigma``, of 255, is the strength of white noise, and of a camera's on a middle gray. JPEG and impulse noise draw
    their own strength, mixed noise a ``sigma`` of its own up to that.
    """
    return _KINDS[kind](image, sigma, generator)


def add_camera_noise(image: Array, sigma: float, generator: np.random.Generator) -> Array:
    """Sensor noise of ``sigma``, of 255, on a middle gray, as it looks after the camera's processing.

    Shot and read noise in any proportion (Foi et al. 2008), in light of a gamma of 1 to 2.2; drawn for each site of a
    Bayer pattern and interpolated as its colours are, smoothed by up to 1.5 pixels, and in one case of three with
    blotches of 2 or 3 pixels beside, as subsampled colour leaves them. It then is as strong on middle gray as asked
    for. Two times in five the result is stored as JPEG of quality 30 to 95.
    """
    height, width, channels = image.shape
    noise = _sites(height, width, channels, generator)
    if generator.random() < 0.7:
        noise = _smoothed(noise, generator.uniform(0.3, 1.5))
    if generator.random() < 0.35:
        side = int(generator.integers(2, 4))
        coarse = generator.standard_normal((-(-height // side), -(-width // side), channels), np.float32)
        blotches = np.repeat(np.repeat(coarse, side, axis=0), side, axis=1)[:height, :width]
        noise = _unit(noise) + np.float32(generator.uniform(0.3, 2.0)) * _smoothed(blotches, 0.5 * side)
    noise = _unit(noise) * np.float32(sigma / 255)
    gamma = generator.uniform(1.0, 2.2)
    light = image ** np.float32(gamma)
    middle = 0.5**gamma
    # The part of the variance on middle gray that is the sensor's reading, not the light's.
    reading = generator.uniform(0.02, 1.0)
    # Of the display's steps of light, those on middle gray are this large.
    slope = 0.5 ** (gamma - 1) * gamma
    light += noise * np.sqrt(reading + (1 - reading) / middle * light, dtype=np.float32) * np.float32(slope)
    noisy = _rounded(np.maximum(light, 0) ** np.float32(1 / gamma))
    return add_jpeg_noise(noisy, int(generator.integers(30, 96)), generator) if generator.random() < 0.4 else noisy


def add_jpeg_noise(image: Array, quality: int, generator: np.random.Generator) -> Array:
    """``image`` through a JPEG file of ``quality``; half of the time cropped since, so that blocks begin anywhere."""
    top, left = generator.integers(0, _BLOCK, 2) if generator.random() < 0.5 else (0, 0)
    pixels = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    pixels = np.pad(pixels, ((top, 0), (left, 0), (0, 0)), mode="symmetric")
    # Most files store colours at half the resolution.
    subsampling = "4:2:0" if generator.random() < 0.7 else "4:4:4"
    file = io.BytesIO()
    stored = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    stored.save(file, "JPEG", quality=quality, subsampling=subsampling)
    read = np.asarray(Image.open(file)).reshape(pixels.shape)
    result: Array = read[top:, left:].astype(np.float32) / np.float32(255)
    return result


def add_impulse_noise(image: Array, share: float, generator: np.random.Generator) -> Array:
    """A ``share`` of the pixels black or white, or, half of the time, of the samples of each channel."""
    channels = image.shape[2] if generator.random() < 0.5 else 1
    drawn = generator.random((*image.shape[:2], channels), np.float32)
    noisy = np.where(drawn < share / 2, np.float32(0), image)
    return _rounded(np.where(drawn > 1 - share / 2, np.float32(1), noisy))


def _white(image: Array, sigma: float, generator: np.random.Generator) -> Array:
    return add_noise(image, sigma, generator)


def _jpeg(image: Array, sigma: float, generator: np.random.Generator) -> Array:
    return add_jpeg_noise(image, int(generator.integers(10, 96)), generator)


def _impulse(image: Array, sigma: float, generator: np.random.Generator) -> Array:
    return add_impulse_noise(image, generator.uniform(0.01, 0.2), generator)


def _mixed(image: Array, sigma: float, generator: np.random.Generator) -> Array:
    drawn = generator.random()
    for kind, share in _SHARES.items():
        if drawn < share:
            noisy = _KINDS[kind](image, generator.uniform(0, sigma), generator)
            # What comes out of a file is clipped and rounded; what the literature measures is not.
            return _rounded(noisy) if kind is NoiseKind.WHITE and generator.random() < 0.5 else noisy
        drawn -= share
    return image


_KINDS: Mapping[NoiseKind, Callable[[Array, float, np.random.Generator], Array]] = {
    NoiseKind.WHITE: _white,
    NoiseKind.CAMERA: add_camera_noise,
    NoiseKind.JPEG: _jpeg,
    NoiseKind.IMPULSE: _impulse,
    NoiseKind.MIXED: _mixed,
}


def _sites(height: int, width: int, channels: int, generator: np.random.Generator) -> Array:
    """White noise, or such as bilinear demosaicing makes of it: each colour known at some sites only, half of green."""
    white: Array = generator.standard_normal((height, width, channels), np.float32)
    if channels == 1 or generator.random() < 0.35:
        return white
    known = np.zeros((height, width, 3), np.float32)
    top, left = generator.integers(0, 2, 2)
    known[top::2, left::2, 0] = 1
    known[1 - top :: 2, 1 - left :: 2, 2] = 1
    known[:, :, 1] = 1 - known[:, :, 0] - known[:, :, 2]
    seen: Array = _filtered(white * known, (0.5, 1.0, 0.5))
    seen /= np.maximum(_filtered(known, (0.5, 1.0, 0.5)), np.float32(0.25))
    return seen


def _unit(noise: Array) -> Array:
    """Of a standard deviation of one; a single sample has none."""
    result: Array = noise / np.maximum(noise.std(), np.float32(1e-6))
    return result


def _smoothed(noise: Array, sigma: float) -> Array:
    """By a Gaussian of ``sigma`` pixels, cut off at two of them or more."""
    reach = max(1, int(2 * sigma + 0.5))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return _filtered(noise, tuple(float(tap) for tap in taps / taps.sum()))


def _filtered(image: Array, taps: tuple[float, ...]) -> Array:
    """Along both sides by the same odd number of ``taps``, zeros beyond the border."""
    height, width = image.shape[:2]
    reach = len(taps) // 2
    padded = np.pad(image, ((reach, reach), (0, 0), (0, 0)))
    rows: Array = sum(np.float32(tap) * padded[at : at + height] for at, tap in enumerate(taps))  # type: ignore[assignment]
    padded = np.pad(rows, ((0, 0), (reach, reach), (0, 0)))
    return sum(np.float32(tap) * padded[:, at : at + width] for at, tap in enumerate(taps))  # type: ignore[return-value]


def _rounded(image: Array) -> Array:
    result: Array = np.round(np.clip(image, 0, 1) * 255) / np.float32(255)
    return result
