import io
import sys
from pathlib import Path

import pytest
from PIL import Image

from edgevision.core.errors import InputError
from edgevision.runtime.files.inputs import expand_inputs


@pytest.fixture
def pictures(tmp_path):
    for name in ("b.png", "a.JPG", "deep/er/c.webp", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("txt"):
            (tmp_path / name).write_text("no picture")
        else:
            Image.new("RGB", (2, 2)).save(tmp_path / name, format="PNG")
    return tmp_path


def names(words):
    return [picture.name for picture in expand_inputs(words)]


def test_a_folder_gives_its_pictures_recursively_and_sorted(pictures):
    assert names([str(pictures)]) == [str(pictures / name) for name in ("a.JPG", "b.png", "deep/er/c.webp")]


def test_a_glob_gives_the_pictures_it_matches(pictures):
    assert names([f"{pictures}/*.png"]) == [str(pictures / "b.png")]
    assert names([f"{pictures}/**/*"]) == names([str(pictures)])


def test_several_arguments_keep_their_order(pictures):
    assert names([str(pictures / "b.png"), str(pictures / "a.JPG")]) == [str(pictures / n) for n in ("b.png", "a.JPG")]


def test_a_file_is_taken_whatever_its_ending(pictures):
    assert names([str(pictures / "notes.txt")]) == [str(pictures / "notes.txt")]


def test_a_name_with_brackets_that_exists_is_no_glob(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "x[1].png")
    assert names([str(tmp_path / "x[1].png")]) == [str(tmp_path / "x[1].png")]


def test_a_dash_reads_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"bytes")))
    (picture,) = expand_inputs(["-"])
    assert (picture.name, picture.source) == ("-", b"bytes")


def test_an_empty_standard_input_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(InputError, match="standard input is empty"):
        expand_inputs(["-"])


def test_an_endless_standard_input_is_an_error_that_says_the_bound(monkeypatch):
    monkeypatch.setattr("edgevision.runtime.files.inputs.LARGEST_IN_MEMORY", 3 << 20)
    with Path("/dev/zero").open() as endless:
        monkeypatch.setattr(sys, "stdin", endless)
        with pytest.raises(InputError, match="more than 3 MB"):
            expand_inputs(["-"])


def test_a_closed_standard_input_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="standard input is empty"):
        expand_inputs(["-"])


def test_a_name_that_no_file_can_have_is_left_to_the_reading(tmp_path):
    word = str(tmp_path / ("x" * 300))
    assert names([word]) == [word]


@pytest.mark.parametrize("word", ["{}", "{}/*.bmp"])
def test_a_folder_or_glob_without_pictures_is_an_error(tmp_path, word):
    with pytest.raises(InputError, match="holds no pictures"):
        expand_inputs([word.format(tmp_path)])


def places(word):
    return [picture.relative.as_posix() for picture in expand_inputs([str(word)])]


def test_pictures_know_where_they_lie_below_what_was_named(pictures):
    assert places(pictures) == ["a.JPG", "b.png", "deep/er/c.webp"]
    assert places(pictures / "deep/er/c.webp") == ["c.webp"]
    assert places(pictures / "deep") == ["er/c.webp"]
    assert places(f"{pictures}/**/*.webp") == ["deep/er/c.webp"]
    assert places(f"{pictures}/deep/*/c.webp") == ["er/c.webp"]


def test_pictures_below_the_current_folder_know_their_place_too(pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    assert places(".") == ["a.JPG", "b.png", "deep/er/c.webp"]
    assert places("*.png") == places("./*.png") == places("b.png") == ["b.png"]
    assert places("d*/er/*") == ["deep/er/c.webp"]
    monkeypatch.chdir(pictures / "deep")
    assert places("../*.png") == ["b.png"]


def test_a_source_that_nobody_knows_is_said_with_those_that_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        InputError, match=r"'webcam:9' is neither a file nor a source that is known; a camera is camera:0"
    ):
        names(["webcam:9"])
    # A file may be called so, and one that is not there is named where it is read.
    Path("webcam:9").write_bytes(b"")
    assert names(["webcam:9", "gone.png"]) == ["webcam:9", "gone.png"]
