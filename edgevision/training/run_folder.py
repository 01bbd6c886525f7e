"""The folder of one training: its settings, its history, the checkpoints it resumes from and the finished model."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgevision.errors import InputError, OutputError
from edgevision.files import atomic_file, translated_write_errors


class RunFolder:
    """``settings.json``, ``history.jsonl``, ``last.ckpt`` (resume), ``best.ckpt`` and the finished ``NAME.pt``."""

    def __init__(self, path: Path, model: str) -> None:
        self.path = path
        self.result = path / f"{model}.pt"
        self.last = path / "last.ckpt"
        self.best = path / "best.ckpt"
        self.history = path / "history.jsonl"
        self._settings = path / "settings.json"

    def prepare(self, settings: Mapping[str, Any], *, force: bool) -> None:
        """Make the folder for ``settings``, or accept the one a training with the same settings left behind.

        Raises:
            OutputError: it holds a finished training, or it cannot be made.
            InputError: it holds an unfinished training with other settings.
        """
        if not self.path.parent.is_dir() and self.path.parent != Path("runs"):
            raise OutputError(
                f"the output folder {str(self.path.parent)!r} does not exist; create it or choose another -o"
            )
        if force:
            self._clear()
        if self.result.exists():
            raise OutputError(f"{str(self.result)!r} is finished already; --force trains it again, -o trains elsewhere")
        if self._settings.exists():
            self._compare(settings)
            return
        with translated_write_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        with atomic_file(self._settings) as temporary:
            temporary.write_text(json.dumps(dict(settings), indent=2) + "\n")

    def resume_from(self) -> Path | None:
        """Where to continue, or ``None`` for a start from the beginning."""
        return self.last if self.last.exists() else None

    def record(self, epoch: Mapping[str, float | int]) -> None:
        """Append one line of JSON to the history."""
        with translated_write_errors(self.history), self.history.open("a") as stream:
            stream.write(json.dumps(dict(epoch)) + "\n")

    def seconds_trained(self) -> float:
        """Time spent in all epochs that count; one that was interrupted and repeated is counted once."""
        if not self.history.exists():
            return 0.0
        epochs = [json.loads(line) for line in self.history.read_text().splitlines()]
        return sum({int(epoch["epoch"]): float(epoch["seconds"]) for epoch in epochs}.values())

    def _clear(self) -> None:
        for file in (self.result, self.last, self.best, self.history, self._settings):
            file.unlink(missing_ok=True)

    def _compare(self, settings: Mapping[str, Any]) -> None:
        before = json.loads(self._settings.read_text())
        different = sorted(key for key in before.keys() | settings.keys() if before.get(key) != settings.get(key))
        if different:
            key = different[0]
            raise InputError(
                f"{str(self.path)!r} holds an unfinished training with {key} {before.get(key)!r}, not"
                f" {settings.get(key)!r}; give the same options to resume it, --force to start over"
            )


def is_launched_helper() -> bool:
    """Whether Lightning started this process beside the user's own, to train on another device."""
    return os.environ.get("LOCAL_RANK", "0") != "0" or os.environ.get("NODE_RANK", "0") != "0"
