"""Training a translation network: pairs of pictures in, a checkpoint that carries its metadata out."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from edgevision.data.point_annotations import held_out_by
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec, TileSpec
from edgevision.models.translation_unet import TranslationUNet
from edgevision.runtime.tasks.translation.spec import TranslationSpec
from edgevision.runtime.tasks.translation.task import TRANSLATE
from edgevision.training.photo_training import begin_network, train_on_photos
from edgevision.training.provenance import training_provenance
from edgevision.training.run_folder import RunFolder
from edgevision.training.settings import TranslationSettings
from edgevision.training.translation_data import PairCrops, Pairs
from edgevision.training.translation_module import TranslationModule


def train_translator(
    settings: TranslationSettings, output: Path, *, force: bool = False, quiet: bool = False
) -> Path | None:
    """Train and return the path of the finished checkpoint in the folder ``output``.

    Of several processes the first one does so, the others return ``None``. The folder of an interrupted training with
    the same settings is resumed at its last validation. The last averaged weights are kept: those with the best PSNR
    on the held-out tenth would blur what cannot be known.

    Raises:
        CheckpointError, CollapseError, DatasetError, InputError, OutputError, DiskFullError: see
            :mod:`edgevision.core.errors`.
        KeyboardInterrupt: interrupted; what is finished is on disk.
    """
    folder = RunFolder(output, settings.model)
    options = settings.model_options
    network = begin_network(settings, options, suited=TranslationSettings.model, task=TRANSLATE.name)
    # What differs between two validations should be the network alone.
    plain = settings.updated(flip=False, turn=False)
    return train_on_photos(
        TranslationModule(network, settings),
        settings,
        lambda pairs, validating: PairCrops(pairs, plain if validating else settings),
        folder,
        options=options,
        describe=translation_metadata,
        read=partial(Pairs, in_tenth=held_out_by(settings.groups), swap=settings.swap),
        judged_by=None,
        force=force,
        quiet=quiet,
    )


def translation_metadata(
    settings: TranslationSettings, network: TranslationUNet, figures: Mapping[str, float], hours: float
) -> ModelMetadata:
    """What the checkpoint says of a network with these ``figures`` after ``hours``."""
    picture = ("batch", 3, "height", "width")
    return ModelMetadata(
        task=TRANSLATE.name,
        name=settings.model,
        inputs=(TensorSpec(name="image", shape=picture, value_range=(0.0, 1.0)),),
        outputs=(TensorSpec(name="translated_image", shape=picture, value_range=(0.0, 1.0)),),
        image=ImageSpec(),
        spec=TranslationSpec(given=settings.given, made=settings.made, groups=settings.groups),
        tile=TileSpec(multiple=network.multiple),
        quality={f"val_{name}": round(value, 4) for name, value in figures.items()},
        licence=settings.licence,
        provenance=training_provenance(settings, settings.data, hours),
    )
