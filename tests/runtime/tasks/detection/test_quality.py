import numpy as np
import pytest
from fake_engine import FakeEngine
from PIL import Image

from edgevision.data.datasets import ImageFolder
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec
from edgevision.runtime.tasks.detection.quality import BROKEN, DetectionQuality
from edgevision.runtime.tasks.detection.spec import DetectionSpec, Field, HeadSpec, OutputPart
from edgevision.runtime.tasks.loss_bound import find_proof

SPEC = DetectionSpec(
    head=HeadSpec(parts=(OutputPart(outputs=("rows",), fields=(Field.BOX, Field.SCORE)),)), labels=("dog",)
)


class Pictures:
    def __init__(self, folder):
        self.folder, self.names = folder, folder.names
        self.class_names, self.labels = (), folder.labels
        self.image = folder.image

    def __len__(self):
        return len(self.names)


def engine(*rows):
    table = np.array(rows, np.float32).reshape(1, -1, 5)
    return FakeEngine(
        (TensorSpec(name="image", shape=(1, 3, 30, 40)),),
        (TensorSpec(name="rows", shape=(1, "n", 5)),),
        lambda inputs: [table],
    )


def test_labels_outside_of_the_picture_are_not_missed(tmp_path):
    """As `evaluate` has it: int8 must not be judged by what nobody can find."""
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    boxes = "0 0.5 0.5 0.5 0.5\n0 1.9 0.5 0.2 0.2\n0 0.9 0.9 0.4 0.4\n"
    (tmp_path / "a.txt").write_text(boxes)
    (tmp_path / "classes.txt").write_text("dog\n")
    metadata = ModelMetadata(task="detect", name="finder", image=ImageSpec(size=(30, 40)), spec=SPEC)
    right = engine([10, 7.5, 30, 22.5, 0.9], [28, 21, 44, 33, 0.8])
    measure = DetectionQuality(metadata, right, Pictures(ImageFolder(tmp_path)))
    assert measure.metric == "map"
    assert measure(right).figures["map"] == 100
    assert measure(engine([10, 7.5, 30, 22.5, 0.9])).figures["map"] < 100
    (before,), (after,) = measure.examples(right), measure.examples(engine([10, 7.5, 30, 22.5, 0.9]))
    assert (before.name, before.picture().shape) == ("a.png", (30, 40, 3))
    # The box of the second thing is drawn once only.
    assert (before.picture() != after.picture()).any()


def squares(*corners):
    """Boxes of a side of 4 that lie apart, as an engine finds them."""
    return engine(*([left, top, left + 4, top + 4, 0.9] for left, top in corners))


@pytest.mark.parametrize("annotated", [True, False])
@pytest.mark.parametrize(
    ("found", "refused"),
    [
        ((), True),
        (((2, 2), *((left, top) for left in (8, 16, 24) for top in (2, 10))), True),
        (((2, 2), (8, 2)), False),
    ],
    ids=["gone", "exploded", "one too many"],
)
def test_a_form_whose_boxes_are_gone_or_explode_is_broken(tmp_path, annotated, found, refused):
    """Also where the figure itself would hardly say so, as mAP of many boxes of a low rank."""
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    if annotated:
        (tmp_path / "a.txt").write_text("0 0.1 0.1333333 0.1 0.1333333\n")
        (tmp_path / "classes.txt").write_text("dog\n")
    metadata = ModelMetadata(task="detect", name="finder", image=ImageSpec(size=(30, 40)), spec=SPEC)
    measure = DetectionQuality(metadata, squares((2, 2)), Pictures(ImageFolder(tmp_path)))
    assert measure.metric == ("map" if annotated else "agreement")
    assert ["has no boxes" in note for note in measure.notes] == [True] * (not annotated)
    quality = measure(squares(*found))
    assert (quality.loss >= BROKEN) == refused
    if refused:
        assert find_proof(quality.loss, quality.bound, measure.budget) is None


@pytest.mark.parametrize(
    ("label", "why"),
    [(None, "1 of 2 pictures are not annotated"), ("", "no picture has a box")],
    ids=["without", "empty"],
)
def test_why_boxes_are_compared_with_the_float_models_is_noted(tmp_path, label, why):
    for name in "ab":
        Image.new("RGB", (40, 30)).save(tmp_path / f"{name}.png")
        if name == "a" or label is not None:
            (tmp_path / f"{name}.txt").write_text(label or "")
    (tmp_path / "classes.txt").write_text("dog\n")
    metadata = ModelMetadata(task="detect", name="finder", image=ImageSpec(size=(30, 40)), spec=SPEC)
    measure = DetectionQuality(metadata, squares((2, 2)), Pictures(ImageFolder(tmp_path)))
    assert measure.notes == (f"int8 is judged by how well its boxes agree with the float model's: {why}",)


def test_a_detector_that_finds_nothing_proves_nothing(tmp_path):
    for number in range(300):
        Image.new("RGB", (4, 3)).save(tmp_path / f"{number:03}.png")
    metadata = ModelMetadata(task="detect", name="finder", image=ImageSpec(size=(30, 40)), spec=SPEC)
    measure = DetectionQuality(metadata, squares(), Pictures(ImageFolder(tmp_path)))
    quality = measure(squares())
    assert quality.loss == 0
    assert find_proof(quality.loss, quality.bound, measure.budget) is None
