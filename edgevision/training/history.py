"""What a person follows a training by: how far it is, and a line an epoch, in the run's folder and on the terminal."""

import logging
import math
import time
from collections.abc import Callable
from typing import Any

import torchmetrics
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from edgevision.core.progress import PartsProgress
from edgevision.training.run_folder import RunFolder

_log = logging.getLogger(__name__)


class History(Callback):
    """One line at each validation, into the history and on the terminal, and the figures into the checkpoint.

    Before the first, and where a validation is long in coming, a line says how far the training is.
    The module logs its figures as ``val_NAME`` and keeps a ``train_loss`` that it updates in every step.
    """

    def __init__(self, folder: RunFolder, *, quiet: bool) -> None:
        self._folder = folder
        self._quiet = quiet
        self._started = 0.0
        self._figures: dict[str, float] = {}
        self._one_more_step: Callable[[], None] = lambda: None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._quiet or not trainer.is_global_zero:
            return
        every, epochs = int(trainer.num_training_batches), int(trainer.max_epochs or 0)
        done = every * trainer.current_epoch
        left = every * epochs - done
        _log.info("training: %d steps%s, a validation after every %d", left, " more" if done else "", every)
        self._one_more_step = PartsProgress(left, "steps")

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self._one_more_step()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._started = time.monotonic()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking:
            return
        mean: torchmetrics.MeanMetric = pl_module.train_loss  # type: ignore[assignment]
        train_loss = float(mean.compute())
        mean.reset()
        self._figures = {
            name.removeprefix("val_"): float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith("val_")
        }
        seconds = time.monotonic() - self._started
        if not trainer.is_global_zero:
            return
        epoch = trainer.current_epoch + 1
        figures = {name: _rounded(value) for name, value in self._figures.items()}
        line: dict[str, float | int | None] = {"epoch": epoch, "train_loss": _rounded(train_loss)}
        line |= {f"val_{name}": value for name, value in figures.items()}
        self._folder.record(line | {"seconds": round(seconds, 1)})
        if not self._quiet:
            shown = ", ".join(f"{n} {v:.4g}" for n, v in figures.items() if v is not None) or "without figures"
            _log.info(
                "epoch %d of %d: loss %.4g; validation %s; %.0f s",
                epoch,
                trainer.max_epochs,
                train_loss,
                shown,
                seconds,
            )

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["figures"] = dict(self._figures)
        checkpoint["batches"] = int(trainer.num_training_batches)


def _rounded(value: float) -> float | None:
    """JSON has no NaN, which stands for a figure that could not be had."""
    return round(value, 5) if math.isfinite(value) else None
