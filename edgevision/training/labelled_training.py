"""Trainings that learn classes: settings in, a checkpoint that carries its metadata out."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch import Tensor

from edgevision.core.errors import DatasetError
from edgevision.metrics.figures import confusion_matrix, precision_recall_f1
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata
from edgevision.models import build_model, model_options
from edgevision.training.checkpoint import save_checkpoint
from edgevision.training.data import EpochBatches, LabelledTensors, channel_statistics, loader
from edgevision.training.labelled_module import LabelledModule
from edgevision.training.launched import is_launched_helper
from edgevision.training.network_options import network_options
from edgevision.training.private_learning import PoissonBatches, PrivateLearning
from edgevision.training.provenance import training_provenance
from edgevision.training.run_folder import RunFolder
from edgevision.training.settings import LabelledSettings
from edgevision.training.splits import read_splits
from edgevision.training.trainer import build_trainer, fit, lightning_precision, quiet_lightning

_log = logging.getLogger(__name__)

_TESTED_AT_ONCE = 256


Settings = TypeVar("Settings", bound=LabelledSettings)


class LabelledTraining(ABC, Generic[Settings]):
    """What differs between them: what the samples are, how they are learned from, and what the metadata say."""

    module: ClassVar[type[LabelledModule]]

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @abstractmethod
    def open(self) -> Any:
        """The ``train`` split, or the undivided data, checked."""

    @abstractmethod
    def open_split(self, path: str, split: str) -> Any:
        """One split of the data at ``path``; :class:`DatasetError` where there is none."""

    @abstractmethod
    def image_spec(self, data: Any) -> ImageSpec:
        """Size and colour of what the network sees."""

    @abstractmethod
    def tensors(self, data: Any, indices: Any, image: ImageSpec, *, quiet: bool) -> LabelledTensors:
        """The chosen samples in batches."""

    def test_tensors(self, data: Any, image: ImageSpec) -> LabelledTensors:
        """All samples of a test split, each once."""
        return self.tensors(data, np.arange(len(data)), image, quiet=True)

    def answer(self, logits: Tensor) -> Tensor:
        """The logits (N, classes) that count, of all that the network gives for N samples."""
        return logits

    def network_options(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the network is built with, given what follows from the data and the settings."""
        return options

    def private_learning(self, samples: int) -> PrivateLearning | None:
        """How to learn so that no picture of so many can be told from the weights; ``None`` where that is not asked."""
        return None

    @abstractmethod
    def describe(self, image: ImageSpec, labels: tuple[str, ...]) -> dict[str, Any]:
        """``task``, ``inputs``, ``outputs`` and ``spec`` of the metadata."""

    def train(self, output: Path, *, force: bool, quiet: bool) -> Path | None:
        """Train and return the path of the finished checkpoint in the folder ``output``.

        Of several processes the first one does so, the others return ``None``.

        The folder of an interrupted training with the same settings is resumed at its last finished epoch. The weights
        of the epoch with the best macro F1 on the validation split are kept. A ``test`` split of the data is used once,
        at the end, for the figures in the metadata.

        Raises:
            DatasetError, InputError, OutputError, DiskFullError: see :mod:`edgevision.core.errors`.
            KeyboardInterrupt: interrupted; what is finished is on disk.
        """
        settings = self.settings
        folder = RunFolder(output, settings.model)
        data = self.open()
        lightning.seed_everything(settings.seed, workers=True, verbose=False)
        image = self.image_spec(data)
        options = self.network_options(_network_options(settings, len(data.class_names), image))
        network = build_model(settings.model, **options)
        lightning_precision(settings.precision)
        # Only now, with every option known to be good, and before the samples are read, which takes its time.
        if not is_launched_helper():
            folder.prepare(settings.to_dict(), force=force)
        train, val = read_splits(
            data,
            settings.data,
            image,
            val_fraction=settings.val_fraction,
            seed=settings.seed,
            quiet=quiet,
            open_split=self.open_split,
            tensors=self.tensors,
        )
        private = self.private_learning(len(train))
        # Their mean would tell of the pictures, too.
        mean, std = channel_statistics(train) if private is None else _fixed_statistics(image)
        image = image.updated(mean=mean, std=std)
        module = self.module(network, settings, image, train.labels, len(data.class_names))
        module.private = private
        if not _fit(module, folder, train, val, quiet=quiet):
            return None
        quality = _take_best(module, folder) | self._figures_of_test(module, image)
        provenance = training_provenance(settings, settings.data, folder.seconds_trained() / 3600)
        if private is not None:
            provenance = provenance.updated(privacy=private.spent(module.trainer.global_step))
        metadata = ModelMetadata(
            name=settings.model,
            image=image,
            quality={name: round(value, 4) for name, value in quality.items()},
            licence=settings.licence,
            provenance=provenance,
            **self.describe(image, data.class_names),
        )
        save_checkpoint(folder.result, module.network, metadata, model=settings.model, options=options)
        return folder.result

    @torch.inference_mode()
    def _figures_of_test(self, module: LabelledModule, image: ImageSpec) -> dict[str, float]:
        """Top-1 and macro F1 in percent on the ``test`` split, or nothing where there is none that can be read."""
        try:
            data = self.open_split(self.settings.data, "test")
        except DatasetError:
            return {}
        if getattr(data, "split", "") != "test" or not data.class_names:
            return {}
        try:
            samples = self.test_tensors(data, image)
        except DatasetError as error:
            _log.warning("there are no figures of the test split: %s", error)
            return {}
        module.eval()
        # Not torchmetrics: it would wait for the other processes, which have ended.
        predicted = [
            self.answer(module(batch[0])).argmax(1).numpy()
            for batch in loader(samples, EpochBatches(len(samples), _TESTED_AT_ONCE, seed=0, shuffle=False), workers=0)
        ]
        matrix = confusion_matrix(samples.labels, np.concatenate(predicted), len(data.class_names))
        scores = precision_recall_f1(matrix, data.class_names)
        return {"top1": 100 * matrix.trace() / matrix.sum(), "f1": 100 * float(np.mean([score.f1 for score in scores]))}


