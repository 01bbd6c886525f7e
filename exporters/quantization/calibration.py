"""What a model is calibrated with, and what it is judged on: real data, and never the same."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from edgevision.core.errors import DatasetError, InputError
from edgevision.core.lazy_objects import load_object
from edgevision.data.datasets import ClassFolders
from edgevision.exporters.quantization.batches import Portion, Portions, spread_order
from edgevision.exporters.quantization.calibration_pictures import FEWEST, Clips, Pictures, divide
from edgevision.exporters.quantization.judging import in_time, judge_in_time
from edgevision.exporters.quantization.time_budget import TimeBudget
from edgevision.exporters.samples import picture_batches, read_inputs, seeded_batches
from edgevision.imaging.pictures import Picture
from edgevision.imaging.preprocessing import Preprocessor
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.task_registry import find_task, task_names
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.engines.recording import RecordingEngine
from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.runtime.tasks.quality import OutputQuality, QualityMeasure
from edgevision.runtime.tasks.samples import Batch

# Of a portion; of crops at least, so that each degradation has as many.
_PICTURES, _CROPS = 16, 4
# A small folder has so many portions, each of some pictures: ranges may settle on half of them.
_PORTIONS, _FEWEST_PICTURES = 8, 4


@dataclass(frozen=True)
class CalibrationData:
    """What to calibrate with and what to judge by.

    Attributes:
        portions: what is calibrated with, read as far as it is asked for.
        judge: gives what judges forms of the model; asked once, when all is calibrated. What the stage has no time for
            is not judged on.
        describe: where both come from, given how many samples were calibrated with, and what is to be noted.
    """

    portions: Portions
    judge: Callable[[TimeBudget], QualityMeasure]
    describe: Callable[[int], tuple[str, tuple[str, ...]]]

    @property
    def source(self) -> str:
        """Where the data comes from, for the report."""
        return self.describe(self._count)[0]

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of it."""
        return self.describe(self._count)[1]

    @property
    def _count(self) -> int:
        return sum(len(batch[0]) for batch in self.portions.batches)


class _Clip(NamedTuple):
    """What judges by a clip, and the clip's name: no picture has to be held back then."""

    measure: QualityMeasure
    name: str


@dataclass(frozen=True)
class Amount:
    """How many are used at most to calibrate and to judge: ``pictures``, or ``crops`` of photographs, or ``latents``.

    Of those to calibrate with no more are read than it takes until the ranges have settled, see :mod:`.convergence`.
    """

    pictures: tuple[int, int]
    crops: tuple[int, int]
    latents: tuple[int, int]


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
    judge_by: str | None = None,
) -> CalibrationData:
    """What ``metadata`` asks for: inputs that are drawn, or pictures and what the task's pipeline makes of them.

    Args:
        shape: the input's, without the batch.
        calibration: a folder, zip or ``.npz`` with an array for each input; a task that draws its inputs needs none.
        data: pictures to judge on; by default those of ``calibration`` that are held back.
        judge_by: one of the task's figures of a clip, which ``data`` is then.

    Raises:
        InputError: real data is needed and none was given, or it does not fit the model, or nor does ``judge_by``.
        DatasetError: it cannot be read.
    """
    check_calibration(metadata, calibration)
    check_judge_by(metadata, judge_by, data)
    task = find_task(metadata.task)
    if task.draws_inputs:
        drawn = Portions([batch] for batch in seeded_batches(metadata, shape, amount.latents[0], seed))
        judged = _joined(list(seeded_batches(metadata, shape, amount.latents[1], seed + 1)))

        def on_latents(places: Sequence[int]) -> QualityMeasure:
            return task.quality_measure(metadata, reference, [array[places] for array in judged], None, evaluation)

        judge = partial(judge_in_time, on_latents, len(judged[0]))
        return CalibrationData(drawn, judge, lambda count: (f"{count} latents of the model's distribution", ()))
    assert calibration is not None, "which check_calibration refuses"
    clip: _Clip | None = None
    if judge_by is not None and data is not None:
        measure = load_object(task.clip_measures[judge_by])(metadata, reference, data, amount.pictures[1])
        clip, data = _Clip(measure, data.name), None
    if calibration.suffix == ".npz":
        return _arrays(calibration, reference, clip, seed)
    if metadata.image is None and not task.calibration_degradations(metadata, evaluation):
        raise InputError("the model's metadata does not say how a picture becomes its input: give an .npz of inputs")
    return _from_pictures(metadata, reference, calibration, data, clip, evaluation, amount, seed)


def check_calibration(metadata: ModelMetadata, calibration: Path | None) -> None:
    """:class:`InputError` where real data is needed and none was given, before anything is done for long."""
    if calibration is None and not find_task(metadata.task).draws_inputs:
        raise InputError(
            "int8 needs real pictures to find its ranges: give --calibration with a folder, a zip or an .npz like what"
            " the model will see (some hundred pictures; random noise would give ranges that no picture has)"
        )


def check_judge_by(metadata: ModelMetadata, judge_by: str | None, data: Path | None) -> None:
    """:class:`InputError` where a model cannot be judged by that figure, or there is no clip to do it on."""
    if judge_by is None:
        return
    if judge_by not in find_task(metadata.task).clip_measures:
        known = ", ".join(name for name in task_names() if judge_by in find_task(name).clip_measures)
        raise InputError(
            f"--judge-by {judge_by} is for models that {known}, and this one is for {metadata.task}: leave it out, and"
            " it is judged on pictures"
        )
    if data is None:
        raise InputError(
            f"--judge-by {judge_by} needs a clip: give --data with a video or a folder of frames, and its ground truth"
            " as gt.txt (MOT) beside it"
        )


