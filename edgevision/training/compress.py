"""Training a compression network: settings in, a checkpoint that carries its metadata and its entropy model out."""

from pathlib import Path

from edgevision.models.hyperprior_codec import HyperpriorCodec
from edgevision.training.compression_metadata import compression_metadata
from edgevision.training.compression_module import CompressionCrops, CompressionModule
from edgevision.training.network_options import network_options
from edgevision.training.photo_training import begin_network, train_on_photos
from edgevision.training.run_folder import RunFolder
from edgevision.training.settings import CompressionSettings


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
    options = network_options({"qualities": len(settings.distortion_weights)}, settings.model_options)
    network = begin_network(settings, options, suited=CompressionSettings.model, task="compress")
    assert isinstance(network, HyperpriorCodec)
    plain = settings.updated(flip=False)
    return train_on_photos(
        CompressionModule(network, settings),
        settings,
        lambda photos, validating: CompressionCrops(photos, plain if validating else settings),
        folder,
        options=options,
        describe=compression_metadata,
        judged_by="cost",
        mode="min",
        force=force,
        quiet=quiet,
    )
