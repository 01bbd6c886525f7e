"""Training a translation network: a few steps on tiny pairs, and what its parts do."""

import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from training_runs import TRAINING_MARKS, assert_same_weights, history, train

from edgevision.core.errors import DatasetError, InputError
from edgevision.data.datasets import is_held_out
from edgevision.data.point_annotations import held_out_by
from edgevision.exporters.checkpoints import read_checkpoint
from edgevision.models import TranslationUNet
from edgevision.runtime.tasks.translation.spec import TranslationSpec
from edgevision.training import photo_training
from edgevision.training.gan_losses import balanced_loss
from edgevision.training.settings import TranslationSettings
from edgevision.training.translate import train_translator
from edgevision.training.translation_data import PairCrops, Pairs

pytestmark = TRAINING_MARKS

GPU_SCRIPT = Path(__file__).parents[2] / "examples" / "gpu" / "translate.py"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pairs of 40x48: a gray box, and the same box in red on blue; 005.png and 006.png are held out."""
    folder = tmp_path_factory.mktemp("pairs")
    generator = np.random.default_rng(0)
    for number in range(12):
        left, right = np.zeros((40, 48, 3), np.uint8), np.full((40, 48, 3), (20, 40, 160), np.uint8)
        top, start = generator.integers(2, 20, 2)
        left[top : top + 14, start : start + 18] = 200
        right[top : top + 14, start : start + 18] = (220, 40, 30)
        Image.fromarray(np.hstack((left, right))).save(folder / f"{number:03}.png")
    return folder


def settings(data: Path, **changes: Any) -> TranslationSettings:
    tiny: dict[str, Any] = {
        "data": (str(data),),
        "model_options": {"widths": (8, 12), "blocks": (1, 1), "tail": 4},
        "crop": 32,
        "batch_size": 2,
        "steps": 4,
        "validate_every": 2,
        "warmup": 1,
        "ema": 0.5,
        "workers": 0,
        "discriminator_width": 4,
    }
    return TranslationSettings(**(tiny | changes))


def test_a_training_ends_in_a_checkpoint_that_knows_its_two_sides(
    tmp_path: Path, pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photo_training, "VALIDATION_CROPS", 4)
    chosen = settings(pairs, given="box", made="red box", licence="MIT")
    trained = train(train_translator, chosen, tmp_path / "run")
    checkpoint = read_checkpoint(tmp_path / "run" / "translation_unet.pt")
    metadata, network = checkpoint.metadata, checkpoint.network
    assert metadata is not None
    assert isinstance(network, TranslationUNet)
    assert (metadata.task, metadata.licence, network.multiple) == ("translate", "MIT", 4)
    assert metadata.spec == TranslationSpec(given="box", made="red box")
    lines = history(tmp_path / "run")
    assert lines[0].keys() == {"epoch", "train_loss", "val_psnr", "val_ssim", "seconds"}
    # The last weights are kept, whichever were nearest.
    assert metadata.quality["val_psnr"] == pytest.approx(lines[-1]["val_psnr"], abs=1e-3)
    # Interrupted after the first half and resumed, it ends in the same weights.
    again = tmp_path / "again"
    train(train_translator, chosen, again)
    (again / "translation_unet.pt").unlink()
    (again / "previous.ckpt").replace(again / "last.ckpt")
    assert_same_weights(trained, train(train_translator, chosen, again))


def test_the_network_learns_to_colour_what_is_drawn(tmp_path: Path, pairs: Path) -> None:
    train(train_translator, settings(pairs, steps=60, validate_every=30, learning_rate=0.01), tmp_path / "run")
    first, last = history(tmp_path / "run")
    assert last["val_psnr"] > first["val_psnr"] > 10


def test_crops_are_of_the_same_place_in_both_pictures(pairs: Path) -> None:
    read = partial(Pairs, [str(pairs)], quiet=True)
    chosen = settings(pairs, batch_size=4, turn=True, zoom=0.7)
    batch = PairCrops(read(in_tenth=held_out_by(None), held_out=False), chosen)[0, 0, 0]
    drawn, target = batch["image"], batch["target"]
    assert drawn.shape == target.shape == (4, 3, 32, 32)
    # Both scales have soft edges of their own.
    boxed, red = drawn[:, 0] > 0.6, target[:, 0] > 0.7
    assert 0.1 < boxed.float().mean() < 0.9
    assert (boxed == red).float().mean() > 0.97
    swapped = PairCrops(read(in_tenth=held_out_by(None), held_out=False, swap=True), chosen)[0, 0, 0]
    torch.testing.assert_close(swapped["image"], target)
    torch.testing.assert_close(swapped["target"], drawn)


def test_a_tenth_is_held_out_by_what_the_pairs_show(pairs: Path) -> None:
    read = partial(Pairs, [str(pairs)], quiet=True)
    assert len(read(in_tenth=held_out_by(None), held_out=True)) == sum(is_held_out(f"{n:03}.png") for n in range(12))
    numbers = held_out_by(r"(..)\.png")
    assert len(read(in_tenth=numbers, held_out=False)) == sum(not is_held_out(f"{n:02}") for n in range(12)) == 11


def test_the_contest_pulls_as_strongly_as_is_asked_for() -> None:
    weights = torch.randn(2, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    made = 2 * weights
    error, contest = (made - 1).abs().mean(), -1000 * made[0, 0]
    balanced_loss(made, error, contest, 0.5).backward()
    toward = 2 * (made.detach() - 1).sign() / 6
    assert weights.grad is not None
    pull = weights.grad - toward
    assert pull[0, 0] < 0
    assert pull.norm() == pytest.approx(0.5 * toward.norm().item(), rel=1e-5)
    assert pull.flatten()[1:].abs().max() < 1e-6


def test_what_cannot_be_trained_is_refused(tmp_path: Path, pairs: Path) -> None:
    with pytest.raises(InputError, match="crop must be a multiple of 4"):
        train_translator(settings(pairs, crop=34), tmp_path / "run", quiet=True)
    with pytest.raises(InputError, match="translation_unet, not unet"):
        train_translator(settings(pairs, model="unet", model_options={}), tmp_path / "run", quiet=True)
    with pytest.raises(InputError, match="--turn"):
        settings(pairs, turn=True, flip=False)
    Image.new("RGB", (41, 20)).save(tmp_path / "odd.png")
    with pytest.raises(DatasetError, match="even width"):
        Pairs([str(tmp_path)], in_tenth=held_out_by(None), held_out=is_held_out("odd.png"), quiet=True)


def test_the_script_for_a_gpu_trains_without_one(tmp_path):
    generator = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(12):
        Image.fromarray(generator.integers(0, 256, (40, 36, 3), np.uint8)).save(
            tmp_path / "photos" / f"{number:03}.png"
        )
    options = ("--seconds", "2", "--side", "32", "--batch", "2", "--width", "2", "--flip")
    arguments = ("edges", str(tmp_path / "photos"), str(tmp_path / "out"), *options)
    done = subprocess.run(
        [sys.executable, str(GPU_SCRIPT), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    log = (tmp_path / "out" / "log.txt").read_text()
    assert " pairs, 2 held out" in log
    assert re.search(r"step \d+: psnr \d+\.\d+ dB", log)
    checkpoint = read_checkpoint(tmp_path / "out" / "translation_unet.pt")
    assert checkpoint.metadata is not None
    assert checkpoint.metadata.quality["val_psnr"] > 5
    with Image.open(tmp_path / "out" / "8.jpg") as sheet:
        assert sheet.size == (12 * 32, 3 * 32)
