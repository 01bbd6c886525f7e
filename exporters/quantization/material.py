"""What a model is calibrated with, and what it is judged on: real data, and never the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevision.core.errors import DatasetError, InputError
from edgevision.core.regular_files import open_regular, real_path
from edgevision.data.datasets import ImageFolder, is_held_out
from edgevision.data.hole_kinds import HoleKind
from edgevision.exporters.quantization.judging import (
    ClassifierJudge,
    Judge,
    OutputJudge,
    Pictures,
    Recorder,
    RestorationJudge,
)
from edgevision.exporters.samples import Batch, picture_batches, seeded_batches
from edgevision.imaging.pictures import Picture
from edgevision.imaging.preprocessing import Preprocessor
from edgevision.metrics.class_scores import classification_of
from edgevision.modelfiles.metadata import ModelMetadata, Task, TensorSpec
from edgevision.runtime.engines.engine import Array, Engine
from edgevision.runtime.tasks.classification.evaluation import expected_labels
from edgevision.runtime.tasks.restoration.evaluation import Damage

# The side of what is cut from a photograph, times the scale of upscaling.
_SIDE = 128
_LARGEST_ARRAYS = 1 << 30
# With fewer pictures than this to hold back, a model is judged on what it was calibrated with.
_FEWEST = 2


@dataclass(frozen=True)
class Material:
    """``batches`` to calibrate with, the ``judge``, and where both come from, for the report."""

    batches: list[Batch]
    judge: Judge
    source: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Amount:
    """How many are used to calibrate and to judge: ``pictures``, or ``crops`` of photographs, or ``latents``."""

    pictures: tuple[int, int]
    crops: tuple[int, int]
    latents: int


def gather(
    metadata: ModelMetadata,
    shape: tuple[int, ...],
    reference: Engine,
    *,
    calibration: Path | None,
    data: Path | None,
    damage: Damage,
    amount: Amount,
    seed: int,
) -> Material:
    """What ``metadata`` asks for: latents that are drawn, or pictures and what the task's pipeline makes of them.

    Args:
        shape: the input's, without the batch.
        calibration: a folder, zip or ``.npz`` with an array for each input; generators need none.
        data: pictures to judge on; by default those of ``calibration`` that are held back.

    Raises:
        InputError: real data is needed and none was given, or it does not fit the model.
        DatasetError: it cannot be read.
    """
    if metadata.task is Task.GENERATE:
        seen: list[Batch] = list(seeded_batches(metadata, shape, amount.latents, seed))
        judged = _joined(list(seeded_batches(metadata, shape, amount.latents, seed + 1)))
        return Material(seen, OutputJudge(reference, judged), f"{amount.latents} latents of the model's distribution")
    if calibration is None:
        raise InputError(
            "int8 needs real pictures to find its ranges: give --calibration with a folder, a zip or an .npz like what"
            " the model will see (some hundred pictures; random noise would give ranges that no picture has)"
        )
    if calibration.suffix == ".npz":
        return _arrays(calibration, reference)
    if metadata.image is None:
        raise InputError("the model's metadata does not say how a picture becomes its input: give an .npz of inputs")
    return _pictures(metadata, reference, calibration, data, damage, amount)


def _arrays(path: Path, reference: Engine) -> Material:
    try:
        with open_regular(path) as file, np.load(file, allow_pickle=False) as archive:
            size = sum(entry.file_size for entry in archive.zip.infolist())
            if size > _LARGEST_ARRAYS:
                raise ValueError(f"it unpacks to {size >> 20} MB, and {_LARGEST_ARRAYS >> 20} MB is the most")
            arrays = {name: archive[name] for name in archive.files}
    # A zip that is cut off, encrypted or lies ends in almost anything, and so does one array that is no archive.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise DatasetError(f"the calibration data {str(path)!r} cannot be read: {reason}") from error
    names = [spec.name for spec in reference.inputs]
    if sorted(arrays) != sorted(names):
        raise InputError(f"{path.name!r} must hold an array for each input ({', '.join(names)}), not {sorted(arrays)}")
    counts = {len(array) for array in arrays.values() if array.ndim}
    if len(counts) != 1 or any(not array.ndim for array in arrays.values()):
        raise InputError(f"the arrays in {path.name!r} must have equally many samples, not {sorted(counts)}")
    (count,) = counts
    if not count:
        raise DatasetError(f"the arrays in {path.name!r} are empty")
    for spec in reference.inputs:
        array = arrays[spec.name]
        if not _fits(array, spec):
            raise InputError(
                f"the array {spec.name!r} in {path.name!r} must hold numbers of the input's shape"
                f" ({'x'.join(map(str, spec.shape))}), not {array.dtype} {array.shape}"
            )
    samples = [np.asarray(arrays[spec.name], spec.dtype) for spec in reference.inputs]
    held = np.arange(count) % 5 == 4 if count >= 5 * _FEWEST else np.ones(count, bool)
    seen = ~held if count >= 5 * _FEWEST else held
    batches: list[Batch] = [[array[seen][i : i + 16] for array in samples] for i in range(0, int(seen.sum()), 16)]
    judge = OutputJudge(reference, [array[held] for array in samples])
    notes = () if count >= 5 * _FEWEST else (f"judged on the {count} samples it was calibrated with",)
    return Material(batches, judge, f"{int(seen.sum())} samples of {path.name}", notes)


def _fits(array: Array, spec: TensorSpec) -> bool:
    """Whether ``array`` holds numbers in samples like those of an input, whose named sides may be any."""
    sides = zip(array.shape[1:], spec.shape[1:], strict=False)
    return (
        array.dtype.kind in "biuf"
        and array.ndim == len(spec.shape)
        and all(own == asked for own, asked in sides if isinstance(asked, int))
    )


def _pictures(
    metadata: ModelMetadata, reference: Engine, calibration: Path, data: Path | None, damage: Damage, amount: Amount
) -> Material:
    restoration = metadata.restoration is not None
    folder, seen, judged, held = _divided(calibration, data, amount, restoration=restoration)
    scale = metadata.restoration.scale if metadata.restoration else 1
    # Ready pairs of a small and a large picture would not fit each other any more.
    side = None if not restoration or _paired(folder) or _paired(judged) else _SIDE * scale
    assert metadata.image is not None
    check = Picture.read if restoration else Preprocessor(metadata.image)
    ours, theirs = Pictures(folder, seen, side, check), Pictures(judged, held, side, check)
    failures = ours.failures | theirs.failures
    if not len(ours) or not len(theirs):
        where = judged if len(ours) else folder
        raise DatasetError(f"not one picture of {str(where.path)!r} could be read: {next(iter(failures.values()), '')}")
    notes = []
    if failures:
        first = next(iter(failures.items()))
        notes.append(f"{len(failures)} pictures were left out, as {first[0]}: {first[1]}")
    if folder is judged and set(seen) & set(held):
        notes.append(f"judged on the {len(theirs)} pictures it was calibrated with: give more")
    source = f"{len(ours)} pictures of {folder.path.name} {folder.split}".strip()
    source += f", judged on {len(theirs)} of {judged.path.name} {judged.split}".rstrip()
    recorder = Recorder(reference)
    judge: Judge
    if restoration:
        damages = _damages(metadata, damage)
        for index, kind in enumerate(damages):
            if len(share := ours.every(len(damages), index)):
                RestorationJudge(recorder, metadata, share, kind)
        judge = RestorationJudge(reference, metadata, theirs, damage)
        return Material([tuple(batch) for batch in recorder.batches], judge, source, tuple(notes))
    batches: list[Batch] = list(picture_batches(ours, metadata, len(ours)))
    inputs = _joined(list(picture_batches(theirs, metadata, len(theirs))))
    if metadata.task is Task.CLASSIFY:
        expected = expected_labels(metadata.labels, theirs) if _knows(metadata, judged) else None
        judge = ClassifierJudge(reference, inputs, expected, classification_of(metadata))
    else:
        judge = OutputJudge(reference, inputs)
    return Material(batches, judge, source, tuple(notes))


def _damages(metadata: ModelMetadata, damage: Damage) -> list[Damage]:
    """All that the model may meet, to calibrate with: every noise it is made for, every kind of hole."""
    spec = metadata.restoration
    if metadata.task is Task.INPAINT:
        return [damage.updated(holes=kind) for kind in HoleKind]
    if metadata.task is Task.DENOISE and spec is not None and spec.sigma is not None:
        return [damage.updated(sigma=float(sigma)) for sigma in np.linspace(*spec.sigma, 4)]
    return [damage]


def _divided(
    calibration: Path, data: Path | None, amount: Amount, *, restoration: bool
) -> tuple[ImageFolder, list[int], ImageFolder, list[int]]:
    """Which pictures to calibrate with and which to judge on."""
    if data is not None and real_path(data) == real_path(calibration):
        # Given twice they are divided all the same.
        data = None
    folder = ImageFolder(calibration, ("train", "val", "test") if _has_splits(calibration) else ())
    shown, wanted = amount.crops if restoration else amount.pictures
    every = list(range(len(folder)))
    if data is not None or len(folder.splits) > 1:
        judged = ImageFolder(data) if data is not None else ImageFolder(calibration, ("test", "val"))
        return folder, _spread(every, shown), judged, _spread(list(range(len(judged))), wanted)
    held = [index for index in every if is_held_out(folder.names[index])]
    if len(held) < min(wanted, 8):
        held = every[::5] if len(every) >= 5 * _FEWEST else every
    seen = sorted(set(every) - set(held)) or held
    return folder, _spread(seen, shown), folder, _spread(held, wanted)


def _has_splits(path: Path) -> bool:
    return bool(ImageFolder(path).splits)


def _knows(metadata: ModelMetadata, data: ImageFolder) -> bool:
    """Whether the folders are the model's classes; otherwise they are no classes, just folders."""
    return bool(data.class_names) and set(data.class_names) <= set(metadata.labels)


def _paired(data: ImageFolder) -> bool:
    return any(Path(name).stem.endswith("_LR") for name in data.names)


def _spread(indices: Sequence[int], count: int) -> list[int]:
    """``count`` of them from the first to the last."""
    return [indices[int(i)] for i in np.unique(np.linspace(0, len(indices) - 1, min(count, len(indices))).astype(int))]


def _joined(batches: Sequence[Batch]) -> list[np.ndarray]:
    """As one; pictures of several sizes are cut to the smallest."""
    sides = [batch[0].shape[2:] for batch in batches]
    if len(set(sides)) > 1:
        height, width = (min(side[axis] for side in sides) for axis in (0, 1))
        batches = [[array[:, :, :height, :width] for array in batch] for batch in batches]
    return [np.concatenate(arrays) for arrays in zip(*batches, strict=True)]
