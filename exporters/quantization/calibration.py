"""What a model is calibrated with, and what it is judged on: real data, and never the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevision.core.errors import DatasetError, InputError
from edgevision.exporters.quantization.calibration_pictures import FEWEST, Pictures, divide
from edgevision.exporters.samples import picture_batches, read_inputs, seeded_batches
from edgevision.imaging.pictures import Picture
from edgevision.imaging.preprocessing import Preprocessor
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.engines.engine import Array, Closeable, Engine
from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.runtime.tasks.quality import OutputQuality, QualityMeasure
from edgevision.runtime.tasks.samples import Batch


@dataclass(frozen=True)
class CalibrationData:
    """``batches`` to calibrate with, the ``measure`` to judge by, and where both come from, for the report."""

    batches: list[Batch]
    measure: QualityMeasure
    source: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Amount:
    """How many are used to calibrate and to judge: ``pictures``, or ``crops`` of photographs, or ``latents``."""

    pictures: tuple[int, int]
    crops: tuple[int, int]
    latents: int


def collect_calibration_data(
    metadata: ModelMetadata,
    shape: tuple[int, ...],
    reference: Engine,
    *,
    calibration: Path | None,
    data: Path | None,
    evaluation: EvaluationOptions,
    amount: Amount,
    seed: int,
) -> CalibrationData:
    """What ``metadata`` asks for: inputs that are drawn, or pictures and what the task's pipeline makes of them.

    Args:
        shape: the input's, without the batch.
        calibration: a folder, zip or ``.npz`` with an array for each input; a task that draws its inputs needs none.
        data: pictures to judge on; by default those of ``calibration`` that are held back.

    Raises:
        InputError: real data is needed and none was given, or it does not fit the model.
        DatasetError: it cannot be read.
    """
    task = find_task(metadata.task)
    if task.draws_inputs:
        seen: list[Batch] = list(seeded_batches(metadata, shape, amount.latents, seed))
        judged = _joined(list(seeded_batches(metadata, shape, amount.latents, seed + 1)))
        measure = task.quality_measure(metadata, reference, judged, None, evaluation)
        return CalibrationData(seen, measure, f"{amount.latents} latents of the model's distribution")
    if calibration is None:
        raise InputError(
            "int8 needs real pictures to find its ranges: give --calibration with a folder, a zip or an .npz like what"
            " the model will see (some hundred pictures; random noise would give ranges that no picture has)"
        )
    if calibration.suffix == ".npz":
        return _arrays(calibration, reference)
    if metadata.image is None:
        raise InputError("the model's metadata does not say how a picture becomes its input: give an .npz of inputs")
    return _from_pictures(metadata, reference, calibration, data, evaluation, amount)


def _arrays(path: Path, reference: Engine) -> CalibrationData:
    samples = read_inputs(path, reference.inputs)
    count = len(samples[0])
    held = np.arange(count) % 5 == 4 if count >= 5 * FEWEST else np.ones(count, bool)
    seen = ~held if count >= 5 * FEWEST else held
    batches: list[Batch] = [[array[seen][i : i + 16] for array in samples] for i in range(0, int(seen.sum()), 16)]
    measure = OutputQuality(reference, [array[held] for array in samples])
    notes = () if count >= 5 * FEWEST else (f"judged on the {count} samples it was calibrated with",)
    return CalibrationData(batches, measure, f"{int(seen.sum())} samples of {path.name}", notes)


def _from_pictures(
    metadata: ModelMetadata,
    reference: Engine,
    calibration: Path,
    data: Path | None,
    evaluation: EvaluationOptions,
    amount: Amount,
) -> CalibrationData:
    task = find_task(metadata.task)
    degradations = task.calibration_degradations(metadata, evaluation)
    folder, seen, judged, held = divide(calibration, data, *(amount.crops if degradations else amount.pictures))
    side = task.crop_side(metadata, [folder, judged])
    assert metadata.image is not None
    check = Picture.read if degradations else Preprocessor(metadata.image)
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
    if degradations:
        recorder = RecordingEngine(reference)
        for index, options in enumerate(degradations):
            if len(share := ours.every(len(degradations), index)):
                task.quality_measure(metadata, recorder, (), share, options)
        batches: list[Batch] = [tuple(batch) for batch in recorder.batches]
        inputs: Batch = ()
    else:
        batches = list(picture_batches(ours, metadata, len(ours)))
        inputs = _joined(list(picture_batches(theirs, metadata, len(theirs))))
    measure = task.quality_measure(metadata, reference, inputs, theirs, evaluation)
    return CalibrationData(batches, measure, source, tuple(notes))


class RecordingEngine(Closeable):
    """An engine that keeps what it is given: what a pipeline makes of pictures is what a network is calibrated on."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name, self.device, self.provider = engine.name, engine.device, engine.provider
        self.assignment = engine.assignment
        self.inputs, self.outputs = engine.inputs, engine.outputs
        self.batches: list[tuple[Array, ...]] = []

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        self.batches.append(tuple(np.array(inputs[spec.name]) for spec in self.inputs))
        return self._engine.run(inputs)

    def close(self) -> None:
        """The engine is the caller's."""


def _joined(batches: Sequence[Batch]) -> list[np.ndarray]:
    """As one; pictures of several sizes are cut to the smallest."""
    sides = [batch[0].shape[2:] for batch in batches]
    if len(set(sides)) > 1:
        height, width = (min(side[axis] for side in sides) for axis in (0, 1))
        batches = [[array[:, :, :height, :width] for array in batch] for batch in batches]
    return [np.concatenate(arrays) for arrays in zip(*batches, strict=True)]
