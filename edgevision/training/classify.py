"""Training a classifier: settings in, a checkpoint that carries its metadata out."""

import logging
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping

from edgevision.core.errors import DatasetError
from edgevision.data.datasets import ImageDataset
from edgevision.metrics.figures import confusion_matrix, precision_recall_f1
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec
from edgevision.models import build_model, model_options
from edgevision.runtime.tasks.classification.spec import Activation, ClassificationSpec
from edgevision.runtime.tasks.classification.task import CLASSIFY
from edgevision.training.checkpoint import save_checkpoint
from edgevision.training.classifier_module import ClassifierModule
from edgevision.training.data import EpochBatches, TensorImages, channel_statistics, loader
from edgevision.training.data_source import image_spec, open_data, open_split
from edgevision.training.launched import is_launched_helper
from edgevision.training.provenance import training_provenance
from edgevision.training.run_folder import RunFolder
from edgevision.training.settings import ClassifierSettings
from edgevision.training.splits import read_splits
from edgevision.training.trainer import build_trainer, fit, lightning_precision, quiet_lightning

_log = logging.getLogger(__name__)


def train_classifier(
    settings: ClassifierSettings, output: Path, *, force: bool = False, quiet: bool = False
) -> Path | None:
    """Train and return the path of the finished checkpoint in the folder ``output``.

    Of several processes the first one does so, the others return ``None``.

    The folder of an interrupted training with the same settings is resumed at its last finished epoch. The weights of
    the epoch with the best macro F1 on the validation split are kept. A ``test`` split of the data is used once, at the
    end, for the figures in the metadata.

    Raises:
        DatasetError, InputError, OutputError, DiskFullError: see :mod:`edgevision.core.errors`.
        KeyboardInterrupt: interrupted; what is finished is on disk.
    """
    folder = RunFolder(output, settings.model)
    data = open_data(settings)
    lightning.seed_everything(settings.seed, workers=True, verbose=False)
    image = image_spec(data, size=settings.image_size, color=settings.color)
    options = _network_options(settings, data, image)
    network = build_model(settings.model, **options)
    lightning_precision(settings.precision)
    # Only now, with every option known to be good, and before the pictures are read, which takes its time.
    if not is_launched_helper():
        folder.prepare(settings.to_dict(), force=force)
    train, val = read_splits(
        data, settings.data, image, val_fraction=settings.val_fraction, seed=settings.seed, quiet=quiet
    )
    mean, std = channel_statistics(train)
    image = image.updated(mean=mean, std=std)
    module = ClassifierModule(network, settings, image, train.labels, len(data.class_names))
    if not _fit(module, settings, folder, train, val, quiet=quiet):
        return None
    figures = folder.take_best(module, "f1")
    quality = {"val_top1": figures["accuracy"], "val_f1": figures["f1"]}
    quality |= _test(module.cpu(), settings, image)
    metadata = _metadata(settings, image, data.class_names, quality, folder.seconds_trained() / 3600)
    save_checkpoint(folder.result, module.network, metadata, model=settings.model, options=options)
    return folder.result


def _fit(
    module: ClassifierModule,
    settings: ClassifierSettings,
    folder: RunFolder,
    train: TensorImages,
    val: TensorImages,
    *,
    quiet: bool,
) -> bool:
    """Train to the end, from the last finished epoch on; whether this is the first of the processes."""
    with quiet_lightning():
        patience = settings.patience
        stop = [] if patience is None else [EarlyStopping("val_f1", mode="max", patience=patience)]
        trainer = build_trainer(settings, folder, epochs=settings.epochs, monitor="val_f1", callbacks=stop, quiet=quiet)
        # Only now is it known which process this is.
        rank, processes = trainer.global_rank, trainer.world_size
        size = settings.batch_size
        shuffled = EpochBatches(
            len(train),
            size,
            seed=settings.seed,
            shuffle=True,
            weights=module.picture_weights(train.labels),
            rank=rank,
            processes=processes,
        )
        in_order = EpochBatches(len(val), size, seed=0, shuffle=False, rank=rank, processes=processes)
        return fit(
            trainer,
            module,
            loader(train, shuffled, workers=settings.workers),
            loader(val, in_order, workers=settings.workers),
            folder,
            quiet=quiet,
        )


def _metadata(
    settings: ClassifierSettings,
    image: ImageSpec,
    labels: tuple[str, ...],
    quality: dict[str, float],
    hours: float,
) -> ModelMetadata:
    return ModelMetadata(
        task=CLASSIFY.name,
        name=settings.model,
        inputs=(TensorSpec(name="image", shape=("batch", image.color.channels, *(image.size or ()))),),
        outputs=(TensorSpec(name="logits", shape=("batch", len(labels))),),
        image=image,
        spec=ClassificationSpec(labels=labels, activation=Activation.NONE),
        quality={name: round(value, 4) for name, value in quality.items()},
        licence=settings.licence,
        provenance=training_provenance(Path(settings.data).name, hours),
    )


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


@torch.inference_mode()
def _test(module: ClassifierModule, settings: ClassifierSettings, image: ImageSpec) -> dict[str, float]:
    """Top-1 and macro F1 in percent on the ``test`` split, or nothing where there is none that can be read."""
    try:
        data = open_split(settings.data, "test")
    except DatasetError:
        return {}
    if getattr(data, "split", "") != "test" or not data.class_names:
        return {}
    try:
        images = TensorImages(data, np.arange(len(data)), image, quiet=True)
    except DatasetError as error:
        _log.warning("there are no figures of the test split: %s", error)
        return {}
    module.eval()
    # Not torchmetrics: it would wait for the other processes, which have ended.
    predicted = [
        module(batch[0]).argmax(1).numpy()
        for batch in loader(images, EpochBatches(len(images), 256, seed=0, shuffle=False), workers=0)
    ]
    matrix = confusion_matrix(images.labels, np.concatenate(predicted), len(data.class_names))
    scores = precision_recall_f1(matrix, data.class_names)
    return {"top1": 100 * matrix.trace() / matrix.sum(), "f1": 100 * float(np.mean([score.f1 for score in scores]))}
