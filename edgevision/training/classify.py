"""Training a classifier: settings in, a checkpoint that carries its metadata out."""

import logging
import shlex
import sys
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from numpy.typing import NDArray
from torch import Tensor, nn

import edgevision
from edgevision.datasets import ImageDataset, ImageFolder
from edgevision.errors import DatasetError
from edgevision.metadata import (
    Color,
    ImageSpec,
    ModelMetadata,
    Provenance,
    Resize,
    Task,
    TensorSpec,
)
from edgevision.metrics import class_scores, confusion_matrix
from edgevision.models import build_model, model_options
from edgevision.preprocessing import scale_and_offset
from edgevision.training.augmentation import build_augmentation
from edgevision.training.checkpoint import save_checkpoint
from edgevision.training.data import (
    Batch,
    EpochBatches,
    TensorImages,
    channel_statistics,
    hold_out,
    loader,
)
from edgevision.training.digits import Digits
from edgevision.training.machine import describe_machine
from edgevision.training.run_folder import RunFolder, is_launched_helper
from edgevision.training.settings import DIGITS, Balance, ClassifierSettings, MixedPrecision, Optimizer

_log = logging.getLogger(__name__)


def train_classifier(
    settings: ClassifierSettings, output: Path, *, force: bool = False, quiet: bool = False
) -> Path | None:
    """Train and return the path of the finished checkpoint in the folder ``output``.

    Of several processes the first one does so, the others return ``None``.

    The folder of an interrupted training with the same settings is resumed at its last finished epoch. The weights of
    the epoch with the best macro F1 on the validation part are kept. A ``test`` part of the data is used once, at the
    end, for the figures in the metadata.

    Raises:
        DatasetError, InputError, OutputError, DiskFullError: see :mod:`edgevision.errors`.
        KeyboardInterrupt: interrupted; what is finished is on disk.
    """
    folder = RunFolder(output, settings.model)
    data = _open_data(settings.data, "train")
    if len(data.class_names) < 2:
        raise DatasetError(
            f"{settings.data!r} has {len(data.class_names)} class folders; a classifier needs two or more"
        )
    if not is_launched_helper():
        folder.prepare(settings.to_dict(), force=force)
    _quiet_lightning()
    lightning.seed_everything(settings.seed, workers=True, verbose=False)

    train, val, image = _prepare_data(data, settings, quiet=quiet)
    options = _network_options(settings, data, image)
    network = build_model(settings.model, **options)
    module = ClassifierModule(network, settings, image, train.labels, len(data.class_names))
    trainer = _trainer(settings, folder, quiet=quiet)
    # Only now does the trainer know which process this is.
    rank, processes = trainer.global_rank, trainer.world_size
    weights = None
    if settings.balance is Balance.RESAMPLE:
        weights = class_weights(train.labels, len(data.class_names))[train.labels]
    epochs = EpochBatches(
        len(train),
        settings.batch_size,
        seed=settings.seed,
        shuffle=True,
        weights=weights,
        rank=rank,
        processes=processes,
    )
    in_order = EpochBatches(len(val), settings.batch_size, seed=0, shuffle=False, rank=rank, processes=processes)
    resume = folder.resume_from()
    if resume and not quiet and rank == 0:
        _log.info("resuming the training in %s", folder.path)
    try:
        trainer.fit(
            module,
            loader(train, epochs, workers=settings.workers),
            loader(val, in_order, workers=settings.workers),
            ckpt_path=resume,
        )
    except SystemExit:
        # Lightning turns Ctrl-C into exit(1); the command line has its own code for it.
        raise KeyboardInterrupt from None
    if rank > 0:
        return None
    best = torch.load(folder.best, map_location="cpu", weights_only=True)
    module.load_state_dict(best["state_dict"])
    quality = {"val_top1": best["figures"]["accuracy"], "val_f1": best["figures"]["f1"]}
    quality |= _test(module.cpu(), settings, image)
    metadata = ModelMetadata(
        task=Task.CLASSIFY,
        name=settings.model,
        inputs=(TensorSpec(name="image", shape=("batch", image.color.channels, *(image.size or ()))),),
        outputs=(TensorSpec(name="logits", shape=("batch", len(data.class_names))),),
        image=image,
        labels=data.class_names,
        quality={name: round(value, 4) for name, value in quality.items()},
        licence=settings.licence,
        provenance=Provenance(
            data=Path(settings.data).name,
            command=_command(),
            machine=describe_machine(),
            hours=round(folder.seconds_trained() / 3600, 2),
            created=datetime.now(UTC).strftime("%Y-%m-%d"),
            versions={
                "edgevision": edgevision.__version__,
                "torch": str(torch.__version__),
                "lightning": str(lightning.__version__),
            },
        ),
    )
    save_checkpoint(folder.result, module.network, metadata, model=settings.model, options=options)
    return folder.result


