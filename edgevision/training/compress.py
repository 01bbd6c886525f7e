"""Training a compression network: settings in, a checkpoint that carries its metadata and its entropy model out."""

from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from edgevision.core.errors import DatasetError, InputError
from edgevision.models import COMPRESSORS, build_model
from edgevision.models.hyperprior_codec import HyperpriorCodec
from edgevision.training.checkpoint import begin_with, save_checkpoint
from edgevision.training.compression_metadata import compression_metadata
from edgevision.training.compression_module import CompressionModule
from edgevision.training.launched import is_launched_helper
from edgevision.training.photo_crops import Photos, turned, zoomed_square
from edgevision.training.run_folder import RunFolder
from edgevision.training.seeded_batches import VALIDATION, SeededBatches, seeded_loader
from edgevision.training.settings import CompressionSettings
from edgevision.training.trainer import build_trainer, fit, lightning_precision, quiet_lightning

_VALIDATION_CROPS = 128


def train_compressor(
    settings: CompressionSettings, output: Path, *, force: bool = False, quiet: bool = False
) -> Path | None:
    """Train and return the path of the finished checkpoint in the folder ``output``.

    Of several processes the first one does so, the others return ``None``. The folder of an interrupted training with
    the same settings is resumed at its last validation. The averaged weights with the least cost on the held-out tenth
    of the photographs are kept.

    Raises:
        DatasetError, InputError, OutputError, DiskFullError: see :mod:`edgevision.core.errors`.
        KeyboardInterrupt: interrupted; what is finished is on disk.
    """
    folder = RunFolder(output, settings.model)
    lightning.seed_everything(settings.seed, workers=True, verbose=False)
    if settings.model not in COMPRESSORS:
        raise InputError(f"photographs are compressed by the model {' or '.join(COMPRESSORS)}, not {settings.model}")
    options = {"qualities": len(settings.distortion_weights), **settings.model_options}
    network = build_model(settings.model, **options)
    assert isinstance(network, HyperpriorCodec)
    if settings.crop % network.multiple:
        raise InputError(f"crop must be a multiple of {network.multiple} for {settings.model}, not {settings.crop}")
    if settings.start_from is not None:
        begin_with(network, Path(settings.start_from))
    lightning_precision(settings.precision)
    module = CompressionModule(network, settings)
    # Only now, with every option known to be good, and before the pictures are read, which takes its time.
    if not is_launched_helper():
        folder.prepare(settings.to_dict(), force=force)
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
            settings, folder, epochs=epochs, monitor="val_cost", mode="min", callbacks=average, quiet=quiet
        )
        batches = SeededBatches(settings.validate_every, validation=False, rank=trainer.global_rank)
        seen = SeededBatches(-(-_VALIDATION_CROPS // settings.batch_size), validation=True)
        first = fit(
            trainer,
            module,
            seeded_loader(PhotoCrops(train, settings), batches, kept=train.all_kept, workers=settings.workers),
            seeded_loader(PhotoCrops(val, settings), seen, kept=val.all_kept, workers=settings.workers),
            folder,
            quiet=quiet,
        )
    if not first:
        return None
    figures = folder.take_best(module, "cost")
    trained = module.cpu().network.eval()
    metadata = compression_metadata(settings, trained, figures, folder.seconds_trained() / 3600)
    save_checkpoint(folder.result, trained, metadata, model=settings.model, options=options)
    return folder.result


class PhotoCrops(Dataset[Tensor]):
    """Batches of crops, float32 (N, 3, H, W) in 0..1; indexed by (epoch, batch, process), which seeds the batch."""

    def __init__(self, photos: Photos, settings: CompressionSettings) -> None:
        self._photos = photos
        self._settings = settings

    def __getitem__(self, key: tuple[int, int, int]) -> Tensor:
        settings, count = self._settings, len(self._photos)
        generator = np.random.default_rng((settings.seed, *key))
        crops = []
        for number in range(settings.batch_size):
            # Validation goes through the photographs in turn, training draws them.
            in_turn = (key[1] * settings.batch_size + number) % count
            photo = self._photos[in_turn if key[0] == VALIDATION else int(generator.integers(count))]
            crop = zoomed_square(photo, settings.crop, settings.zoom, generator)
            if key[0] != VALIDATION:
                if settings.flip:
                    crop = turned(crop, int(generator.integers(8)))
                if generator.random() < settings.gray:
                    crop = np.asarray(Image.fromarray(crop).convert("L").convert("RGB"))
            crops.append(crop)
        return torch.from_numpy(np.stack(crops).transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255))
