"""Training a detector: settings in, a checkpoint that carries its metadata out."""

from collections.abc import Mapping
from pathlib import Path

import lightning
import torch

from edgevision.core.errors import InputError
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, Resize, TensorSpec
from edgevision.models import DETECTORS, build_model
from edgevision.runtime.tasks.detection.spec import (
    Arrangement,
    BoxCoding,
    DetectionSpec,
    Field,
    HeadSpec,
    Level,
    OutputPart,
    Scores,
    Unit,
)
from edgevision.runtime.tasks.detection.task import DETECT
from edgevision.training.checkpoint import begin_with, save_checkpoint, take_backbone
from edgevision.training.data_source import open_annotated
from edgevision.training.detection_augmentation import GRAY
from edgevision.training.detection_data import (
    BoxedPictures,
    BoxExamples,
    WholePictures,
    read_annotated,
)
from edgevision.training.detection_module import DetectionModule, JudgedDetections
from edgevision.training.launched import is_launched_helper
from edgevision.training.network_options import network_options
from edgevision.training.provenance import training_provenance
from edgevision.training.run_folder import RunFolder
from edgevision.training.seeded_batches import SeededBatches, seeded_loader
from edgevision.training.settings import DetectionSettings
from edgevision.training.trainer import build_trainer, fit, lightning_precision, quiet_lightning
from edgevision.training.weight_average import RampedAverage


def train_detector(
    settings: DetectionSettings, output: Path, *, force: bool = False, quiet: bool = False
) -> Path | None:
    """Train and return the path of the finished checkpoint in the folder ``output``.

    Of several processes the first one does so, the others return ``None``. The folder of an interrupted training with
    the same settings is resumed at its last validation. The averaged weights with the best mAP50 on the ``val`` split,
    or a held-out tenth, are kept. A ``test`` split is used once, at the end, for the figures in the metadata.

    Raises:
        DatasetError, InputError, OutputError, DiskFullError: see :mod:`edgevision.core.errors`.
        KeyboardInterrupt: interrupted; what is finished is on disk.
    """
    folder = RunFolder(output, settings.model)
    lightning.seed_everything(settings.seed, workers=True, verbose=False)
    if settings.model not in DETECTORS:
        raise InputError(f"a detector is trained with the model {' or '.join(DETECTORS)}, not {settings.model}")
    classes = len(open_annotated(settings.data, "train").class_names)
    options = network_options({"num_classes": classes}, settings.model_options)
    network = build_model(settings.model, **options)
    if settings.start_from is not None:
        begin_with(network, Path(settings.start_from))
    if settings.backbone is not None:
        take_backbone(network, Path(settings.backbone))
    lightning_precision(settings.precision)
    # Only now, with every option known to be good, and before the pictures are read, which takes its time.
    if not is_launched_helper():
        folder.prepare(settings.to_dict(), force=force)
    image = ImageSpec(size=settings.image_size, resize=Resize.PAD, pad_value=GRAY)
    data = read_annotated(settings, image, quiet=quiet)
    spec = detection_spec(network, data.class_names)
    module = DetectionModule(network, settings, image, spec)
    with quiet_lightning():
        epochs = settings.steps // settings.validate_every
        average = [RampedAverage(settings.ema)] if settings.ema else []
        trainer = build_trainer(settings, folder, epochs=epochs, monitor="val_map50", callbacks=average, quiet=quiet)
        batches = SeededBatches(settings.validate_every, validation=False, rank=trainer.global_rank)
        seen = WholePictures(data.val, settings.batch_size)
        first = fit(
            trainer,
            module,
            seeded_loader(
                BoxExamples(data.train, settings, trainer.world_size),
                batches,
                kept=data.train.all_kept,
                workers=settings.workers,
            ),
            seeded_loader(
                seen, SeededBatches(len(seen), validation=True), kept=data.val.all_kept, workers=settings.workers
            ),
            folder,
            quiet=quiet,
        )
    if not first:
        return None
    figures = folder.take_best(module, "map50")
    quality = {f"val_{name}": value for name, value in figures.items()}
    if data.test is not None:
        quality |= _test(module.cpu(), data.test)
    metadata = _metadata(settings, image, spec, quality, folder.seconds_trained() / 3600)
    save_checkpoint(folder.result, module.cpu().network.eval(), metadata, model=settings.model, options=options)
    return folder.result


def detection_spec(network: torch.nn.Module, labels: tuple[str, ...]) -> DetectionSpec:
    """How the outputs of a network of the project become boxes."""
    parts = (
        OutputPart(outputs=("boxes",), fields=(Field.BOX,), arrangement=Arrangement.COLUMNS),
        OutputPart(outputs=("scores",), fields=(Field.SCORES,), arrangement=Arrangement.COLUMNS),
    )
    head = HeadSpec(
        parts=parts,
        coding=BoxCoding.DISTANCES,
        unit=Unit.STRIDES,
        bins=network.bins,  # type: ignore[arg-type]
        scores=Scores.SIGMOID,
        levels=tuple(Level(stride=stride) for stride in network.strides),  # type: ignore[union-attr]
    )
    return DetectionSpec(head=head, labels=labels, iou=0.6)


@torch.inference_mode()
def _test(module: DetectionModule, pictures: BoxedPictures) -> dict[str, float]:
    """Average precision in percent on the ``test`` split, and that of each class at an overlap of 0.5."""
    module.eval()
    judged = JudgedDetections(module.spec)
    whole = WholePictures(pictures, 16)
    for number in range(len(whole)):
        batch = whole[0, number, 0]
        judged.update(module(batch.images), batch)
    scores = judged.compute()
    figures = {"map50": scores.at(0.5), "map": scores.mean}
    figures |= {f"ap50_{name}": float(scores.by_class[0, index]) for index, name in enumerate(module.spec.labels)}
    return {name: 100 * value for name, value in figures.items() if value == value}


def _metadata(
    settings: DetectionSettings, image: ImageSpec, spec: DetectionSpec, quality: Mapping[str, float], hours: float
) -> ModelMetadata:
    assert spec.head is not None
    height, width = settings.image_size
    cells = sum(height // level.stride * (width // level.stride) for level in spec.head.levels)
    return ModelMetadata(
        task=DETECT.name,
        name=settings.model,
        inputs=(TensorSpec(name="image", shape=("batch", 3, height, width)),),
        outputs=(
            TensorSpec(name="boxes", shape=("batch", 4 * spec.head.bins, cells)),
            TensorSpec(name="scores", shape=("batch", len(spec.labels), cells)),
        ),
        image=image,
        spec=spec,
        quality={name: round(value, 4) for name, value in quality.items()},
        licence=settings.licence,
        provenance=training_provenance(settings, settings.data, hours),
    )
