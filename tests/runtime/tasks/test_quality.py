"""How much worse a model is: accuracies, PSNRs and SQNRs that are known beforehand."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine
from PIL import Image

from edgevision.data.datasets import ImageFolder
from edgevision.exporters.quantization.calibration import RecordingEngine
from edgevision.exporters.quantization.calibration_pictures import Pictures
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata, TensorSpec, TileSpec
from edgevision.runtime.engines.engine import Array
from edgevision.runtime.tasks.classification.quality import ClassifierQuality
from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.runtime.tasks.quality import OutputQuality, Quality, QualityMeasure
from edgevision.runtime.tasks.restoration.quality import RestorationQuality
from edgevision.runtime.tasks.restoration.spec import RestorationSpec

SCORES = TensorSpec(name="logits", shape=("batch", 3))
WriteFolders = Callable[[Path, Mapping[str, int]], Path]


def answering(scores: Sequence[Sequence[float]], batch: int | str = "batch") -> FakeEngine:
    """A classifier that answers sample i, whose one input is i, with row i of ``scores``."""
    table = np.array(scores, np.float32)
    number = TensorSpec(name="number", shape=(batch, 1))
    return FakeEngine((number,), (SCORES,), lambda feeds: [table[feeds["number"][:, 0].astype(int)]])


def numbers(count: int) -> list[Array]:
    return [np.arange(count, dtype=np.float32)[:, None]]


def one_hot(answers: Sequence[int], certainty: float = 5.0) -> list[list[float]]:
    return [[certainty * (index == answer) for index in range(3)] for answer in answers]


# --- classifiers ---


def test_with_classes_the_loss_is_the_accuracy_that_is_lost_in_points() -> None:
    expected = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    reference = answering(one_hot([0, 1, 2, 0, 1, 2, 1, 1]))
    judge = ClassifierQuality(reference, numbers(8), expected)
    assert (judge.metric, judge.unit, judge.budget) == ("top1", "points", 0.3)
    quality = judge(answering(one_hot([0, 1, 2, 0, 2, 1, 1, 0])))
    assert quality.figures["top1"] == 50
    assert quality.loss == 87.5 - 50
    assert quality.figures["agreement"] == 62.5


def test_a_model_that_is_better_than_the_float_one_has_a_negative_loss() -> None:
    judge = ClassifierQuality(answering(one_hot([0, 1, 1, 1])), numbers(4), np.array([0, 1, 2, 2]))
    assert judge(answering(one_hot([0, 1, 2, 1]))).loss == -25


def test_the_float_model_itself_loses_nothing() -> None:
    reference = answering(one_hot([0, 1, 2, 2]))
    for expected in (np.array([0, 1, 2, 0]), None):
        quality = ClassifierQuality(reference, numbers(4), expected)(reference)
        assert quality.loss == 0
        assert quality.figures["agreement"] == 100
        assert quality.figures["sqnr"] == float("inf")


def test_without_classes_the_loss_is_what_the_float_models_probabilities_say_is_lost() -> None:
    # Softmax gives 0.5, 0.3 and 0.2 for both samples.
    probabilities = [0.5, 0.3, 0.2]
    reference = answering(np.log([probabilities, probabilities[::-1]]).tolist())
    judge = ClassifierQuality(reference, numbers(2), None)
    assert judge.metric == "agreement"
    # One answer stays, the other becomes the second likeliest.
    quality = judge(answering(one_hot([0, 1])))
    assert quality.figures["agreement"] == 50
    assert "top1" not in quality.figures
    assert quality.loss == pytest.approx(100 * (0.5 - 0.3) / 2)
    # And the least likely costs more than the second.
    assert judge(answering(one_hot([0, 0]))).loss == pytest.approx(100 * (0.5 - 0.2) / 2)


def test_without_classes_another_answer_where_the_float_model_is_undecided_costs_almost_nothing() -> None:
    undecided, decided = [1.0, 1.001, -9.0], [9.0, -9.0, -9.0]
    judge = ClassifierQuality(answering([undecided, decided]), numbers(2), None)
    assert 0 < judge(answering(one_hot([0, 0]))).loss < 0.1
    assert judge(answering(one_hot([1, 1]))).loss > 49


def test_scores_that_change_without_changing_an_answer_lose_nothing() -> None:
    rows = np.array(one_hot([0, 1, 2, 1]))
    judge = ClassifierQuality(answering(rows.tolist()), numbers(4), None)
    quality = judge(answering((1.1 * rows).tolist()))
    assert quality.loss == 0
    assert quality.figures["sqnr"] == pytest.approx(20, abs=1e-3)


@pytest.mark.parametrize(("batch", "calls"), [("batch", 3), (4, 20)])
def test_samples_are_judged_in_portions_that_the_model_takes(batch: int | str, calls: int) -> None:
    generator = np.random.default_rng(0)
    answers, expected = generator.integers(0, 3, (2, 77))
    reference = answering(one_hot(answers.tolist()), batch)
    judge = ClassifierQuality(reference, numbers(77), expected)
    assert reference.calls == calls
    quality = judge(answering(one_hot(expected.tolist()), batch))
    assert quality.figures["top1"] == 100
    assert quality.figures["agreement"] == pytest.approx(100 * np.mean(answers == expected))
    # What the float model says is found out once.
    assert reference.calls == calls


# --- outputs ---


def scaling(*factors: float) -> FakeEngine:
    """An engine with an output for each factor by which its input is multiplied."""
    specs = tuple(TensorSpec(name=f"y{index}", shape=("batch", 5)) for index in range(len(factors)))
    x = TensorSpec(name="x", shape=("batch", 5))
    return FakeEngine((x,), specs, lambda feeds: [factor * feeds["x"] for factor in factors])


SAMPLES = [np.random.default_rng(0).standard_normal((6, 5), dtype=np.float32)]


@pytest.mark.parametrize(("factor", "expected"), [(1.1, 20), (0.99, 40), (1.001, 60), (0, 0), (-1, -6.0206)])
def test_an_output_is_judged_by_its_sqnr_and_the_loss_is_its_negative(factor: float, expected: float) -> None:
    judge = OutputQuality(scaling(1), SAMPLES)
    assert (judge.metric, judge.unit, judge.budget) == ("sqnr", "dB", -30)
    quality = judge(scaling(factor))
    assert quality.figures == {"sqnr": pytest.approx(expected, abs=1e-3)}
    assert quality.loss == -quality.figures["sqnr"]
    assert (quality.loss <= judge.budget) == (expected >= 30)


def test_of_several_outputs_the_worst_counts() -> None:
    judge = OutputQuality(scaling(1, 10, 0.1), SAMPLES)
    assert judge(scaling(1.001, 10, 0.11)).figures["sqnr"] == pytest.approx(20, abs=1e-3)


def test_equal_outputs_are_infinitely_good() -> None:
    quality = OutputQuality(scaling(1, 2), SAMPLES)(scaling(1, 2))
    assert (quality.figures["sqnr"], quality.loss) == (float("inf"), float("-inf"))


def test_another_number_of_outputs_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="zip"):
        OutputQuality(scaling(1, 2), SAMPLES)(scaling(1))


def test_a_quality_goes_to_json_and_back() -> None:
    quality = Quality(figures={"top1": 91.5, "sqnr": 31.25}, loss=0.2)
    assert Quality.from_dict(quality.to_dict()) == quality


# --- restoration ---


def restoring(shade: float, channels: int = 3, scale: int = 1) -> FakeEngine:
    """A network for which everything is of one shade."""
    image = TensorSpec(name="image", shape=("batch", channels, "height", "width"))

    def run(feeds: Mapping[str, Array]) -> list[Array]:
        batch, count, height, width = feeds["image"].shape
        return [np.full((batch, count, scale * height, scale * width), shade, np.float32)]

    return FakeEngine((image,), (image.updated(name="restored_image"),), run)


def restoration(task: str, color: Color = Color.RGB, scale: int = 1) -> ModelMetadata:
    engine = restoring(0, color.channels)
    return ModelMetadata(
        task=task,
        name="tiny",
        inputs=engine.inputs,
        outputs=engine.outputs,
        image=ImageSpec(color=color),
        spec=RestorationSpec(scale=scale),
        tile=TileSpec(multiple=1),
    )


@pytest.fixture
def gray(tmp_path: Path) -> Pictures:
    """Three pictures, all of them 102, which is 0.4."""
    folder = tmp_path / "gray"
    folder.mkdir()
    for index in range(3):
        Image.new("RGB", (16, 12), (102, 102, 102)).save(folder / f"{index}.png")
    return Pictures(ImageFolder(folder), range(3))


def test_restored_pictures_are_judged_by_the_psnr_that_is_lost(gray: Pictures) -> None:
    reference = restoring(0.41)
    judge = RestorationQuality(reference, restoration("denoise"), gray, EvaluationOptions())
    assert (judge.metric, judge.unit, judge.budget) == ("psnr", "dB", 0.1)
    quality = judge(restoring(0.5))
    assert quality.figures["psnr"] == pytest.approx(20, abs=1e-3)
    assert quality.loss == pytest.approx(40 - 20, abs=1e-3)
    assert judge(restoring(0.39)).loss == pytest.approx(0, abs=1e-3)
    assert not reference.closed


def test_numbers_that_are_none_are_infinitely_bad(gray: Pictures) -> None:
    judge = RestorationQuality(restoring(0.41), restoration("denoise"), gray, EvaluationOptions())
    quality = judge(restoring(float("nan")))
    assert quality.loss == float("inf")
    assert list(quality.figures) == ["psnr"]


def test_a_picture_that_only_the_candidate_cannot_do_is_infinitely_bad_too(gray: Pictures) -> None:
    judge = RestorationQuality(restoring(0.41), restoration("denoise"), gray, EvaluationOptions())
    candidate = restoring(0.41)
    answer, calls = candidate.run, iter(range(100))
    candidate.run = lambda feeds: [array + (np.nan if next(calls) == 0 else 0) for array in answer(feeds)]  # type: ignore[method-assign]
    assert len(gray) > 1
    assert judge(candidate).loss == float("inf")


def test_enlarged_pictures_are_judged_by_their_luma(gray: Pictures) -> None:
    metadata = restoration("upscale", Color.LUMA, scale=2)
    judge = RestorationQuality(restoring(0.41, 1, 2), metadata, gray, EvaluationOptions())
    assert judge.metric == "psnr_y"
    candidate = restoring(0.5, 1, 2)
    quality = judge(candidate)
    assert quality.figures["psnr_y"] == pytest.approx(20, abs=1e-3)
    assert quality.loss == pytest.approx(20, abs=1e-3)
    assert not candidate.closed


def test_every_judge_has_what_the_protocol_asks_for(gray: Pictures) -> None:
    judges: list[QualityMeasure] = [
        ClassifierQuality(answering(one_hot([0])), numbers(1), None),
        OutputQuality(scaling(1), SAMPLES),
        RestorationQuality(restoring(0.41), restoration("denoise"), gray, EvaluationOptions()),
    ]
    for judge in judges:
        assert judge.metric
        assert judge.unit in ("points", "dB")
        assert isinstance(judge.budget, float)


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


def test_what_a_pipeline_makes_of_pictures_is_recorded(gray: Pictures) -> None:
    recorder = RecordingEngine(restoring(0.41))
    RestorationQuality(recorder, restoration("denoise"), gray, EvaluationOptions(sigma=10))
    assert len(recorder.batches) == 3
    for (noisy,) in recorder.batches:
        assert noisy.shape == (1, 3, 12, 16)
        assert np.std(noisy) == pytest.approx(10 / 255, rel=0.15)


# --- pictures ---


def test_pictures_keep_their_names_and_classes_and_leave_out_what_is_broken(
    write_class_folders: WriteFolders, tmp_path: Path
) -> None:
    root = write_class_folders(tmp_path / "data", {"cat": 2, "dog": 2, "emu": 1})
    (root / "cat" / "001.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (root / "dog" / "000.png").write_bytes(b"")
    data = ImageFolder(root)
    pictures = Pictures(data, [4, 0, 1, 2, 3])
    assert pictures.names == ("emu/000.png", "cat/000.png", "dog/001.png")
    assert pictures.labels.tolist() == [2, 0, 1]
    assert pictures.class_names == ("cat", "dog", "emu")
    assert len(pictures) == 3
    assert list(pictures.failures) == ["cat/001.png", "dog/000.png"]
    assert "001.png" in pictures.failures["cat/001.png"]
    assert np.array_equal(np.asarray(pictures.image(1)), np.asarray(data.image(0)))


def test_nothing_but_broken_pictures_is_no_picture_at_all(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"nothing")
    pictures = Pictures(ImageFolder(tmp_path), [0])
    assert len(pictures) == 0
    assert pictures.labels.tolist() == []
    assert list(pictures.failures) == ["broken.png"]


@pytest.mark.parametrize(
    ("size", "side", "left", "top"), [((9, 6), 4, 2, 1), ((3, 9), 4, 0, 2), ((3, 2), 4, 0, 0), ((9, 6), None, 0, 0)]
)
def test_the_middle_is_cut_out_of_large_pictures(
    tmp_path: Path, size: tuple[int, int], side: int | None, left: int, top: int
) -> None:
    width, height = size
    pixels = np.arange(width * height * 3, dtype=np.uint8).reshape(height, width, 3)
    Image.fromarray(pixels).save(tmp_path / "0.png")
    found = np.asarray(Pictures(ImageFolder(tmp_path), [0], side).image(0))
    assert np.array_equal(found, pixels[top : top + (side or height), left : left + (side or width)])


def test_pictures_can_be_dealt_out(write_class_folders: WriteFolders, tmp_path: Path) -> None:
    every = Pictures(ImageFolder(write_class_folders(tmp_path / "data", {"cat": 3, "dog": 2})), range(5))
    shares = [every.every(3, start) for start in range(3)]
    assert [share.names for share in shares] == [every.names[0::3], every.names[1::3], every.names[2::3]]
    assert [share.labels.tolist() for share in shares] == [[0, 1], [0, 1], [0]]
    assert np.array_equal(np.asarray(shares[1].image(1)), np.asarray(every.image(4)))
    assert [len(every.every(6, start)) for start in range(6)] == [1, 1, 1, 1, 1, 0]
    assert len(every) == 5
