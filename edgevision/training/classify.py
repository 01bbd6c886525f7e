"""Training a classifier: settings in, a checkpoint that carries its metadata out."""

from pathlib import Path

import lightning
import numpy as np

from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec
from edgevision.models import build_model
from edgevision.runtime.tasks.classification.spec import Activation, ClassificationSpec
from edgevision.runtime.tasks.classification.task import CLASSIFY
from edgevision.training.checkpoint import save_checkpoint
from edgevision.training.classifier_module import ClassifierModule
from edgevision.training.data import TensorImages, channel_statistics
from edgevision.training.data_source import image_spec, open_data, open_split
from edgevision.training.labelled_training import figures_of_test, fit_labelled, network_options, take_best
from edgevision.training.launched import is_launched_helper
from edgevision.training.provenance import training_provenance
from edgevision.training.run_folder import RunFolder
from edgevision.training.settings import ClassifierSettings
from edgevision.training.splits import read_splits
from edgevision.training.trainer import lightning_precision


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
    options = network_options(settings, len(data.class_names), image)
    network = build_model(settings.model, **options)
    lightning_precision(settings.precision)
    # Only now, with every option known to be good, and before the pictures are read, which takes its time.
    if not is_launched_helper():
        folder.prepare(settings.to_dict(), force=force)
    train, val = read_splits(
        data,
        settings.data,
        image,
        val_fraction=settings.val_fraction,
        seed=settings.seed,
        quiet=quiet,
        tensors=TensorImages,
    )
    mean, std = channel_statistics(train)
    image = image.updated(mean=mean, std=std)
    module = ClassifierModule(network, settings, image, train.labels, len(data.class_names))
    if not fit_labelled(module, folder, train, val, quiet=quiet):
        return None
    quality = take_best(module, folder)
    quality |= figures_of_test(
        module,
        lambda: open_split(settings.data, "test"),
        lambda test: TensorImages(test, np.arange(len(test)), image, quiet=True),
    )
    metadata = _metadata(settings, image, data.class_names, quality, folder.seconds_trained() / 3600)
    save_checkpoint(folder.result, module.network, metadata, model=settings.model, options=options)
    return folder.result


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
