import pytest

import edgevision
from edgevision.core.errors import DeviceError, InputError, ModelFileError
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TileSpec
from edgevision.modelfiles.task_registry import task_names
from edgevision.runtime import load as loading
from edgevision.runtime.load import build_pipeline, load
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.restoration.inpainter import Inpainter
from edgevision.runtime.tasks.restoration.restorer import Restorer
from edgevision.runtime.tasks.restoration.spec import Prediction, RestorationSpec


def test_most_tasks_ship_a_model():
    for task in set(task_names()) - {"reconstruct", "encode", "other"}:
        assert shipped_model(task).is_file()


def test_a_tasks_name_loads_the_model_that_ships():
    with edgevision.load("classify") as by_name, edgevision.load("classify") as by_task:
        assert by_name.labels == by_task.labels


def test_a_model_without_metadata_is_refused(write_colours):
    with pytest.raises(ModelFileError, match="carries no edgevision metadata"):
        load(write_colours(metadata=None))


def test_metadata_of_a_newer_schema_is_refused(write_colours, monkeypatch):
    monkeypatch.setattr("edgevision.modelfiles.metadata.SCHEMA_VERSION", 99)
    path = write_colours()
    monkeypatch.undo()
    with pytest.raises(ModelFileError, match="schema 99"):
        load(path)


def test_a_generator_that_does_not_say_what_its_latent_is_is_refused(write_colours):
    with pytest.raises(ModelFileError, match="latent is missing"):
        load(write_colours(metadata=ModelMetadata(task="generate", name="gan")))


def test_a_missing_model_is_named():
    with pytest.raises(ModelFileError, match=r"'nowhere\.onnx' does not exist"):
        load("nowhere.onnx")


def test_an_absent_device_is_an_error_and_not_a_silent_cpu(write_colours):
    pytest.importorskip("onnxruntime")
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine has the device")
    with pytest.raises(DeviceError, match=r"(?s)no 'cuda' here.*NVIDIA driver"):
        load(write_colours(), device="cuda")


@pytest.mark.parametrize(
    ("task", "predicts", "pipeline"),
    [
        ("denoise", Prediction.IMAGE, Restorer),
        ("denoise", Prediction.NOISE, Restorer),
        ("upscale", Prediction.IMAGE, Restorer),
        ("brighten", Prediction.IMAGE, Restorer),
        ("brighten", Prediction.CURVES, Restorer),
        ("inpaint", Prediction.IMAGE, Inpainter),
    ],
)
def test_the_metadata_choose_the_pipeline(picture_engine, task, predicts, pipeline):
    engine = picture_engine(lambda image, mask=None: image, mask=task == "inpaint")
    metadata = ModelMetadata(
        task=task,
        name="net",
        image=ImageSpec(),
        spec=RestorationSpec(predicts=predicts),
        tile=TileSpec(overlap=4),
    )
    with build_pipeline(engine, metadata, tile=64, memory=1 << 20) as built:
        assert type(built) is pipeline
    assert engine.closed


def test_options_reach_the_pipeline(write_restorer):
    with load(write_restorer("denoise"), tile=64) as denoise:
        assert denoise.network.tiles.sides(1000, 1000) == (64, 64)
    with pytest.raises(InputError, match="--tile must be at least 4 for 'blur', not 3"):
        load(write_restorer("denoise"), tile=3)


def test_a_pipeline_that_cannot_be_built_closes_its_engine(write_restorer, monkeypatch):
    opened = []

    def remember(*arguments, **options):
        opened.append(original(*arguments, **options))
        return opened[0]

    original = loading.open_engine
    monkeypatch.setattr(loading, "open_engine", remember)
    with pytest.raises(InputError, match="--tile must be"):
        load(write_restorer("denoise"), tile=3)
    (engine,) = opened
    with pytest.raises(AttributeError):  # its session is gone
        engine._session.run(None, {})


def test_a_scale_chooses_among_the_models_that_ship(write_restorer):
    for scale in (2, 4):
        with load("upscale", scale=scale) as upscale:
            assert upscale.scale == scale
    with pytest.raises(InputError, match="no model ships for upscale by 3"):
        load("upscale", scale=3)
    with pytest.raises(InputError, match="no model ships for denoise by 2"):
        load("denoise", scale=2)
    with pytest.raises(InputError, match=r"scale chooses among the models that ship; .*upscale\.onnx' has its own"):
        load(write_restorer("upscale"), scale=2)


def test_a_task_may_be_named_and_a_model_for_another_is_refused(write_restorer):
    with load(write_restorer("denoise"), task="denoise") as denoise:
        assert type(denoise) is Restorer
    with pytest.raises(ModelFileError, match=r"denoise\.onnx' is for denoise, not for classify"):
        load(write_restorer("denoise"), task="classify")


def test_an_option_that_the_pipeline_does_not_have_is_a_type_error():
    with pytest.raises(TypeError, match="tile"):
        load("classify", tile=64)
