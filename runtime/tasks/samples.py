"""Seeded inputs for any network, where there are no real ones."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import InputError
from edgevision.imaging.preprocessing import Preprocessor
from edgevision.modelfiles.metadata import ImageSpec, TensorSpec

Batch = Sequence[NDArray[Any]]
"""One array for each input of the model, in its order, all with equally many samples."""

SAMPLES_AT_ONCE = 16


def picture_samples(
    image: ImageSpec,
    shape: tuple[int, ...],
    count: int,
    seed: int,
    with_auxiliary_inputs: Callable[[NDArray[np.float32], np.random.Generator], Batch],
) -> Iterator[Batch]:
    """``count`` pictures of ``shape`` (channels, height, width) from numpy's ``default_rng(seed)``.

    They are noise with the 1/f amplitude spectrum of natural images (Field 1987), mean 0.5 and standard deviation
    0.25, clipped to 0..1, as 8-bit samples that are then preprocessed like any picture: white noise would drive a
    network into ranges no photograph reaches.
    """
    generator = np.random.default_rng(seed)
    normalise = Preprocessor(image).normalise
    for size in _batch_sizes(count):
        pictures = np.stack([normalise(_pink_noise(generator, shape)) for _ in range(size)])
        yield with_auxiliary_inputs(pictures, generator)


def tensor_samples(inputs: Sequence[TensorSpec], shape: tuple[int, ...], count: int, seed: int) -> Iterator[Batch]:
    """``count`` samples for inputs of any rank and type, the first of ``shape`` without the batch.

    Axes of one name are of one length. Floats are normal numbers, bytes any; of other integers nothing is known, and
    0 and 1 are indices of most things. Without ``inputs`` there is one, of floats.

    Raises:
        InputError: a dynamic axis is neither the batch nor told by ``shape``.
    """
    generator = np.random.default_rng(seed)
    for size in _batch_sizes(count):
        yield _tensors(inputs or (TensorSpec(name="input", shape=("batch", *shape)),), shape, size, generator)


def _batch_sizes(count: int) -> Iterator[int]:
    return (min(SAMPLES_AT_ONCE, count - start) for start in range(0, count, SAMPLES_AT_ONCE))


def _tensors(inputs: Sequence[TensorSpec], shape: tuple[int, ...], count: int, generator: np.random.Generator) -> Batch:
    first = inputs[0].shape
    known = (first[0] if isinstance(first[0], int) else count, *shape) if first else ()
    lengths: dict[int | str, int] = {
        side: size for side, size in zip(first, known, strict=True) if isinstance(side, str) and side != "?"
    }
    arrays = []
    for index, spec in enumerate(inputs):
        sides: list[int | str] = list(known) if index == 0 else [lengths.get(side, side) for side in spec.shape]
        if sides and isinstance(sides[0], str):
            sides[0] = known[0] if known else count
        if any(isinstance(side, str) for side in sides):
            raise InputError(
                f"input {spec.name!r} is {spec.shape}, and the lengths of its dynamic axes are unknown; give the first"
                " input's with --input-shape, or export the model with static ones"
            )
        size = tuple(int(side) for side in sides)
        dtype = np.dtype(spec.dtype)
        if dtype.kind == "f":
            arrays.append(generator.standard_normal(size).astype(dtype))
        else:
            arrays.append(generator.integers(0, 256 if dtype == np.uint8 else 2, size).astype(dtype))
    return arrays


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
