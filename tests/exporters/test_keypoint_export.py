"""A finder of points goes all the way: recognised, exported, run as a verb, evaluated, judged in int8."""

import contextlib
import io
import json

import numpy as np
import pytest
from colour_dots import draw_dots, write_finder, write_pictures
from PIL import Image

import edgevision
from edgevision.cli.app import main
from edgevision.core.errors import DatasetError, InputError
from edgevision.data.datasets import ImageFolder
from edgevision.exporters.network_facts.head_layouts import Sample, recognised
from edgevision.exporters.network_facts.keypoint_layouts import LAYOUTS
from edgevision.modelfiles.model_file import require_metadata
from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.runtime.tasks.keypoints.quality import KeypointQuality
from edgevision.runtime.tasks.keypoints.spec import Coding, Refinement, Unit


def run(*words, code=0):
    """What a verb prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed, pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    assert (end.value.code or 0) == code, printed.getvalue()
    return printed.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dots")
    write_finder(folder / "foreign.onnx")
    write_pictures(folder / "pictures")
    return folder


@pytest.fixture(scope="module")
def model(folder):
    spec = {"point_names": ["red", "green", "blue"], "skeleton": [[0, 1]], "margin": 0.6, "min_score": 0.2}
    edgevision.export(folder / "foreign.onnx", folder / "dots.onnx", metadata={"task": "keypoints", "spec": spec})
    return folder / "dots.onnx"


def test_the_head_is_recognised_and_written_down(model):
    spec = require_metadata(model).spec
    assert (spec.layout, spec.head.coding, spec.head.points) == ("heatmaps", Coding.HEATMAPS, 3)
    assert (spec.point_names, spec.margin) == (("red", "green", "blue"), 0.6)
    assert "as heatmaps" in run("inspect", model)


def test_everything_a_user_may_want_is_written(model, folder, tmp_path):
    points = [(40, 50), (60, 55), (50, 75)]
    Image.fromarray(draw_dots(points, 120, 140)).save(tmp_path / "one.png")
    document = json.loads(
        run(
            *("run", "keypoints", tmp_path / "one.png", "--model", model, "--box", "30,40,75,85", "--json"),
            *("-o", tmp_path / "drawn.png", "--coco", tmp_path / "all.json", "--crops", tmp_path / "crops"),
        )
    )
    (thing,) = document["results"][0]["things"]
    np.testing.assert_allclose(np.array(thing["points"])[:, :2], points, atol=0.6)
    coco = json.loads((tmp_path / "all.json").read_text())
    assert coco["annotations"][0]["num_keypoints"] == 3
    with Image.open(tmp_path / "drawn.png") as drawn:
        assert drawn.size == (140, 120)
    assert len(list((tmp_path / "crops").iterdir())) == 1
    lines = run("run", "keypoints", tmp_path / "one.png", "--model", model, "--csv").splitlines()
    assert lines[0] == "input,thing,label,point,x,y,score"
    assert len(lines) == 4
    for box in ("1,2,3", "5,5,1,9", "500,0,600,90", "nan,0,9,9"):
        run("run", "keypoints", tmp_path / "one.png", "--model", model, "--box", box, code=1 if "500" in box else 2)


def test_it_is_evaluated_by_how_far_points_are(model, folder):
    report = edgevision.evaluate(model, folder / "pictures", quiet=True)
    assert report.things == 12
    assert report.nme < 3
    assert report.pck > 98
    assert edgevision.evaluate(model, folder / "pictures", jitter=0.1, quiet=True).nme != report.nme
    other = folder / "other"
    other.mkdir()
    Image.new("RGB", (9, 9)).save(other / "a.png")
    (other / "p.csv").write_text("a.png,1,2,3,4\n")
    with pytest.raises(DatasetError, match="2 points a thing"):
        edgevision.evaluate(model, other, quiet=True)


class _Changed:
    """The engine of a model, its answers changed."""

    def __init__(self, engine, change):
        self._engine, self._change = engine, change
        self.inputs, self.outputs, self.name, self.device = engine.inputs, engine.outputs, engine.name, engine.device

    def run(self, inputs):
        return [self._change(array) for array in self._engine.run(inputs)]


def test_a_form_is_judged_by_its_points(model, folder):
    data = ImageFolder(folder / "pictures")
    data.folder = data
    metadata = require_metadata(model)
    with edgevision.load(model) as find:
        judge = KeypointQuality(metadata, find.engine, data, EvaluationOptions(jitter=0.1))
        assert (judge.metric, judge.unit, judge.budget) == ("nme", "points", 0.05)
        assert judge(find.engine).loss == 0
        assert judge(_Changed(find.engine, lambda maps: np.roll(maps, 1, axis=3))).loss > 1
        assert judge(_Changed(find.engine, lambda maps: maps * np.nan)).loss == np.inf
        assert judge(_Changed(find.engine, np.zeros_like)).loss >= 100
        unlabelled = KeypointQuality(
            metadata, find.engine, _Plain([data.image(index) for index in range(3)]), EvaluationOptions()
        )
        assert unlabelled.metric == "difference"
        assert unlabelled(find.engine).loss == 0
        assert unlabelled(_Changed(find.engine, np.zeros_like)).loss >= 100


class _Plain:
    def __init__(self, images):
        self._images = images

    def __len__(self):
        return len(self._images)

    def image(self, index):
        return self._images[index]


def sample(labels=0, height=64, width=48, **outputs):
    return Sample({name: np.asarray(array, np.float32) for name, array in outputs.items()}, height, width, labels)


def told(answer):
    return recognised(answer, LAYOUTS, None, "docs/keypoints.md")


NOISE = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("answer", "layout"),
    [
        (sample(maps=NOISE.random((1, 17, 16, 12))), "heatmaps"),
        (sample(Identity=NOISE.normal(0, 3, (1, 16, 12, 17))), "heatmaps"),
        (sample(first=NOISE.random((1, 17, 16, 12)), last=NOISE.random((1, 17, 16, 12))), "heatmaps"),
        (sample(simcc_x=NOISE.normal(0, 3, (1, 17, 96)), simcc_y=NOISE.normal(0, 3, (1, 17, 128))), "simcc"),
        (sample(out=NOISE.random((1, 136)) * 40 + 10), "points-pixels"),
        (sample(out=NOISE.random((1, 10)) * 0.5 + 0.2), "points-shares"),
        (sample(out=NOISE.random((1, 68, 2)) * 1.6 - 0.8), "points-centered"),
        (sample(offset_heatmap=NOISE.random((1, 51, 16, 12))), None),
    ],
)
def test_layouts_are_told_by_shapes_and_values(answer, layout):
    if layout is None:
        with pytest.raises(InputError, match="heatmaps or offset-heatmaps"):
            told(answer)
    else:
        assert told(answer).layout == layout


def test_what_is_known_of_a_head_is_written_down():
    body = told(sample(maps=NOISE.random((1, 17, 16, 12))))
    assert (body.point_names[0], body.head.refinement) == ("nose", Refinement.DARK)
    assert told(sample(out=NOISE.random((1, 136)) * 40 + 10)).scale_points == (36, 45)
    assert told(sample(out=NOISE.random((1, 136)) * 40 + 10)).head.unit is Unit.PIXELS
    square = sample(width=64, b_y=np.zeros((1, 5, 128)), a_x=np.zeros((1, 5, 128)))
    assert told(square).head.outputs == ("a_x", "b_y")


def test_coordinates_on_both_sides_of_nothing_may_be_either():
    values = NOISE.random((1, 20)) * 0.6
    values[0, :3] = -0.01
    with pytest.raises(InputError, match="points-shares or points-centered"):
        told(sample(out=values))
    with pytest.raises(InputError, match="no head is known"):
        told(sample(out=np.zeros((1, 3))))


def test_a_head_that_does_not_fit_is_refused(folder, tmp_path):
    head = {"coding": "heatmaps", "outputs": ["maps"], "points": 5}
    with pytest.raises(InputError, match="5 points as heatmaps"):
        edgevision.export(
            folder / "foreign.onnx", tmp_path / "x.onnx", metadata={"task": "keypoints", "spec": {"head": head}}
        )
    assert not (tmp_path / "x.onnx").exists()
