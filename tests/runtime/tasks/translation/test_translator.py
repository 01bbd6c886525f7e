"""Translation on a network that draws the negative: what becomes of pictures, and how like the real ones they are."""

import numpy as np
import pytest
from fake_engine import FakeEngine
from PIL import Image

from edgevision.data.datasets import is_held_out
from edgevision.data.picture_pairs import PairedFolder
from edgevision.imaging.pictures import Picture
from edgevision.metrics.feature_distances import frechet_distance
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata, TensorSpec, TileSpec
from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.runtime.tasks.restoration.quality import RestorationQuality
from edgevision.runtime.tasks.restoration.spec import Prediction
from edgevision.runtime.tasks.translation.evaluation import evaluate_translator
from edgevision.runtime.tasks.translation.spec import TranslationSpec
from edgevision.runtime.tasks.translation.task import TRANSLATE
from edgevision.runtime.tasks.translation.translator import Translator

SHAPE = ("batch", 3, "height", "width")
INPUTS = (TensorSpec(name="image", shape=SHAPE),)
OUTPUTS = (TensorSpec(name="picture", shape=SHAPE),)


def metadata(**spec):
    return ModelMetadata(
        task="translate",
        name="negatives",
        image=ImageSpec(),
        spec=TranslationSpec(given="film", made="print", **spec),
        tile=TileSpec(multiple=4, overlap=8),
    )


def engine(dim=1.0):
    """It draws the negative, of which blue is gone."""
    keep = np.array([1, 1, 0], np.float32)[None, :, None, None] * np.float32(dim)
    return FakeEngine(INPUTS, OUTPUTS, lambda feeds: [(1 - feeds["image"]) * keep])


class Judge:
    """Its features are the means of red and green."""

    name, size = "eye", 2

    def __call__(self, pictures):
        return np.stack([picture[:, :, :2].mean(axis=(0, 1)) / 255 for picture in pictures]), None


@pytest.fixture
def pairs(tmp_path):
    generator = np.random.default_rng(0)
    for number in range(8):
        film = generator.integers(0, 256, (13, 18, 3), dtype=np.uint8)
        Image.fromarray(np.hstack((film, 255 - film))).save(tmp_path / f"{number:03}.png")
    return PairedFolder(tmp_path)


def test_gray_becomes_colours_and_depth_alpha_and_size_stay():
    pixels = np.full((13, 18, 1), 16384, np.uint16)
    alpha = np.full((13, 18), 40000, np.uint16)
    made = Translator(engine(), metadata())(Picture(pixels, alpha, icc_profile=b"gray", exif=b"camera"))
    np.testing.assert_array_equal(made.pixels, np.tile(np.uint16([49151, 49151, 0]), (13, 18, 1)))
    np.testing.assert_array_equal(made.alpha, alpha)
    assert (made.icc_profile, made.exif) == (None, b"camera")
    tiled = Translator(engine(), metadata(), tile=24)(np.full((40, 90, 3), 51, np.uint8))
    np.testing.assert_array_equal(tiled.pixels, np.tile(np.uint8([204, 204, 0]), (40, 90, 1)))


def test_what_is_made_is_compared_with_what_was_there(pairs):
    report = evaluate_translator(Translator(engine(), metadata()), pairs, Judge(), EvaluationOptions(quiet=True))
    assert (report.images, report.judge, report.failures) == (8, "eye", {})
    negatives = [255 - np.asarray(pairs.image(index))[:, :18].astype(float) for index in range(8)]
    # Red and green are right, blue is black.
    expected = np.mean([-10 * np.log10(np.mean((film / 255)[:, :, 2] ** 2) / 3) for film in negatives])
    assert report.figures["psnr"] == pytest.approx(expected, abs=1e-3)
    assert report.before["psnr"] < report.figures["psnr"]
    # The features do not see what is wrong.
    assert report.classifier_frechet == pytest.approx(0, abs=1e-6)
    assert "classifier_frechet 0.000" in report.headline()
    dim = evaluate_translator(Translator(engine(0.5), metadata()), pairs, Judge(), EvaluationOptions(quiet=True))
    seen = np.stack([film[:, :, :2].mean(axis=(0, 1)) / 255 for film in negatives])
    assert dim.classifier_frechet == pytest.approx(frechet_distance(seen, seen / 2), abs=1e-3)
    assert "seen through eye" in dim.table()
    assert type(dim).from_dict(dim.to_dict()) == dim


def test_what_is_held_out_is_so_by_what_the_pairs_show(pairs):
    def judged(**spec):
        options = EvaluationOptions(quiet=True, held_out=True)
        report = evaluate_translator(Translator(engine(), metadata(**spec)), pairs, Judge(), options)
        return [picture.name for picture in report.pictures], report.classifier_frechet

    names, distance = judged()
    assert names == [name for name in pairs.names if is_held_out(name)] != []
    # No more pairs than features have no covariance.
    assert distance is None
    assert judged(groups=r"(\d)\.png")[0] == [name for name in pairs.names if is_held_out(name[2])] != names


def test_forms_are_judged_by_psnr(pairs):
    quality = RestorationQuality(engine(), metadata(), pairs, EvaluationOptions())
    assert (quality.metric, quality.unit, quality(engine()).loss) == ("psnr", "dB", 0)
    assert quality(engine(0.8)).loss > 0.1
    examples = quality.examples(engine())
    assert len(examples) == 6
    assert examples[0].picture().shape == (13, 18, 3)


def test_metadata_that_do_not_fit_are_refused():
    TRANSLATE.check(metadata(), INPUTS, OUTPUTS)
    assert TRANSLATE.facts(metadata()) == {"translates": "film to print"}
    with pytest.raises(ValueError, match=r"spec\.predicts"):
        TRANSLATE.check(metadata(predicts=Prediction.NOISE), INPUTS, OUTPUTS)
    gray = metadata().updated(image=ImageSpec(color=Color.GRAY))
    one = (TensorSpec(name="image", shape=("batch", 1, "height", "width")),)
    with pytest.raises(ValueError, match=r"image\.color.*has colours"):
        TRANSLATE.check(gray, one, one)