def _arrays(path: Path, reference: Engine, clip: _Clip | None, seed: int) -> CalibrationData:
    samples = read_inputs(path, reference.inputs)
    count = len(samples[0])
    alike = clip is None and count < 5 * FEWEST
    held = np.arange(count) % 5 == 4 if clip is None else np.zeros(count, bool)
    held, seen = (np.ones(count, bool), np.ones(count, bool)) if alike else (held, ~held)
    places = np.flatnonzero(seen)
    places = places[spread_order(len(places), seed)]
    portions = ([[array[places[i : i + 16]] for array in samples]] for i in range(0, len(places), 16))
    judged = [array[held] for array in samples]

    def judge(budget: TimeBudget) -> QualityMeasure:
        if clip is not None:
            return clip.measure

        def on_samples(places: Sequence[int]) -> QualityMeasure:
            return OutputQuality(reference, [array[places] for array in judged])

        return judge_in_time(on_samples, len(judged[0]), budget)

    notes = (f"judged on the {count} samples it was calibrated with",) if alike else ()
    on_clip = "" if clip is None else f", judged on {clip.name}"
    return CalibrationData(Portions(portions), judge, lambda count: (f"{count} samples of {path.name}{on_clip}", notes))


def _from_pictures(
    metadata: ModelMetadata,
    reference: Engine,
    calibration: Path,
    data: Path | None,
    clip: _Clip | None,
    evaluation: EvaluationOptions,
    amount: Amount,
    seed: int,
) -> CalibrationData:
    task = find_task(metadata.task)
    degradations = task.calibration_degradations(metadata, evaluation)
    sample_clip = task.clip_sampler(metadata)
    most, wanted = amount.crops if degradations and sample_clip is None else amount.pictures
    divided = divide(calibration, data, wanted if clip is None else 0, task.open_data)
    folder, judged = divided.folder, divided.judged
    side = task.crop_side(metadata, [folder, judged])
    check = Picture.read if degradations or metadata.image is None else Preprocessor(metadata.image)
    what = "pictures" if sample_clip is None else "clips"

    def held(data: Any, indices: Iterable[int]) -> Pictures:
        return Pictures(data, indices, side, check) if sample_clip is None else Clips(data, indices, sample_clip)

    failures: dict[str, str] = {}
    order = [divided.seen[place] for place in spread_order(len(divided.seen), seed)][: min(most, divided.most)]
    calibrated: list[int] = []
    theirs: list[Pictures] = []

    def read_portions() -> Iterator[Portion]:
        size = len(degradations) * -(-_CROPS // len(degradations)) if degradations else _PICTURES
        if divided.shared:
            size = min(size, max(_FEWEST_PICTURES, divided.most // _PORTIONS))
        for start in range(0, len(order), size):
            pictures = held(folder, order[start : start + size])
            calibrated.extend(order[start : start + size])
            failures.update(pictures.failures)
            if not len(pictures):
                continue
            if not degradations:
                yield list(picture_batches(pictures, metadata, len(pictures)))
                continue
            recorder = RecordingEngine(reference)
            for index, options in enumerate(degradations):
                if len(share := pictures.every(len(degradations), index)):
                    # Drawn anew for each portion.
                    task.quality_measure(metadata, recorder, (), share, replace(options, seed=options.seed + start))
            yield recorder.batches

    def judge(budget: TimeBudget) -> QualityMeasure:
        if clip is not None:
            return clip.measure
        indices = divided.judged_without(calibrated)
        pictures = held(judged, in_time(indices, budget))
        failures.update(pictures.failures)
        if not len(pictures):
            raise _none_read(judged, pictures.failures)
        pictures = pictures.share(sorted(range(len(pictures)), key=pictures.names.__getitem__))
        inputs: Batch = () if degradations else _joined(list(picture_batches(pictures, metadata, len(pictures))))

        def on_pictures(places: Sequence[int]) -> QualityMeasure:
            theirs[:] = [pictures.share(places)]
            return task.quality_measure(metadata, reference, [array[places] for array in inputs], theirs[0], evaluation)

        return judge_in_time(on_pictures, len(pictures), budget)

    def describe(_: int) -> tuple[str, tuple[str, ...]]:
        read = sum(folder.names[index] not in failures for index in calibrated)
        source = f"{read} {what} of {folder.path.name} {folder.split}".strip()
        judges = sum(map(len, theirs))
        if clip is not None:
            source += f", judged on {clip.name}"
        elif theirs:
            source += f", judged on {judges} of {judged.path.name} {judged.split}".rstrip()
        notes = []
        if failures:
            name, reason = next(iter(failures.items()))
            notes.append(f"{len(failures)} {what} were left out, as {name}: {reason}")
        if divided.alike and theirs:
            notes.append(f"judged on the {judges} {what} it was calibrated with: give more")
        return source, tuple(notes)

    portions = Portions(read_portions())
    if next(iter(portions), None) is None:
        raise _none_read(folder, failures)
    return CalibrationData(portions, judge, describe)


def _none_read(folder: ClassFolders, failures: Mapping[str, str]) -> DatasetError:
    """The error where all pictures failed; the first failure stands for all."""
    first = next(iter(failures.values()), "")
    return DatasetError(f"not one picture of {str(folder.path)!r} could be read: {first}")


def _joined(batches: Sequence[Batch]) -> list[np.ndarray]:
    """As one; pictures of several sizes are cut to the smallest, and what is given beside them, as styles, is not."""
    sides = [batch[0].shape[2:] for batch in batches]
    if len(set(sides)) > 1:
        height, width = (min(side[axis] for side in sides) for axis in (0, 1))
        batches = [
            [array[:, :, :height, :width] if array.shape[2:] == side else array for array in batch]
            for batch, side in zip(batches, sides, strict=True)
        ]
    return [np.concatenate(arrays) for arrays in zip(*batches, strict=True)]
