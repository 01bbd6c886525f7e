"""Figures of generators whose samples, and of judges whose features, can be computed by hand."""

from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine
from PIL import Image

from edgevision.core.errors import DatasetError, InputError, ModelFileError
from edgevision.data.datasets import ImageFolder
from edgevision.metrics.feature_distances import frechet_distance, share_within, spread
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec
from edgevision.runtime.load import load
from edgevision.runtime.shipped_models import shipped_feature_classifier
from edgevision.runtime.tasks.classification.spec import ClassificationSpec
from edgevision.runtime.tasks.generation.evaluation import GenerationReport, evaluate_generator
from edgevision.runtime.tasks.generation.feature_classifier import FeatureClassifier
from edgevision.runtime.tasks.generation.generator import Generator
from edgevision.runtime.tasks.generation.reference_pictures import ReferencePictures
from edgevision.runtime.tasks.generation.spec import GenerationSpec, LatentSpec

COLOURS = ("red", "green", "blue")
SIDE = 8


def judge(labels=COLOURS, side=SIDE, outputs=("logits", "features"), **changes):
    """Its features are the means of red, green and blue, its answer is the brightest."""

    def answer(feeds):
        means = feeds["image"].mean((2, 3))
        return [means * 10, means][: len(outputs)]

    specs = tuple(TensorSpec(name=name, shape=("batch", 3)) for name in outputs)
    engine = FakeEngine((TensorSpec(name="image", shape=("batch", 3, "height", "width")),), specs, answer)
    described = ModelMetadata(
        task="classify", name="eye", image=ImageSpec(size=(side, side)), spec=ClassificationSpec(labels=labels)
    )
    return FeatureClassifier(engine, described.updated(**changes))


def painter(labels=COLOURS, channels=3, side=SIDE, strength=0.5, pixels=None):
    """Paints its latent's numbers as a plain colour, brighter by ``strength`` in the channel of its class."""

    def paint(feeds):
        colours = 0.1 * feeds["latent"][:, :channels]
        if pixels is not None:
            return [np.tanh(np.repeat(np.repeat(colours, pixels, axis=2), pixels, axis=3))]
        if labels:
            colours = colours + strength * feeds["classes"][:, :channels]
        return [np.tile(colours[:, :, None, None], (1, 1, side, side)).astype(np.float32)]

    inputs = [TensorSpec(name="latent", shape=("batch", 4) if pixels is None else ("batch", 4, "h", "w"))]
    if labels:
        inputs.append(TensorSpec(name="classes", shape=("batch", len(labels))))
    outputs = (TensorSpec(name="image", shape=("batch", channels, side, side), value_range=(-1.0, 1.0)),)
    latent = LatentSpec(size=4, pixels=pixels)
    described = ModelMetadata(
        task="generate", name="painter", spec=GenerationSpec(latent=latent, labels=labels), outputs=outputs
    )
    return Generator(FakeEngine(tuple(inputs), outputs, paint), described)


def colours_of(pictures):
    return np.stack([picture.mean((0, 1)) / 255 for picture in np.asarray(pictures)])


@pytest.fixture
def photos(tmp_path):
    """Thirty plain pictures each in folders of red, green and blue ones."""
    generator = np.random.default_rng(0)
    for channel, label in enumerate(COLOURS):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(30):
            colour = generator.integers(60, 160, 3)
            colour[channel] += 90
            pixels = np.tile(colour.astype(np.uint8), (SIDE, SIDE, 1))
            Image.fromarray(pixels).save(tmp_path / "data" / label / f"{number:02}.png")
    return ImageFolder(tmp_path / "data")


def evaluated(generator, data, by=None, **options):
    return evaluate_generator(generator, data, by or judge(), quiet=True, **{"samples": 90} | options)


