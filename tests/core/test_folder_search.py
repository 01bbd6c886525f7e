"""Finding files: everything once, whatever links say."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgevision.core.errors import InputError
from edgevision.core.folder_search import files_below, matching_files


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in ("a.png", "deep/b.png", "deep/er/c.png", ".hidden/d.png", ".e.png", "other/f.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for folder in tmp_path.rglob("*"):
        if folder.is_dir() and not folder.is_symlink():
            folder.chmod(0o700)


def found(paths: Iterator[Path]) -> list[str]:
    return sorted(map(str, paths))


ALL = ["a.png", "deep/b.png", "deep/er/c.png", "other/f.png"]


def test_every_file_is_found_but_what_is_hidden(tree: Path) -> None:
    assert found(files_below(Path())) == ALL
    assert found(files_below(Path(".hidden"))) == [".hidden/d.png"]


def test_links_to_folders_outside_are_followed(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "g.png").write_bytes(b"")
    (tree / "link").symlink_to(elsewhere)
    assert found(files_below(Path())) == [*ALL[:3], "link/g.png", ALL[3]]
    assert found(matching_files("*/g.png")) == found(matching_files("**/g.png")) == ["link/g.png"]


def test_loops_of_links_end_and_every_real_folder_is_searched_once_under_its_own_name(tree: Path) -> None:
    names = [tree / folder / f"{number}" for folder in (".", "deep", "deep/er", "other") for number in range(3)]
    for name in names:
        name.symlink_to(tree)
        name.with_name(f"{name.name}same").symlink_to(".")
    (tree / "itself").symlink_to("itself")
    assert found(files_below(Path())) == ALL
    assert found(matching_files("**/*.png")) == found(matching_files("**")) == ALL
    assert sorted(file.name for file in matching_files("**/*/**/[a-f].png")) == ["a.png", "b.png", "c.png", "f.png"]
    assert len(found(matching_files("/".join(["*"] * 30)))) <= len(ALL)


def test_a_search_of_too_many_folders_is_an_error_that_says_the_bound(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgevision.core.folder_search._MOST_FOLDERS", 3)
    with pytest.raises(InputError, match="more than 3 folders"):
        found(files_below(Path()))
    with pytest.raises(InputError, match="more than 3 folders"):
        found(matching_files("**/*.png"))


def test_what_is_not_a_regular_file_is_not_found(tree: Path) -> None:
    os.mkfifo("pipe.png")
    (tree / "zero.png").symlink_to("/dev/zero")
    (tree / "gone.png").symlink_to("nowhere")
    assert found(files_below(Path())) == found(matching_files("**/*.png")) == ALL


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        ("*.png", ["a.png"]),
        ("*/*.png", ["deep/b.png", "other/f.png"]),
        ("deep/**/*.png", ["deep/b.png", "deep/er/c.png"]),
        ("d*/e?/[c].png", ["deep/er/c.png"]),
        (".*.png", [".e.png"]),
        (".h*/*.png", [".hidden/d.png"]),
        ("nowhere/*.png", []),
        ("*.gif", []),
    ],
)
def test_patterns_are_those_of_the_shell(tree: Path, pattern: str, files: list[str]) -> None:
    assert found(matching_files(pattern)) == files
    assert found(matching_files(f"{tree}/{pattern}")) == [f"{tree}/{file}" for file in files]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may search everywhere")
def test_a_folder_that_cannot_be_searched_is_named(tree: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tree / "other").chmod(0)
    assert found(files_below(Path())) == ALL[:3]
    assert "'other' cannot be searched" in caplog.text
