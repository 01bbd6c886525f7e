"""Training networks over frames; a few epochs on tiny clips."""

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from training_runs import TRAINING_MARKS, assert_same_weights, history, train

from edgevision.core.errors import DatasetError, InputError
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata
from edgevision.training.checkpoint import load_trained
from edgevision.training.moving_digits import MovingDigits
from edgevision.training.sequence import train_sequence
from edgevision.training.sequence_data import TensorClips
from edgevision.training.sequence_module import SequenceModule
from edgevision.training.settings import Balance, SequenceSettings
from edgevision.training.train import training_settings

pytestmark = TRAINING_MARKS

SPEC = ImageSpec(color=Color.GRAY, size=(4, 4))


class Counted:
    """Clips whose frames are their own numbers: clip 0 has 3 frames, clip 1 has 9."""

    class_names = ("short", "long")
    labels = np.array([0, 1])

    def __len__(self) -> int:
        return 2

    def frames(self, index: int) -> Any:
        return (np.full((4, 4), number, np.uint8) for number in range((3, 9)[index]))


def tensors(**how: Any) -> TensorClips:
    return TensorClips(Counted(), np.arange(2), SPEC, **{"every": 1, "quiet": True} | how)


def numbers(clips: torch.Tensor) -> list[list[int]]:
    """Which frames are in each window."""
    found: list[list[int]] = clips[:, :, 0, 0, 0].tolist()
    return found


def test_long_clips_become_windows_and_short_ones_begin_with_their_first_frame() -> None:
    windows = tensors(frames=4)
    clips, labels = windows[range(len(windows))]
    assert clips.shape[1:] == (4, 1, 4, 4)
    assert numbers(clips) == [[0, 0, 1, 2], [0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7], [5, 6, 7, 8]]
    assert labels.tolist() == [0, 1, 1, 1, 1]


def test_of_every_so_many_frames_one_is_learned_from() -> None:
    clips, _ = tensors(frames=3, every=4)[[0, 1]]
    assert numbers(clips) == [[0, 0, 0], [0, 4, 8]]


def test_the_answer_for_a_clip_is_that_of_its_last_window() -> None:
    windows = tensors(frames=4, whole=True)
    assert numbers(windows[[0, 1]][0]) == [[0, 0, 1, 2], [5, 6, 7, 8]]


def test_late_frames_count_more_than_early_ones() -> None:
    settings = SequenceSettings(balance=Balance.WEIGHTS)
    module = SequenceModule(torch.nn.Identity(), settings, SPEC, np.array([0, 0, 0, 1]), 2)
    right, wrong = [5.0, -5.0], [-5.0, 5.0]
    label = torch.zeros(1, dtype=torch.int64)
    early = module._loss_over_time(torch.tensor([[wrong, right, right]]), label, 0.0)
    late = module._loss_over_time(torch.tensor([[right, right, wrong]]), label, 0.0)
    assert float(late) == pytest.approx(3 * float(early), rel=1e-3)
    # One in four is of the second class, which therefore counts three times.
    assert module.class_weights.tolist() == pytest.approx([2 / 3, 2.0])  # type: ignore[operator, union-attr]


class Short(MovingDigits):
    """A hundred clips of each split."""

    def __init__(self, split: str, *, seed: int = 0) -> None:
        super().__init__(split, seed=seed, clips=100 if split == "train" else 20)

    def frames(self, index: int) -> Any:
        return islice(super().frames(index), 0, None, 4)


@pytest.fixture(autouse=True)
def _short_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevision.training.data_source.MovingDigits", Short)


def settings(**changes: Any) -> SequenceSettings:
    tiny: dict[str, Any] = {"frames": 4, "epochs": 2, "batch_size": 20, "workers": 0, "image_size": 16}
    return SequenceSettings(**tiny | {"model_options": {"widths": [4, 8], "hidden": 8}} | changes)


def test_the_checkpoint_says_what_it_is_and_how_good(tmp_path: Path) -> None:
    train(train_sequence, settings(licence="Apache-2.0"), tmp_path / "run")
    network, metadata = load_trained(tmp_path / "run" / "cnn_gru.pt")
    assert (metadata.task, metadata.licence) == ("sequence", "Apache-2.0")
    assert metadata.spec is not None
    told: Any = metadata.spec
    assert (told.labels, told.frames, told.every, told.states) == (MovingDigits.class_names, 4, 1, ())
    assert metadata.inputs[0].shape == ("batch", "time", 1, 16, 16)
    assert metadata.image is not None
    assert 0 < metadata.image.mean[0] < 0.3
    assert set(metadata.quality) == {"val_top1", "val_f1", "top1", "f1"}
    with torch.inference_mode():
        assert network.eval()(torch.zeros(1, 6, 1, 16, 16)).shape == (1, 6, 10)


def test_an_interrupted_training_ends_as_one_in_one_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = settings(dropout=0.3, balance=Balance.RESAMPLE, model="temporal_shift", model_options={"widths": [4, 8]})
    whole = train(train_sequence, chosen, tmp_path / "whole")
    begin = SequenceModule.training_step

    def interrupted(self: SequenceModule, batch: Any, index: int) -> Any:
        if self.current_epoch == 1 and index == 1:
            raise KeyboardInterrupt
        return begin(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(SequenceModule, "training_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_sequence(chosen, tmp_path / "run", quiet=True)
    resumed = train(train_sequence, chosen, tmp_path / "run")
    assert_same_weights(whole, resumed)
    assert len(history(tmp_path / "run")) == 2


def test_clips_of_a_folder_are_learned_from(tmp_path: Path) -> None:
    Short("train").save(tmp_path / "clips")
    chosen = settings(data=str(tmp_path / "clips"), epochs=1, color=Color.RGB)
    loaded = train(train_sequence, chosen, tmp_path / "run")
    metadata = ModelMetadata.from_json(loaded["edgevision"])
    assert metadata.image is not None
    assert metadata.image.color is Color.RGB
    assert "top1" not in metadata.quality  # there is no test split


def test_data_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    (tmp_path / "only" / "clip").mkdir(parents=True)
    Image.new("L", (8, 8)).save(tmp_path / "only" / "clip" / "0.png")
    with pytest.raises(DatasetError, match="1 class folders of clips; a network needs two or more"):
        train_sequence(settings(data=str(tmp_path)), tmp_path / "run")
    with pytest.raises(InputError, match="frames must be positive, not 0"):
        settings(frames=0)
    with pytest.raises(TypeError, match="has no setting 'length'; it has balance"):
        training_settings("sequence", "moving-digits", length=3)
