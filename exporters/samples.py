"""Inputs to compare two models on: real pictures where there are any, a documented seeded sampler where not."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import DatasetError, InputError
from edgevision.core.regular_files import open_regular
from edgevision.data.datasets import ImageDataset
from edgevision.imaging.preprocessing import Preprocessor
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.engines.engine import Array, Engine
from edgevision.runtime.files.batch import each_done, failure_message
from edgevision.runtime.tasks.evaluation import picture_name
from edgevision.runtime.tasks.restoration.tile_sizes import fixed_sides
from edgevision.runtime.tasks.samples import Batch

_log = logging.getLogger(__name__)

_BATCH = 16
_LARGEST_ARRAYS = 1 << 30


def picture_batches(data: ImageDataset, metadata: ModelMetadata, count: int) -> Iterator[Batch]:
    """``count`` pictures spread evenly over ``data``, preprocessed, float32 (n, channels, height, width).

    One that cannot be read is left out, with a warning that names it.

    Where pictures keep their own size, their sides are cut to the multiple that the network asks for, or made those
    that its input is fixed to: cut, and mirrored where they are smaller, as when it runs.
    """
    assert metadata.image is not None
    preprocess = Preprocessor(metadata.image)
    multiple = metadata.tile.multiple if metadata.tile else 1
    own_size = metadata.image.size is None
    fixed = fixed_sides(metadata.inputs[0].shape, metadata) if own_size and metadata.inputs else (None, None)
    generator = np.random.default_rng(0)
    indices = np.linspace(0, len(data) - 1, min(count, len(data))).astype(int)
    step = 1 if own_size else _BATCH
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
        sides = [whole or side // multiple * multiple for whole, side in zip(fixed, pictures.shape[2:], strict=True)]
        if not all(sides):
            raise DatasetError(f"a picture of {pictures.shape[2:]} is smaller than the network's multiple {multiple}")
        yield find_task(metadata.task).with_auxiliary_inputs(metadata, _with_sides(pictures, sides), generator)
    if not used:
        raise DatasetError(f"not one of the {len(indices)} pictures to compare on could be read")


def _with_sides(pictures: NDArray[np.float32], sides: Sequence[int]) -> NDArray[np.float32]:
    """(n, channels, height, width) with these ``sides``, from the upper left corner and mirrored beyond the others."""
    beyond = [(0, max(0, side - own)) for side, own in zip(sides, pictures.shape[2:], strict=True)]
    return np.pad(pictures, ((0, 0), (0, 0), *beyond), "reflect")[:, :, : sides[0], : sides[1]]


def data_batches(data: Any, metadata: ModelMetadata, count: int, engine: Engine) -> Iterator[Batch]:
    """What the task's pipeline makes of ``count`` samples of ``data``, spread evenly.

    Where one input needs what was computed for another, ``engine`` computes it.
    """
    own = find_task(metadata.task).recorded_batches(metadata, data, count, engine)
    return picture_batches(data, metadata, count) if own is None else own


def seeded_batches(metadata: ModelMetadata, shape: tuple[int, ...], count: int, seed: int) -> Iterator[Batch]:
    """``count`` samples of what the task's inputs are, see :meth:`.Task.samples`; ``shape`` is without the batch."""
    return find_task(metadata.task).samples(metadata, shape, count, seed)


def extreme_batches(metadata: ModelMetadata, shape: tuple[int, ...]) -> Iterator[tuple[str, Batch]]:
    """Named pictures of ``shape`` (without the batch) unlike those of :func:`seeded_batches`, one a batch.

    They are black, gray and white all over, for inpainting with nothing, half and all to be filled, and very dark and
    very light noise; of a window every frame is that picture. Of what is no picture there are none.
    """
    if metadata.image is None or not find_task(metadata.task).takes_pictures:
        return
    channels, height, width = shape[-3:]
    normalise = Preprocessor(metadata.image).normalise
    task = find_task(metadata.task)
    noise = np.random.default_rng(0).integers(0, 16, (height, width, channels), dtype=np.uint8)
    for name, pixels, filled in (
        ("a black picture", np.zeros_like(noise), 0.0),
        ("a white picture", np.full_like(noise, 255), 1.0),
        ("a gray picture", np.full_like(noise, 128), 0.5),
        ("a very dark picture", noise, 0.5),
        ("a very light picture", 255 - noise, 0.5),
    ):
        pictures = normalise(pixels)[None]
        yield name, task.inputs_of(metadata, pictures, shape, filled)


def read_inputs(path: Path, inputs: Sequence[TensorSpec]) -> list[Array]:
    """The arrays of an ``.npz`` for the inputs of a model, in their order and types, with equally many samples.

    Raises:
        DatasetError: it cannot be read, or holds nothing that a model can be given.
        InputError: it does not fit the inputs.
    """
    try:
        with open_regular(path) as file, np.load(file, allow_pickle=False) as archive:
            size = sum(entry.file_size for entry in archive.zip.infolist())
            if size > _LARGEST_ARRAYS:
                raise ValueError(f"it unpacks to {size >> 20} MB, and {_LARGEST_ARRAYS >> 20} MB is the most")
            arrays = {name: archive[name] for name in archive.files}
    # A zip that is cut off, encrypted or lies ends in almost anything, and so does one array that is no archive.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise DatasetError(f"the data {str(path)!r} cannot be read: {reason}") from error
    names = [spec.name for spec in inputs]
    if sorted(arrays) != sorted(names):
        raise InputError(f"{path.name!r} must hold an array for each input ({', '.join(names)}), not {sorted(arrays)}")
    counts = {len(array) for array in arrays.values() if array.ndim}
    if len(counts) != 1 or any(not array.ndim for array in arrays.values()):
        raise InputError(f"the arrays in {path.name!r} must have equally many samples, not {sorted(counts)}")
    (count,) = counts
    if not count:
        raise DatasetError(f"the arrays in {path.name!r} are empty")
    for spec in inputs:
        array = arrays[spec.name]
        if not _fits(array, spec):
            raise InputError(
                f"the array {spec.name!r} in {path.name!r} must hold numbers of the input's shape"
                f" ({'x'.join(map(str, spec.shape))}), not {array.dtype} {array.shape}"
            )
    with np.errstate(over="ignore"):  # which is found below
        samples = [np.asarray(arrays[spec.name], spec.dtype) for spec in inputs]
    for spec, array in zip(inputs, samples, strict=True):
        if not np.isfinite(array).all():
            raise DatasetError(
                f"the array {spec.name!r} in {path.name!r} has values that are not finite in {spec.dtype}"
            )
    return samples


def _fits(array: Array, spec: TensorSpec) -> bool:
    """Whether ``array`` holds numbers in samples like those of an input, whose named sides may be any."""
    sides = zip(array.shape[1:], spec.shape[1:], strict=False)
    return (
        array.dtype.kind in "biuf"
        and array.ndim == len(spec.shape)
        and all(own == asked for own, asked in sides if isinstance(asked, int))
    )


def in_portions(batches: Sequence[Batch], size: int) -> list[Batch]:
    """As whole batches of the size that the model is fixed to, filled up with the first samples again."""
    portions: list[Batch] = []
    for batch in batches:
        count = len(batch[0])
        places = np.arange(-(-count // size) * size).reshape(-1, size) % count
        portions += [[array[place] for array in batch] for place in places]
    return portions
