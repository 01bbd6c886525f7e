"""Lightning's trainer as the project uses it: resumable, repeatable, and silent about its own insides."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch.utils.data import DataLoader

from edgevision.errors import DeviceError
from edgevision.files import atomic_file, translated_write_errors
from edgevision.terminal import drawing_streams
from edgevision.training.history import History
from edgevision.training.run_folder import RunFolder
from edgevision.training.settings import MixedPrecision, TrainingSettings

_log = logging.getLogger(__name__)


class AtomicCheckpoints(TorchCheckpointIO):
    """Resume files that are whole or not there: one cut off by a full disk would lose the training."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        with atomic_file(Path(path)) as temporary:
            super().save_checkpoint(checkpoint, temporary, storage_options)


def build_trainer(
    settings: TrainingSettings,
    folder: RunFolder,
    *,
    epochs: int,
    monitor: str,
    mode: str = "max",
    callbacks: Sequence[Callback] = (),
    quiet: bool,
) -> Trainer:
    """A trainer that keeps in ``folder`` the last epoch and the one with the best ``monitor``.

    ``mode`` says whether the greatest is the best (``max``) or the least (``min``).
    """
    several = settings.devices * settings.nodes > 1
    # First the callbacks that may change the weights which the others store.
    callbacks = [
        *callbacks,
        History(folder, quiet=quiet),
        ModelCheckpoint(folder.path, "best", monitor=monitor, mode=mode, enable_version_counter=False),
        # Its own callback, after the best: save_last would skip the epochs that are not the best so far.
        ModelCheckpoint(folder.path, "last", enable_version_counter=False),
    ]
    return Trainer(
        max_epochs=epochs,
        devices=settings.devices,
        num_nodes=settings.nodes,
        strategy="ddp" if several else "auto",
        precision=lightning_precision(settings.precision),
        deterministic="warn",
        use_distributed_sampler=False,
        callbacks=list(callbacks),
        plugins=[AtomicCheckpoints()],
        logger=False,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=not quiet and sys.stderr.isatty(),
        default_root_dir=folder.path,
    )


def fit(
    trainer: Trainer,
    module: LightningModule,
    train: DataLoader[Any],
    val: DataLoader[Any],
    folder: RunFolder,
    *,
    quiet: bool,
) -> bool:
    """Train to the end, from the last finished epoch on; whether this is the first of several processes.

    Raises:
        DiskFullError, OutputError: the folder cannot be written.
        KeyboardInterrupt: interrupted; what is finished is on disk.
    """
    resume = folder.resume_from()
    if resume and not quiet and trainer.global_rank == 0:
        _log.info("resuming the training in %s", folder.path)
    try:
        # Lightning draws its bar itself.
        with translated_write_errors(folder.last), drawing_streams():
            trainer.fit(module, train, val, ckpt_path=resume)
    except SystemExit:
        # Lightning turns Ctrl-C into exit(1); the command line has its own code for it.
        raise KeyboardInterrupt from None
    return trainer.global_rank == 0


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
        # The perceptual loss holds a classifier whose statistics must not move.
        warnings.filterwarnings("ignore", message=".*module\\(s\\) in eval mode.*")
        warnings.filterwarnings("ignore", category=FutureWarning, module="torch|lightning|kornia")
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch|lightning|kornia")
        yield
