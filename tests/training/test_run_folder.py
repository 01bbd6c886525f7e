"""The folder of one training."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from edgevision.core.errors import CheckpointError, InputError, OutputError
from edgevision.training.launched import is_launched_helper
from edgevision.training.run_folder import RunFolder
from edgevision.training.settings import Augmentation, ClassifierSettings

SETTINGS: dict[str, Any] = ClassifierSettings(augment=(Augmentation.FLIP,), model_options={"shortcut": "B"}).to_dict()


def save(path: Path, **content: Any) -> None:
    """A checkpoint as Lightning writes it."""
    parts: dict[str, Any] = {"state_dict": {"w": torch.arange(5000.0)}, "epoch": 0, "global_step": 0, "loops": {}}
    torch.save(parts | {"optimizer_states": [], "lr_schedulers": [], "figures": {"f1": 1.0}} | content, path)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "run", "cnn3")


def test_a_new_folder_gets_its_settings(folder: RunFolder) -> None:
    folder.prepare(SETTINGS, force=False)
    assert ClassifierSettings.from_dict(json.loads((folder.path / "settings.json").read_text())).to_dict() == SETTINGS
    assert folder.resume_from() is None
    assert folder.seconds_trained() == 0


def test_the_same_settings_are_accepted_again(folder: RunFolder) -> None:
    folder.prepare(SETTINGS, force=False)
    save(folder.last, epoch=3)
    folder.prepare(SETTINGS, force=False)
    path, content = folder.resume_from() or pytest.fail("it starts from the beginning")
    assert (path, content["epoch"]) == (folder.last, 3)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"epochs": 99}, "with epochs 10, not 99"),
        ({"augment": ["flip", "shift"]}, r"with augment \['flip'\], not \['flip', 'shift'\]"),
        ({"licence": "MIT"}, "with licence None, not 'MIT'"),
    ],
)
def test_other_settings_are_refused_and_named(folder: RunFolder, changed: dict[str, Any], message: str) -> None:
    folder.prepare(SETTINGS, force=False)
    save(folder.last)
    with pytest.raises(InputError, match=message + ".*--force"):
        folder.prepare(SETTINGS | changed, force=False)


def test_other_settings_are_taken_where_nothing_was_trained_yet(folder: RunFolder) -> None:
    folder.prepare(SETTINGS, force=False)
    folder.prepare(SETTINGS | {"epochs": 99}, force=False)
    assert json.loads((folder.path / "settings.json").read_text())["epochs"] == 99


def test_a_finished_folder_is_refused(folder: RunFolder) -> None:
    folder.prepare(SETTINGS, force=False)
    folder.result.write_bytes(b"model")
    with pytest.raises(OutputError, match=r"cnn3\.pt' is finished already; --force"):
        folder.prepare(SETTINGS, force=False)
    assert folder.result.read_bytes() == b"model"


def test_force_starts_over_and_keeps_what_is_not_the_trainings(folder: RunFolder) -> None:
    folder.prepare(SETTINGS, force=False)
    for path in (folder.result, folder.last, folder.previous, folder.best, folder.path / "notes.txt"):
        path.write_bytes(b"old")
    folder.record({"epoch": 1, "seconds": 2.0})
    folder.prepare(SETTINGS | {"epochs": 3}, force=True)
    assert sorted(path.name for path in folder.path.iterdir()) == ["notes.txt", "settings.json"]
    assert json.loads((folder.path / "settings.json").read_text())["epochs"] == 3


def test_a_missing_parent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nowhere' does not exist"):
        RunFolder(tmp_path / "nowhere" / "run", "cnn3").prepare(SETTINGS, force=False)


def test_the_default_folder_runs_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    RunFolder(Path("runs") / "digits-cnn3", "cnn3").prepare(SETTINGS, force=False)
    assert (tmp_path / "runs" / "digits-cnn3" / "settings.json").is_file()


def test_the_time_of_all_epochs_is_added_up(folder: RunFolder) -> None:
    folder.prepare(SETTINGS, force=False)
    for epoch in (1, 2):
        folder.record({"epoch": epoch, "seconds": 1.5})
    assert [json.loads(line)["epoch"] for line in folder.history.read_text().splitlines()] == [1, 2]
    assert folder.seconds_trained() == 3.0


# --- what power cuts, full disks and other hands leave behind ---


@pytest.mark.parametrize(
    "rest", [b'{"epoch": 3, "secon', b"\0" * 100, b"\xff\n", b"[]\n{}\n", b'{"epoch": 1e999, "seconds": 1}\n']
)
def test_a_history_that_ends_in_the_middle_of_a_line_is_mended(folder: RunFolder, rest: bytes) -> None:
    folder.prepare(SETTINGS, force=False)
    folder.record({"epoch": 1, "seconds": 1.5})
    whole = folder.history.read_bytes()
    folder.history.write_bytes(whole + rest)
    assert folder.seconds_trained() == 1.5
    folder.prepare(SETTINGS, force=False)
    assert folder.history.read_bytes() == whole


@pytest.mark.parametrize(
    "text", [b"", b'{"model', b"[]", b"null", b"\xff\xfe\xff", b"[" * 100_000, b'{"a": %s}' % (b"9" * 5000)]
)
def test_settings_that_cannot_be_read_are_refused_and_force_is_the_way_out(folder: RunFolder, text: bytes) -> None:
    folder.prepare(SETTINGS, force=False)
    (folder.path / "settings.json").write_bytes(text)
    with pytest.raises(InputError, match=r"settings\.json' cannot be read.*--force"):
        folder.prepare(SETTINGS, force=False)
    folder.prepare(SETTINGS, force=True)


def test_a_checkpoint_without_settings_is_not_gone_on_with(folder: RunFolder) -> None:
    folder.prepare(SETTINGS, force=False)
    save(folder.last)
    (folder.path / "settings.json").unlink()
    with pytest.raises(InputError, match=r"without settings\.json.*--force"):
        folder.prepare(SETTINGS, force=False)


@pytest.mark.parametrize(
    "name", ["last.ckpt", "previous.ckpt", "best.ckpt", "history.jsonl", "settings.json", "cnn3.pt"]
)
def test_a_folder_in_the_place_of_a_file_is_refused_even_by_force(folder: RunFolder, name: str) -> None:
    folder.prepare(SETTINGS, force=False)
    (folder.path / name).unlink(missing_ok=True)
    (folder.path / name).mkdir()
    for force in (False, True):
        with pytest.raises(OutputError, match="is to be a file of the training"):
            folder.prepare(SETTINGS, force=force)


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),
    "one bit": flipped,
    "no zip": lambda data: b"nonsense",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    folder: RunFolder, damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    folder.prepare(SETTINGS, force=False)
    save(folder.last, epoch=4)
    save(folder.previous, epoch=3)
    folder.last.write_bytes(damage(folder.last.read_bytes()))
    path, content = folder.resume_from() or pytest.fail("it starts from the beginning")
    assert (path, content["epoch"]) == (folder.previous, 3)
    assert "the checkpoint before it is taken" in caplog.text
    folder.previous.unlink()
    with pytest.raises(CheckpointError, match=r"last\.ckpt' cannot be resumed from: .*--force"):
        folder.resume_from()


class Runs:
    def __reduce__(self) -> Any:
        return (os.system, ("touch ran",))


@pytest.mark.parametrize("content", [{"state_dict": {}}, [], {"epoch": Runs()}], ids=["parts", "list", "code"])
def test_a_file_that_is_no_checkpoint_of_a_training_is_refused(
    folder: RunFolder, content: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.prepare(SETTINGS, force=False)
    monkeypatch.chdir(folder.path)
    torch.save(content, folder.last)
    with pytest.raises(CheckpointError, match="cannot be resumed from"):
        folder.resume_from()
    assert not Path("ran").exists()


@pytest.mark.parametrize("damage", ["none", "lost", "damaged", "not judged", "of another network"])
def test_the_last_weights_stand_in_for_the_best(folder: RunFolder, damage: str) -> None:
    folder.prepare(SETTINGS, force=False)
    save(folder.last, state_dict={"weight": torch.full((1, 1), 9.0)})
    name = "other" if damage == "of another network" else "weight"
    figures = {"f1": math.nan if damage == "not judged" else 1.0}
    save(folder.best, state_dict={name: torch.full((1, 1), 5.0)}, figures=figures)
    if damage == "lost":
        folder.best.unlink()
    if damage == "damaged":
        folder.best.write_bytes(b"PK")
    module = torch.nn.Linear(1, 1, bias=False)
    assert folder.take_best(module, "f1") == {"f1": 1.0}
    assert module.weight.item() == (5 if damage == "none" else 9)


@pytest.mark.parametrize(
    ("environment", "helper"),
    [
        ({}, False),
        ({"LOCAL_RANK": "0", "NODE_RANK": "0"}, False),
        ({"LOCAL_RANK": "1"}, True),
        ({"NODE_RANK": "2"}, True),
    ],
)
def test_only_the_first_process_is_the_users_own(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], helper: bool
) -> None:
    for name in ("LOCAL_RANK", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert is_launched_helper() is helper


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"epochs": 0}, "epochs must be positive, not 0"),
        ({"batch_size": -1}, "batch-size must be positive"),
        ({"learning_rate": 0.0}, "learning-rate must be positive"),
        ({"learning_rate": math.nan}, "learning-rate must be positive, not nan"),
        ({"learning_rate": math.inf}, "learning-rate must be positive"),
        ({"weight_decay": -0.1}, "weight-decay must not be negative, not -0.1"),
        ({"dropout": 1.0}, "dropout must be at least 0 and less than 1, not 1.0; usual is 0.0"),
        ({"label_smoothing": -0.1}, "label-smoothing must be"),
        ({"val_fraction": 1.0}, "val-fraction must lie between 0 and 1"),
    ],
)
def test_a_setting_out_of_range_is_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ClassifierSettings(**setting)