def test_the_figures_are_those_of_the_features(photos):
    report = evaluated(painter(), photos, seed=3)
    fake = colours_of(painter()(90, seed=3))
    real = colours_of([np.asarray(photos.image(index)) for index in range(90)])
    assert (report.samples, report.images, report.judge) == (90, 90, "eye")
    assert report.classifier_frechet == pytest.approx(frechet_distance(real, fake), rel=1e-4)
    assert report.sample_precision == pytest.approx(100 * share_within(fake, real))
    assert report.sample_recall == pytest.approx(100 * share_within(real, fake))
    assert report.sample_variety == pytest.approx(100 * spread(fake) / spread(real), rel=1e-4)
    assert (report.remarks, report.failures) == ((), {})


def test_agreement_is_counted_by_class_whatever_the_order_of_the_names(photos):
    report = evaluated(painter(), photos, judge(), seed=1)
    pictures = painter()(90, seed=1)
    hits = colours_of(pictures).argmax(1) == np.arange(90) % 3
    assert report.class_agreement == pytest.approx(100 * hits.mean())
    assert 60 < report.class_agreement <= 100
    assert [score.label for score in report.classes] == list(COLOURS)
    for index, score in enumerate(report.classes):
        assert score.samples == 30
        assert score.agreement == pytest.approx(100 * hits[index::3].mean())
        own = np.flatnonzero(photos.labels == photos.class_names.index(score.label))
        mine = colours_of([np.asarray(photos.image(i)) for i in own])
        assert score.variety == pytest.approx(100 * spread(colours_of(pictures[index::3])) / spread(mine), rel=1e-3)
    # Who draws something else for each class agrees with nobody.
    turned = evaluated(painter(("green", "blue", "red"), strength=2.0), photos)
    assert turned.class_agreement == 0


def test_a_generator_that_draws_one_picture_has_no_variety(photos):
    always_same = painter(labels=())
    always_same.engine._function = lambda feeds: [np.zeros((len(feeds["latent"]), 3, SIDE, SIDE), np.float32)]
    report = evaluated(always_same, photos)
    assert report.sample_variety == 0
    assert report.sample_recall <= 100 / 30
    assert (report.class_agreement, report.classes) == (None, ())


def test_a_class_that_the_judge_does_not_know_is_said_and_nothing_is_made_up(photos):
    report = evaluated(painter(("red", "green", "zebra")), photos)
    assert report.class_agreement is None
    assert report.remarks == ("no class agreement: eye does not know zebra",)
    assert [score.agreement for score in report.classes] == [None] * 3
    assert [score.variety is None for score in report.classes] == [False, False, True]


def test_data_without_classes_has_no_variety_by_class(photos, tmp_path):
    for index in range(20):
        photos.image(index).save(tmp_path / f"{index}.png")
    (tmp_path / "flat").mkdir()
    for path in tmp_path.glob("*.png"):
        path.rename(tmp_path / "flat" / path.name)
    report = evaluated(painter(), ImageFolder(tmp_path / "flat"))
    assert report.images == 20
    assert [score.variety for score in report.classes] == [None] * 3
    assert report.class_agreement is not None


