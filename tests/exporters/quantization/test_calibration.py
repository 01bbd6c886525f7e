"""What is calibrated with and what is judged on are real, readable, and never the same where that can be helped."""

import math
import os
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_engine import FakeEngine
from PIL import Image

from edgevision.core.errors import DatasetError, InputError
from edgevision.data.datasets import ImageFolder, is_held_out
from edgevision.data.noise_kinds import NoiseKind
from edgevision.exporters.quantization.calibration import (
    Amount,
    CalibrationData,
    RecordingEngine,
    collect_calibration_data,
)
from edgevision.exporters.quantization.time_budget import Stage, TimeBudget
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata, TensorSpec, TileSpec
from edgevision.runtime.engines.engine import Array
from edgevision.runtime.tasks.classification.quality import ClassifierQuality
from edgevision.runtime.tasks.classification.spec import ClassificationSpec
from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.runtime.tasks.generation.spec import GenerationSpec, LatentSpec
from edgevision.runtime.tasks.quality import OutputQuality
from edgevision.runtime.tasks.restoration.quality import RestorationQuality
from edgevision.runtime.tasks.restoration.spec import RestorationSpec
from edgevision.runtime.tasks.stylization.spec import StylizationSpec

WriteFolders = Callable[[Path, Mapping[str, int]], Path]

LABELS = ("cat", "dog", "emu", "fox")
PLENTY = Amount(pictures=(1000, 1000), crops=(1000, 1000), latents=(40, 40))
QUIET = EvaluationOptions(sigma=0.0)


class Reference(FakeEngine):
    """A float model that keeps what it is run on; it answers with the first values, or the picture itself."""

    def __init__(self, *inputs: TensorSpec, restores: bool = False) -> None:
        self.seen: list[Mapping[str, Array]] = []
        output = inputs[0].updated(name="y") if restores else TensorSpec(name="y", shape=("batch", len(LABELS)))
        super().__init__(inputs, (output,), self._answer)
        self.running: Callable[[Mapping[str, Array]], object] = lambda feeds: None
        self._restores = restores

    def _answer(self, feeds: Mapping[str, Array]) -> list[Array]:
        self.seen.append(feeds)
        self.running(feeds)
        first: Any = feeds[self.inputs[0].name]
        return [first if self._restores else first.reshape(len(first), -1)[:, : len(LABELS)]]


