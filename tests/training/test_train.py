"""``edgevision.train``: from a kind, data and settings to the training of that kind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

import edgevision
from edgevision.core.errors import DatasetError, InputError
from edgevision.runtime.tasks.restoration.spec import RestorationKind
from edgevision.training.settings import (
    RESTORATION_DEFAULTS,
    Augmentation,
    ClassifierSettings,
    GanSettings,
    Optimizer,
    RestorationSettings,
    VaeSettings,
)
from edgevision.training.train import Kind, train_with, training_settings
from edgevision.training.trainings import TRAININGS


def test_every_training_of_the_table_is_a_kind_that_type_checkers_know() -> None:
    assert get_args(Kind) == tuple(TRAININGS)


def test_plain_values_become_settings() -> None:
    chosen = training_settings("classify", Path("photos.zip"), augment=["flip"], optimizer="sgd", learning_rate=1)
    assert chosen == ClassifierSettings(
        data="photos.zip", augment=(Augmentation.FLIP,), optimizer=Optimizer.SGD, learning_rate=1.0
    )
    assert training_settings("gan", "digits", conditional=True) == GanSettings(conditional=True)
    assert training_settings("vae", "digits", classifier=Path("c.pt")) == VaeSettings(classifier="c.pt")


@pytest.mark.parametrize("kind", RESTORATION_DEFAULTS)
def test_restoration_is_trained_with_what_suits_the_kind(kind: RestorationKind) -> None:
    chosen = training_settings(kind.value, ["a", Path("b.zip")], steps=600, sigma=(0, 25), batch_size=None)
    assert isinstance(chosen, RestorationSettings)
    assert chosen.kind is kind
    assert chosen.data == ("a", "b.zip")
    for name, value in RESTORATION_DEFAULTS[kind]._asdict().items():
        assert getattr(chosen, name) == value
    assert (chosen.scale, chosen.validate_every, chosen.sigma) == (2 if kind == "upscale" else 1, 300, (0.0, 25.0))


@pytest.mark.parametrize(
    ("kind", "settings", "error", "message"),
    [
        ("juggle", {}, ValueError, "one of classify, .*translate, not 'juggle'"),
        ("classify", {"epocs": 3}, TypeError, "a training of classify has no setting 'epocs'; did you mean 'epochs'?"),
        ("vae", {"augment": ["flip"]}, TypeError, "a training of vae has no setting 'augment'"),
        ("classify", {"epochs": "3"}, ValueError, r"classify\.epochs must be int, not '3'"),
        ("classify", {"augment": ["mirror"]}, ValueError, r"classify\.augment\[0\] must be one of flip, .*'mirror'"),
        ("classify", {"epochs": 0}, InputError, "epochs must be positive, not 0"),
        ("denoise", {"scale": 2}, InputError, "scale is for upscaling; denoise keeps the size"),
    ],
)
def test_what_cannot_be_trained_is_refused(kind: Any, settings: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        edgevision.train(kind, "digits", **settings)


def test_one_set_of_class_folders_is_enough() -> None:
    with pytest.raises(ValueError, match="takes one folder or zip of pictures, not 2"):
        edgevision.train("classify", ["a", "b"])


def test_data_that_are_missing_are_named_before_anything_heavy_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevision.training.train.requires_extra", None)
    with pytest.raises(DatasetError, match="nowhere"):
        edgevision.train("classify", "nowhere")


@pytest.mark.parametrize(
    ("kind", "steps", "every"),
    [
        ("translate", {}, 1000),
        ("translate", {"steps": 12}, 12),
        ("denoise", {"steps": 600}, 300),
        ("compress", {}, 500),
        ("detect", {"steps": 1}, 1),
        ("keypoints", {"steps": 1}, 1),
        ("segment", {"steps": 360, "validate_every": None}, 180),
        ("detect", {"model": "csp_detector"}, 250),
    ],
)
def test_the_last_step_is_followed_by_a_validation_unless_another_is_asked_for(
    kind: str, steps: dict[str, Any], every: int
) -> None:
    assert training_settings(kind, "photos", **steps).validate_every == every  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="--steps 10000 would do"):
        training_settings(kind, "photos", steps=10_007)
    with pytest.raises(InputError, match="steps must be a multiple of validate-every 5, not 12"):
        training_settings(kind, "photos", steps=12, validate_every=5)


@pytest.mark.parametrize("verb", ["detect", "keypoints", "segment", "inpaint"])
def test_a_command_of_one_step_needs_no_other_option(
    edgevision: Callable[..., tuple[int, str, str]], verb: str
) -> None:
    kind = ("restore", "--kind", verb) if verb == "inpaint" else (verb,)
    code, _, error = edgevision("train", *kind, "--data", "nowhere", "--steps", 1)
    # The settings were taken: what is refused is the data.
    assert code == 2
    assert "'nowhere' does not exist" in error


def test_a_classifier_is_trained_into_the_folder_asked_for(tmp_path: Path) -> None:
    checkpoint = edgevision.train("classify", "digits", tmp_path / "digits", model="cnn2", epochs=1, quiet=True)
    assert checkpoint is not None
    assert checkpoint.parent == tmp_path / "digits"
    assert checkpoint.is_file()


def test_without_a_folder_it_is_that_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("edgevision.training.classify.train_classifier", lambda _, folder, **__: seen.append(folder))
    monkeypatch.setattr("edgevision.training.restore.train_restorer", lambda _, folder, **__: seen.append(folder))
    monkeypatch.setattr("edgevision.training.data_source.check_pictures", lambda _: None)
    monkeypatch.setattr("edgevision.training.data_source.check_photos", lambda _: None)
    train_with("classify", ClassifierSettings(data="photos.zip"), None, force=False, quiet=True)
    edgevision.train("upscale", "photos")
    assert seen == [Path("runs/photos-cnn3"), Path("runs/upscale-subpixel")]
