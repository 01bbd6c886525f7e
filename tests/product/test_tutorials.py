"""The tutorials are gone through as they stand, one after another, in one folder."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from documented import code
from PIL import Image

ROOT = Path(__file__).parents[2]
TUTORIALS = ("own_pictures", "is_int8_worth_it", "from_elsewhere", "two_boards", "clean_scans")
CLASSES = "airplane automobile bird cat deer dog frog horse ship truck"


@pytest.fixture
def folder(tmp_path):
    """What a reader has before the first line: two kinds of pictures, scans with a mask, and weights from elsewhere."""
    draw = np.random.default_rng(0)
    for kind in ("cat", "rocket"):
        with Image.open(ROOT / "examples" / "pictures" / f"{kind}.jpg") as picture:
            for number in range(40):
                side = int(draw.integers(100, 250))
                left, top = (int(draw.integers(0, length - side)) for length in picture.size)
                name = tmp_path / ("unseen" if number < 10 else "photos") / kind / f"{number:03}.jpg"
                name.parent.mkdir(parents=True, exist_ok=True)
                picture.crop((left, top, left + side, top + side)).resize((64, 64)).save(name)
            (tmp_path / "scans").mkdir(exist_ok=True)
            picture.resize((96, 64)).save(tmp_path / "scans" / f"{'0001' if kind == 'cat' else '0002'}.jpg")
    corner = Image.new("L", (96, 64))
    corner.paste(255, (70, 50, 92, 60))
    corner.save(tmp_path / "corner.png")
    shutil.copytree(tmp_path / "unseen" / "cat", tmp_path / "known" / "cat")
    shutil.copytree(tmp_path / "unseen" / "rocket", tmp_path / "known" / "airplane")
    (tmp_path / "labels.txt").write_text(CLASSES.replace(" ", "\n"))
    weights = torch.load(ROOT / "examples" / "checkpoints" / "classifier.pt", weights_only=True)["state_dict"]
    wrapped = {f"module.{name}": tensor for name, tensor in weights.items()}
    torch.save({"epoch": 90, "state_dict": wrapped}, tmp_path / "theirs.pth")
    return tmp_path


def test_a_reader_gets_through_and_the_network_has_learned(folder):
    for name in TUTORIALS:
        steps = [one for one in code(ROOT / "docs" / "tutorials" / f"{name}.md") if one.mark is None]
        assert steps
        for step in steps:
            words = [sys.executable, "-c", step.text] if step.language == "python" else _words(step.text)
            _run(words, folder, refused=step.refused)
    answer = _run(_words("edgevision evaluate kinds.onnx unseen --json"), folder)
    assert float(re.search(r'"top1": ([\d.]+)', answer)[1]) >= 90


def _run(command, folder, *, refused=False):
    """What it prints, after it has succeeded, or was refused."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode != 0) == refused, (command, done.stderr)
    assert done.stdout or refused, command
    return done.stdout


def _words(line):
    program, *rest = shlex.split(line, comments=True)
    assert program == "edgevision"
    return [sys.executable, "-m", "edgevision", *rest]
