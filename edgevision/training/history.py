"""What a person follows a training by: one line an epoch, in the run's folder and on the terminal."""

import logging
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from edgevision.training.classifier_module import ClassifierModule
from edgevision.training.run_folder import RunFolder

_log = logging.getLogger(__name__)


class History(Callback):
    """One line an epoch, into the history and on the terminal, and the figures into the checkpoint."""

    def __init__(self, folder: RunFolder, *, quiet: bool) -> None:
        self._folder = folder
        self._quiet = quiet
        self._started = 0.0
        self._figures: dict[str, float] = {}

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._started = time.monotonic()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking:
            return
        assert isinstance(pl_module, ClassifierModule)
        metrics = {name.removeprefix("val_"): float(value) for name, value in trainer.callback_metrics.items()}
        self._figures = {name: 100 * metrics[name] for name in ("accuracy", "recall", "f1")}
        train_loss = float(pl_module.train_loss.compute())
        pl_module.train_loss.reset()
        seconds = time.monotonic() - self._started
        if not trainer.is_global_zero:
            return
        epoch = trainer.current_epoch + 1
        line = {"epoch": epoch, "train_loss": train_loss, "val_loss": metrics["loss"], **self._figures}
        self._folder.record({name: round(value, 5) for name, value in line.items()} | {"seconds": round(seconds, 1)})
        if not self._quiet:
            _log.info(
                "epoch %d of %d: loss %.3f; validation loss %.3f, accuracy %.2f %%, recall %.2f %%, F1 %.2f %%, %.0f s",
                epoch,
                trainer.max_epochs,
                train_loss,
                metrics["loss"],
                *(self._figures[name] for name in ("accuracy", "recall", "f1")),
                seconds,
            )

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["figures"] = dict(self._figures)