def test_the_seed_chooses_the_samples(photos):
    one, same, other = (evaluated(painter(), photos, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one.classifier_frechet != other.classifier_frechet


def test_gray_samples_are_compared_with_gray_pictures(photos):
    report = evaluated(painter(labels=(), channels=1), photos)
    fake = np.repeat(colours_of(painter(labels=(), channels=1)(90)), 3, axis=1)
    real = [np.asarray(photos.image(index).convert("L"))[:, :, None].repeat(3, axis=2) for index in range(90)]
    assert report.classifier_frechet == pytest.approx(frechet_distance(colours_of(real), fake), rel=1e-3)


def test_a_texture_is_compared_with_pieces_of_its_pictures(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "sand.png")
    Image.fromarray(noise[:5]).save(tmp_path / "small.png")
    report = evaluated(painter(labels=(), pixels=4), ImageFolder(tmp_path), samples=50)
    assert report.samples == 50
    assert report.images == 25
    assert list(report.failures) == ["small.png"]
    assert "'small.png' of 30x5 is smaller than the 8x8" in report.failures["small.png"]


def test_a_damaged_picture_is_named_and_left_out(photos):
    (photos.path / "red/00.png").write_bytes(b"\x89PNG")
    report = evaluated(painter(), photos)
    assert report.images == 89
    assert list(report.failures) == ["red/00.png"]


@pytest.mark.parametrize("samples", [3, 0, -5])
def test_too_few_samples_for_a_covariance_are_refused(photos, samples):
    with pytest.raises(InputError, match=f"a covariance of 3 features takes more samples than that, not {samples}"):
        evaluated(painter(), photos, samples=samples)


def test_too_few_pictures_for_a_covariance_are_refused(tmp_path):
    for index in range(3):
        Image.new("RGB", (8, 8), (index, 0, 0)).save(tmp_path / f"{index}.png")
    with pytest.raises(DatasetError, match=r"takes more pictures than that, and '.*' gives 3"):
        evaluated(painter(), ImageFolder(tmp_path))


def test_pictures_that_are_all_the_same_are_refused(tmp_path):
    for index in range(9):
        Image.new("RGB", (8, 8), (9, 9, 9)).save(tmp_path / f"{index}.png")
    with pytest.raises(DatasetError, match="look all the same to eye"):
        evaluated(painter(), ImageFolder(tmp_path))


def test_the_report_survives_json(photos):
    report = evaluated(painter(), photos)
    assert GenerationReport.from_dict(report.to_dict()) == report


# --- the judge ---


def test_the_judge_gives_features_and_answers_of_pictures_of_any_size():
    pictures = [np.zeros((4, 12, 3), np.uint8), np.zeros((30, 9, 3), np.uint8)]
    pictures[0][:, :, 1] = 255
    pictures[1][:, :, 2] = 51
    features, answers = judge()(pictures)
    np.testing.assert_allclose(features, [[0, 1, 0], [0, 0, 0.2]], atol=1e-6)
    assert answers.tolist() == [1, 2]
    gray, _ = judge()([np.full((4, 4, 1), 51, np.uint8)])
    np.testing.assert_allclose(gray, [[0.2, 0.2, 0.2]], atol=1e-6)


@pytest.mark.parametrize(
    "changes", [{"outputs": ("logits",)}, {"task": "other"}, {"image": None}], ids=["plain", "other", "blind"]
)
def test_a_model_without_features_cannot_judge(changes):
    with pytest.raises(ModelFileError, match="'eye' shows no features, so it cannot judge; edgevision export"):
        judge(**changes)


def test_the_judge_that_ships_is_the_classifier_that_ships():
    cat = np.asarray(Image.open(Path(__file__).parents[4] / "examples/pictures/cat.jpg").convert("RGB"))
    with FeatureClassifier.open(shipped_feature_classifier()) as shipped, load("classify") as classify:
        features, answers = shipped([cat])
        assert (shipped.size, shipped.side, shipped.labels) == (64, (32, 32), classify.labels)
        assert features.shape == (1, 64)
        assert shipped.labels[answers[0]] == classify(cat).label == "cat"


# --- the pictures ---


def test_as_many_pictures_as_asked_for_are_taken_evenly(photos):
    pictures = ReferencePictures(photos, (4, 4, 3), 6)
    found = list(pictures)
    assert [picture.shape for picture in found] == [(4, 4, 3)] * 6
    assert pictures.total == 6
    assert pictures.labels == ["blue", "blue", "green", "green", "red", "red"]
    assert ReferencePictures(photos, (4, 4, 3), 1000).total == 90


def test_pieces_are_cut_at_their_own_scale_and_repeatably(tmp_path):
    ramp = np.arange(200, dtype=np.uint8).reshape(10, 20)[:, :, None].repeat(3, axis=2)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    pieces = list(ReferencePictures(ImageFolder(tmp_path), (4, 4, 3), 30, squares=True, seed=5))
    assert len(pieces) == 30
    for piece in pieces:
        top, left = divmod(int(piece[0, 0, 0]), 20)
        np.testing.assert_array_equal(piece, ramp[top : top + 4, left : left + 4])
    assert len({int(piece[0, 0, 0]) for piece in pieces}) > 15
    again = list(ReferencePictures(ImageFolder(tmp_path), (4, 4, 3), 30, squares=True, seed=5))
    np.testing.assert_array_equal(pieces, again)
