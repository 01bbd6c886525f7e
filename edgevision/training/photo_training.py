"""The way of every training that learns from crops of photographs, of which a tenth is held out."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import lightning
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import EMAWeightAveraging
from torch import nn

from edgevision.core.errors import DatasetError, InputError
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.models import build_model
from edgevision.training.checkpoint import begin_with, save_checkpoint
from edgevision.training.crop_batches import CropBatches, crop_loader
from edgevision.training.kept_pictures import KeptPictures
from edgevision.training.launched import is_launched_helper
from edgevision.training.photo_crops import Photos, Pixels
from edgevision.training.run_folder import RunFolder
from edgevision.training.seeded_batches import SeededBatches
from edgevision.training.settings import PhotoSettings
from edgevision.training.trainer import build_trainer, fit, lightning_precision, quiet_lightning

VALIDATION_CROPS = 128

Settings = TypeVar("Settings", bound=PhotoSettings)
Describe = Callable[[Settings, Any, Mapping[str, float], float], ModelMetadata]
"""What a trained network, given with the settings, says of itself: its figures, and the hours that it took."""


def begin_network(
    settings: PhotoSettings, options: Mapping[str, Any], *, suited: str, task: str, crop_multiples: int = 1
) -> nn.Module:
    """The network of ``settings``, with the weights that it begins with; everything drawn from here on is seeded.

    Args:
        options: its keywords.
        suited: the one network that learns the ``task``.
        crop_multiples: how many of the network's multiple the side of a crop has to be one of.

    Raises:
        CheckpointError, DeviceError, InputError: another network, or options, a crop, weights or a precision that it
            cannot be trained with.
    """
    lightning.seed_everything(settings.seed, workers=True, verbose=False)
    if settings.model != suited:
        raise InputError(f"{task} is trained with the model {suited}, not {settings.model}")
    network = build_model(settings.model, **options)
    multiple = int(getattr(network, "multiple", 1)) * crop_multiples
    if settings.crop % multiple:
        raise InputError(f"crop must be a multiple of {multiple} for {settings.model}, not {settings.crop}")
    if settings.start_from is not None:
        begin_with(network, Path(settings.start_from))
    lightning_precision(settings.precision)
    return network


def train_on_photos(
    module: LightningModule,
    settings: Settings,
    crops: Callable[[KeptPictures[Pixels], bool], CropBatches],
    folder: RunFolder,
    *,
    options: Mapping[str, Any],
    describe: Describe[Settings],
    read: Callable[..., KeptPictures[Pixels]] = Photos,
    judged_by: str | None,
    mode: str = "max",
    force: bool,
    quiet: bool,
) -> Path | None:
    """Train to the end, and write the checkpoint of the best weights; ``None`` in a helping process.

    Args:
        module: the loop's steps for its ``network``.
        crops: makes the batches of the photographs, to validate on or to train on.
        options: the network's keywords, for the checkpoint.
        describe: gives the checkpoint's metadata.
        read: what reads ``settings.data``, called as :class:`.photo_crops.Photos`.
        judged_by: the figure that says which weights are the best, and with ``mode`` whether more or less is better;
            without one the last are kept.
        force: whether a training that the folder holds is started over.

    Raises:
        DatasetError: there are too few pictures; or as :meth:`.RunFolder.prepare`, :meth:`.RunFolder.take_best` and
            :func:`.trainer.fit`.
    """
    # Only now, with every option known to be good, and before the pictures are read, which takes its time.
    if not is_launched_helper():
        folder.prepare(settings.to_dict(), force=force)
    train = read(settings.data, held_out=False, quiet=quiet)
    val = read(settings.data, held_out=True, quiet=True)
    if not len(train) or not len(val):
        raise DatasetError(
            f"{len(train) + len(val)} pictures are too few: a tenth, chosen by file name, is held out for validation"
        )
    with quiet_lightning():
        epochs = settings.steps // settings.validate_every
        average = [EMAWeightAveraging(decay=settings.ema)] if settings.ema else []
        trainer = build_trainer(
            settings,
            folder,
            epochs=epochs,
            monitor="step" if judged_by is None else f"val_{judged_by}",
            mode=mode,
            callbacks=average,
            alternating=not module.automatic_optimization,
            quiet=quiet,
        )
        batches = SeededBatches(settings.validate_every, validation=False, rank=trainer.global_rank)
        seen = SeededBatches(-(-VALIDATION_CROPS // settings.batch_size), validation=True)
        first = fit(
            trainer,
            module,
            crop_loader(crops(train, False), batches, workers=settings.workers),
            crop_loader(crops(val, True), seen, workers=settings.workers),
            folder,
            quiet=quiet,
        )
    if not first:
        return None
    figures = folder.take_best(module, judged_by)
    network: Any = module.cpu().network
    metadata = describe(settings, network.eval(), figures, folder.seconds_trained() / 3600)
    save_checkpoint(folder.result, network, metadata, model=settings.model, options=options)
    return folder.result
