"""Lightning's trainer as the project uses it: resumable, repeatable, and silent about its own insides."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint

from edgevision.errors import DeviceError
from edgevision.files import atomic_file
from edgevision.training.history import History
from edgevision.training.run_folder import RunFolder
from edgevision.training.settings import ClassifierSettings, MixedPrecision


class AtomicCheckpoints(TorchCheckpointIO):
    """Resume files that are whole or not there: one cut off by a full disk would lose the training."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        with atomic_file(Path(path)) as temporary:
            super().save_checkpoint(checkpoint, temporary, storage_options)


def build_trainer(settings: ClassifierSettings, folder: RunFolder, *, quiet: bool) -> Trainer:
    """A trainer that keeps the best and the last epoch in ``folder`` and stops early where the settings say so."""
    several = settings.devices * settings.nodes > 1
    callbacks: list[Callback] = [
        History(folder, quiet=quiet),
        ModelCheckpoint(folder.path, "best", monitor="val_f1", mode="max", enable_version_counter=False),
        # Its own callback, after the best: save_last would skip the epochs that are not the best so far.
        ModelCheckpoint(folder.path, "last", enable_version_counter=False),
    ]
    if settings.patience is not None:
        callbacks.append(EarlyStopping("val_f1", mode="max", patience=settings.patience))
    return Trainer(
        max_epochs=settings.epochs,
        devices=settings.devices,
        num_nodes=settings.nodes,
        strategy="ddp" if several else "auto",
        precision=lightning_precision(settings.precision),
        deterministic="warn",
        use_distributed_sampler=False,
        callbacks=callbacks,
        plugins=[AtomicCheckpoints()],
        logger=False,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=not quiet and sys.stderr.isatty(),
        default_root_dir=folder.path,
    )


def lightning_precision(precision: MixedPrecision) -> Any:
    """Lightning's word for it on this machine; :class:`DeviceError` where the machine cannot."""
    if precision is MixedPrecision.AUTO:
        if not torch.cuda.is_available():
            return "32-true"
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    if precision is MixedPrecision.FP16 and not torch.cuda.is_available():
        raise DeviceError("training in fp16 needs a GPU, and PyTorch sees none here; --precision bf16 or auto runs")
    return {MixedPrecision.FP32: "32-true", MixedPrecision.BF16: "bf16-mixed", MixedPrecision.FP16: "16-mixed"}[
        precision
    ]


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep Lightning's tips, and its hints for other situations than ours, from the user."""
    for name in ("lightning", "lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Decoded pictures need no workers, and the folder is meant to be used again.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*number of training batches.*smaller than the logging interval.*")
        warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
        warnings.filterwarnings("ignore", category=FutureWarning, module="torch|lightning|kornia")
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch|lightning|kornia")
        yield
