"""What is painted, judged beside the paintings that a model knows."""

import numpy as np
import pytest
from fake_engine import FakeEngine
from PIL import Image

from edgevision.core.errors import ModelFileError
from edgevision.data.datasets import ImageFolder
from edgevision.imaging.patch_style import patch_quantiles
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec, TileSpec
from edgevision.modelfiles.packed_arrays import packed
from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.runtime.tasks.quality import OutputQuality
from edgevision.runtime.tasks.restoration.evaluation import judged_figure
from edgevision.runtime.tasks.stylization.evaluation import StyleQuality, evaluate_stylizer
from edgevision.runtime.tasks.stylization.spec import StylizationSpec
from edgevision.runtime.tasks.stylization.stylizer import Stylizer
from edgevision.runtime.tasks.stylization.task import STYLIZE

INPUTS = (
    TensorSpec(name="image", shape=("batch", 3, "height", "width")),
    TensorSpec(name="shares", shape=("batch", 2)),
)
RED, BLUE = (0.8, 0.1, 0.1), (0.1, 0.2, 0.8)


def painting(color):
    grain = np.random.default_rng(0).normal(0, 0.05, (64, 64, 3))
    return (np.array(color) + grain).clip(0, 1).astype(np.float32)


def painter(amount):
    """A network whose styles are a red and a blue grain; ``amount`` of them, and the rest is the photograph."""

    def run(feeds):
        image, shares = feeds["image"], feeds["shares"]
        sides = image.shape[2:]
        styles = np.stack([np.resize(painting(color), (*sides, 3)).transpose(2, 0, 1) for color in (RED, BLUE)])
        return [((1 - amount) * image + amount * np.einsum("ns,schw->nchw", shares, styles)).astype(np.float32)]

    return FakeEngine(INPUTS, (INPUTS[0].updated(name="painted_image"),), run)


def metadata(**changes):
    quantiles = np.stack([patch_quantiles(painting(color)) for color in (RED, BLUE)]).astype(np.float16)
    spec = {"styles": ("red", "blue"), "paintings": packed({"quantiles": quantiles})} | changes
    return ModelMetadata(
        task="stylize",
        name="painter",
        inputs=INPUTS,
        outputs=(INPUTS[0].updated(name="painted_image"),),
        image=ImageSpec(),
        spec=StylizationSpec(**spec),
        tile=TileSpec(multiple=1),
    )


@pytest.fixture
def photos(tmp_path):
    rows, columns = np.mgrid[:64, :64]
    for number in range(4):
        pixels = 128 + 100 * np.sin(rows / (4 + number) + columns / 9)
        Image.fromarray(pixels.astype(np.uint8)).convert("RGB").save(tmp_path / f"{number}.png")
    return ImageFolder(tmp_path)


def measured(amount, photos):
    return evaluate_stylizer(Stylizer(painter(amount), metadata()), photos, EvaluationOptions(quiet=True))


def test_each_picture_is_compared_with_the_painting_whose_turn_it_is(photos):
    nothing, half, all_of_it = (measured(amount, photos) for amount in (0, 0.5, 1))
    assert nothing.figures == pytest.approx(nothing.before)
    assert all_of_it.figures["style_distance"] < 0.05 < half.figures["style_distance"]
    assert half.figures["style_distance"] < nothing.figures["style_distance"]
    assert all_of_it.figures["content_distance"] > half.figures["content_distance"] > 0
    assert [picture.name for picture in nothing.pictures] == ["0.png", "1.png", "2.png", "3.png"]
    assert judged_figure(half.figures) == "style_distance"
    assert "painted by turns in 2 styles" in half.table()
    assert " dB" not in half.headline()


def test_forms_are_judged_by_how_much_farther_from_the_paintings_they_are(photos):
    measure = STYLIZE.quality_measure(metadata(), painter(1), (), photos, EvaluationOptions())
    assert isinstance(measure, StyleQuality)
    assert measure(painter(1)).loss == 0
    worse = measure(painter(0.5))
    assert worse.loss > measure.budget
    assert worse.bound is not None


def test_a_model_that_does_not_know_its_paintings_is_judged_by_its_outputs(photos):
    unknown = metadata(paintings=None)
    batch = (np.zeros((1, 3, 8, 8), np.float32), np.array([[1, 0]], np.float32))
    measure = STYLIZE.quality_measure(unknown, painter(1), batch, photos, EvaluationOptions())
    assert isinstance(measure, OutputQuality)


def test_of_a_model_that_does_not_know_its_paintings_the_distance_from_the_photographs_is_told(photos):
    unknown = metadata(paintings=None)
    nothing, half = (
        evaluate_stylizer(Stylizer(painter(amount), unknown), photos, EvaluationOptions(quiet=True))
        for amount in (0, 0.5)
    )
    assert list(half.figures) == ["content_distance"]
    assert half.figures["content_distance"] > nothing.figures["content_distance"] == pytest.approx(0, abs=1e-4)
    assert "in 2 styles; the model does not say of which paintings" in half.table()


@pytest.mark.parametrize(
    ("paintings", "message"),
    [
        ("!", "cannot be right: its packed arrays cannot be unpacked"),
        (packed({"other": np.zeros(3)}), "'quantiles'"),
        (packed({"quantiles": np.zeros((3, 4, 16, 16))}), r"knows paintings \(3, 4, 16, 16\), of 2 styles"),
    ],
)
def test_damaged_knowledge_of_the_paintings_is_refused(photos, paintings, message):
    stylizer = Stylizer(painter(1), metadata(paintings=paintings))
    with pytest.raises(ModelFileError, match=message):
        evaluate_stylizer(stylizer, photos, EvaluationOptions(quiet=True))
