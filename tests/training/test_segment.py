"""Training a segmentation network from settings to the finished checkpoint; a few steps on pictures of discs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from training_runs import TRAINING_MARKS, assert_same_weights, history, load_checkpoint, train

from edgevision.core.errors import DatasetError, InputError
from edgevision.exporters.checkpoints import read_checkpoint
from edgevision.runtime.tasks.segmentation.spec import MapField, SegmentationSpec
from edgevision.training.segment import train_segmenter
from edgevision.training.segmentation_data import MappedBatch
from edgevision.training.segmentation_figures import id_overlaps, judged_masks
from edgevision.training.segmentation_loss import class_loss, dice_loss
from edgevision.training.segmentation_module import SegmentationModule
from edgevision.training.segmentation_targets import ClassTarget, InstanceTarget
from edgevision.training.settings import ClassWeights, SegmentationSettings
from edgevision.training.train import train_with, training_settings

pytestmark = TRAINING_MARKS

KINDS = ("things", "foreground", "classes")
LIT = (210, 60, 40)


def write_discs(folder: Path, kind: str, count: int = 12) -> Path:
    """Pictures of red discs on blue, 40 to 64 pixels a side, and masks of that kind."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(count):
        height, width = generator.integers(40, 65, 2)
        y, x = np.indices((height, width))
        ids = np.zeros((height, width), np.uint16)
        for thing in range(1, 4):
            row, column, radius = generator.integers((6, 6, 5), (height - 6, width - 6, 9))
            ids[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = thing
        pixels = np.where((ids > 0)[:, :, None], LIT, (20, 30, 90)).astype(np.uint8)
        mask = {"things": ids, "foreground": (255 * (ids > 0)), "classes": np.minimum(ids, 2)}[kind]
        Image.fromarray(pixels).save(folder / f"{number:03}.jpg")
        Image.fromarray(mask if kind == "things" else mask.astype(np.uint8)).save(folder / f"{number:03}.png")
    return folder


def settings(data: Path, **changes: Any) -> SegmentationSettings:
    tiny: dict[str, Any] = {
        "data": str(data),
        "model_options": {"widths": (8, 12), "blocks": (1, 1)},
        "crop": 32,
        "batch_size": 2,
        "steps": 4,
        "validate_every": 2,
        "warmup": 1,
        "ema": 0.5,
        "workers": 0,
    }
    return SegmentationSettings(**(tiny | changes))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_masks_trains_to_a_checkpoint_that_explains_itself(tmp_path: Path, kind: str) -> None:
    data = write_discs(tmp_path / "data", kind)
    chosen = settings(data, licence="Apache-2.0", class_weights=ClassWeights.LOG)
    train(train_segmenter, chosen, tmp_path / "run")
    metadata = read_checkpoint(tmp_path / "run" / "segmentation_unet.pt").metadata
    assert metadata is not None
    assert metadata.image is not None
    assert metadata.tile is not None
    spec = metadata.spec_as(SegmentationSpec)
    assert spec.head is not None

    assert (metadata.task, metadata.licence) == ("segment", "Apache-2.0")
    fields = {"things": (MapField.FOREGROUND, MapField.DISTANCE), "foreground": (MapField.FOREGROUND,)}
    assert spec.head.fields == fields.get(kind, (MapField.SCORES,))
    assert spec.labels == (("class 0", "class 1", "class 2") if kind == "classes" else ("background", kind.rstrip("s")))
    assert metadata.inputs[0].shape == ("batch", 3, "height", "width")
    assert metadata.tile.multiple == 4
    figures = {"val_matched50", "val_matched"}
    assert metadata.quality.keys() == (
        figures if kind == "things" else {"val_miou", *(f"val_iou_{n}" for n in spec.labels)}
    )


def test_discs_are_found_within_seconds(tmp_path: Path) -> None:
    data = write_discs(tmp_path / "data", "foreground")
    chosen = settings(data, steps=60, validate_every=30, batch_size=4, learning_rate=0.01, ema=0.9, colour=0.1)
    train(train_segmenter, chosen, tmp_path / "run")
    assert history(tmp_path / "run")[-1]["val_miou"] > 80


def test_a_size_is_what_pictures_are_brought_to(tmp_path: Path) -> None:
    data = write_discs(tmp_path / "data", "foreground")
    chosen = settings(data, image_size=(24, 32), labels=("background", "disc"), paste=1.0)
    train(train_segmenter, chosen, tmp_path / "run")
    metadata = read_checkpoint(tmp_path / "run" / "segmentation_unet.pt").metadata
    assert metadata is not None
    assert metadata.image is not None
    assert metadata.image.size == (24, 32)
    assert metadata.tile is None
    assert metadata.spec_as(SegmentationSpec).labels == ("background", "disc")
    with pytest.raises(InputError, match="must be multiples of 4 for this network, not 30x32"):
        train_segmenter(chosen.updated(image_size=(30, 32)), tmp_path / "other", quiet=True)
    with pytest.raises(InputError, match="the masks have 2 classes, background, foreground, and --labels names 1"):
        train_segmenter(chosen.updated(labels=("disc",)), tmp_path / "other", quiet=True)


def test_an_interrupted_training_is_resumed_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings(write_discs(tmp_path / "data", "things"))
    whole = train(train_segmenter, chosen, tmp_path / "whole")

    step = SegmentationModule.training_step

    def interrupted(module: SegmentationModule, batch: MappedBatch, index: int) -> Tensor:
        if module.current_epoch == 1:
            raise KeyboardInterrupt
        return step(module, batch, index)

    monkeypatch.setattr(SegmentationModule, "training_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_segmenter(chosen, tmp_path / "parts", quiet=True)
    monkeypatch.undo()
    assert len(history(tmp_path / "parts")) == 1
    assert_same_weights(whole, train(train_segmenter, chosen, tmp_path / "parts"))


def test_weights_to_begin_with_are_of_the_same_network(tmp_path: Path) -> None:
    first = settings(write_discs(tmp_path / "data", "foreground"))
    path = train_segmenter(first, tmp_path / "first", quiet=True)
    changes = {"start_from": path, "learning_rate": 1e-9, "ema": 0.0}
    chosen = training_settings(
        "segment",
        tmp_path / "data",
        **({name: value for name, value in first.to_dict().items() if name != "data"} | changes),
    )
    before = load_checkpoint(tmp_path / "first" / "segmentation_unet.pt")["state_dict"]
    after = train(train_segmenter, chosen, tmp_path / "second")["state_dict"]
    torch.testing.assert_close(after["stem.conv.weight"], before["stem.conv.weight"])
    other = settings(write_discs(tmp_path / "more", "things"), start_from=str(path))
    with pytest.raises(InputError, match="holds another network"):
        train_segmenter(other, tmp_path / "third", quiet=True)


def test_masks_of_another_size_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = write_discs(tmp_path / "data", "foreground")
    Image.new("L", (8, 8)).save(data / "000.png")
    train(train_segmenter, settings(data), tmp_path / "run")
    assert "1 of 11 pictures cannot be read and are left out: the mask of '000.jpg' is 8x8" in caplog.text


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: [path.unlink() for path in data.glob("*.png")], "has no masks"),
        (lambda data: [Image.new("L", (8, 8)).save(path) for path in data.glob("*.png")], "none of 11 pictures"),
        (lambda data: [_blank(path) for path in data.glob("*.png")], "one class only"),
    ],
)
def test_data_that_teach_nothing_are_refused(tmp_path: Path, spoil: Callable[[Path], object], message: str) -> None:
    data = write_discs(tmp_path / "data", "foreground" if "none" in message else "classes")
    spoil(data)
    with pytest.raises(DatasetError, match=message):
        train_with("segment", settings(data), tmp_path / "run", force=False, quiet=True)


