"""What trainings have in common that learn classes: the loop over two splits, the test, and how it is described."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch import Tensor

from edgevision.core.errors import DatasetError
from edgevision.metrics.figures import confusion_matrix, precision_recall_f1
from edgevision.modelfiles.metadata import ImageSpec
from edgevision.models import model_options
from edgevision.training.data import EpochBatches, LabelledTensors, loader
from edgevision.training.labelled_module import LabelledModule
from edgevision.training.run_folder import RunFolder
from edgevision.training.settings import LabelledSettings
from edgevision.training.trainer import build_trainer, fit, quiet_lightning

_log = logging.getLogger(__name__)

_TESTED_AT_ONCE = 256


def network_options(settings: LabelledSettings, classes: int, image: ImageSpec) -> dict[str, Any]:
    """The keywords of the network, those that were given over those that follow from the data."""
    assert image.size is not None
    options: dict[str, Any] = {
        "num_classes": classes,
        "in_channels": image.color.channels,
        "dropout": settings.dropout,
    }
    if "image_size" in model_options(settings.model):
        options["image_size"] = image.size[0]
    return options | dict(settings.model_options)


def fit_labelled(
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
        shuffled = EpochBatches(
            len(train),
            size,
            seed=settings.seed,
            shuffle=True,
            weights=module.sample_weights(train.labels),
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


def take_best(module: LabelledModule, folder: RunFolder) -> dict[str, float]:
    """Leave the weights with the best F1 in ``module``, on the CPU; the figures that they had in the validation."""
    figures = folder.take_best(module, "f1")
    module.cpu()
    return {"val_top1": figures["accuracy"], "val_f1": figures["f1"]}


@torch.inference_mode()
def figures_of_test(
    module: LabelledModule,
    open_test: Callable[[], Any],
    tensors: Callable[[Any], LabelledTensors],
    last: Callable[[Tensor], Tensor] = lambda logits: logits,
) -> dict[str, float]:
    """Top-1 and macro F1 in percent on the ``test`` split, or nothing where there is none that can be read.

    Args:
        open_test: opens that split; :class:`DatasetError` where there is none.
        tensors: makes batches of it.
        last: the logits (N, classes) of the answer.
    """
    try:
        data = open_test()
    except DatasetError:
        return {}
    if getattr(data, "split", "") != "test" or not data.class_names:
        return {}
    try:
        samples = tensors(data)
    except DatasetError as error:
        _log.warning("there are no figures of the test split: %s", error)
        return {}
    module.eval()
    # Not torchmetrics: it would wait for the other processes, which have ended.
    predicted = [
        last(module(batch[0])).argmax(1).numpy()
        for batch in loader(samples, EpochBatches(len(samples), _TESTED_AT_ONCE, seed=0, shuffle=False), workers=0)
    ]
    matrix = confusion_matrix(samples.labels, np.concatenate(predicted), len(data.class_names))
    scores = precision_recall_f1(matrix, data.class_names)
    return {"top1": 100 * matrix.trace() / matrix.sum(), "f1": 100 * float(np.mean([score.f1 for score in scores]))}
