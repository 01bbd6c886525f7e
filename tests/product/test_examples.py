"""Every example is run as its docstring says."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
EXPECTED = {
    "classify_pictures.py": ["cat.jpg: cat", "rocket.jpg: "],
    "foreign_checkpoint.py": ["prefix 'module.' stripped", "stranger.onnx"],
    "generate_pictures.py": ["it knows airplane, ", "ships.png: 16 pictures of 32x32", "classes.png", "between.png"],
    "make_pairs.py": ["cat.jpg: a pair of 451x300", "rocket.jpg: a pair of 640x427"],
    "restore_pictures.py": ["torn: ", "noisy: ", "dark: ", "enlarged: 451x300 to 902x600"],
    "watch_frames.py": ["moves right, ", "\n15 rises "],
    "train_export_run.py": ["digits.onnx: SQNR", "digits read correctly", "p50"],
}


def test_every_example_is_tested():
    assert {path.name for path in (ROOT / "examples").glob("*.py")} == set(EXPECTED)


def test_soft_edges_are_where_the_picture_changes(tmp_path):
    picture = np.full((64, 96, 3), 40, np.uint8)
    picture[:, 48:] = 200
    (tmp_path / "given").mkdir()
    Image.fromarray(picture).save(tmp_path / "given" / "step.png")
    script = str(ROOT / "examples" / "make_pairs.py")
    subprocess.run([sys.executable, script, "soft-edges", str(tmp_path / "given"), str(tmp_path)], check=True)
    drawn = np.asarray(Image.open(tmp_path / "A" / "step.png").convert("L")).mean(axis=0)
    assert drawn[44:52].max() > 128
    assert drawn[:32].max() < 32
    assert drawn[64:].max() < 32
    assert np.array_equal(np.asarray(Image.open(tmp_path / "B" / "step.png")), picture)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_an_example_runs_and_says_what_it_should(name, tmp_path):
    arguments = [] if name in ("classify_pictures.py", "watch_frames.py") else [str(tmp_path)]
    if name == "make_pairs.py":
        arguments = ["edges", str(ROOT / "examples" / "pictures"), *arguments]
    script = str(ROOT / "examples" / name)
    done = subprocess.run(
        [sys.executable, script, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    for text in EXPECTED[name]:
        assert text in done.stdout
    for before, after in re.findall(r"([\d.]+) dB before, ([\d.]+) dB after", done.stdout):
        assert float(after) > float(before) + 3
    read = re.search(r"(\d+) of (\d+) digits read correctly", done.stdout)
    assert read is None or int(read[1]) > 0.9 * int(read[2])