class ClassifierModule(LightningModule):
    """The loop's steps: augment, normalise, cross-entropy; accuracy, macro recall and macro F1 per epoch."""

    def __init__(
        self,
        network: nn.Module,
        settings: ClassifierSettings,
        image: ImageSpec,
        labels: NDArray[np.int64],
        classes: int,
    ) -> None:
        super().__init__()
        assert image.size is not None
        # NHWC in memory is a fifth to a third faster for convolutions on CPUs and on tensor cores.
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.settings = settings
        self.augmentation = build_augmentation(settings.augment, image.size)
        scale, offset = scale_and_offset(image)
        self.register_buffer("scale", torch.from_numpy(scale * 255), persistent=False)
        self.register_buffer("offset", torch.from_numpy(offset.copy()), persistent=False)
        weights = class_weights(labels, classes) if settings.balance is Balance.WEIGHTS else np.ones(classes)
        self.register_buffer("class_weights", torch.tensor(weights, dtype=torch.float32), persistent=False)
        averages = {"accuracy": "micro", "recall": "macro", "f1": "macro"}
        figures: dict[str, Any] = {
            "accuracy": torchmetrics.Accuracy,
            "recall": torchmetrics.Recall,
            "f1": torchmetrics.F1Score,
        }
        self.figures = torchmetrics.MetricCollection(
            {name: kind("multiclass", num_classes=classes, average=averages[name]) for name, kind in figures.items()}
        )
        self.train_loss = torchmetrics.MeanMetric()
        self.val_loss = torchmetrics.MeanMetric()

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of uint8 images (N, C, H, W)."""
        return self._classify(images.float() / 255)

    def _classify(self, images: Tensor) -> Tensor:
        scale: Tensor = self.scale  # type: ignore[assignment]
        offset: Tensor = self.offset  # type: ignore[assignment]
        normalised = images * scale + offset
        logits: Tensor = self.network(normalised.contiguous(memory_format=torch.channels_last))
        return logits

    def _loss(self, logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
        weights: Tensor = self.class_weights  # type: ignore[assignment]
        return F.cross_entropy(logits, labels, weight=weights, label_smoothing=smoothing)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        # Augmentation and dropout draw from torch's generators: seeded by the step, a resumed training continues as the
        # uninterrupted one would have. An epoch's seed would not do: what is drawn before its first step differs.
        torch.manual_seed(self.settings.seed * 100_003 + self.global_step * 1_009 + self.global_rank)
        images, labels = batch
        logits = self._classify(self.augmentation(images.float() / 255))
        loss = self._loss(logits, labels, self.settings.label_smoothing)
        self.train_loss.update(loss.detach())
        return loss

    def validation_step(self, batch: Batch, index: int) -> None:
        images, labels = batch
        logits = self(images)
        self.val_loss.update(self._loss(logits, labels, 0.0))
        self.figures.update(logits, labels)

    def on_validation_epoch_end(self) -> None:
        for name, value in self.figures.compute().items():
            self.log(f"val_{name}", value, prog_bar=name != "recall", sync_dist=True)
        self.log("val_loss", self.val_loss.compute(), sync_dist=True)
        self.figures.reset()
        self.val_loss.reset()

    def configure_optimizers(self) -> Any:
        settings = self.settings
        # Biases and normalisation weights are not decayed: shrinking them regularises nothing.
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
        optimizer: torch.optim.Optimizer
        if settings.optimizer is Optimizer.SGD:
            optimizer = torch.optim.SGD(groups, lr=settings.learning_rate, momentum=0.9, nesterov=True)
        else:
            optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate)
        # Rising for a fifth of the steps, then falling to nothing (Smith & Topin 2018).
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=settings.learning_rate,
            total_steps=int(self.trainer.estimated_stepping_batches),
            pct_start=0.2,
            cycle_momentum=False,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class _History(Callback):
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


def class_weights(labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Inverse class frequencies (classes,), 1 on average over the pictures."""
    counts = np.bincount(labels, minlength=classes)
    return len(labels) / (classes * np.maximum(counts, 1))


def _open_data(data: str, split: str) -> ImageDataset:
    return Digits(split) if data == DIGITS else ImageFolder(data, (split,))


