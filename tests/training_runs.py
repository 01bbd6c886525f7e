"""A run of a training that is over: its checkpoint and what it noted."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

# Lightning and torch deprecate parts of each other from release to release.
TRAINING_MARKS = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.usefixtures("one_thread"),
]

TINY_GENERATIVE: dict[str, Any] = {
    "model_options": {"width": 8, "latent": 4},
    "steps": 4,
    "sample_every": 2,
    "batch_size": 4,
    "ema": 0.5,
    "workers": 0,
}
"""Settings with which a generator or an autoencoder trains in a second."""


def train(run: Callable[..., Path], settings: Any, folder: Path, **options: Any) -> dict[str, Any]:
    """What the checkpoint holds that ``run`` (as ``train_gan``) leaves in ``folder``."""
    path = run(settings, folder, quiet=True, **options)
    assert path == folder / f"{settings.model}.pt"
    return load_checkpoint(path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(path, weights_only=True)
    return loaded


def history(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def assert_same_weights(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert first["state_dict"].keys() == second["state_dict"].keys()
    for name, tensor in first["state_dict"].items():
        assert torch.equal(tensor, second["state_dict"][name]), name
