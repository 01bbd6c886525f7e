"""The way from picture to answer: every task's pipeline, its stages apart."""

import io

import numpy as np
import pytest
from PIL import Image

import edgevision
from edgevision.core.errors import ImageError, InputError, ModelFileError
from edgevision.runtime.benchmark.end_to_end import synthetic_picture
from edgevision.runtime.shipped_models import shipped_model

QUICK = {"seconds": 0.01, "warmup": 0.0, "runs": 5, "end_to_end": True}


def stages(found):
    return [found.decode_ms, found.preprocess_ms, found.infer_ms, found.postprocess_ms]


@pytest.mark.parametrize("name", ["colours.onnx", "colours.xml"])
def test_a_classifier_is_timed_from_the_encoded_picture_to_its_labels(write_colours, name):
    found = edgevision.benchmark(write_colours(name), **QUICK).subjects[0].end_to_end
    assert found.pictures == "a synthetic one of 8x8 pixels"
    assert found.runs >= 20
    assert all(stage.value > 0 for stage in stages(found))
    assert found.total_ms.value >= max(stage.value for stage in stages(found))


@pytest.mark.parametrize("task", ["denoise", "inpaint", "upscale", "brighten"])
def test_restorers_are_timed_through_their_pipelines(write_restorer, task):
    path, shape = write_restorer(task), (1, 3, 16, 16)
    found = edgevision.benchmark(path, shape=shape, **QUICK).subjects[0].end_to_end
    assert found.infer_ms.value > 0
    assert found.decode_ms.value > 0


def test_a_generator_needs_no_picture():
    found = edgevision.benchmark(shipped_model("generate"), **QUICK).subjects[0].end_to_end
    assert found.pictures == "none: it draws from seeds"
    assert found.infer_ms.value > 0


def test_pictures_that_are_given_are_what_is_sent(write_colours, edgevision, tmp_path, paint):
    for colour in ("red", "blue"):
        Image.fromarray(paint(colour)).save(tmp_path / f"{colour}.png")
    pictures = [word for colour in ("red", "blue") for word in ("--picture", tmp_path / f"{colour}.png")]
    code, out, _ = edgevision("bench", write_colours(), "--device", "cpu", *pictures, "--seconds", 0.01, "--warmup", 0)
    assert code == 0
    assert "pictures: 2 pictures" in out
    assert "end to end" in out


def test_a_model_that_says_nothing_of_itself_has_no_way_to_measure(write_colours):
    with pytest.raises(ModelFileError, match="leave --end-to-end away"):
        edgevision.benchmark(write_colours(metadata=None), **QUICK)


def test_a_picture_that_is_none_is_an_error(write_colours, tmp_path):
    (tmp_path / "no.jpg").write_bytes(b"no picture")
    with pytest.raises(ImageError):
        edgevision.benchmark(write_colours(), pictures=[tmp_path / "no.jpg"], **QUICK)
    with pytest.raises(InputError, match="cannot be read"):
        edgevision.benchmark(write_colours(), pictures=[tmp_path / "none.jpg"], **QUICK)


def test_the_synthetic_picture_is_a_jpeg_of_the_size_asked_for():
    with Image.open(io.BytesIO(synthetic_picture(8, 12))) as picture:
        assert picture.format == "JPEG"
        assert picture.size == (12, 8)
        assert np.asarray(picture).std() > 5
