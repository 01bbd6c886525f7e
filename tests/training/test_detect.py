"""Training a detector from pictures with boxes to a checkpoint that runs; a few steps on bright squares."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bright_squares import HEIGHT, SIDE, WIDTH, write_pictures
from PIL import Image
from training_runs import TRAINING_MARKS, assert_same_weights, history, train

from edgevision import export, load
from edgevision import train as train_anything
from edgevision.core.errors import DatasetError, InputError
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, Resize
from edgevision.models import build_model
from edgevision.runtime.tasks.detection.spec import Arrangement, DetectionSpec, Field, HeadSpec, OutputPart
from edgevision.training.checkpoint import load_trained, take_backbone
from edgevision.training.detect import train_detector
from edgevision.training.detection_augmentation import GRAY
from edgevision.training.detection_data import BoxExamples, WholePictures, read_annotated
from edgevision.training.detection_module import JudgedDetections
from edgevision.training.settings import DetectionSettings

pytestmark = TRAINING_MARKS

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures 96x64 with one to three squares: 12 to train on, 4 to validate and 4 to test."""
    root = tmp_path_factory.mktemp("squares")
    for seed, (split, count) in enumerate({"train": 12, "val": 4, "test": 4}.items()):
        write_pictures(root / split, count, seed)
    return root


def settings(data: Path, **changes: Any) -> DetectionSettings:
    tiny: dict[str, Any] = {
        "model_options": {"widths": [8, 8, 16, 16, 16], "blocks": [0, 0, 0, 0], "pyramid": 16, "bins": 8},
        "image_size": (HEIGHT, WIDTH),
        "batch_size": 4,
        "steps": 4,
        "validate_every": 2,
        "warmup": 1,
        "ema": 0.5,
        "workers": 0,
    }
    return DetectionSettings(data=str(data), **(tiny | changes))


def test_squares_are_learnt_exported_and_found(tmp_path: Path, squares: Path) -> None:
    chosen = settings(squares, steps=100, validate_every=50, batch_size=8, learning_rate=0.01, mosaic=0.0, ema=0.9)
    content = train(train_detector, chosen, tmp_path / "run")
    lines = history(tmp_path / "run")
    assert lines[-1]["train_loss"] < 0.7 * lines[0]["train_loss"]
    metadata = ModelMetadata.from_json(content["edgevision"])
    assert metadata.task == "detect"
    assert metadata.image == ImageSpec(size=(HEIGHT, WIDTH), resize=Resize.PAD, pad_value=GRAY)
    assert metadata.spec_as(DetectionSpec).labels == ("square",)
    assert {"val_map50", "val_map", "map50", "map", "ap50_square"} == set(metadata.quality)
    assert metadata.quality["map50"] > 30, metadata.quality
    export(tmp_path / "run" / "pyramid_detector.pt", tmp_path / "squares.onnx")
    with load(tmp_path / "squares.onnx") as find:
        found = find(squares / "test" / "00.png")
    assert len(found.boxes)
    assert found.names[0] == "square"
    assert np.median(found.boxes[:3, 2:] - found.boxes[:3, :2]) == pytest.approx(SIDE, rel=0.4)


def test_a_network_to_compare_with_learns_and_is_exported(tmp_path: Path, squares: Path) -> None:
    options = {"widths": [8, 8, 16, 16, 16], "blocks": 0, "bins": 8}
    chosen = settings(squares, model="csp_detector", model_options=options, steps=30, validate_every=15, mosaic=0.0)
    train(train_detector, chosen.updated(learning_rate=0.01), tmp_path / "run")
    lines = history(tmp_path / "run")
    assert lines[-1]["train_loss"] < 0.9 * lines[0]["train_loss"]
    export(tmp_path / "run" / "csp_detector.pt", tmp_path / "squares.onnx")
    with load(tmp_path / "squares.onnx") as find:
        assert find(squares / "test" / "00.png").boxes.shape[1] == 4


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(tmp_path: Path, squares: Path) -> None:
    whole = train(train_detector, settings(squares), tmp_path / "whole")
    train(train_detector, settings(squares), tmp_path / "halves")
    # As after an interruption behind the first epoch.
    (tmp_path / "halves" / "pyramid_detector.pt").unlink()
    (tmp_path / "halves" / "last.ckpt").unlink()
    shutil.copy(tmp_path / "halves" / "previous.ckpt", tmp_path / "halves" / "last.ckpt")
    assert torch.load(tmp_path / "halves" / "last.ckpt", weights_only=True)["epoch"] == 0
    assert_same_weights(whole, train(train_detector, settings(squares), tmp_path / "halves"))


