"""Inputs to compare two models on: real pictures where there are any, a documented seeded sampler where not."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets import ImageDataset
from edgevision.metadata import ImageSpec, LatentSpec, ModelMetadata
from edgevision.preprocessing import Preprocessor

Batch = NDArray[np.float32]

_BATCH = 16


def picture_batches(data: ImageDataset, spec: ImageSpec, count: int) -> Iterator[Batch]:
    """``count`` pictures spread evenly over ``data``, preprocessed, float32 (n, channels, height, width)."""
    preprocess = Preprocessor(spec)
    indices = np.linspace(0, len(data) - 1, min(count, len(data))).astype(int)
    step = _BATCH if spec.size is not None else 1
    for start in range(0, len(indices), step):
        yield np.stack([preprocess(data.image(int(index))) for index in indices[start : start + step]])


def seeded_batches(metadata: ModelMetadata, shape: tuple[int, ...], count: int, seed: int) -> Iterator[Batch]:
    """``count`` samples of ``shape`` (without the batch) from numpy's ``default_rng(seed)``.

    Pictures are noise with the 1/f amplitude spectrum of natural images (Field 1987), mean 0.5 and standard deviation
    0.25, clipped to 0..1, as 8-bit samples that are then preprocessed like any picture: white noise would drive a
    network into ranges no photograph reaches. Latents are drawn from their own distribution.
    """
    generator = np.random.default_rng(seed)
    for start in range(0, count, _BATCH):
        size = min(_BATCH, count - start)
        if metadata.image is not None:
            normalise = Preprocessor(metadata.image).normalise
            yield np.stack([normalise(_pink_noise(generator, shape)) for _ in range(size)])
        else:
            yield _latents(generator, (size, *shape), metadata.latent)


def _latents(generator: np.random.Generator, shape: tuple[int, ...], latent: LatentSpec | None) -> Batch:
    if latent is not None and latent.distribution == "uniform":
        return generator.uniform(-1, 1, shape).astype(np.float32)
    return generator.standard_normal(shape, np.float32)


def _pink_noise(generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    channels, height, width = shape
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = 1 / max(height, width)
    spectrum = np.fft.rfft2(generator.standard_normal((channels, height, width))) / frequency
    noise = np.fft.irfft2(spectrum, s=(height, width))
    deviation = noise.std() or 1.0
    picture = np.clip(0.5 + 0.25 * (noise - noise.mean()) / deviation, 0, 1)
    pixels: NDArray[np.uint8] = np.round(255 * picture).astype(np.uint8)
    return pixels.transpose(1, 2, 0)