class Clock:
    """Goes on only where something takes time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def image_input(*sides: int | str, channels: int = 3, name: str = "image") -> TensorSpec:
    return TensorSpec(name=name, shape=("batch", channels, *sides))


CLASSIFIER = ModelMetadata(
    task="classify",
    name="tiny",
    inputs=(image_input(8, 8),),
    spec=ClassificationSpec(labels=LABELS),
    image=ImageSpec(size=(8, 8)),
)


def collect(
    metadata: ModelMetadata,
    reference: FakeEngine,
    calibration: Path | None = None,
    data: Path | None = None,
    *,
    amount: Amount = PLENTY,
    shape: tuple[int, ...] = (3, 8, 8),
    evaluation: EvaluationOptions = QUIET,
    seed: int = 0,
) -> CalibrationData:
    return collect_calibration_data(
        metadata, shape, reference, calibration=calibration, data=data, evaluation=evaluation, amount=amount, seed=seed
    )


def judge_of(collected: CalibrationData) -> Any:
    """What judges, where time does not matter."""
    return collected.judge(TimeBudget(math.inf))


def batches_of(collected: CalibrationData) -> list[Any]:
    """All there is to calibrate with."""
    return [batch for portion in collected.portions for batch in portion]


def write_shades(folder: Path, shades: Sequence[int], size: tuple[int, int] = (8, 8)) -> Path:
    """A picture of each shade, named by it."""
    folder.mkdir(parents=True, exist_ok=True)
    for shade in shades:
        Image.new("RGB", size, (shade, shade, shade)).save(folder / f"{shade:03}.png")
    return folder


def shades_of(*batches: Any) -> list[int]:
    """The shades of all pictures in ``batches`` of values in 0..1, in order."""
    return [round(255 * float(sample.flat[0])) for batch in batches for sample in batch]


def classified(*arguments: Any, **options: Any) -> tuple[CalibrationData, list[int], list[int]]:
    """What is collected for the classifier, the shades to calibrate with and those that it is judged on."""
    reference = Reference(*CLASSIFIER.inputs)
    collected = collect(CLASSIFIER, reference, *arguments, **options)
    ours = sorted(shades_of(*(batch[0] for batch in batches_of(collected))))
    judge_of(collected)
    # Some are judged on twice, to see how long it takes.
    return collected, ours, sorted(set(shades_of(*(feeds["image"] for feeds in reference.seen))))


# --- what is needed ---


def test_without_calibration_data_it_is_said_what_is_needed() -> None:
    with pytest.raises(InputError, match=r"give --calibration with a folder, a zip or an \.npz like what the model"):
        collect(CLASSIFIER, Reference(*CLASSIFIER.inputs))


def test_pictures_for_a_model_that_takes_none_are_refused(tmp_path: Path) -> None:
    metadata = ModelMetadata(task="other", name="tiny", inputs=(TensorSpec(name="x", shape=("batch", 5)),))
    with pytest.raises(InputError, match=r"how a picture becomes its input: give an \.npz of inputs"):
        collect(metadata, Reference(*metadata.inputs), write_shades(tmp_path / "data", range(3)))


def test_a_folder_that_is_not_there_is_a_data_set_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"'.*nowhere' does not exist"):
        classified(tmp_path / "nowhere")


# --- pictures in one folder ---


@pytest.mark.parametrize("count", [10, 11, 12, 29, 60, 200])
def test_pictures_that_are_held_back_are_never_calibrated_with(tmp_path: Path, count: int) -> None:
    collected, ours, theirs = classified(write_shades(tmp_path / "data", range(count)))
    assert not set(ours) & set(theirs)
    assert sorted(ours + theirs) == list(range(count))
    assert len(theirs) >= max(2, count // 20)
    assert len(ours) >= len(theirs)
    assert collected.notes == ()
    assert collected.source == f"{len(ours)} pictures of data, judged on {len(theirs)} of data"


def test_of_a_small_folder_half_is_held_back_and_all_that_training_never_sees(
    tmp_path: Path,
) -> None:
    _, ours, theirs = classified(write_shades(tmp_path / "data", range(200)))
    assert {shade for shade in range(200) if is_held_out(f"{shade:03}.png")} < set(theirs)
    assert len(ours) == len(theirs) == 100


def test_what_does_not_calibrate_judges(tmp_path: Path) -> None:
    reference = Reference(*CLASSIFIER.inputs)
    collected = collect(CLASSIFIER, reference, write_shades(tmp_path / "data", range(87)))
    settled = list(islice(collected.portions, 4))
    ours = set(shades_of(*(batch[0] for portion in settled for batch in portion)))
    judge_of(collected)
    theirs = set(shades_of(*(feeds["image"] for feeds in reference.seen)))
    assert len(ours) == 20
    assert ours | theirs == set(range(87))
    assert not ours & theirs
    assert collected.source == "20 pictures of data, judged on 67 of data"


def test_no_more_is_judged_on_than_there_is_time_for_and_that_is_spread(tmp_path: Path) -> None:
    clock = Clock()
    reference = Reference(*CLASSIFIER.inputs)
    collected = collect(CLASSIFIER, reference, write_shades(tmp_path / "data", range(200)))
    budget = TimeBudget(100, clock, stages=(Stage.JUDGING,))
    budget.begin(Stage.JUDGING)
    # A second for each picture that is judged on.
    reference.running = lambda feeds: clock.wait(len(feeds["image"]))
    collected.judge(budget)
    seen = shades_of(*(feeds["image"] for feeds in reference.seen))
    assert len(seen) == 8 + 92  # 8 of them to see how long that takes
    assert clock.now <= 100
    assert max(np.diff(sorted(set(seen)))) <= 5
    assert budget.left_out == ["96 of 188 samples to judge on"]
    assert ", judged on 92 of data" in collected.source


def test_reading_what_is_judged_on_asks_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    collected = collect(CLASSIFIER, Reference(*CLASSIFIER.inputs), write_shades(tmp_path / "data", range(200)))
    budget = TimeBudget(100, clock, stages=(Stage.JUDGING,))
    budget.begin(Stage.JUDGING)
    decoded = ImageFolder.image

    def slowly(folder: ImageFolder, index: int) -> Any:
        clock.wait(2)
        return decoded(folder, index)

    monkeypatch.setattr(ImageFolder, "image", slowly)
    collected.judge(budget)
    assert 30 < clock.now <= 40
    assert budget.left_out == ["168 of 188 pictures to judge on"]


@pytest.mark.parametrize("count", range(1, 10))
def test_a_handful_of_pictures_serve_for_both_and_a_note_says_so(tmp_path: Path, count: int) -> None:
    collected, ours, theirs = classified(write_shades(tmp_path / "data", range(count)))
    assert ours == theirs == list(range(count))
    assert collected.notes == (f"judged on the {count} pictures it was calibrated with: give more",)


def test_no_more_are_taken_than_asked_for_and_they_are_spread_over_the_folder(tmp_path: Path) -> None:
    folder = write_shades(tmp_path / "data", range(200))
    every = [shade for shade in range(200) if not is_held_out(f"{shade:03}.png")]
    collected, ours, theirs = classified(folder, amount=Amount(pictures=(20, 5), crops=(1, 1), latents=(1, 1)))
    assert (len(ours), len(theirs)) == (20, 5)
    assert set(ours) < set(every)
    assert ours[0] < 25
    assert ours[-1] > 175
    assert max(np.diff(ours)) < 25
    assert not set(ours) & set(theirs)
    assert [len(batch[0]) for batch in batches_of(collected)] == [12, 8]


def test_a_zip_serves_as_well_as_a_folder(tmp_path: Path) -> None:
    folder = write_shades(tmp_path / "data", range(30))
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
    _, *in_folder = classified(folder)
    collected, *in_zip = classified(tmp_path / "data.zip")
    assert in_zip == in_folder
    assert "pictures of data.zip, judged on" in collected.source


# --- divided pictures, and pictures to judge on ---


@pytest.mark.parametrize(
    ("splits", "seen", "judged"),
    [
        (("train", "test"), "train", "test"),
        (("train", "val"), "train", "val"),
        (("train", "val", "test"), "train", "test"),
        (("val", "test"), "val", "test"),
        (("Training", "Testing"), "Training", "Testing"),
    ],
)
def test_of_divided_data_the_training_part_calibrates_and_the_test_part_judges(
    tmp_path: Path, splits: Sequence[str], seen: str, judged: str
) -> None:
    shades = {split: range(30 * index, 30 * index + 30) for index, split in enumerate(splits)}
    for split in splits:
        write_shades(tmp_path / "data" / split / "cat", shades[split])
    collected, ours, theirs = classified(tmp_path / "data")
    assert ours == list(shades[seen])
    assert theirs == list(shades[judged])
    assert collected.notes == ()
    names = {"Training": "train", "Testing": "test"}
    assert collected.source == (
        f"30 pictures of data {names.get(seen, seen)}, judged on 30 of data {names.get(judged, judged)}"
    )


def test_a_training_part_alone_is_divided_itself(tmp_path: Path) -> None:
    write_shades(tmp_path / "data" / "train" / "cat", range(60))
    collected, ours, theirs = classified(tmp_path / "data")
    assert sorted(ours + theirs) == list(range(60))
    assert not set(ours) & set(theirs)
    assert collected.source.startswith(f"{len(ours)} pictures of data train, judged on {len(theirs)} of data train")


def test_other_data_to_judge_on_leaves_all_of_the_first_to_calibrate_with(tmp_path: Path) -> None:
    calibration = write_shades(tmp_path / "mine", range(30))
    collected, ours, theirs = classified(calibration, write_shades(tmp_path / "yours", range(100, 105)))
    assert ours == list(range(30))
    assert theirs == list(range(100, 105))
    assert collected.source == "30 pictures of mine, judged on 5 of yours"
    assert collected.notes == ()


def test_data_given_twice_is_divided_as_if_given_once(tmp_path: Path) -> None:
    folder = write_shades(tmp_path / "data", range(30))
    _, *once = classified(folder)
    _, *twice = classified(folder, tmp_path / "elsewhere" / ".." / "data")
    assert once == twice


# --- what cannot be read ---


def test_broken_pictures_are_left_out_with_a_note(tmp_path: Path) -> None:
    folder = write_shades(tmp_path / "data", range(40))
    for shade in (3, 4, 20):
        (folder / f"{shade:03}.png").write_bytes(b"no picture")
    collected, ours, theirs = classified(folder)
    assert sorted(ours + theirs) == sorted(set(range(40)) - {3, 4, 20})
    assert len(collected.notes) == 1
    assert collected.notes[0].startswith("3 pictures were left out, as 0")
    assert ".png: '0" in collected.notes[0]


def test_only_broken_pictures_are_a_data_set_error(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for index in range(3):
        (folder / f"{index}.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"not one picture of '.*data' could be read: '\d\.png' in "):
        classified(folder)


def test_the_data_without_a_readable_picture_is_the_one_that_is_named(tmp_path: Path) -> None:
    folder = write_shades(tmp_path / "good", range(3))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "0.png").write_bytes(b"no picture")
    for arguments in ((folder, tmp_path / "bad"), (tmp_path / "bad", folder)):
        with pytest.raises(DatasetError, match=r"not one picture of '.*bad' could be read"):
            classified(*arguments)


# --- by task ---


def test_classes_that_the_model_knows_are_judged_by_accuracy(write_class_folders: WriteFolders, tmp_path: Path) -> None:
    data = write_class_folders(tmp_path / "data", {"dog": 10, "cat": 10})
    collected, _, _ = classified(data)
    measure = judge_of(collected)
    assert isinstance(measure, ClassifierQuality)
    assert measure.metric == "top1"

    def always(label: str) -> FakeEngine:
        row = np.float32([name == label for name in LABELS])
        return FakeEngine(CLASSIFIER.inputs, (), lambda feeds: [np.tile(row, (len(feeds["image"]), 1))])

    # The classes are the model's, not those of the folders in alphabetical order.
    assert measure(always("cat")).figures["top1"] == 50
    assert measure(always("dog")).figures["top1"] == 50
    assert measure(always("emu")).figures["top1"] == 0


@pytest.mark.parametrize(
    "folders", [{"cat": 12, "yak": 12}, {"holiday": 12}, {"cat/black": 12, ".": 12}], ids=["one more", "other", "none"]
)
def test_folders_that_are_no_classes_of_the_model_are_just_folders(tmp_path: Path, folders: Mapping[str, int]) -> None:
    for index, (name, count) in enumerate(folders.items()):
        write_shades(tmp_path / "data" / name, range(100 * index, 100 * index + count))
    collected, ours, theirs = classified(tmp_path / "data")
    measure = judge_of(collected)
    assert isinstance(measure, ClassifierQuality)
    assert measure.metric == "agreement"
    assert len(ours) + len(theirs) == sum(folders.values())


def test_pictures_become_what_the_network_takes(tmp_path: Path) -> None:
    spec = ImageSpec(size=(8, 8), value_range=(-1.0, 1.0), mean=(0.5, 0.0, 0.0))
    reference = Reference(*CLASSIFIER.inputs)
    folder = write_shades(tmp_path / "data", [255], (20, 30))
    (batch,) = batches_of(collect(CLASSIFIER.updated(image=spec), reference, folder))
    assert batch[0].shape == (1, 3, 8, 8)
    assert batch[0].dtype == np.float32
    assert batch[0][0, :, 0, 0].tolist() == [0.5, 1, 1]


def test_any_other_task_is_judged_by_its_outputs(tmp_path: Path) -> None:
    reference = Reference(image_input("height", "width"))
    metadata = CLASSIFIER.updated(
        task="reconstruct", inputs=reference.inputs, spec=ClassificationSpec(labels=()), image=ImageSpec()
    )
    write_shades(tmp_path / "data", range(15), (8, 8))
    write_shades(tmp_path / "data", range(100, 115), (6, 12))
    collected = collect(metadata, reference, tmp_path / "data")
    measure = judge_of(collected)
    assert isinstance(measure, OutputQuality)
    assert measure(reference).loss == float("-inf")
    # Pictures keep their size for calibration and are cut to the smallest sides to be judged on together.
    assert {batch[0].shape for batch in batches_of(collected)} == {(1, 3, 8, 8), (1, 3, 12, 6)}
    assert {feeds["image"].shape[1:] for feeds in reference.seen} == {(3, 8, 6)}


def test_pictures_of_several_sizes_calibrate_every_style(tmp_path: Path) -> None:
    inputs = (image_input("height", "width"), TensorSpec(name="shares", shape=("batch", 3)))
    styles = StylizationSpec(styles=("wave", "starry", "scream"))
    metadata = ModelMetadata(task="stylize", name="tiny", inputs=inputs, image=ImageSpec(), spec=styles)
    reference = Reference(*inputs)
    write_shades(tmp_path / "data", range(30), (8, 8))
    write_shades(tmp_path / "data", range(100, 130), (6, 12))
    collected = collect(metadata, reference, tmp_path / "data")
    assert isinstance(judge_of(collected), OutputQuality)
    # Pictures are cut to one size, the shares of styles are not.
    assert {(feeds["image"].shape[1:], feeds["shares"].shape[1:]) for feeds in reference.seen} == {((3, 8, 6), (3,))}
    for shares in ([batch[1] for batch in batches_of(collected)], [feeds["shares"] for feeds in reference.seen]):
        assert set(np.concatenate(shares).argmax(axis=1)) == {0, 1, 2}


@pytest.mark.parametrize("labels", [(), LABELS])
def test_generators_need_no_data(labels: tuple[str, ...]) -> None:
    inputs = [TensorSpec(name="latent", shape=("batch", 5))]
    inputs += [TensorSpec(name="classes", shape=("batch", 4))] * bool(labels)
    metadata = ModelMetadata(
        task="generate",
        name="tiny",
        inputs=tuple(inputs),
        spec=GenerationSpec(latent=LatentSpec(size=5), labels=labels),
    )
    reference = Reference(*inputs)
    collected = collect(metadata, reference, shape=(5,))
    assert isinstance(judge_of(collected), OutputQuality)
    assert [[len(array) for array in batch] for batch in batches_of(collected)] == [
        [n] * len(inputs) for n in (16, 16, 8)
    ]
    assert collected.source == "40 latents of the model's distribution"
    ours = {row.tobytes() for batch in batches_of(collected) for row in batch[0]}
    theirs = {row.tobytes() for feeds in reference.seen for row in feeds["latent"]}
    assert (len(ours), len(theirs)) == (40, 40)
    assert not ours & theirs
    other = batches_of(collect(metadata, Reference(*inputs), shape=(5,), seed=7))
    assert not ours & {row.tobytes() for batch in other for row in batch[0]}


# --- restoration ---


def restorer(task: str, **spec: Any) -> ModelMetadata:
    luma = task == "upscale"
    inputs = [image_input("height", "width", channels=1 if luma else 3)]
    if task == "inpaint":
        inputs.append(image_input("height", "width", channels=1, name="mask"))
    return ModelMetadata(
        task=task,
        name="tiny",
        inputs=tuple(inputs),
        outputs=(inputs[0].updated(name="y"),),
        image=ImageSpec(color=Color.LUMA if luma else Color.RGB),
        spec=RestorationSpec(**spec),
        tile=TileSpec(multiple=1),
    )


@pytest.mark.parametrize("count", [3, 30, 120])
def test_restoration_is_calibrated_with_what_its_pipeline_makes_of_pictures(tmp_path: Path, count: int) -> None:
    metadata = restorer("denoise")
    reference = Reference(*metadata.inputs, restores=True)
    collected = collect(metadata, reference, write_shades(tmp_path / "data", range(count)))
    ours = shades_of(*(batch[0] for batch in batches_of(collected)))
    read = len(reference.seen)
    assert isinstance(judge_of(collected), RestorationQuality)
    theirs = shades_of(*(feeds["image"] for feeds in reference.seen[read:]))
    assert set(ours) | set(theirs) == set(range(count))
    assert bool(set(ours) & set(theirs)) == bool(collected.notes) == (count < 10)


@pytest.mark.parametrize(("task", "scale", "side"), [("denoise", 1, 128), ("upscale", 2, 128)])
def test_the_middle_of_photographs_is_enough(tmp_path: Path, task: str, scale: int, side: int) -> None:
    metadata = restorer(task, scale=scale)

    def enlarge(feeds: Mapping[str, Array]) -> list[Array]:
        return [np.repeat(np.repeat(feeds["image"], scale, 2), scale, 3)]

    reference = FakeEngine(metadata.inputs, metadata.outputs, enlarge)
    folder = write_shades(tmp_path / "data", range(12), (300, 270))
    amount = Amount(pictures=(1, 1), crops=(3, 2), latents=(1, 1))
    collected = collect(metadata, reference, folder, amount=amount)
    assert {batch[0].shape[2:] for batch in batches_of(collected)} == {(side, side)}
    judge_of(collected)
    assert collected.source == "3 pictures of data, judged on 2 of data"


@pytest.mark.parametrize("overlap", [None, 4])
def test_no_more_is_cut_from_photographs_than_a_network_takes(tmp_path: Path, overlap: int | None) -> None:
    fixed = restorer("denoise").updated(inputs=(image_input(40, 60),), tile=TileSpec(overlap=overlap))
    reference = Reference(*fixed.inputs, restores=True)
    collected = collect(fixed, reference, write_shades(tmp_path / "data", range(12), (300, 270)))
    judge_of(collected)
    assert {feeds["image"].shape[2:] for feeds in reference.seen} == {(40, 60)}
    # Where tiles can be laid over a picture, several are: that of 128x128 stays.
    assert (len(reference.seen) > 4 * 12) == (overlap is not None)


def test_pairs_of_small_and_large_pictures_are_not_cut(tmp_path: Path) -> None:
    metadata = restorer("upscale", scale=2)

    def enlarge(feeds: Mapping[str, Array]) -> list[Array]:
        return [np.repeat(np.repeat(feeds["image"], 2, 2), 2, 3)]

    folder = tmp_path / "data"
    folder.mkdir()
    for index in range(2):
        Image.new("RGB", (300, 260)).save(folder / f"{index}_HR.png")
        Image.new("RGB", (150, 130)).save(folder / f"{index}_LR.png")
    collected = collect(metadata, FakeEngine(metadata.inputs, metadata.outputs, enlarge), folder)
    assert {batch[0].shape[2:] for batch in batches_of(collected)} == {(130, 150)}


def test_a_denoiser_is_calibrated_with_all_the_noise_that_it_is_made_for(tmp_path: Path) -> None:
    metadata = restorer("denoise", sigma=(0.0, 60.0))
    reference = Reference(*metadata.inputs, restores=True)
    folder = write_shades(tmp_path / "data", [128 + index for index in range(40)], (40, 40))
    collected = collect(metadata, reference, folder, evaluation=EvaluationOptions(sigma=25.0))
    # It is judged at the noise that was asked for.
    read = len(reference.seen)
    judge_of(collected)
    judged = reference.seen[read:]
    assert judged
    assert all(20 < 255 * np.std(feeds["image"]) < 30 for feeds in judged)
    found = Counter(round(255 * float(np.std(batch[0])) / 20) * 20 for batch in batches_of(collected))
    assert set(found) == {0, 20, 40, 60}
    assert max(found.values()) - min(found.values()) <= 1


def test_a_denoiser_of_mixed_noise_is_calibrated_with_several_kinds(tmp_path: Path) -> None:
    metadata = restorer("denoise", sigma=(0.0, 60.0), noise=NoiseKind.MIXED)
    folder = write_shades(tmp_path / "data", [128 + index for index in range(40)], (40, 40))
    collected = collect(metadata, Reference(*metadata.inputs, restores=True), folder)
    found = [255 * float(np.std(batch[0])) for batch in batches_of(collected)]
    assert min(found) < 2
    assert max(found) > 25


def test_inpainting_is_calibrated_with_pictures_and_masks(tmp_path: Path) -> None:
    metadata = restorer("inpaint")
    reference = Reference(*metadata.inputs, restores=True)
    collected = collect(metadata, reference, write_shades(tmp_path / "data", range(100, 120), (24, 24)))
    assert all(len(batch) == 2 for batch in batches_of(collected))
    for picture, mask in batches_of(collected):
        assert (picture.shape, mask.shape) == ((1, 3, 24, 24), (1, 1, 24, 24))
        assert 0 < mask.mean() < 1


# --- arrays ---


def write_arrays(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def numbered(count: int, *sides: int) -> Array:
    """Samples whose values are their number."""
    return np.broadcast_to(np.arange(count, dtype=np.float32).reshape(-1, *(1 for _ in sides)), (count, *sides)).copy()


@pytest.mark.parametrize("count", [10, 14, 40])
def test_of_arrays_every_fifth_sample_is_held_back(tmp_path: Path, count: int) -> None:
    reference = Reference(TensorSpec(name="x", shape=("batch", 5)))
    path = write_arrays(tmp_path / "inputs.npz", x=numbered(count, 5))
    collected = collect(ModelMetadata(task="other", name="tiny"), reference, path)
    ours = [int(row[0]) for batch in batches_of(collected) for row in batch[0]]
    assert isinstance(judge_of(collected), OutputQuality)
    theirs = sorted({int(row[0]) for feeds in reference.seen for row in feeds["x"]})
    assert theirs == list(range(4, count, 5))
    assert sorted(ours + theirs) == list(range(count))
    assert collected.source == f"{len(ours)} samples of inputs.npz"
    assert collected.notes == ()


@pytest.mark.parametrize("count", [1, 9])
def test_a_few_samples_serve_for_both_and_a_note_says_so(tmp_path: Path, count: int) -> None:
    reference = Reference(TensorSpec(name="x", shape=("batch", 5)))
    path = write_arrays(tmp_path / "inputs.npz", x=numbered(count, 5))
    collected = collect(ModelMetadata(task="other", name="tiny"), reference, path)
    judge_of(collected)
    assert len(batches_of(collected)[0][0]) == len(reference.seen[-1]["x"]) == count
    assert collected.notes == (f"judged on the {count} samples it was calibrated with",)


def test_arrays_are_taken_in_the_order_and_the_type_of_the_inputs(tmp_path: Path) -> None:
    inputs = (TensorSpec(name="b", shape=("batch", 2)), TensorSpec(name="a", shape=("batch", 1), dtype="int64"))
    path = write_arrays(tmp_path / "inputs.npz", a=numbered(20, 1).astype(np.uint8), b=numbered(20, 2).astype(float))
    (batch,) = batches_of(collect(CLASSIFIER, Reference(*inputs), path))
    assert [(array.shape, array.dtype) for array in batch] == [((16, 2), np.float32), ((16, 1), np.int64)]
    assert np.array_equal(batch[0][:, 0], batch[1][:, 0])


@pytest.mark.parametrize(
    ("arrays", "error", "words"),
    [
        ({"y": numbered(20, 3, 8, 8)}, InputError, r"must hold an array for each input \(image\), not \['y'\]"),
        ({}, InputError, r"must hold an array for each input \(image\), not \[\]"),
        (
            {"image": numbered(20, 3, 8, 8), "mask": numbered(20, 1, 8, 8)},
            InputError,
            r"must hold an array for each input \(image\), not \['image', 'mask'\]",
        ),
        ({"image": numbered(0, 3, 8, 8)}, DatasetError, "the arrays in 'inputs.npz' are empty"),
        ({"image": np.float32(5)}, InputError, "must have equally many samples"),
        ({"image": numbered(20, 8, 8, 3)}, InputError, r"\(batchx3x8x8\), not float32 \(20, 8, 8, 3\)"),
        ({"image": numbered(20, 3, 8)}, InputError, r"\(batchx3x8x8\), not float32 \(20, 3, 8\)"),
        ({"image": np.full((20, 3, 8, 8), "white")}, InputError, r"must hold numbers of .*, not <U5"),
        ({"image": np.full((20, 3, 8, 8), 1j)}, InputError, "must hold numbers of .*, not complex128"),
        ({"image": np.full((20, 3, 8, 8), np.nan)}, DatasetError, "'image' .* values that are not finite in float32"),
        ({"image": np.full((20, 3, 8, 8), 1e300)}, DatasetError, "'image' .* values that are not finite in float32"),
    ],
    ids=[
        *("other name", "nothing", "one more", "empty", "a number", "other order", "other rank", "words", "complex"),
        *("NaN", "beyond float32"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    tmp_path: Path, arrays: Mapping[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        collect(CLASSIFIER, Reference(*CLASSIFIER.inputs), write_arrays(tmp_path / "inputs.npz", **arrays))


def test_arrays_of_unequal_length_are_refused(tmp_path: Path) -> None:
    inputs = (TensorSpec(name="a", shape=("batch", 2)), TensorSpec(name="b", shape=("batch", 2)))
    path = write_arrays(tmp_path / "inputs.npz", a=numbered(20, 2), b=numbered(19, 2))
    with pytest.raises(InputError, match=r"must have equally many samples, not \[19, 20\]"):
        collect(CLASSIFIER, Reference(*inputs), path)


def test_sides_that_the_model_leaves_open_may_be_any(tmp_path: Path) -> None:
    path = write_arrays(tmp_path / "inputs.npz", image=numbered(20, 3, 5, 7))
    (batch,) = batches_of(collect(CLASSIFIER, Reference(image_input("height", "width")), path))
    assert batch[0].shape == (16, 3, 5, 7)


@pytest.mark.parametrize("kind", ["no archive", "empty", "cut off", "damaged"])
def test_an_archive_that_cannot_be_read_is_a_data_set_error(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "inputs.npz"
    np.savez_compressed(path, image=np.random.default_rng(0).standard_normal((20, 3, 8, 8), np.float32))
    whole = path.read_bytes()
    start = len(whole) // 2
    contents = {
        "no archive": b"no archive at all",
        "empty": b"",
        "cut off": whole[:start],
        "damaged": whole[:start] + bytes(64) + whole[start + 64 :],
    }
    path.write_bytes(contents[kind])
    with pytest.raises(DatasetError, match=r"the data '.*inputs\.npz' cannot be read: "):
        collect(CLASSIFIER, Reference(*CLASSIFIER.inputs), path)


def test_one_array_under_the_name_of_an_archive_is_a_data_set_error(tmp_path: Path) -> None:
    with (tmp_path / "inputs.npz").open("wb") as file:
        np.save(file, numbered(20, 3, 8, 8))
    with pytest.raises(DatasetError, match="cannot be read"):
        collect(CLASSIFIER, Reference(*CLASSIFIER.inputs), tmp_path / "inputs.npz")


def test_an_archive_that_would_run_code_or_is_not_there_is_a_data_set_error(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", image=np.array([{}, {}], dtype=object))
    for name in ("objects.npz", "none.npz"):
        with pytest.raises(DatasetError, match=f"'.*{name}' cannot be read"):
            collect(CLASSIFIER, Reference(*CLASSIFIER.inputs), tmp_path / name)


def test_arrays_that_would_unpack_to_more_than_a_gigabyte_or_never_come_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgevision.exporters.samples._LARGEST_ARRAYS", 2 << 20)
    np.savez_compressed(tmp_path / "bomb.npz", image=np.zeros((1, 3, 1000, 1000), np.float32))
    with pytest.raises(DatasetError, match=r"bomb\.npz' cannot be read: it unpacks to 11 MB, and 2 MB is the most"):
        classified(tmp_path / "bomb.npz")
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(DatasetError, match="not a regular file"):
        classified(tmp_path / "pipe.npz")


# --- what goes into a network ---


def adding() -> FakeEngine:
    pair = tuple(TensorSpec(name=name, shape=("batch", 2)) for name in ("a", "b"))
    return FakeEngine(pair, (pair[0].updated(name="sum"),), lambda feeds: [feeds["a"] + feeds["b"]])


def test_a_recorder_keeps_what_its_engine_is_given_in_the_order_of_its_inputs() -> None:
    engine = adding()
    with RecordingEngine(engine) as recorder:
        assert (recorder.name, recorder.device, recorder.provider) == ("fake", "cpu", "FakeProvider")
        assert (recorder.inputs, recorder.outputs) == (engine.inputs, engine.outputs)
        for value in (1.0, 2.0):
            a, b = np.full((3, 2), value, np.float32), np.zeros((3, 2), np.float32)
            assert np.array_equal(recorder.run({"b": b, "a": a})[0], a)
            # What is done to the arrays later does not reach what was noted.
            a[:] = b[:] = 9
    assert [[array[0, 0] for array in batch] for batch in recorder.batches] == [[1, 0], [2, 0]]
    assert engine.calls == 2
    # It is the caller's.
    assert not engine.closed


def test_what_a_pipeline_makes_of_pictures_is_recorded(tmp_path: Path) -> None:
    write_shades(tmp_path, [101, 102, 103], (16, 12))
    recorder = RecordingEngine(Reference(image_input("height", "width"), restores=True))
    RestorationQuality(recorder, restorer("denoise"), ImageFolder(tmp_path), EvaluationOptions(sigma=10))
    assert len(recorder.batches) == 3
    for (noisy,) in recorder.batches:
        assert noisy.shape == (1, 3, 12, 16)
        assert np.std(noisy) == pytest.approx(10 / 255, rel=0.15)
