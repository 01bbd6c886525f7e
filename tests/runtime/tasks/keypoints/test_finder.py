import csv
import json

import numpy as np
import pytest
from colour_dots import CELL, SIDE, draw_dots
from fake_engine import FakeEngine
from PIL import Image

from edgevision.core.errors import InputError, ModelFileError, NotFiniteError
from edgevision.imaging.crops import Crop
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec
from edgevision.runtime.tasks.detection.result import Detections
from edgevision.runtime.tasks.keypoints.finder import KeypointFinder
from edgevision.runtime.tasks.keypoints.point_colors import point_colors
from edgevision.runtime.tasks.keypoints.result import Keypoints
from edgevision.runtime.tasks.keypoints.schemes import SCHEMES
from edgevision.runtime.tasks.keypoints.spec import Activation, Coding, KeypointHead, KeypointsSpec, Refinement

SPEC = KeypointsSpec(
    head=KeypointHead(coding=Coding.HEATMAPS, outputs=("maps",), points=3, refinement=Refinement.DARK),
    point_names=("red", "left green", "right blue"),
    skeleton=((0, 1), (1, 2)),
    swaps=((1, 2),),
    margin=0.5,
    min_score=0.2,
)


def metadata(spec=SPEC, size=(SIDE, SIDE), **image):
    return ModelMetadata(task="keypoints", name="dots", image=ImageSpec(size=size, **image), spec=spec)


