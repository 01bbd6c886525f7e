"""Finding: masks and boxes alike, the thing under a point, the model that knows a class."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import edgevision
from edgevision.core.errors import ImageError, InputError, ModelFileError
from edgevision.imaging.pictures import Picture
from edgevision.runtime.compositions.finder import Finder
from edgevision.runtime.compositions.selection import Selection
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.detection.result import Detections


def boxes(*corners: tuple[float, float, float, float]) -> Finder:
    """A detector that finds these, of cats and dogs by turns, in a picture of 96x128."""
    found = Detections(
        np.array(corners, np.float32).reshape(-1, 4),
        np.linspace(0.9, 0.5, len(corners), dtype=np.float32),
        np.arange(len(corners)) % 2,
        size=(96, 128),
        labels=("cat", "dog"),
    )

    class Detector:
        labels = found.labels
        metadata = SimpleNamespace(name="pets")

        def __call__(self, image: object) -> Detections:
            return found

    return Finder(Detector())


def test_masks_are_found_by_their_class(segmenter: Path, pixels: np.ndarray) -> None:
    finder = Finder.open(segmenter=segmenter, classes=("person",))
    (mask,) = Selection(classes=("person",)).find(Picture(pixels), finder)
    finder.close()
    assert mask.shape == (96, 128)
    assert (mask == (pixels.min(axis=2) > 150)).mean() > 0.95


def test_at_a_point_it_is_the_part_that_hangs_together(segmenter: Path, pixels: np.ndarray) -> None:
    finder = Finder.open(segmenter=segmenter)
    (mask,) = Selection(points=((90, 50),)).find(Picture(pixels), finder)
    assert mask[50, 90]
    assert not mask[:, :64].any()
    with pytest.raises(ImageError, match=r"nothing was found at the point 2,2; elsewhere in it: person"):
        Selection(points=((2, 2),)).find(Picture(pixels), finder)
    with pytest.raises(ImageError, match=r"the point 128,5 is outside the picture of 128x96"):
        Selection(points=((128, 5),)).find(Picture(pixels), finder)
    finder.close()


def test_of_boxes_the_smallest_at_a_point_is_meant(pixels: np.ndarray) -> None:
    finder = boxes((0, 0, 128, 96), (10, 10, 40, 30), (12, 12, 90, 90))
    (mask,) = Selection(points=((20, 20),)).find(Picture(pixels), finder)
    assert np.count_nonzero(mask) == 30 * 20
    assert len(Selection(classes=("cat",)).find(Picture(pixels), finder)) == 2
    with pytest.raises(InputError, match=r"'bird' is no class that 'pets' knows: cat, dog"):
        Selection(classes=("bird",)).find(Picture(pixels), finder)


def test_large_pictures_are_seen_small_and_their_boxes_are_large() -> None:
    seen = []
    finder = boxes((10, 10, 40, 30))
    answer = finder.pipeline

    class Watching:
        labels = answer.labels

        def __call__(self, image: object) -> Detections:
            seen.append(image.size)  # type: ignore[attr-defined]
            return answer(image)  # type: ignore[no-any-return]

    (thing,) = Finder(Watching())(Picture(np.zeros((1920, 2560, 3), np.uint8)))
    assert seen == [(1280, 960)]
    assert thing.box == (200, 200, 800, 600)


def test_nothing_found_is_said(segmenter: Path) -> None:
    finder = Finder.open(segmenter=segmenter)
    with pytest.raises(ImageError, match=r"no person was found in it; a lower least score or another model"):
        Selection().find(Picture(np.zeros((96, 128, 3), np.uint8)), finder)
    finder.close()


def test_a_model_is_refused_that_finds_nothing_or_knows_no_such_thing(segmenter: Path) -> None:
    with pytest.raises(InputError, match=r"'cat' is no class that 'bright' knows: person"):
        Finder.open(segmenter=segmenter, classes=("cat",))
    with pytest.raises(ModelFileError, match=r"is for segment; a model that gives boxes is for detect"):
        Finder.open(detector=segmenter)
    with pytest.raises(ModelFileError, match=r"is for classify; a model that gives masks is for segment"):
        Finder.open(segmenter="classify")
    with pytest.raises(InputError, match=r"not both"):
        Finder.open(segmenter=segmenter, detector=segmenter)
    with pytest.raises(InputError, match=r"no model that ships knows 'unicorn'; name a segmenter or a det") as refused:
        Finder.open(classes=("unicorn",))
    assert "background" not in str(refused.value)


def test_of_the_models_that_ship_one_that_knows_persons_is_taken_where_nothing_is_said(
    segmenter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whatever ships: a model of anything else must not be taken for a photograph.
    from edgevision.runtime.compositions import finder

    shipped = {"classify": shipped_model("classify"), "zebras": segmenter}
    monkeypatch.setattr(finder, "shipped_names", lambda: list(shipped))
    monkeypatch.setattr(finder, "shipped_model", shipped.__getitem__)
    opened = Finder.open()
    assert opened.pipeline.metadata.name == "bright"
    opened.close()
    with pytest.raises(InputError, match=r"no model that ships knows 'person'; name a detector"):
        Finder.open(findings=("boxes",))


def test_masks_and_boxes_say_what_is_meant_without_a_model(pixels: np.ndarray) -> None:
    picture = Picture(pixels)
    with pytest.raises(InputError, match="no model was opened that finds things"):
        Selection(classes=("person",)).find(picture, None)
    (box,) = Selection(boxes=((100, 80, 500, 90),)).find(picture, None)
    assert np.count_nonzero(box) == 28 * 10
    white = np.zeros((96, 128), np.uint8)
    white[10:20, 10:20] = white[60:70, 60:70] = 255
    (part,) = Selection(mask=white, points=((12, 12),)).find(picture, None)
    assert np.count_nonzero(part) == 100
    for wrong, message in (
        (Selection(boxes=((5, 5, 5, 9),)), "the box 5,5,5,9 holds nothing of the picture of 128x96"),
        (Selection(boxes=((200, 5, 300, 9),)), "holds nothing"),
        (Selection(mask=np.zeros((96, 128), np.uint8)), "the mask marks nothing; white is what is meant"),
        (Selection(mask=white, points=((50, 50),)), "the mask marks nothing at the point 50,50"),
        (Selection(mask=np.ones((96, 20), np.uint8)), "the mask is 20x96 and the picture 128x96"),
    ):
        with pytest.raises(ImageError, match=message):
            wrong.find(picture, None)


def test_compositions_are_loaded_by_their_names(segmenter: Path, pixels: np.ndarray) -> None:
    with edgevision.load("cutout", segmenter=segmenter, threads=1) as cut_out:
        one, other = cut_out([pixels, pixels[::-1]])
        assert cut_out.pipelines.keys() == {"segmenter"}
    assert one.alpha is not None
    np.testing.assert_array_equal(one.alpha, other.alpha[::-1])
    with edgevision.load("remove", segmenter=segmenter, threads=1) as remove:
        gone = remove(pixels, classes=("person",))
    assert gone.pixels.max() < 150
    with edgevision.load("replace", finds=False, fills=False) as replace:
        assert replace(pixels, one, center=(64, 48)).pixels.shape == pixels.shape
