import json

import numpy as np
import pytest
import torch
from colour_dots import write_pictures

import edgevision
from edgevision.core.errors import DatasetError, InputError
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.models import build_model
from edgevision.runtime.tasks.keypoints.decoding import decode_points
from edgevision.runtime.tasks.keypoints.schemes import SCHEMES
from edgevision.runtime.tasks.keypoints.spec import Coding, Unit
from edgevision.training.data_source import open_pointed
from edgevision.training.keypoint_data import KeypointBatch, KeypointCrops, read_things
from edgevision.training.keypoint_targets import HeatmapTarget, KeypointTarget, PlaceTarget, keypoint_target
from edgevision.training.keypoints import _spec
from edgevision.training.seeded_batches import VALIDATION
from edgevision.training.settings import KeypointSettings

SMALL = {
    "image_size": (32, 32),
    "model_options": {"widths": [12, 16, 24], "blocks": [0, 0, 0], "head": 16},
    "batch_size": 16,
    "ema": 0.0,
    "workers": 0,
}


@pytest.fixture(scope="module")
def dots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training") / "dots"
    write_pictures(folder, count=60)
    return folder


@pytest.fixture(scope="module")
def trained(dots, tmp_path_factory):
    return edgevision.train(
        *("keypoints", dots, tmp_path_factory.mktemp("runs") / "dots"),
        steps=80,
        validate_every=40,
        optimizer="adamw",
        learning_rate=0.01,
        warmup=5,
        rotate=0.0,
        quiet=True,
        **SMALL,
    )


def test_dots_are_learned_in_seconds(trained, dots):
    content = torch.load(trained, weights_only=True)
    metadata = ModelMetadata.from_json(content["edgevision"])
    assert metadata.task == "keypoints"
    assert (metadata.spec.head.coding, metadata.spec.point_names) == (Coding.HEATMAPS, ("red", "green", "blue"))
    # The side of a thing's box is 100; anywhere in it would be some 40.
    assert metadata.quality["val_nme"] < 20


def test_places_are_learned_too(dots, tmp_path):
    path = edgevision.train(
        *("keypoints", dots, tmp_path / "run"),
        model="point_regressor",
        steps=60,
        validate_every=30,
        optimizer="adamw",
        learning_rate=0.005,
        warmup=5,
        rotate=0.0,
        quiet=True,
        **SMALL | {"model_options": {"width": 0.25, "features": 64}},
    )
    metadata = ModelMetadata.from_json(torch.load(path, weights_only=True)["edgevision"])
    head = metadata.spec.head
    assert (head.coding, head.unit, head.outputs) == (Coding.POINTS, Unit.SHARES, ("points",))
    assert metadata.outputs[0].shape == ("batch", 3, 2)
    losses = [json.loads(line)["train_loss"] for line in (path.parent / "history.jsonl").read_text().splitlines()]
    assert losses[1] < 0.9 * losses[0]


def answered(target: KeypointTarget, places: torch.Tensor) -> torch.Tensor:
    """What a network says that is right about ``places`` (1, K, 2), in shares of an input of 64 pixels."""
    if isinstance(target, PlaceTarget):
        return places
    _, rows, columns = target.shape(64, 64)
    cell = places * (rows - 4) + 2 - 0.5
    x, y = (torch.arange(count) - cell[:, :, axis, None] for axis, count in enumerate((columns, rows)))
    return -0.5 * (y.square()[:, :, :, None] + x.square()[:, :, None])


@pytest.mark.parametrize("target", [PlaceTarget(3), HeatmapTarget(3, stride=4, reach=2, sigma=1.0)])
def test_a_right_answer_has_the_least_loss_and_decodes_to_itself(target):
    places = torch.tensor([[[0.25, 0.5], [0.7, 0.3], [0.9, 0.9]]])
    known = torch.tensor([[True, True, False]])
    batch = KeypointBatch(torch.zeros(1, 3, 64, 64, dtype=torch.uint8), places, known, torch.ones(1))
    right = answered(target, places)
    assert right.shape[1:] == target.shape(64, 64)
    found = decode_points(target.head, {target.output: right.numpy()}, 64, 64)[:, :2]
    np.testing.assert_allclose(found, places[0], atol=2e-3)
    losses = [
        float(target.loss(answered(target, places + moved), batch))
        for moved in (
            torch.zeros(3, 2),
            torch.tensor([[0.01, 0], [0, 0], [0, 0]]),
            torch.tensor([[0.1, 0], [0, 0.1], [0, 0]]),
            torch.tensor([[0, 0], [0, 0], [0.3, 0.3]]),
        )
    ]
    assert losses[0] < losses[1] < losses[2]
    assert losses[3] == losses[0], "of a point that is unknown nothing is learned"


def crops(dots, **more):
    settings = KeypointSettings(data=str(dots), **{**SMALL, **more})
    pointed = open_pointed(settings.data, "train")
    target = keypoint_target(build_model("keypoint_net", points=3, **SMALL["model_options"]), 3, settings.sigma)
    train, _ = read_things(settings, pointed, quiet=True)
    spec = _spec(settings, pointed, target).updated(swaps=((0, 2),))
    return KeypointCrops(train, settings, spec, fill=128)


@pytest.mark.parametrize("rotate", [0.0, 180.0])
def test_points_move_with_what_is_turned_and_mirrored(dots, rotate):
    """The colour at a point tells which it is; red and blue swap in a mirror by name, and so do their colours not."""
    batch = crops(dots, rotate=rotate, colour=0.0, jitter=0.1)[0, 0, 0]
    colours = {0: 0, 1: 0}
    for image, points in zip(batch.images.numpy(), batch.points.numpy(), strict=True):
        x, y = np.clip((points[1] * 32).astype(int), 0, 31)
        assert image[1, y, x] > 150, "the green dot is where its point is"
        x, y = np.clip((points[0] * 32).astype(int), 0, 31)
        colours[int(image[2, y, x] > image[0, y, x])] += 1
    assert min(colours.values()) >= 3, "half of the crops are mirrored"


def test_the_same_key_gives_the_same_batch(dots):
    data = crops(dots)
    one, again, other = data[0, 3, 0], data[0, 3, 0], data[0, 4, 0]
    assert torch.equal(one.images, again.images)
    assert not torch.equal(one.images, other.images)
    assert len(data[VALIDATION, len(data) - 1, 0].images) <= 16


def test_a_split_by_groups_shares_nothing(dots):
    settings = KeypointSettings(data=str(dots), groups=r"^(\d)", **SMALL)
    pointed = open_pointed(settings.data, "train")
    with pytest.raises(DatasetError, match="too few"):
        read_things(settings.updated(groups="^[a-z]*"), pointed, quiet=True)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"scheme": "face68"}, DatasetError),
        ({"scheme": "nobody"}, InputError),
        ({"groups": "("}, InputError),
        ({"steps": 3, "validate_every": 2}, InputError),
        ({"jitter": 1.5}, InputError),
        ({"model": "resnet20"}, InputError),
    ],
)
def test_what_cannot_be_is_refused(dots, tmp_path, wrong, error):
    with pytest.raises(error):
        edgevision.train("keypoints", dots, tmp_path / "run", quiet=True, **{**SMALL, **wrong})


def test_the_scheme_of_68_points_is_the_usual_one():
    face = SCHEMES["face68"]
    assert len(face.point_names) == 68
    assert (face.point_names[36], face.point_names[45]) == ("left eye 1", "right eye 4")