def shrunk(inputs):
    """Each colour's map, a quarter as large."""
    pictures = inputs["image"]
    count, _, height, width = pictures.shape
    return [pictures.reshape(count, 3, height // CELL, CELL, width // CELL, CELL).mean(axis=(3, 5))]


def engine(function=shrunk, size=(SIDE, SIDE)):
    maps = TensorSpec(name="maps", shape=("n", 3, size[0] // CELL, size[1] // CELL))
    return FakeEngine((TensorSpec(name="image", shape=("n", 3, *size)),), (maps,), function)


def finder(**options):
    return KeypointFinder(engine(), metadata(), **options)


@pytest.mark.parametrize("seed", range(12))
def test_points_are_found_where_they_are_within_half_a_pixel(seed):
    generator = np.random.default_rng(seed)
    height, width = (int(side) for side in generator.integers(80, 700, 2))
    size = [(64, 64), (64, 48), (48, 96)][seed % 3]
    find = KeypointFinder(engine(size=size), metadata(size=size))
    x1, y1 = generator.uniform(0, 0.4, 2) * (width, height)
    x2, y2 = generator.uniform(0.6, 1, 2) * (width, height)
    pixel = Crop.of_box((x1, y1, x2, y2), size[1] / size[0], SPEC.margin).size[0] / size[1]  # of the crop
    radius = 4 * max(pixel, 1)
    # What is cut off by the edge of the picture has its middle elsewhere.
    inside = np.clip([[x1, y1], [x2, y2]], 2.5 * radius, np.array([width, height]) - 2.5 * radius)
    points = generator.uniform(*inside, (3, 2))
    found = find(draw_dots(points, height, width, radius), boxes=[[x1, y1, x2, y2]])
    np.testing.assert_allclose(found.points[0, :, :2], points, atol=max(0.5, 0.5 * pixel))
    assert found.visible.all()


def test_without_a_box_the_picture_is_one_thing():
    points = [(30, 20), (60, 40), (90, 70)]
    found = finder()(draw_dots(points, 90, 120))
    assert found.boxes.tolist() == [[0, 0, 120, 90]]
    np.testing.assert_allclose(found.points[0, :, :2], points, atol=0.6)
    assert found.names == ("thing",)


def sharper_when_near(inputs):
    """Distributions whose width is that of the dots' cells: dots that fill the crop are told surely."""
    (maps,) = shrunk(inputs)
    return [60 * maps]


DISTRIBUTIONS = SPEC.updated(
    head=SPEC.head.updated(refinement=Refinement.NONE, activation=Activation.SOFTMAX), min_score=0.0
)


def test_a_whole_picture_is_looked_at_again_where_the_points_are():
    points = np.array([(230, 220), (260, 240), (290, 270)], float)
    picture = draw_dots(points, 500, 500, 5)
    find = KeypointFinder(engine(sharper_when_near), metadata(DISTRIBUTIONS))
    found = find(picture)
    once = find(picture, boxes=[[0, 0, 500, 500]])
    assert found.scores[0] > once.scores[0]
    np.testing.assert_allclose(found.points[0, :, :2], points, atol=4)
    assert (found.boxes[0, 2:] - found.boxes[0, :2]).max() < 100
    assert not found.doubtful.any()


def test_points_of_nothing_are_doubtful_where_scores_can_tell():
    nothing = np.zeros((200, 200, 3), np.uint8)
    assert KeypointFinder(engine(sharper_when_near), metadata(DISTRIBUTIONS))(nothing).doubtful.tolist() == [True]
    assert finder()(nothing).doubtful.tolist() == [False]


def test_doubt_is_said_with_what_helps(edgevision, tmp_path):
    Image.new("RGB", (200, 160), "gray").save(tmp_path / "gray.png")
    code, out, err = edgevision("run", "keypoints", tmp_path / "gray.png", "--json")
    assert code == 0
    assert json.loads(out)["results"][0]["things"][0]["score"] < 0.8
    assert "gray.png: the points are doubtful (score 0." in err
    assert "find things with a --detector" in err
    assert edgevision("run", "keypoints", tmp_path / "gray.png", "--quiet")[2] == ""


def test_each_box_of_a_detector_is_looked_at():
    class Boxes:
        labels = ("cat", "dog")
        closed = False

        def __call__(self, image):
            boxes = np.array([[0, 0, 60, 60], [60, 0, 120, 60]], np.float32)
            scores = np.array([0.8, 0.5], np.float32)
            return Detections(boxes, scores, np.array([1, 0]), size=(60, 120), labels=self.labels)

        def close(self):
            self.closed = True

    left, right = [(20, 20), (40, 20), (30, 40)], [(80, 25), (100, 20), (90, 45)]
    picture = np.maximum(draw_dots(left, 60, 120, 3), 0)
    picture[:, 60:] = draw_dots(right, 60, 120, 3)[:, 60:]
    detector = Boxes()
    find = KeypointFinder(engine(), metadata(SPEC.updated(margin=0.0)), detector=None)
    find.detector = detector
    found = find(picture)
    np.testing.assert_allclose(found.points[:, :, :2], [left, right], atol=0.6)
    assert found.names == ("dog", "cat")
    assert found.scores[0] == pytest.approx(0.8 * found.points[0, :, 2].mean())
    assert len(found.of_classes(["cat"])) == 1
    find.close()
    assert detector.closed


@pytest.mark.parametrize(
    ("boxes", "said"),
    [
        ([[200, 0, 300, 50]], "outside of the picture"),
        ([[-50, 0, 0, 50]], "outside of the picture"),
        ([[5, 5, 5, 50]], "x1 < x2"),
        ([[0, 0, np.nan, 50]], "x1 < x2"),
        ([[0, 0, 5]], "rows of x1"),
        ("abc", "rows of x1"),
    ],
)
def test_boxes_that_show_nothing_are_refused(boxes, said):
    with pytest.raises(InputError, match=said):
        finder()(np.zeros((60, 100, 3), np.uint8), boxes=boxes)


def test_a_box_that_reaches_out_of_the_picture_is_none_of_them():
    assert np.isfinite(finder()(np.zeros((60, 100, 3), np.uint8), boxes=[[-30, -30, 40, 40]]).points).all()


def test_no_boxes_are_no_things():
    found = finder()(np.zeros((60, 100, 3), np.uint8), boxes=np.zeros((0, 4)))
    assert len(found) == 0
    assert found.to_rows() == found.to_coco() == found.to_dict()["things"] == []
    assert found.draw(np.zeros((60, 100, 3), np.uint8)).width == 100
    assert np.asarray(found).shape == (0, 3, 3)


def test_a_network_that_breaks_down_is_an_error():
    broken = KeypointFinder(engine(lambda inputs: [np.full((1, 3, 16, 16), np.nan, np.float32)]), metadata())
    with pytest.raises(NotFiniteError):
        broken(np.zeros((60, 100, 3), np.uint8))


def test_a_model_that_does_not_say_what_it_gives_is_refused():
    with pytest.raises(ModelFileError, match="become points"):
        KeypointFinder(engine(), metadata(KeypointsSpec()))


def test_a_box_and_a_detector_exclude_each_other():
    with pytest.raises(InputError, match="exclude"):
        finder(box=(0, 0, 1, 1), detector="faces.onnx")


def answer():
    points = np.array([[[10, 20, 0.9], [30, 20, 0.1], [20, 40, 0.8]]], np.float32)
    return Keypoints(
        points, np.array([[5, 5, 45, 45]], np.float32), np.array([0.6], np.float32), spec=SPEC, size=(60, 100)
    )


def test_an_answer_in_the_forms_that_others_read(tmp_path):
    found = answer()
    assert found.visible.tolist() == [[True, False, True]]
    assert found.to_coco(3) == [
        {
            "image_id": 3,
            "category_id": 0,
            "bbox": [5, 5, 40, 40],
            "keypoints": [10, 20, 2, 30, 20, 0, 20, 40, 2],
            "num_keypoints": 2,
            "score": 0.6,
        }
    ]
    found.save(tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text())["things"][0]["points"][0] == [10, 20, 0.9]
    found.save(tmp_path / "a.csv")
    rows = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    assert [row["point"] for row in rows] == ["red", "left green", "right blue"]
    assert np.asarray(found).shape == (1, 3, 3)


def test_answers_are_compared_in_what_the_model_measures_errors_in():
    one, other = answer(), answer()
    other.points[0, 0, 0] += 4  # of 2 visible points one is 4 pixels of a box of side 40 off
    assert other.compare(one)["nme"] == pytest.approx(5)
    with pytest.raises(ValueError, match="same things"):
        one.chosen(np.zeros(1, bool)).compare(other)


@pytest.mark.parametrize("scale", [1, 12])
def test_drawn_points_are_seen_and_leave_room_for_the_others(scale):
    found = answer()
    found.points[:, :, :2] *= scale
    found.boxes *= scale
    found.size = (60 * scale, 100 * scale)
    drawn = np.asarray(found.draw(Image.new("RGB", (100 * scale, 60 * scale))))
    assert drawn[20 * scale, 10 * scale].any()
    assert not drawn[20 * scale, 30 * scale].any()  # it is not visible, nor is what joins it
    assert (drawn.any(axis=2)).mean() < 0.05


def test_parts_and_sides_have_colours_of_their_own():
    face, body = SCHEMES["face68"], SCHEMES["coco17"]
    colors = point_colors(KeypointsSpec(skeleton=face.skeleton), 68)
    assert len(set(colors)) == 9
    assert len({colors[index] for index in range(17)}) == 1
    sides = point_colors(KeypointsSpec(skeleton=((0, 1),), swaps=body.swaps), 17)
    assert {sides[left] for left, _ in body.swaps} == {1}
    assert {sides[right] for _, right in body.swaps} == {5}


@pytest.mark.parametrize("name", SCHEMES)
def test_a_scheme_is_one_of_its_points(name):
    scheme = SCHEMES[name]
    count = len(scheme.point_names)
    head = KeypointHead(coding=Coding.POINTS, outputs=("out",), points=count)
    spec = KeypointsSpec(head=head, **scheme._asdict())
    order = spec.mirrored(count)
    assert sorted(order) == list(range(count))
    assert [order[index] for index in order] == list(range(count))
    # What is joined is joined in the mirror, too.
    joined = {frozenset(pair) for pair in scheme.skeleton}
    assert {frozenset(order[end] for end in pair) for pair in joined} == joined


def test_the_pipeline_may_be_called_on_several():
    pictures = [np.zeros((60, 100, 3), np.uint8), np.zeros((70, 50, 3), np.uint8)]
    found = finder()(pictures, boxes=[[[0, 0, 50, 50]], [[0, 0, 20, 20], [10, 10, 40, 40]]])
    assert [len(one) for one in found] == [1, 2]
    with pytest.raises(InputError, match="boxes for 1 pictures"):
        finder()(pictures, boxes=[[[0, 0, 50, 50]]])
