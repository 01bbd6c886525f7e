"""``edgevision.evaluate``: whatever the task, a model and pictures give a report."""

import numpy as np
import pytest
from PIL import Image

import edgevision
from edgevision.core.errors import DatasetError, InputError
from edgevision.data.datasets import ImageFolder
from edgevision.modelfiles.metadata import ModelMetadata


@pytest.fixture
def photos(tmp_path, paint):
    """Two pictures each in folders of red, green and blue ones; one of the blue ones is red, and one is none."""
    for colour in ("red", "green", "blue"):
        (tmp_path / "photos" / colour).mkdir(parents=True)
        for number in range(2):
            shown = "red" if (colour, number) == ("blue", 1) else colour
            noise = np.random.default_rng(number).integers(0, 40, (20, 30, 3), dtype=np.uint8)
            Image.fromarray(paint(shown) + noise).save(tmp_path / "photos" / colour / f"{number}.png")
    (tmp_path / "photos" / "red" / "none.png").write_text("no picture")
    return tmp_path / "photos"


def test_a_classifier_gets_its_figures_and_what_failed_is_named(write_colours, photos):
    report = edgevision.evaluate(write_colours(), photos, quiet=True)
    assert report.top1 == pytest.approx(100 * 5 / 6)
    assert report.images == 6
    assert list(report.failures) == ["red/none.png"]
    assert "top1 83.33 %" in report.table()


@pytest.mark.parametrize("task", ["denoise", "inpaint", "upscale", "brighten"])
def test_a_restorer_gets_figures_before_and_after(write_restorer, photos, task):
    report = edgevision.evaluate(write_restorer(task), photos, sigma=10, holes="pixels", seed=1, quiet=True)
    assert report.images == 6
    assert report.figures.keys() == report.before.keys() >= {"psnr", "ssim"}
    assert report == edgevision.evaluate(write_restorer(task), photos, sigma=10, holes="pixels", seed=1, quiet=True)


def test_a_loaded_pipeline_is_measured_and_stays_open(write_colours, photos):
    path = write_colours()
    with edgevision.load(path) as classify:
        report = edgevision.evaluate(classify, ImageFolder(photos), quiet=True)
        assert classify(Image.new("RGB", (8, 8), "blue")).label == "blue"
    assert report == edgevision.evaluate(path, photos, quiet=True)


def test_the_model_that_ships_is_taken_by_its_name(photos):
    report = edgevision.evaluate("denoise", photos, quiet=True)
    assert report.figures["psnr"] > report.before["psnr"]


def test_a_part_of_the_data_can_be_named(write_colours, tmp_path, paint):
    for split, colours in (("train", ("red", "green", "blue")), ("test", ("red", "green"))):
        for colour in colours:
            (tmp_path / "data" / split / colour).mkdir(parents=True)
            Image.fromarray(paint(colour)).save(tmp_path / "data" / split / colour / "a.png")
    model = write_colours()
    assert edgevision.evaluate(model, tmp_path / "data", quiet=True).images == 2
    assert edgevision.evaluate(model, tmp_path / "data", split="train", quiet=True).images == 3


def test_what_cannot_be_measured_is_refused(write_colours, photos, tmp_path):
    with pytest.raises(InputError, match="no figure of quality"):
        edgevision.evaluate(write_colours(metadata=ModelMetadata(task="other", name="net")), photos)
    with pytest.raises(ValueError, match="'dots' is not a valid HoleKind"):
        edgevision.evaluate(write_colours(), photos, holes="dots")
    with pytest.raises(DatasetError, match="nowhere"):
        edgevision.evaluate(write_colours(), tmp_path / "nowhere")