def test_a_training_can_begin_with_the_weights_of_another(tmp_path: Path, squares: Path) -> None:
    first = train(train_detector, settings(squares), tmp_path / "first")
    begun = settings(
        squares,
        start_from=str(tmp_path / "first" / "pyramid_detector.pt"),
        learning_rate=1e-12,
        weight_decay=0.0,
        seed=3,
    )
    second = train(train_detector, begun, tmp_path / "second")
    for name, tensor in first["state_dict"].items():
        if "weight" in name:
            torch.testing.assert_close(second["state_dict"][name], tensor)
    other = begun.updated(model_options={"widths": [8, 8, 16, 16, 24]})
    with pytest.raises(InputError, match="holds another network"):
        train_detector(other, tmp_path / "third", quiet=True)


def test_a_backbone_is_taken_from_a_detector_of_other_classes(
    tmp_path: Path, squares: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(train_detector, settings(squares, steps=2), tmp_path / "first")
    path = tmp_path / "first" / "pyramid_detector.pt"
    trained, _ = load_trained(path)
    network = build_model("pyramid_detector", num_classes=7, **settings(squares).model_options)
    with caplog.at_level("INFO"):
        take_backbone(network, path)
    assert "weights begin as those of pyramid_detector.pt" in caplog.text
    own, other = network.state_dict(), trained.state_dict()
    assert all(torch.equal(own[name], other[name]) for name in own if ".scores." not in name)
    assert own["heads.0.scores.weight"].shape[0] == 7

    begun = settings(squares, backbone=str(path), learning_rate=1e-12, weight_decay=0.0, seed=3)
    second = train(train_detector, begun, tmp_path / "second")["state_dict"]
    torch.testing.assert_close(second["stem.0.weight"], other["stem.0.weight"])
    with pytest.raises(InputError, match="start-from and backbone exclude each other"):
        begun.updated(start_from=str(path))
    with pytest.raises(InputError, match="has no layer of this network; it holds pyramid_detector"):
        take_backbone(build_model("segmentation_unet"), path)


def test_batches_differ_in_size_and_depend_on_their_key_alone(squares: Path) -> None:
    chosen = settings(squares, multi_scale=0.5, steps=100, validate_every=10)
    image = ImageSpec(size=(HEIGHT, WIDTH), resize=Resize.PAD, pad_value=GRAY)
    data = read_annotated(chosen, image, quiet=True)
    examples = BoxExamples(data.train, chosen, processes=1)
    batches = [examples[epoch, 1, 0] for epoch in range(8)]
    assert len({batch.images.shape[2:] for batch in batches}) > 1
    for batch in batches:
        assert batch.images.dtype == torch.uint8
        assert not any(side % 32 for side in batch.images.shape[2:])
        assert int(batch.counts.sum()) == len(batch.boxes) == len(batch.labels)
    again = examples[3, 1, 0]
    assert torch.equal(again.images, batches[3].images)
    assert torch.equal(again.boxes, batches[3].boxes)


def test_pictures_are_validated_on_as_the_device_sees_them(squares: Path) -> None:
    chosen = settings(squares, image_size=(128, 128))
    data = read_annotated(chosen, ImageSpec(size=(128, 128), resize=Resize.PAD, pad_value=GRAY), quiet=True)
    picture = data.val[0]
    assert picture.pixels.shape == (128, 128, 3)
    assert (picture.pixels[:20] == GRAY).all()
    for x1, y1, x2, y2 in np.rint(picture.boxes).astype(int):
        assert picture.pixels[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2].min() > 200
    assert data.train[0].pixels.shape == (85, 128, 3)


def test_what_is_found_is_judged_in_the_picture_alone_as_on_the_device(squares: Path) -> None:
    """A box that reaches into the frame of a letterbox is cut off, and one in it counts for nothing."""
    image = ImageSpec(size=(128, 128), resize=Resize.PAD, pad_value=GRAY)
    data = read_annotated(settings(squares, image_size=(128, 128)), image, quiet=True)
    place = data.val[0].place
    assert place == (0, 21, 128, 106)
    batch = WholePictures(data.val, 1)[0, 0, 0]._replace(
        boxes=torch.tensor([[0.0, 21, 64, 64]]), labels=torch.tensor([0]), counts=torch.tensor([1])
    )
    corners = OutputPart(outputs=("boxes",), fields=(Field.BOX,), arrangement=Arrangement.COLUMNS)
    scores = OutputPart(outputs=("scores",), fields=(Field.SCORES,), arrangement=Arrangement.COLUMNS)
    judged = JudgedDetections(DetectionSpec(head=HeadSpec(parts=(corners, scores)), labels=("square",)))
    boxes = torch.tensor([[[-9.0, -60, 64, 64], [0, 0, 40, 20]]]).permute(0, 2, 1)
    judged.update((boxes, torch.tensor([[[0.9, 0.95]]])), batch)
    assert judged.compute().mean == 1


def test_without_a_val_split_a_tenth_is_held_out(tmp_path: Path) -> None:
    write_pictures(tmp_path / "all", 30)
    image = ImageSpec(size=(HEIGHT, WIDTH), resize=Resize.PAD)
    data = read_annotated(settings(tmp_path / "all"), image, quiet=True)
    assert data.test is None
    assert len(data.train) + len(data.val) == 30
    assert 1 <= len(data.val) <= 8


def annotate(folder: Path, *objects: tuple[str, int, int, int, int]) -> Path:
    folder.mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(folder / "one.png")
    text = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox>"
        "</object>"
        for name, a, b, c, d in objects
    )
    (folder / "one.xml").write_text(f"<annotation>{text}</annotation>")
    return folder


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ([], "without one box"),
        ([("a", 5, 5, 5, 9)], "without one box"),
    ],
    ids=["none", "no area"],
)
def test_data_without_a_box_are_refused(tmp_path: Path, objects: Any, message: str) -> None:
    data = annotate(tmp_path / "data", *objects)
    with pytest.raises(DatasetError, match=message):
        train_anything("detect", data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_boxes_that_are_all_outside_are_refused(tmp_path: Path) -> None:
    for split in ("train", "val"):
        annotate(tmp_path / "data" / split, ("a", 80, 5, 90, 9))
    with pytest.raises(DatasetError, match="lie outside of their pictures"):
        read_annotated(settings(tmp_path / "data"), ImageSpec(size=(64, 64)), quiet=True)


def test_boxes_without_area_are_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for split in ("train", "val"):
        annotate(tmp_path / "data" / split, ("a", 5, 5, 5, 9), ("a", 60, 60, 90, 90), ("a", 70, 5, 90, 20))
    chosen = settings(tmp_path / "data")
    data = read_annotated(chosen, ImageSpec(size=(64, 64), resize=Resize.PAD), quiet=True)
    assert data.train[0].boxes.tolist() == [[60, 60, 64, 64]]
    assert "boxes without area in their picture are left out" in caplog.text


def test_a_class_of_another_split_alone_is_refused(tmp_path: Path) -> None:
    annotate(tmp_path / "data" / "train", ("a", 5, 5, 15, 19))
    annotate(tmp_path / "data" / "val", ("b", 5, 5, 15, 19))
    with pytest.raises(DatasetError, match="has classes in its val split only: b"):
        read_annotated(settings(tmp_path / "data"), ImageSpec(size=(64, 64)), quiet=True)


def test_one_picture_is_too_few(tmp_path: Path) -> None:
    data = annotate(tmp_path / "data", ("a", 5, 5, 15, 19))
    with pytest.raises(DatasetError, match="too few"):
        train_detector(settings(data), tmp_path / "run", quiet=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": (100, 96)}, "image-size must be multiples of 32, not 100x96"),
        ({"mosaic": 1.5}, "mosaic must lie in 0..1"),
        ({"zoom": (2.0, 1.0)}, "zoom is the least and the greatest scale"),
        ({"rotate": -1.0}, "rotate must lie in 0..180"),
        ({"steps": 5}, "steps must be a multiple of validate-every 2"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        settings(Path("data"), **changes)


def test_another_network_is_refused(tmp_path: Path, squares: Path) -> None:
    with pytest.raises(InputError, match="trained with the model pyramid_detector or csp_detector, not resnet20"):
        train_detector(settings(squares, model="resnet20", model_options={}), tmp_path / "run", quiet=True)


def test_the_command_says_what_it_takes_and_refuses(edgevision: Call, tmp_path: Path) -> None:
    code, _, error = edgevision("train", "detect", "--data", str(tmp_path / "nowhere"))
    assert code == 2
    assert "does not exist" in error
    code, _, error = edgevision("train", "detect", "--data", str(tmp_path), "--image-size", "wide")
    assert code == 2
    assert "--image-size is SIDE or HEIGHTxWIDTH" in error


def test_settings_survive_json() -> None:
    chosen = settings(Path("data"), zoom=(0.5, 2.0))
    assert DetectionSettings.from_dict(json.loads(json.dumps(chosen.to_dict()))) == chosen
