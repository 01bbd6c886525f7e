"""The folder of one training: its settings, its history, the checkpoints it resumes from and the finished model."""

import json
import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from torch import nn

from edgevision.core.atomic_files import atomic_file, translated_write_errors
from edgevision.core.errors import CheckpointError, InputError, OutputError
from edgevision.core.regular_files import read_text_file
from edgevision.training.checkpoint import read_saved

_log = logging.getLogger(__name__)

SETTINGS = "settings.json"

# What a resume file of Lightning's has, among others.
_PARTS = ("state_dict", "epoch", "global_step", "loops", "optimizer_states", "lr_schedulers")


@contextmanager
def nothing_left_if_refused(path: Path) -> Iterator[None]:
    """Take the folder of a training away again that is refused, or fails, before there is anything of it.

    What was there before the block stays.
    """
    before = {folder for folder in (path, path.parent) if folder.exists()}
    try:
        yield
    except Exception:
        with suppress(OSError):
            if [file.name for file in path.iterdir()] == [SETTINGS]:
                (path / SETTINGS).unlink()
                for folder in (path, path.parent):
                    if folder not in before:
                        folder.rmdir()
        raise


class RunFolder:
    """``settings.json``, ``history.jsonl``, the checkpoints and the finished ``NAME.pt``.

    ``last.ckpt`` and ``previous.ckpt``, the one before it, are resumed from; ``best.ckpt`` is what is kept.
    """

    def __init__(self, path: Path, model: str) -> None:
        self.path = path
        self.result = path / f"{model}.pt"
        self.last = path / "last.ckpt"
        self.previous = path / "previous.ckpt"
        self.best = path / "best.ckpt"
        self.history = path / "history.jsonl"
        self._settings = path / SETTINGS

    def prepare(self, settings: Mapping[str, Any], *, force: bool) -> None:
        """Make the folder for ``settings``, or accept the one a training with the same settings left behind.

        Raises:
            OutputError: it holds a finished training, or it cannot be made.
            InputError: it holds an unfinished training with other settings, or with none that can be read.
        """
        with translated_write_errors(self.path):
            if not self.path.parent.is_dir() and self.path.parent != Path("runs"):
                raise OutputError(
                    f"the output folder {str(self.path.parent)!r} does not exist; create it or choose another -o"
                )
            self._check_kinds()
            if force:
                self._clear()
            if self.result.exists():
                raise OutputError(
                    f"{str(self.result)!r} is finished already; --force trains it again, -o trains elsewhere"
                )
            if self._settings.exists() and self._is_of(settings):
                self._mend_history()
                return
            if self.last.exists() or self.previous.exists():
                raise InputError(
                    f"{str(self.path)!r} holds an unfinished training without {self._settings.name}, so that nobody"
                    " knows how to go on with it; --force starts over, -o trains elsewhere"
                )
            self.path.mkdir(parents=True, exist_ok=True)
        with atomic_file(self._settings) as temporary:
            temporary.write_text(json.dumps(dict(settings), indent=2) + "\n")

    def resume_from(self, *, aloud: bool = True) -> tuple[Path, dict[str, Any]] | None:
        """The newest checkpoint that is whole, and what it holds, or ``None`` for a start from the beginning.

        Raises:
            CheckpointError: there are some, and none is whole.
        """
        damaged: list[str] = []
        for path in (self.last, self.previous):
            if not path.exists():
                continue
            try:
                content = read_saved(path)
                if not isinstance(content, dict) or any(part not in content for part in _PARTS):
                    raise ValueError("it is no checkpoint of a training")
            except (OSError, ValueError) as error:
                damaged.append(f"{str(path)!r} cannot be resumed from: {error}")
                continue
            if damaged and aloud:
                _log.warning("%s; the checkpoint before it is taken", damaged[0])
            return path, content
        if damaged:
            raise CheckpointError(f"{damaged[0]}; --force starts over, -o trains elsewhere")
        return None

    def take_best(self, module: nn.Module, judged_by: str | None) -> dict[str, float]:
        """Give ``module`` the best weights, or the last ones where the best are lost or were not judged; their figures.

        ``judged_by`` is the figure by which they are the best; without one the last are.

        Raises:
            CheckpointError: neither can be used.
        """
        reasons = []
        for path in (self.best, self.last, self.previous):
            try:
                content = read_saved(path)
                figures = dict(content["figures"])
                if path == self.best and judged_by is not None and not math.isfinite(figures[judged_by]):
                    raise ValueError(f"its {judged_by} is {figures[judged_by]}")
                module.load_state_dict(content["state_dict"])
            # RuntimeError: they are of another network.
            except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
                reasons.append(
                    f"{str(path)!r} cannot be used: {(str(error).splitlines() or [type(error).__name__])[0]:.200}"
                )
                continue
            if reasons:
                _log.warning("%s; the weights of %s are kept instead", reasons[0], path.name)
            return figures
        raise CheckpointError(f"{reasons[0]}; --force trains again")

    def record(self, epoch: Mapping[str, float | int | None]) -> None:
        """Append one line of JSON to the history."""
        with translated_write_errors(self.history), self.history.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(dict(epoch), allow_nan=False) + "\n")

    def seconds_trained(self) -> float:
        """Time spent in all epochs that count; one that was interrupted and repeated is counted once."""
        seconds = {}
        for line in self._lines():
            epoch = json.loads(line)
            seconds[epoch["epoch"]] = float(epoch["seconds"])
        return sum(seconds.values())

    def _lines(self) -> Iterator[str]:
        """The lines of the history that are whole: a power cut leaves half of one, or zeros."""
        try:
            text = self.history.read_text(encoding="utf-8", errors="replace")
        except OSError:  # the weights are worth more than knowing how long they took
            return
        for line in text.splitlines():
            try:
                epoch = json.loads(line)
                if type(epoch["epoch"]) is int and 0 <= epoch["seconds"] < math.inf:
                    yield line
            except (ValueError, TypeError, KeyError, RecursionError):
                continue

    def _mend_history(self) -> None:
        """Leave the whole lines, so that the next one does not go on in the middle of another."""
        if not self.history.exists():
            return
        whole = "".join(f"{line}\n" for line in self._lines())
        if whole.encode() != self.history.read_bytes():
            _log.warning("%s held more than whole lines, as after a power cut; they are left out", self.history)
            with atomic_file(self.history) as temporary:
                temporary.write_text(whole, encoding="utf-8")

    def _check_kinds(self) -> None:
        for file in self._files():
            if file.exists() and not file.is_file():
                raise OutputError(
                    f"{str(file)!r} is to be a file of the training and is none; move it away, or choose another -o"
                )

    def _clear(self) -> None:
        for file in self._files():
            file.unlink(missing_ok=True)

    def _files(self) -> tuple[Path, ...]:
        return self.result, self.last, self.previous, self.best, self.history, self._settings

    def _is_of(self, settings: Mapping[str, Any]) -> bool:
        """Whether its training has these ``settings``; others give way where it ended before there was anything."""
        name = str(self._settings)
        try:
            before = json.loads(read_text_file(self._settings, "the settings"))
            if not isinstance(before, dict):
                raise ValueError("it is no object")
        except (InputError, OSError, ValueError, RecursionError) as error:
            raise InputError(
                f"{name!r} cannot be read ({error}), so that nobody knows how to go on with this training;"
                " --force starts over, -o trains elsewhere"
            ) from error
        different = sorted(key for key in before.keys() | settings.keys() if before.get(key) != settings.get(key))
        if different and any(file.exists() for file in (self.last, self.previous, self.best, self.history)):
            key = different[0]
            raise InputError(
                f"{str(self.path)!r} holds an unfinished training with {key:.60} {before.get(key)!r:.200}, not"
                f" {settings.get(key)!r:.200}; give the same options to resume it, --force to start over"
            )
        return not different