def _prepare_data(
    data: ImageDataset, settings: ClassifierSettings, *, quiet: bool
) -> tuple[TensorImages, TensorImages, ImageSpec]:
    everything = np.arange(len(data))
    image = ImageSpec(
        color=settings.color or (Color.GRAY if isinstance(data, Digits) else Color.RGB),
        size=_image_size(data, settings),
        resize=Resize.CROP,
    )
    splits: tuple[str, ...] = getattr(data, "splits", ())
    for split in {"val", "test"} & set(splits):
        names = _open_data(settings.data, split).class_names
        # A test part without class folders is only left out of the figures.
        if names != data.class_names and (names or split == "val"):
            raise DatasetError(f"{settings.data!r} has other classes in its {split} part than in its train part")
    if "val" in splits:
        held_out = _open_data(settings.data, "val")
        train = TensorImages(data, everything, image, quiet=quiet)
        val = TensorImages(held_out, np.arange(len(held_out)), image, quiet=quiet)
    else:
        kept, out = hold_out(data.labels, settings.val_fraction, settings.seed)
        if len(kept) < 2:
            raise DatasetError(f"{settings.data!r} has {len(data)} pictures, too few to hold some out for validation")
        train = TensorImages(data, kept, image, quiet=quiet)
        val = TensorImages(data, out, image, quiet=quiet)
    mean, std = channel_statistics(train)
    return train, val, ImageSpec(color=image.color, size=image.size, resize=image.resize, mean=mean, std=std)


def _image_size(data: ImageDataset, settings: ClassifierSettings) -> tuple[int, int]:
    if settings.image_size:
        return settings.image_size, settings.image_size
    if isinstance(data, Digits):
        return 28, 28
    sizes = {data.image(index).size for index in np.linspace(0, len(data) - 1, 16).astype(int)}
    width, height = sizes.pop()
    return (height, width) if not sizes and height == width <= 64 else (224, 224)


def _network_options(settings: ClassifierSettings, data: ImageDataset, image: ImageSpec) -> dict[str, Any]:
    assert image.size is not None
    options: dict[str, Any] = {
        "num_classes": len(data.class_names),
        "in_channels": image.color.channels,
        "dropout": settings.dropout,
    }
    if "image_size" in model_options(settings.model):
        options["image_size"] = image.size[0]
    return options | dict(settings.model_options)


def _trainer(settings: ClassifierSettings, folder: RunFolder, *, quiet: bool) -> Trainer:
    several = settings.devices * settings.nodes > 1
    callbacks: list[Callback] = [
        _History(folder, quiet=quiet),
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
        precision=_lightning_precision(settings.precision),
        deterministic="warn",
        use_distributed_sampler=False,
        callbacks=callbacks,
        logger=False,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=not quiet and sys.stderr.isatty(),
        default_root_dir=folder.path,
    )


def _lightning_precision(precision: MixedPrecision) -> Any:
    if precision is MixedPrecision.AUTO:
        if not torch.cuda.is_available():
            return "32-true"
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    return {MixedPrecision.FP32: "32-true", MixedPrecision.BF16: "bf16-mixed", MixedPrecision.FP16: "16-mixed"}[
        precision
    ]


@torch.inference_mode()
def _test(module: ClassifierModule, settings: ClassifierSettings, image: ImageSpec) -> dict[str, float]:
    """Top-1 and macro F1 in percent on the ``test`` part, or nothing where there is none."""
    try:
        data = _open_data(settings.data, "test")
    except DatasetError:
        return {}
    if getattr(data, "split", "") != "test" or not data.class_names:
        return {}
    images = TensorImages(data, np.arange(len(data)), image, quiet=True)
    module.eval()
    # Not torchmetrics: it would wait for the other processes, which have ended.
    predicted = [
        module(batch[0]).argmax(1).numpy()
        for batch in loader(images, EpochBatches(len(images), 256, seed=0, shuffle=False), workers=0)
    ]
    matrix = confusion_matrix(images.labels, np.concatenate(predicted), len(data.class_names))
    scores = class_scores(matrix, data.class_names)
    return {"top1": 100 * matrix.trace() / matrix.sum(), "f1": 100 * float(np.mean([score.f1 for score in scores]))}


def _command() -> str:
    # The program's own folder says nothing to anyone else.
    return shlex.join(["edgevision", *sys.argv[1:]])


def _quiet_lightning() -> None:
    for name in ("lightning", "lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # Hints for other situations: workers are not needed for decoded pictures, and the batch size is known.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*number of training batches.*smaller than the logging interval.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch|lightning|kornia")
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch|lightning|kornia")
