import multiprocessing
import os
import time
from pathlib import Path

import pytest

from edgevision.runtime.engines.compiled_cache import cache_folder, compiled

FACTS = {"model": "abc", "driver": "1"}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return cache_folder()


def build(folder: Path) -> str:
    (folder / "program").write_text("compiled")
    return "built"


def reopen(folder: Path) -> str:
    return "reopened " + (folder / "program").read_text()


def test_what_was_built_is_reopened(cache, tmp_path):
    assert cache == tmp_path / "edgevision" / "compiled"
    assert compiled(FACTS, build, reopen) == "built"
    assert compiled(FACTS, build, reopen) == "reopened compiled"


@pytest.mark.parametrize("fact", ["model", "driver"])
def test_another_model_or_driver_is_built_anew(fact):
    compiled(FACTS, build, reopen)
    assert compiled(FACTS | {fact: "other"}, build, reopen) == "built"


@pytest.mark.parametrize("damage", ["change", "remove", "manifest"])
def test_damaged_files_are_built_again_with_a_word(cache, damage, caplog):
    compiled(FACTS, build, reopen)
    (entry,) = (folder for folder in cache.iterdir() if folder.is_dir())
    if damage == "change":
        (entry / "program").write_text("compilee")
    elif damage == "remove":
        (entry / "program").unlink()
    else:
        (entry / "manifest.json").write_text("{")
    assert compiled(FACTS, build, reopen) == "built"
    assert "cannot be used any more" in caplog.text
    assert compiled(FACTS, build, reopen) == "reopened compiled"


def test_what_the_engine_cannot_open_any_more_is_built_again():
    compiled(FACTS, build, reopen)

    def refused(folder: Path) -> str:
        raise RuntimeError("made by another version")

    assert compiled(FACTS, build, refused) == "built"


def test_an_error_while_building_passes_and_leaves_nothing(cache):
    def failing(folder: Path) -> str:
        (folder / "half").write_text("half")
        raise ValueError("no such operator")

    with pytest.raises(ValueError, match="no such operator"):
        compiled(FACTS, failing, reopen)
    assert not [folder for folder in cache.iterdir() if folder.is_dir()]
    assert compiled(FACTS, build, reopen) == "built"


def test_where_nothing_can_be_stored_it_is_built_every_time(cache, caplog):
    cache.parent.write_text("a file where the folder should be")
    assert compiled(FACTS, build, reopen) == "built"
    assert compiled(FACTS, build, reopen) == "built"
    assert "cannot be kept" in caplog.text


def test_the_oldest_entries_make_room(cache):
    for number in range(35):
        compiled({"model": str(number)}, build, reopen)
    assert sum(folder.is_dir() for folder in cache.iterdir()) == 32
    assert compiled({"model": "34"}, build, reopen) == "reopened compiled"
    assert compiled({"model": "0"}, build, reopen) == "built"


def _compile_slowly(log: str) -> None:
    def slowly(folder: Path) -> str:
        time.sleep(0.3)
        with Path(log).open("a") as file:
            file.write("built\n")
        return build(folder)

    compiled(FACTS, slowly, reopen)


def test_two_processes_at_once_build_once(tmp_path):
    if os.name == "nt":
        pytest.skip("no file locks there")
    log = tmp_path / "log"
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_compile_slowly, args=(str(log),)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert log.read_text() == "built\n"
