"""Training a network over frames: settings in, a checkpoint that carries its metadata out."""

from functools import partial
from pathlib import Path

import lightning
import numpy as np

from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec
from edgevision.models import build_model
from edgevision.runtime.tasks.classification.spec import Activation
from edgevision.runtime.tasks.sequences.spec import SequenceSpec
from edgevision.runtime.tasks.sequences.task import SEQUENCE
from edgevision.training.checkpoint import save_checkpoint
from edgevision.training.data import channel_statistics
from edgevision.training.data_source import clip_spec, open_clip_split, open_clips
from edgevision.training.labelled_training import figures_of_test, fit_labelled, network_options, take_best
from edgevision.training.launched import is_launched_helper
from edgevision.training.provenance import training_provenance
from edgevision.training.run_folder import RunFolder
from edgevision.training.sequence_data import TensorClips
from edgevision.training.sequence_module import SequenceModule
from edgevision.training.settings import SequenceSettings
from edgevision.training.splits import read_splits
from edgevision.training.trainer import lightning_precision


def train_sequence(
    settings: SequenceSettings, output: Path, *, force: bool = False, quiet: bool = False
) -> Path | None:
    """Train and return the path of the finished checkpoint in the folder ``output``; as :func:`.train_classifier`."""
    folder = RunFolder(output, settings.model)
    data = open_clips(settings)
    lightning.seed_everything(settings.seed, workers=True, verbose=False)
    image = clip_spec(data, size=settings.image_size, color=settings.color)
    options = network_options(settings, len(data.class_names), image)
    network = build_model(settings.model, **options)
    lightning_precision(settings.precision)
    # Only now, with every option known to be good, and before the clips are read, which takes its time.
    if not is_launched_helper():
        folder.prepare(settings.to_dict(), force=force)
    tensors = partial(TensorClips, frames=settings.frames, every=settings.every)
    train, val = read_splits(
        data,
        settings.data,
        image,
        val_fraction=settings.val_fraction,
        seed=settings.seed,
        quiet=quiet,
        open_split=partial(open_clip_split, seed=settings.seed),
        tensors=tensors,
    )
    mean, std = channel_statistics(train)
    image = image.updated(mean=mean, std=std)
    module = SequenceModule(network, settings, image, train.labels, len(data.class_names))
    if not fit_labelled(module, folder, train, val, quiet=quiet):
        return None
    quality = take_best(module, folder)
    quality |= figures_of_test(
        module,
        lambda: open_clip_split(settings.data, "test", seed=settings.seed),
        lambda test: tensors(test, np.arange(len(test)), image, quiet=True, whole=True),
        last=lambda logits: logits[:, -1],
    )
    metadata = _metadata(settings, image, data.class_names, quality, folder.seconds_trained() / 3600)
    save_checkpoint(folder.result, module.network, metadata, model=settings.model, options=options)
    return folder.result


def _metadata(
    settings: SequenceSettings,
    image: ImageSpec,
    labels: tuple[str, ...],
    quality: dict[str, float],
    hours: float,
) -> ModelMetadata:
    return ModelMetadata(
        task=SEQUENCE.name,
        name=settings.model,
        inputs=(TensorSpec(name="frames", shape=("batch", "time", image.color.channels, *(image.size or ()))),),
        outputs=(TensorSpec(name="logits", shape=("batch", "time", len(labels))),),
        image=image,
        spec=SequenceSpec(labels=labels, activation=Activation.NONE, frames=settings.frames, every=settings.every),
        quality={name: round(value, 4) for name, value in quality.items()},
        licence=settings.licence,
        provenance=training_provenance(Path(settings.data).name, hours),
    )
