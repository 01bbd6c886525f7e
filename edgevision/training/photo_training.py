"""The way of every training that learns from crops of photographs, of which a tenth is held out."""

from collections.abc import Callable

from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import EMAWeightAveraging

from edgevision.core.errors import DatasetError
from edgevision.training.crop_batches import CropBatches, crop_loader
from edgevision.training.photo_crops import Photos
from edgevision.training.run_folder import RunFolder
from edgevision.training.seeded_batches import SeededBatches
from edgevision.training.settings import PhotoSettings
from edgevision.training.trainer import build_trainer, fit, quiet_lightning

_VALIDATION_CROPS = 128


def fit_on_photos(
    module: LightningModule,
    settings: PhotoSettings,
    crops: Callable[[Photos, bool], CropBatches],
    folder: RunFolder,
    *,
    monitor: str,
    mode: str = "max",
    quiet: bool,
) -> bool:
    """Train to the end; whether this is the first of several processes.

    Args:
        crops: makes the batches of the photographs, to validate on or to train on.
        monitor: the figure that says which weights are the best, and with ``mode`` whether more or less is better.

    Raises:
        DatasetError: there are too few pictures; or as :func:`.trainer.fit`.
    """
    train = Photos(settings.data, held_out=False, quiet=quiet)
    val = Photos(settings.data, held_out=True, quiet=True)
    if not len(train) or not len(val):
        raise DatasetError(
            f"{len(train) + len(val)} pictures are too few: a tenth, chosen by file name, is held out for validation"
        )
    with quiet_lightning():
        epochs = settings.steps // settings.validate_every
        average = [EMAWeightAveraging(decay=settings.ema)] if settings.ema else []
        trainer = build_trainer(
            settings, folder, epochs=epochs, monitor=monitor, mode=mode, callbacks=average, quiet=quiet
        )
        batches = SeededBatches(settings.validate_every, validation=False, rank=trainer.global_rank)
        seen = SeededBatches(-(-_VALIDATION_CROPS // settings.batch_size), validation=True)
        return fit(
            trainer,
            module,
            crop_loader(crops(train, False), batches, workers=settings.workers),
            crop_loader(crops(val, True), seen, workers=settings.workers),
            folder,
            quiet=quiet,
        )
