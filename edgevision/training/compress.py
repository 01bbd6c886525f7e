"""Training a compression network: settings in, a checkpoint that carries its metadata and its entropy model out."""

from pathlib import Path

import lightning

from edgevision.core.errors import InputError
from edgevision.models import COMPRESSORS, build_model
from edgevision.models.hyperprior_codec import HyperpriorCodec
from edgevision.training.checkpoint import begin_with, save_checkpoint
from edgevision.training.compression_metadata import compression_metadata
from edgevision.training.compression_module import CompressionCrops, CompressionModule
from edgevision.training.photo_training import fit_on_photos
from edgevision.training.run_folder import RunFolder
from edgevision.training.settings import CompressionSettings
from edgevision.training.trainer import lightning_precision


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
    plain = settings.updated(flip=False)
    figures = fit_on_photos(
        module,
        settings,
        lambda photos, validating: CompressionCrops(photos, plain if validating else settings),
        folder,
        judged_by="cost",
        mode="min",
        force=force,
        quiet=quiet,
    )
    if figures is None:
        return None
    trained = module.cpu().network.eval()
    metadata = compression_metadata(settings, trained, figures, folder.seconds_trained() / 3600)
    save_checkpoint(folder.result, trained, metadata, model=settings.model, options=options)
    return folder.result
