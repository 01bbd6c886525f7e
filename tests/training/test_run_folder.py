"""The folder of one training."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from edgevision.errors import InputError, OutputError
from edgevision.training.run_folder import RunFolder, is_launched_helper
from edgevision.training.settings import Augmentation, ClassifierSettings

SETTINGS: dict[str, Any] = ClassifierSettings(augment=(Augmentation.FLIP,), model_options={"shortcut": "B"}).to_dict()


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
    folder.last.write_bytes(b"")
    folder.prepare(SETTINGS, force=False)
    assert folder.resume_from() == folder.last


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
    with pytest.raises(InputError, match=message + ".*--force"):
        folder.prepare(SETTINGS | changed, force=False)


def test_a_finished_folder_is_refused(folder: RunFolder) -> None:
    folder.prepare(SETTINGS, force=False)
    folder.result.write_bytes(b"model")
    with pytest.raises(OutputError, match=r"cnn3\.pt' is finished already; --force"):
        folder.prepare(SETTINGS, force=False)
    assert folder.result.read_bytes() == b"model"


def test_force_starts_over_and_keeps_what_is_not_the_trainings(folder: RunFolder) -> None:
    folder.prepare(SETTINGS, force=False)
    for path in (folder.result, folder.last, folder.best, folder.path / "notes.txt"):
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
    ("knob", "message"),
    [
        ({"epochs": 0}, "epochs must be positive, not 0"),
        ({"batch_size": -1}, "batch-size must be positive"),
        ({"learning_rate": 0.0}, "learning-rate must be positive"),
        ({"learning_rate": math.nan}, "learning-rate must be positive, not nan"),
        ({"learning_rate": math.inf}, "learning-rate must be positive"),
        ({"weight_decay": -0.1}, "weight-decay must not be negative, not -0.1"),
        ({"dropout": 1.0}, "dropout must lie in 0..1, not 1.0"),
        ({"label_smoothing": -0.1}, "label-smoothing must lie"),
        ({"val_fraction": 1.0}, "val-fraction must lie between 0 and 1"),
    ],
)
def test_a_knob_out_of_range_is_refused(knob: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ClassifierSettings(**knob)
