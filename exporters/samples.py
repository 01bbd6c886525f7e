"""Inputs to compare two models on: real pictures where there are any, a documented seeded sampler where not."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import DatasetError, InputError
from edgevision.data.datasets import ImageDataset
from edgevision.data.degradations import draw_holes
from edgevision.data.hole_kinds import HoleKind
from edgevision.data.latents import draw_latents
from edgevision.imaging.preprocessing import Preprocessor
from edgevision.modelfiles.metadata import ModelMetadata, Task, TensorSpec
from edgevision.runtime.files.batch import each_done, failure_message
from edgevision.runtime.tasks.classification.evaluation import picture_name

Batch = Sequence[NDArray[Any]]
"""One array for each input of the model, in its order, all with equally many samples."""

_log = logging.getLogger(__name__)

_BATCH = 16


def picture_batches(data: ImageDataset, metadata: ModelMetadata, count: int) -> Iterator[Batch]:
    """``count`` pictures spread evenly over ``data``, preprocessed, float32 (n, channels, height, width).

    One that cannot be read is left out, with a warning that names it.

    Where pictures keep their own size, their sides are cut to the multiple that the network asks for.
    """
    assert metadata.image is not None
    preprocess = Preprocessor(metadata.image)
    multiple = metadata.tile.multiple if metadata.tile else 1
    generator = np.random.default_rng(0)
    indices = np.linspace(0, len(data) - 1, min(count, len(data))).astype(int)
    step = _BATCH if metadata.image.size is not None else 1
    used = 0

    def left_out(index: int, error: Exception) -> None:
        _log.warning("left out: %s", failure_message(picture_name(data, index), error))

    for start in range(0, len(indices), step):
        done = each_done(map(int, indices[start : start + step]), lambda index: preprocess(data.image(index)), left_out)
        read = [picture for _, picture in done]
        if not read:
            continue
        used += len(read)
        pictures = np.stack(read)
        height, width = (side // multiple * multiple for side in pictures.shape[2:])
        if not height or not width:
            raise DatasetError(f"a picture of {pictures.shape[2:]} is smaller than the network's multiple {multiple}")
        yield _with_mask(pictures[:, :, :height, :width], metadata, generator)
    if not used:
        raise DatasetError(f"not one of the {len(indices)} pictures to compare on could be read")


def seeded_batches(metadata: ModelMetadata, shape: tuple[int, ...], count: int, seed: int) -> Iterator[Batch]:
    """``count`` samples of ``shape`` (without the batch) from numpy's ``default_rng(seed)``.

    Pictures are noise with the 1/f amplitude spectrum of natural images (Field 1987), mean 0.5 and standard deviation
    0.25, clipped to 0..1, as 8-bit samples that are then preprocessed like any picture: white noise would drive a
    network into ranges no photograph reaches. Masks are drawn as for training. Latents are those of
    :func:`draw_latents` for the samples 0 to ``count`` of ``seed``, the classes taken in turn.
    """
    generator = np.random.default_rng(seed)
    for start in range(0, count, _BATCH):
        size = min(_BATCH, count - start)
        if metadata.task is Task.OTHER and metadata.image is None and metadata.inputs:
            yield _tensors(metadata.inputs, shape, size, generator)
        elif metadata.task is Task.GENERATE and metadata.latent is not None:
            yield _latents(metadata, shape, range(start, start + size), seed)
        elif metadata.image is not None:
            normalise = Preprocessor(metadata.image).normalise
            pictures = np.stack([normalise(_pink_noise(generator, shape)) for _ in range(size)])
            yield _with_mask(pictures, metadata, generator)
        else:
            yield (generator.standard_normal((size, *shape), np.float32),)


def extreme_batches(metadata: ModelMetadata, shape: tuple[int, ...]) -> Iterator[tuple[str, Batch]]:
    """Named pictures of ``shape`` (without the batch) unlike those of :func:`seeded_batches`, one a batch.

    They are black, gray and white all over, for inpainting with nothing, half and all to be filled, and very dark and
    very light noise. Of what is no picture there are none.
    """
    if metadata.image is None:
        return
    channels, height, width = shape
    normalise = Preprocessor(metadata.image).normalise
    noise = np.random.default_rng(0).integers(0, 16, (height, width, channels), dtype=np.uint8)
    for name, pixels, filled in (
        ("a black picture", np.zeros_like(noise), 0.0),
        ("a white picture", np.full_like(noise, 255), 1.0),
        ("a gray picture", np.full_like(noise, 128), 0.5),
        ("a very dark picture", noise, 0.5),
        ("a very light picture", 255 - noise, 0.5),
    ):
        pictures = normalise(pixels)[None]
        if metadata.task is Task.INPAINT:
            mask = np.zeros((1, 1, height, width), np.float32)
            mask[..., : round(filled * width)] = 1
            yield name, (pictures, mask)
        else:
            yield name, (pictures,)


def _tensors(inputs: Sequence[TensorSpec], shape: tuple[int, ...], count: int, generator: np.random.Generator) -> Batch:
    """Something for inputs of any rank and type, the first of ``shape``; sides of one name are of one length.

    Floats are normal numbers, bytes any; of other integers nothing is known, and 0 and 1 are indices of most things.

    Raises:
        InputError: a side is open that is not the batch and that ``shape`` does not tell.
    """
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
                f"input {spec.name!r} is {spec.shape}, whose open sides are unknown; give the first input's with"
                " --input-shape, or export the model with fixed ones"
            )
        size = tuple(int(side) for side in sides)
        dtype = np.dtype(spec.dtype)
        if dtype.kind == "f":
            arrays.append(generator.standard_normal(size).astype(dtype))
        else:
            arrays.append(generator.integers(0, 256 if dtype == np.uint8 else 2, size).astype(dtype))
    return arrays


def _with_mask(pictures: NDArray[np.float32], metadata: ModelMetadata, generator: np.random.Generator) -> Batch:
    """For inpainting, a mask for each picture beside it."""
    if metadata.task is not Task.INPAINT:
        return (pictures,)
    kinds = list(HoleKind)
    height, width = pictures.shape[2:]
    masks = [draw_holes(kinds[i % len(kinds)], height, width, generator) for i in range(len(pictures))]
    return pictures, np.stack(masks)[:, None].astype(np.float32)


def _latents(metadata: ModelMetadata, shape: tuple[int, ...], numbers: range, seed: int) -> Batch:
    """The latents of those samples and, for a conditional generator, the class of each as a row of zeros and a one."""
    assert metadata.latent is not None
    sides = (shape[1], shape[2]) if len(shape) == 3 else None
    latents = draw_latents(metadata.latent, len(numbers), seed=seed, first=numbers.start, sides=sides)
    if not metadata.labels:
        return (latents,)
    return latents, np.eye(len(metadata.labels), dtype=np.float32)[np.array(numbers) % len(metadata.labels)]


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