def _network_options(settings: LabelledSettings, classes: int, image: ImageSpec) -> dict[str, Any]:
    """The keywords of the network, those that were given over those that follow from the data."""
    assert image.size is not None
    decided = {"num_classes": classes, "in_channels": image.color.channels}
    if "image_size" in model_options(settings.model):
        decided["image_size"] = image.size[0]
    return {"dropout": settings.dropout, **network_options(decided, settings.model_options)}


def _fit(
    module: LabelledModule, folder: RunFolder, train: LabelledTensors, val: LabelledTensors, *, quiet: bool
) -> bool:
    """Train to the end, from the last finished epoch on; whether this is the first of the processes."""
    settings = module.settings
    with quiet_lightning():
        patience = settings.patience
        stop = [] if patience is None else [EarlyStopping("val_f1", mode="max", patience=patience)]
        trainer = build_trainer(settings, folder, epochs=settings.epochs, monitor="val_f1", callbacks=stop, quiet=quiet)
        # Only now is it known which process this is.
        rank, processes = trainer.global_rank, trainer.world_size
        size = settings.batch_size
        shuffled: EpochBatches | PoissonBatches = EpochBatches(
            len(train),
            size,
            seed=settings.seed,
            shuffle=True,
            weights=module.sample_weights(train.labels),
            rank=rank,
            processes=processes,
        )
        if module.private is not None:
            shuffled = module.private.batches()
        in_order = EpochBatches(len(val), size, seed=0, shuffle=False, rank=rank, processes=processes)
        return fit(
            trainer,
            module,
            loader(train, shuffled, workers=settings.workers),
            loader(val, in_order, workers=settings.workers),
            folder,
            quiet=quiet,
        )


def _fixed_statistics(image: ImageSpec) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The middle of the range and half of it, for each channel."""
    return (0.5,) * image.color.channels, (0.5,) * image.color.channels


def _take_best(module: LabelledModule, folder: RunFolder) -> dict[str, float]:
    """Leave the weights with the best F1 in ``module``, on the CPU; the figures that they had in the validation."""
    figures = folder.take_best(module, "f1")
    module.cpu()
    return {"val_top1": figures["accuracy"], "val_f1": figures["f1"]}