def _blank(path: Path) -> None:
    with Image.open(path) as mask:
        size = mask.size
    Image.new("L", size, 1).save(path)
    (path.parent / "classes.txt").write_text("thing\n")


def test_settings_are_checked() -> None:
    for wrong, message in (
        ({"zoom": (2.0, 1.0)}, "zoom is the least"),
        ({"rotate": 181}, "rotate must lie"),
        ({"paste": 1.5}, "paste must lie"),
        ({"steps": 3, "validate_every": 2}, "steps must be a multiple"),
    ):
        with pytest.raises(InputError, match=message):
            training_settings("segment", "data.zip", **wrong)


def test_dice_is_of_the_classes_that_are_there() -> None:
    right = torch.zeros(1, 3, 4, 4)
    right[:, 0, :2], right[:, 1, 2:] = 1, 1
    everywhere = torch.ones(1, 1, 4, 4)
    assert float(dice_loss(right, right, everywhere)) == pytest.approx(0, abs=1e-6)
    assert float(dice_loss(1 - right, right, everywhere)) > 0.9
    assert float(dice_loss(1 - right, right, 0 * everywhere)) == 0


def test_pixels_that_nobody_knows_teach_nothing() -> None:
    logits = torch.randn(1, 3, 4, 4)
    classes = torch.randint(0, 3, (1, 4, 4))
    classes[:, :2] = 255
    changed = logits.clone()
    changed[:, :, :2] += torch.randn(1, 3, 2, 4)
    weights = torch.tensor([1.0, 2.0, 3.0])
    torch.testing.assert_close(class_loss(logits, classes, 255, weights), class_loss(changed, classes, 255, weights))


def test_figures_are_those_of_the_masks() -> None:
    mask = np.zeros((16, 16), np.int64)
    mask[2:8, 2:8], mask[9:14, 9:14] = 1, 2
    things = judged_masks(SegmentationSpec(head=InstanceTarget.head, labels=("background", "thing")))
    distance = np.where(mask == 1, 5.0, np.where(mask == 2, 4.0, -5))
    things.update(np.stack([np.where(mask > 0, 9.0, -9.0), distance]).astype(np.float32), mask)
    assert things.compute() == {"matched50": 100.0, "matched": 100.0}

    classes = judged_masks(SegmentationSpec(head=ClassTarget(3, 0).head, labels=("a", "b", "c")))
    logits = np.stack([mask == index for index in (0, 2, 1)]).astype(np.float32)
    classes.update(logits, np.where(mask == 0, -1, mask))
    assert classes.compute() == {"miou": 0.0, "iou_b": 0.0, "iou_c": 0.0}


def test_overlaps_of_numbers() -> None:
    found, truth = np.zeros((8, 8), np.int64), np.zeros((8, 8), np.int64)
    found[:4, :4], found[5:, 5:], truth[:4, :3] = 3, 9, 1
    assert id_overlaps(found, truth).tolist() == [[0.75], [0.0]]
    assert id_overlaps(0 * found, truth).shape == (0, 1)
