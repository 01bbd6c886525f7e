import numpy as np
import pytest
from fake_engine import FakeEngine
from PIL import Image
from sklearn.metrics import f1_score, precision_score, recall_score

from edgevision.core.errors import DatasetError, ImageError
from edgevision.data.datasets import ImageFolder
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata, TensorSpec
from edgevision.runtime.tasks.classification.classifier import Classifier
from edgevision.runtime.tasks.classification.evaluation import ClassificationReport, evaluate_classifier
from edgevision.runtime.tasks.classification.spec import ClassificationSpec


class Shades:
    """Gray pictures whose brightness is the answer the classifier below gives."""

    def __init__(self, classes, labels, answers, broken=()):
        self.class_names = classes
        self.labels = np.array(labels, np.int64)
        self.names = tuple(f"picture{i}" for i in range(len(labels)))
        self._answers = answers
        self._broken = broken

    def __len__(self):
        return len(self.labels)

    def image(self, index):
        if index in self._broken:
            raise ImageError(f"{self.names[index]} is damaged")
        return Image.new("L", (4, 4), int(self._answers[index]))


def shade_classifier(labels):
    """Answers the class whose index the picture's brightness is."""
    classes = len(labels)

    def logits(feeds):
        shade = np.round(feeds["image"].mean((1, 2, 3)) * 255)
        return [-np.abs(shade[:, None] - np.arange(classes)[None]).astype(np.float32)]

    engine = FakeEngine(
        (TensorSpec(name="image", shape=("batch", 1, 4, 4)),),
        (TensorSpec(name="logits", shape=("batch", classes)),),
        logits,
    )
    image = ImageSpec(color=Color.GRAY, size=(4, 4))
    return Classifier(
        engine, ModelMetadata(task="classify", name="shades", image=image, spec=ClassificationSpec(labels=labels))
    )


def test_the_figures_are_those_of_scikit_learn():
    generator = np.random.default_rng(1)
    classes = tuple("abcdefg")
    expected = generator.integers(0, 7, 300)
    answers = np.where(generator.random(300) < 0.6, expected, generator.integers(0, 7, 300))
    report = evaluate_classifier(shade_classifier(classes), Shades(classes, expected, answers), quiet=True)
    assert report.images == 300
    assert report.top1 == pytest.approx(100 * np.mean(expected == answers))
    assert report.precision == pytest.approx(100 * precision_score(expected, answers, average="macro"))
    assert report.recall == pytest.approx(100 * recall_score(expected, answers, average="macro"))
    assert report.f1 == pytest.approx(100 * f1_score(expected, answers, average="macro"))
    assert np.trace(report.confusion) == np.sum(expected == answers)


def test_top5_counts_a_class_among_the_five_best():
    classes = tuple("abcdefgh")
    # The classifier's ranking of shade 0 is a, b, c, d, e, ...: the sixth class is missed.
    report = evaluate_classifier(shade_classifier(classes), Shades(classes, [0, 4, 5], [0, 0, 0]), quiet=True)
    assert report.top1 == pytest.approx(100 / 3)
    assert report.top5 == pytest.approx(200 / 3)


def test_classes_are_matched_by_name_and_not_by_position():
    report = evaluate_classifier(shade_classifier(("a", "b", "c")), Shades(("c", "a"), [0, 1], [2, 0]), quiet=True)
    assert report.top1 == 100


def test_classes_without_pictures_do_not_lower_the_means():
    report = evaluate_classifier(shade_classifier(("a", "b", "c")), Shades(("a", "b"), [0, 1], [0, 1]), quiet=True)
    assert report.recall == 100
    assert report.classes[2].support == 0


def test_a_class_the_model_does_not_know_is_named():
    with pytest.raises(DatasetError, match="does not know the classes zebra"):
        evaluate_classifier(shade_classifier(("a", "b")), Shades(("a", "zebra"), [0, 1], [0, 1]), quiet=True)


def test_an_unnamed_model_takes_the_folders_in_order():
    classifier = shade_classifier(("class 0", "class 1"))
    report = evaluate_classifier(classifier, Shades(("x", "y"), [0, 1, 1], [0, 1, 0]), quiet=True)
    assert report.top1 == pytest.approx(200 / 3)
    with pytest.raises(DatasetError, match="2 unnamed classes, the data has 3"):
        evaluate_classifier(classifier, Shades(("x", "y", "z"), [0], [0]), quiet=True)


def test_damaged_pictures_are_named_and_left_out():
    data = Shades(("a", "b"), [0, 1, 1], [0, 1, 0], broken=(2,))
    report = evaluate_classifier(shade_classifier(("a", "b")), data, quiet=True)
    assert report.images == 2
    assert report.top1 == 100
    assert list(report.failures) == ["picture2"]


def test_nothing_but_damaged_pictures_is_an_error():
    with pytest.raises(DatasetError, match="not one of the 2"):
        evaluate_classifier(shade_classifier(("a", "b")), Shades(("a", "b"), [0, 1], [0, 1], broken=(0, 1)), quiet=True)


def test_data_without_class_folders_is_refused(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "lonely.png")
    with pytest.raises(DatasetError, match="no class folders"):
        evaluate_classifier(shade_classifier(("a", "b")), ImageFolder(tmp_path), quiet=True)


def test_the_report_survives_json():
    report = evaluate_classifier(shade_classifier(("a", "b")), Shades(("a", "b"), [0, 1], [0, 0]), quiet=True)
    again = ClassificationReport.from_dict(report.to_dict() | {"failures": {}})
    assert again == report


def test_a_picture_for_which_the_answer_is_not_finite_is_named_and_the_others_of_its_batch_count():
    classifier = shade_classifier(("a", "b", "c"))
    answer = classifier.engine.run
    classifier.engine.run = lambda feeds: [np.where(answer(feeds)[0][:, :1] == -2, np.nan, answer(feeds)[0])]
    report = evaluate_classifier(classifier, Shades(("a", "b"), [0, 1, 0, 1], [0, 2, 0, 1]), quiet=True)
    assert (report.images, report.top1) == (3, 100)
    assert list(report.failures) == ["picture1"]
    assert "not finite" in report.failures["picture1"]
