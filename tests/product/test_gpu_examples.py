"""What trains on a GPU that is had for minutes goes the same steps here, and damages pictures as the product does."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from edgevision.data.datasets import is_held_out
from edgevision.data.noise import add_camera_noise, add_jpeg_noise
from edgevision.imaging.hole_filling import fill_smoothly
from edgevision.imaging.images import read_image, to_array
from edgevision.training.checkpoint import load_trained

ROOT = Path(__file__).parents[2]
GPU = ROOT / "examples" / "gpu"
SIDE = 96


@pytest.fixture
def examples(monkeypatch):
    monkeypatch.syspath_prepend(str(GPU))


@pytest.fixture
def crops():
    """Float32 (N, SIDE, SIDE, 3) in 0..1, of a photograph that ships."""
    pixels = to_array(read_image(ROOT / "examples" / "pictures" / "rocket.jpg")).astype(np.float32) / np.float32(255)
    parts = [pixels[y : y + SIDE, x : x + SIDE] for y in range(0, 300, SIDE) for x in range(0, 500, SIDE)]
    return np.stack([part for part in parts if part.shape == (SIDE, SIDE, 3)])


@pytest.mark.parametrize(
    ("kind", "options"), [("denoise", ["--noise", "mixed", "--gray", "0.5"]), ("inpaint", ["--crop", "64"])]
)
def test_a_restorer_is_trained_until_the_time_is_over(kind, options, tmp_path):
    command = [sys.executable, str(GPU / "restore.py"), kind, "--photos", str(ROOT / "examples" / "pictures")]
    command += [*options, "--batch-size", "2", "--seconds", "1", "-o", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (checkpoint,) = tmp_path.glob("*.pt")
    network, metadata = load_trained(checkpoint)
    assert metadata.task == kind
    assert all(bool(torch.isfinite(weight).all()) for weight in network.parameters())


@pytest.fixture
def photos(tmp_path):
    """Parts of a photograph that ships, of which one is held out."""
    folder = tmp_path / "photos"
    folder.mkdir()
    pixels = to_array(read_image(ROOT / "examples" / "pictures" / "rocket.jpg"))
    held_out = next(f"{number}.png" for number in range(99) if is_held_out(f"{number}.png"))
    for number, name in enumerate(("a.png", "b.png", "c.png", held_out)):
        Image.fromarray(pixels[:80, 50 * number : 50 * number + 90]).save(folder / name)
    return folder


@pytest.mark.parametrize("task", ["stylize", "colorize"])
def test_a_painter_and_a_colorist_are_trained_until_the_time_is_over(task, photos, tmp_path):
    options = {"stylize": ["--style", str(photos / "a.png")], "colorize": ["--tiles", f"{photos / 'b.png'}:40"]}
    command = [sys.executable, str(GPU / f"{task}.py"), "--photos", str(photos), *options[task]]
    command += ["--seconds", "1", "-o", str(tmp_path / "made")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    checkpoints = sorted(path.stem for path in (tmp_path / "made").glob("*.pt"))
    assert checkpoints[-1] == {"stylize": "stylize", "colorize": "colorize_last"}[task]
    network, metadata = load_trained(tmp_path / "made" / f"{checkpoints[-1]}.pt")
    assert metadata.task == task
    assert all(bool(torch.isfinite(weight).all()) for weight in network.parameters())
    assert "held out" in (tmp_path / "made" / "log.txt").read_text()


def test_jpeg_on_the_gpu_is_that_of_pillow(examples, crops):
    from noises import Noises

    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    crops = np.concatenate([crops] * 5)  # where the blocks begin is drawn
    planes = torch.from_numpy(crops).permute(0, 3, 1, 2)
    for quality in (10, 40, 90):
        stored = np.stack([add_jpeg_noise(crop, quality, generator) for crop in crops])
        ours = Noises(SIDE, torch.device("cpu")).jpeg(planes, torch.full((len(planes), 1, 1, 1), float(quality)))
        expected, got = (np.sqrt(np.mean((x - crops) ** 2)) for x in (stored, ours.permute(0, 2, 3, 1).numpy()))
        assert got == pytest.approx(expected, rel=0.1)


def test_a_cameras_noise_on_the_gpu_is_that_of_the_product(examples, crops):
    from noises import Noises

    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    gray = np.full_like(crops, 0.5)
    planes = torch.from_numpy(gray).permute(0, 3, 1, 2)
    sigma = torch.full((len(planes), 1, 1, 1), 12.0)
    noises = Noises(SIDE, torch.device("cpu"))
    ours = torch.cat([noises.camera(planes, sigma, sigma < 0) for _ in range(4)]).permute(0, 2, 3, 1).numpy() - 0.5
    theirs = np.stack([add_camera_noise(crop, 12, generator) for crop in gray for _ in range(4)]) - 0.5

    def along_a_row(noise):
        return float((noise[:, :, 1:] * noise[:, :, :-1]).mean() / (noise**2).mean())

    assert ours.std() == pytest.approx(12 / 255, rel=0.1)
    assert theirs.std() == pytest.approx(ours.std(), rel=0.15)  # the product's is stored as JPEG at times
    assert along_a_row(ours) == pytest.approx(along_a_row(theirs), abs=0.12)


def test_holes_are_filled_on_the_gpu_as_by_the_product(examples):
    import holes

    generator = np.random.default_rng(0)
    image = generator.random((64, 64, 3), dtype=np.float32)
    known = (generator.random((64, 64, 1)) > 0.7).astype(np.float32)
    known[20:50, 10:60] = 0
    as_planes = [torch.from_numpy(array).permute(2, 0, 1)[None] for array in (image, known)]
    filled = holes.fill_smoothly(*as_planes)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(filled, fill_smoothly(image, known), atol=1e-5)
