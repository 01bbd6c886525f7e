"""Training a network that finds points on things: settings in, a checkpoint that carries its metadata out."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import EMAWeightAveraging

from edgevision.core.errors import InputError
from edgevision.data.point_annotations import PointedFolder
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec
from edgevision.models import KEYPOINT_NETWORKS, build_model
from edgevision.runtime.tasks.keypoints.schemes import SCHEMES, swaps_by_name
from edgevision.runtime.tasks.keypoints.spec import KeypointsSpec
from edgevision.runtime.tasks.keypoints.task import KEYPOINTS
from edgevision.training.checkpoint import save_checkpoint
from edgevision.training.data_source import open_pointed
from edgevision.training.keypoint_data import KeypointCrops, read_things
from edgevision.training.keypoint_module import KeypointModule
from edgevision.training.keypoint_targets import KeypointTarget, keypoint_target
from edgevision.training.launched import is_launched_helper
from edgevision.training.network_options import network_options
from edgevision.training.provenance import training_provenance
from edgevision.training.run_folder import RunFolder
from edgevision.training.seeded_batches import SeededBatches, seeded_loader
from edgevision.training.settings import KeypointSettings
from edgevision.training.trainer import build_trainer, fit, lightning_precision, quiet_lightning

_log = logging.getLogger(__name__)

_GRAY = 128
"""What is outside of a picture, of 255."""


def train_keypoints(
    settings: KeypointSettings, output: Path, *, force: bool = False, quiet: bool = False
) -> Path | None:
    """Train and return the path of the finished checkpoint in the folder ``output``.

    Of several processes the first one does so, the others return ``None``. The folder of an interrupted training with
    the same settings is resumed at its last validation. The averaged weights with the least error on what is held out
    are kept.

    Raises:
        DatasetError, InputError, OutputError, DiskFullError: see :mod:`edgevision.core.errors`.
        KeyboardInterrupt: interrupted; what is finished is on disk.
    """
    folder = RunFolder(output, settings.model)
    lightning.seed_everything(settings.seed, workers=True, verbose=False)
    if settings.model not in KEYPOINT_NETWORKS:
        raise InputError(f"points are found by the model {' or '.join(KEYPOINT_NETWORKS)}, not {settings.model}")
    pointed = open_pointed(settings.data, "train")
    options = network_options({"points": pointed.count}, settings.model_options)
    network = build_model(settings.model, **options)
    target = keypoint_target(network, pointed.count, settings.sigma)
    spec = _spec(settings, pointed, target)
    lightning_precision(settings.precision)
    # Only now, with every option known to be good, and before the pictures are read, which takes its time.
    if not is_launched_helper():
        folder.prepare(settings.to_dict(), force=force)
    image = ImageSpec(size=settings.image_size, value_range=(-1.0, 1.0), pad_value=_GRAY)
    train, val = read_things(settings, pointed, quiet=quiet)
    module = KeypointModule(network, settings, image, target)
    crops = KeypointCrops(train, settings, spec, fill=_GRAY)
    seen = KeypointCrops(val, settings, spec, fill=_GRAY)
    with quiet_lightning():
        epochs = settings.steps // settings.validate_every
        average = [EMAWeightAveraging(decay=settings.ema)] if settings.ema else []
        trainer = build_trainer(
            settings, folder, epochs=epochs, monitor="val_nme", mode="min", callbacks=average, quiet=quiet
        )
        batches = SeededBatches(settings.validate_every, validation=False, rank=trainer.global_rank)
        first = fit(
            trainer,
            module,
            seeded_loader(crops, batches, kept=train.all_kept, workers=settings.workers),
            seeded_loader(seen, SeededBatches(len(seen), validation=True), kept=val.all_kept, workers=settings.workers),
            folder,
            quiet=quiet,
        )
    if not first:
        return None
    figures = folder.take_best(module, "nme")
    metadata = _metadata(settings, target, image, spec, figures, folder.seconds_trained() / 3600)
    save_checkpoint(folder.result, module.cpu().network.eval(), metadata, model=settings.model, options=options)
    return folder.result


def _spec(settings: KeypointSettings, pointed: PointedFolder, target: KeypointTarget) -> KeypointsSpec:
    """What is known of the points, by their scheme or by the data."""
    known: dict[str, Any] = {"point_names": pointed.point_names, "skeleton": pointed.skeleton}
    if settings.scheme is not None:
        known = SCHEMES[settings.scheme]._asdict()
    else:
        known["swaps"] = swaps_by_name(pointed.point_names)
        if settings.flip and not known["swaps"]:
            _log.warning(
                "crops are not mirrored: nothing says which points change places, as --scheme or names with left and"
                " right do"
            )
    return KeypointsSpec(head=target.head, margin=settings.margin, groups=settings.groups, **known)


def _metadata(
    settings: KeypointSettings,
    target: KeypointTarget,
    image: ImageSpec,
    spec: KeypointsSpec,
    figures: Mapping[str, float],
    hours: float,
) -> ModelMetadata:
    height, width = settings.image_size
    return ModelMetadata(
        task=KEYPOINTS.name,
        name=settings.model,
        inputs=(TensorSpec(name="image", shape=("batch", 3, height, width), value_range=(-1.0, 1.0)),),
        outputs=(TensorSpec(name=target.output, shape=("batch", *target.shape(height, width))),),
        image=image,
        spec=spec,
        quality={f"val_{name}": round(value, 4) for name, value in figures.items()},
        licence=settings.licence,
        provenance=training_provenance(settings, settings.data, hours),
    )
