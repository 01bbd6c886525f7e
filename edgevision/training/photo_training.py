"""The way of every training that learns from crops of photographs, of which a tenth is held out."""

from collections.abc import Callable, Mapping

from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import EMAWeightAveraging

from edgevision.core.errors import DatasetError
from edgevision.training.crop_batches import CropBatches, crop_loader
from edgevision.training.kept_pictures import KeptPictures
from edgevision.training.launched import is_launched_helper
from edgevision.training.photo_crops import Photos, Pixels
from edgevision.training.run_folder import RunFolder
from edgevision.training.seeded_batches import SeededBatches
from edgevision.training.settings import PhotoSettings
from edgevision.training.trainer import build_trainer, fit, quiet_lightning

VALIDATION_CROPS = 128


def fit_on_photos(
    module: LightningModule,
    settings: PhotoSettings,
    crops: Callable[[KeptPictures[Pixels], bool], CropBatches],
    folder: RunFolder,
    *,
    read: Callable[..., KeptPictures[Pixels]] = Photos,
    judged_by: str | None,
    mode: str = "max",
    force: bool,
    quiet: bool,
) -> Mapping[str, float] | None:
    """Train to the end, give ``module`` the best weights and return their figures; ``None`` in a helping process.

    Args:
        crops: makes the batches of the photographs, to validate on or to train on.
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
    return folder.take_best(module, judged_by) if first else None
