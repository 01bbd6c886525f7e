"""``edgevision tour`` runs what it prints, and leaves the pictures."""

from collections.abc import Callable

import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def engine(need: Callable[[str], None]) -> None:
    need("onnxruntime")


def test_the_tour_shows_its_commands_and_leaves_the_pictures(run_python, tmp_path):
    done = run_python("-m", "edgevision", "tour", "-o", "seen", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("$ edgevision ") == 6
    assert "cat.jpg" in done.stdout
    for name in ("filled.jpg", "large.jpg", "outline.jpg", "person.png"):
        with Image.open(tmp_path / "seen" / name) as picture:
            picture.load()
    again = run_python("-m", "edgevision", "tour", "-o", "seen", cwd=tmp_path)
    assert again.returncode == 2
    assert "exists" in again.stderr
