"""What all pipelines and their results have in common, whatever the task."""

import csv
import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fake_engine import FakeEngine
from PIL import Image

import edgevision
from edgevision.core.errors import InputError, NotFiniteError, OutputError
from edgevision.imaging.pictures import Picture
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec
from edgevision.modelfiles.model_file import require_metadata
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.load import build_pipeline
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.autoencoding.autoencoder import Encoder, Reconstructor
from edgevision.runtime.tasks.pipeline import Drawable, Pipeline, Result, check_classes

PHOTO = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
HOLES = np.zeros((24, 20), bool)
HOLES[5:9, 6:9] = True

SHIPPED = ("classify", "generate", "inpaint", "denoise", "upscale", "brighten")
TASKS = (*SHIPPED, "encode", "reconstruct")
ON_PICTURES = tuple(task for task in TASKS if task != "generate")


def squeezed(image: np.ndarray) -> np.ndarray:
    return image.mean((2, 3))


def build(task: str, **options: Any) -> Pipeline:
    if task in SHIPPED:
        return edgevision.load(task, threads=1, **options)
    inputs = (TensorSpec(name="image", shape=("batch", 3, 8, 8)),)
    engine = FakeEngine(inputs, inputs, lambda feeds: [feeds["image"], squeezed(feeds["image"])])
    described = ModelMetadata(task=task, name="squeezer", image=ImageSpec(size=(8, 8)))
    return (Encoder if task == "encode" else Reconstructor)(engine, described, **options)


def asked(pipeline: Pipeline, images: Any = PHOTO) -> Any:
    if pipeline.metadata.task == "generate":
        return pipeline(2, seed=1)
    return pipeline(images, HOLES) if pipeline.metadata.task == "inpaint" else pipeline(images)


@pytest.fixture(scope="module")
def pipelines():
    built = {task: build(task) for task in TASKS}
    yield built
    for pipeline in built.values():
        pipeline.close()


@pytest.fixture(scope="module")
def results(pipelines):
    return {task: asked(pipeline) for task, pipeline in pipelines.items()}


@pytest.mark.parametrize("task", TASKS)
def test_a_pipeline_says_in_a_line_what_it_is(pipelines, task):
    pipeline = pipelines[task]
    assert pipeline.at_once >= 1
    shown = repr(pipeline)
    assert pipeline.metadata.name in shown
    assert pipeline.engine.device in shown
    assert len(shown) < 100


@pytest.mark.parametrize("task", TASKS)
def test_a_pipelines_engine_may_be_replaced_by_one_that_watches(task):
    class Watched:
        runs = 0

        def __init__(self, engine):
            self._engine = engine

        def run(self, feeds):
            self.runs += 1
            return self._engine.run(feeds)

        def __getattr__(self, name):
            return getattr(self._engine, name)

    with build(task) as pipeline:
        watched = pipeline.engine = Watched(pipeline.engine)
        asked(pipeline)
        assert pipeline.engine is watched
        assert watched.runs


@pytest.mark.parametrize("task", TASKS)
def test_a_result_is_json_rows_and_compares_with_itself(results, task):
    result = results[task]
    assert isinstance(result, Result)
    assert len(repr(result)) < 150
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False)) == result.to_dict()
    rows = result.to_rows()
    assert rows
    assert all(row.keys() == rows[0].keys() for row in rows)
    assert all(isinstance(value, str | int | float) for row in rows for value in row.values())
    for name, figure in result.compare(result).items():
        assert figure == {"psnr": np.inf, "ssim": 1, "sqnr": np.inf, "agreement": 100}[name]


@pytest.mark.parametrize("task", TASKS)
def test_a_result_is_an_array_in_the_dtype_asked_for(results, task):
    result = results[task]
    array = np.asarray(result)
    assert np.asarray(result, np.float64).dtype == np.float64
    np.testing.assert_array_equal(np.asarray(result, np.float64), array)
    copied = np.array(result)
    copied[...] = 0
    np.testing.assert_array_equal(np.asarray(result), array)
    with pytest.raises(ValueError, match="without a copy"):
        np.array(result, np.complex128, copy=False)


@pytest.mark.parametrize("task", TASKS)
def test_a_result_that_is_a_picture_is_shown_by_a_notebook(results, task, tmp_path):
    result = results[task]
    assert isinstance(result, Drawable) == (task not in ("classify", "encode"))
    if isinstance(result, Drawable):
        (tmp_path / "shown.png").write_bytes(result._repr_png_())
        with Image.open(tmp_path / "shown.png") as shown:
            np.testing.assert_array_equal(np.asarray(shown), np.asarray(result.to_pillow()))


