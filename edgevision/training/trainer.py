"""Lightning's trainer as the project uses it: resumable, repeatable, and silent about its own insides."""

import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.plugins.precision import MixedPrecision as MixedPrecisionPlugin
from lightning.pytorch.plugins.precision import Precision
from torch.utils.data import DataLoader

from edgevision.core.atomic_files import atomic_file, translated_write_errors
from edgevision.core.errors import CheckpointError, DatasetError, DeviceError, EdgevisionError, InputError
from edgevision.core.file_system import rename_over
from edgevision.core.machine import Machine
from edgevision.training.checkpoint import read_saved
from edgevision.training.history import History
from edgevision.training.run_folder import RunFolder
from edgevision.training.settings import MixedPrecision, TrainingSettings

_log = logging.getLogger(__name__)

# CPUs of any of these trained the project's networks 1.1 to 2 times as fast in bfloat16, and with AMX up to 4.6 times
# (benchmarks/training_precision.py); on others PyTorch emulates it.
_TRAINS_FASTER_IN_BF16 = {"avx512_bf16", "amx_bf16"}


class WholeCheckpoints(TorchCheckpointIO):
    """Checkpoints that are whole or not there, and the one before the last: the disk may fill up or fail."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        path = Path(path)
        with atomic_file(path) as temporary:
            super().save_checkpoint(checkpoint, temporary, storage_options)
            if path.name == self._folder.last.name and path.exists():
                rename_over(path, path.with_name(self._folder.previous.name))

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        return dict(read_saved(Path(path)))


class _Beginning(Callback):
    """Knows whether the training has begun: what goes wrong before is about what it was resumed from.

    From then on SIGTERM is taken as Ctrl-C: Lightning would have the processes talk about it in the middle of a step.
    """

    begun = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.begun = True
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # Lightning puts it back at the end


def build_trainer(
    settings: TrainingSettings,
    folder: RunFolder,
    *,
    epochs: int,
    monitor: str,
    mode: str = "max",
    callbacks: Sequence[Callback] = (),
    alternating: bool = False,
    quiet: bool,
) -> Trainer:
    """A trainer that keeps in ``folder`` the last epoch and the one with the best ``monitor``.

    ``mode`` says whether the greatest is the best (``max``) or the least (``min``). ``alternating`` is for several
    networks that do not all learn in every step.
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
        # Else each process would wait for gradients that another does not have either.
        strategy=("ddp_find_unused_parameters_true" if alternating else "ddp") if several else "auto",
        deterministic="warn",
        use_distributed_sampler=False,
        callbacks=list(callbacks),
        plugins=[WholeCheckpoints(folder), lightning_precision(settings.precision)],
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
        CheckpointError: what is to be resumed is damaged, or of another training.
        DatasetError: no picture can be read any more.
        DiskFullError, OutputError: the folder cannot be written.
        EdgevisionError: there is not enough memory.
        KeyboardInterrupt: interrupted; what is finished is on disk.
    """
    first = trainer.global_rank == 0
    found = folder.resume_from(aloud=first)
    resume = None
    if found is not None:
        resume, content = found
        batches = content.get("batches", len(train))
        if batches != len(train):
            raise InputError(
                f"{str(folder.path)!r} was trained with {batches} batches an epoch, and the data now give {len(train)};"
                " train on the same pictures to resume it, --force starts over"
            )
        del content
        if first and not quiet:
            _log.info("resuming the training in %s", folder.path)
    beginning = _Beginning()
    trainer.callbacks.append(beginning)  # type: ignore[attr-defined]
    try:
        with translated_write_errors(folder.last):
            trainer.fit(module, train, val, ckpt_path=resume, weights_only=True)
    except SystemExit:
        # What watches the other processes, which are ended by now, would kill this one for it.
        getattr(trainer.strategy.launcher, "procs", []).clear()
        # Lightning turns Ctrl-C into exit(1); the command line has its own code for it.
        raise KeyboardInterrupt from None
    except DatasetError as error:
        # A process that decodes pictures hands its traceback over in the message.
        raise DatasetError(str(error).rpartition("DatasetError: ")[2].strip()) from error
    except EdgevisionError:
        raise
    except Exception as error:
        if (explained := _explained(error)) is not None:
            raise explained from error
        if resume is not None and not beginning.begun:
            raise CheckpointError(
                f"{str(resume)!r} cannot be resumed from: {_first_line(error)}; --force starts over, -o trains"
                " elsewhere"
            ) from error
        raise
    return first


def _explained(error: Exception) -> EdgevisionError | None:
    """What PyTorch says in its own words of what a user can mend; ``None`` for anything else."""
    said = str(error)
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in said:
        return EdgevisionError("there is not enough memory for this training; lower --batch-size or the pictures' size")
    if "Expected more than 1 value per channel" in said:
        return InputError("this network normalises over its batch, which has to hold two pictures; raise --batch-size")
    if said.startswith("DataLoader worker"):
        return EdgevisionError(
            "a process that decodes pictures was ended, most likely for want of memory; the same command with fewer"
            " --workers resumes"
        )
    return None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


class _TrainingInMixedPrecision(MixedPrecisionPlugin):
    """Validates in float32, in which the figures are exact and the model will run."""

    @contextmanager
    def val_step_context(self) -> Iterator[None]:
        yield


def lightning_precision(precision: MixedPrecision) -> Precision:
    """Lightning's plugin for it on this machine; :class:`DeviceError` where the machine cannot."""
    cuda = torch.cuda.is_available()
    if precision is MixedPrecision.AUTO:
        precision = MixedPrecision.FP32
        if cuda:
            precision = MixedPrecision.BF16 if torch.cuda.is_bf16_supported() else MixedPrecision.FP16
        elif _TRAINS_FASTER_IN_BF16.intersection(Machine.this().features):
            precision = MixedPrecision.BF16
    if precision is MixedPrecision.FP32:
        return Precision()
    if precision is MixedPrecision.FP16 and not cuda:
        raise DeviceError("training in fp16 needs a GPU, and PyTorch sees none here; --precision bf16 or auto runs")
    return _TrainingInMixedPrecision(
        "bf16-mixed" if precision is MixedPrecision.BF16 else "16-mixed", "cuda" if cuda else "cpu"
    )


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep from the user what the libraries say among themselves; ``--debug`` shows their warnings."""
    for name in ("lightning", "lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        if not _log.isEnabledFor(logging.DEBUG):
            warnings.simplefilter("ignore")
        yield
