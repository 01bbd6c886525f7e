"""How much worse a restorer is: PSNRs that are known beforehand."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine
from PIL import Image

from edgevision.data.datasets import ImageFolder
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata, TensorSpec, TileSpec
from edgevision.runtime.engines.engine import Array
from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.runtime.tasks.quality import QualityMeasure
from edgevision.runtime.tasks.restoration.quality import RestorationQuality
from edgevision.runtime.tasks.restoration.spec import RestorationSpec


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
def gray(tmp_path: Path) -> ImageFolder:
    """Three pictures, all of them 102, which is 0.4."""
    folder = tmp_path / "gray"
    folder.mkdir()
    for index in range(3):
        Image.new("RGB", (16, 12), (102, 102, 102)).save(folder / f"{index}.png")
    return ImageFolder(folder)


def test_restored_pictures_are_measured_by_the_psnr_that_is_lost(gray: ImageFolder) -> None:
    reference = restoring(0.41)
    measure: QualityMeasure = RestorationQuality(reference, restoration("denoise"), gray, EvaluationOptions())
    assert (measure.metric, measure.unit, measure.budget) == ("psnr", "dB", 0.1)
    quality = measure(restoring(0.5))
    assert quality.figures["psnr"] == pytest.approx(20, abs=1e-3)
    assert quality.loss == pytest.approx(40 - 20, abs=1e-3)
    assert measure(restoring(0.39)).loss == pytest.approx(0, abs=1e-3)
    assert not reference.closed


def test_nan_is_infinitely_bad(gray: ImageFolder) -> None:
    measure = RestorationQuality(restoring(0.41), restoration("denoise"), gray, EvaluationOptions())
    quality = measure(restoring(float("nan")))
    assert quality.loss == float("inf")
    assert list(quality.figures) == ["psnr"]


def test_a_picture_that_only_the_candidate_cannot_do_is_infinitely_bad_too(gray: ImageFolder) -> None:
    measure = RestorationQuality(restoring(0.41), restoration("denoise"), gray, EvaluationOptions())
    candidate = restoring(0.41)
    answer, calls = candidate.run, iter(range(100))
    candidate.run = lambda feeds: [array + (np.nan if next(calls) == 0 else 0) for array in answer(feeds)]  # type: ignore[method-assign]
    assert len(gray) > 1
    assert measure(candidate).loss == float("inf")


def test_enlarged_pictures_are_measured_by_their_luma(gray: ImageFolder) -> None:
    metadata = restoration("upscale", Color.LUMA, scale=2)
    measure = RestorationQuality(restoring(0.41, 1, 2), metadata, gray, EvaluationOptions())
    assert measure.metric == "psnr_y"
    candidate = restoring(0.5, 1, 2)
    quality = measure(candidate)
    assert quality.figures["psnr_y"] == pytest.approx(20, abs=1e-3)
    assert quality.loss == pytest.approx(20, abs=1e-3)
    assert not candidate.closed


@pytest.mark.parametrize("task", ["denoise", "brighten", "upscale", "inpaint"])
def test_examples_are_what_was_restored(task: str, gray: ImageFolder) -> None:
    if task == "inpaint":
        image, mask = (
            TensorSpec(name=n, shape=("batch", c, "height", "width")) for n, c in (("image", 3), ("mask", 1))
        )
        network = FakeEngine(
            (image, mask), (image.updated(name="restored_image"),), lambda feeds: [np.full_like(feeds["image"], 0.8)]
        )
        metadata = restoration(task).updated(inputs=network.inputs)
    else:
        scale = 2 if task == "upscale" else 1
        network, metadata = restoring(0.8, scale=scale), restoration(task, scale=scale)
    examples = RestorationQuality(network, metadata, gray, EvaluationOptions()).examples(network)
    assert [example.name for example in examples] == ["0.png", "1.png", "2.png"]
    assert all(example.answer is None for example in examples)
    for example in examples:
        pixels = example.picture()
        assert (pixels.dtype, pixels.shape) == (np.uint8, (12, 16, 3))
        # All of it, or what was torn; the rest of a torn picture is as it was.
        assert set(np.unique(pixels)) <= ({102, 204} if task == "inpaint" else {204})
        assert 204 in pixels