@pytest.mark.parametrize("task", TASKS)
def test_a_result_is_written_whole_and_not_over_another(results, task, tmp_path):
    path = tmp_path / {"classify": "a.json", "encode": "a.npy"}.get(task, "a.png")
    results[task].save(path, force=False)
    written = path.read_bytes()
    with pytest.raises(OutputError, match="left as it is; --force overwrites it"):
        results[task].save(path, force=False)
    with pytest.raises(OutputError, match=r"a\.docx"):
        results[task].save(tmp_path / "a.docx")
    assert path.read_bytes() == written
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_classification_is_written_as_json_and_csv(results, tmp_path):
    result = results["classify"]
    result.save(tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    assert [(row["label"], row["probability"]) for row in document["predictions"]] == result.top(10)
    result.save(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["label"], float(row["probability"])) for row in rows] == result.top(10)


@pytest.mark.parametrize("task", ON_PICTURES)
def test_several_pictures_give_a_list_and_a_batch_does_too(pipelines, results, task):
    pipeline, one = pipelines[task], np.asarray(results[task])
    other = np.ascontiguousarray(PHOTO[::-1, ::-1])
    for several in ([PHOTO, other], (PHOTO, other), np.stack([PHOTO, other]), iter([PHOTO, other])):
        first, second = asked(pipeline, several)
        np.testing.assert_allclose(first, one, atol=1e-5 if one.dtype == np.float32 else 1)
        assert not np.array_equal(second, first)
    assert asked(pipeline, []) == []


@pytest.mark.parametrize("task", ON_PICTURES)
def test_every_depth_and_kind_of_picture_is_taken(pipelines, results, task):
    pipeline, whole = pipelines[task], np.asarray(results[task], np.float64)
    scale = 1 if whole.max() <= 1 else 255
    for source, white in (
        (PHOTO.astype(np.uint16) * 257, 65535),
        (PHOTO / 255, 1),
        (PHOTO.astype(np.float32) / 255, 1),
    ):
        found = np.asarray(asked(pipeline, source), np.float64)
        divisor = scale if task in ("classify", "encode", "reconstruct") else white
        np.testing.assert_allclose(found / divisor, whole / scale, atol=0.02)
    for source in (Image.fromarray(PHOTO), Picture(PHOTO)):
        np.testing.assert_allclose(np.asarray(asked(pipeline, source)), np.asarray(results[task]), atol=1e-5)
    with pytest.raises(ValueError, match=r"give array\.transpose\(1, 2, 0\)"):
        asked(pipeline, PHOTO.transpose(2, 0, 1))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("task", ["denoise", "upscale", "brighten", "inpaint"])
def test_a_restored_picture_keeps_its_depth_and_alpha(pipelines, task, dtype):
    white = 1 if dtype == np.float32 else 65535
    deep = (np.dstack([PHOTO, np.full_like(PHOTO[:, :, 0], 128)]) / 255 * white).astype(dtype)
    result = np.asarray(asked(pipelines[task], deep))
    assert (result.dtype, result.shape[2]) == (dtype, 4)
    np.testing.assert_allclose(result[:, :, 3], deep[0, 0, 3], rtol=1e-4)


@pytest.mark.parametrize("task", TASKS)
def test_arrays_of_opencv_go_in_and_come_out_in_its_order(pipelines, results, task):
    with build(task, color="bgr") as pipeline:
        found, expected = np.asarray(asked(pipeline, PHOTO[:, :, ::-1])), np.asarray(results[task])
        if task not in ("classify", "encode"):
            found = found[..., ::-1]
        np.testing.assert_array_equal(found, expected)
        if task in ON_PICTURES:  # what is no array says itself what its colours are
            from_pillow = np.asarray(asked(pipeline, Image.fromarray(PHOTO)))
            np.testing.assert_array_equal(from_pillow[..., ::-1] if from_pillow.ndim == 3 else from_pillow, expected)
    with pytest.raises(ValueError, match="'rgb' or 'bgr', not 'gbr'"):
        build(task, color="gbr")


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("task", SHIPPED)
def test_nan_or_inf_becomes_an_error_and_not_a_picture(task, value):
    path = shipped_model(task)
    with open_engine(path, threads=1) as engine:

        def spoiled(inputs):
            outputs = engine.run(inputs)
            outputs[0].flat[-1] = value
            return outputs

        pipeline = build_pipeline(FakeEngine(engine.inputs, engine.outputs, spoiled), require_metadata(path))
        with pytest.raises(NotFiniteError, match=r"^1 of \d+ values .* are not finite \(fake on cpu\)"):
            asked(pipeline)


def test_classes_that_a_model_does_not_know_are_refused_with_those_that_it_does():
    person = SimpleNamespace(labels=("background", "person"), background=0, metadata=SimpleNamespace(name="people"))
    check_classes(person, ["person"])
    with pytest.raises(InputError, match="'background' is no class that 'people' knows: person"):
        check_classes(person, ["person", "background"])


def test_classes_without_names_are_asked_for_by_their_numbers():
    unnamed = SimpleNamespace(labels=(), metadata=SimpleNamespace(name="pets"))
    check_classes(unnamed, ["class 0", "class 17"])
    with pytest.raises(InputError, match="'dog' is no class that 'pets' knows: its classes have no names"):
        check_classes(unnamed, ["class 0", "dog"])
