import pytest

import edgevision
from edgevision.errors import DeviceError, InputError, ModelFileError
from edgevision.metadata import Task
from edgevision.runtime.load import PIPELINES, load, shipped_model


def test_every_task_with_a_pipeline_ships_a_model():
    for task in PIPELINES:
        assert shipped_model(task).is_file()


def test_a_task_without_a_shipped_model_says_so():
    with pytest.raises(InputError, match="no model ships for generate"):
        shipped_model(Task.GENERATE)


def test_a_tasks_name_loads_the_model_that_ships():
    with edgevision.load("classify") as by_name, edgevision.load(Task.CLASSIFY) as by_task:
        assert by_name.labels == by_task.labels


def test_a_model_without_metadata_is_refused(write_colours):
    with pytest.raises(ModelFileError, match="carries no edgevision metadata"):
        load(write_colours(metadata=None))


def test_metadata_of_a_newer_schema_is_refused(write_colours, monkeypatch):
    monkeypatch.setattr("edgevision.metadata.SCHEMA_VERSION", 99)
    path = write_colours()
    monkeypatch.undo()
    with pytest.raises(ModelFileError, match="schema 99"):
        load(path)


def test_a_task_this_release_cannot_run_is_refused(write_colours):
    from edgevision.metadata import ModelMetadata

    with pytest.raises(ModelFileError, match="is for generate"):
        load(write_colours(metadata=ModelMetadata(task=Task.GENERATE, name="gan")))


def test_a_missing_model_is_named():
    with pytest.raises(ModelFileError, match=r"'nowhere\.onnx' does not exist"):
        load("nowhere.onnx")


def test_an_absent_device_is_an_error_and_not_a_silent_cpu(write_colours):
    pytest.importorskip("onnxruntime")
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine has the device")
    with pytest.raises(DeviceError, match="CUDAExecutionProvider"):
        load(write_colours(), device="cuda")
