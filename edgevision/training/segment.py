"""Training a segmentation network: settings in, a checkpoint that carries its metadata out."""

from collections.abc import Mapping
from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging

from edgevision.core.errors import InputError
from edgevision.data.mask_annotations import VOID, MaskedFolder, MaskKind
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, Resize, TensorSpec, TileSpec
from edgevision.models import SEGMENTERS, build_model
from edgevision.runtime.tasks.segmentation.spec import SegmentationSpec
from edgevision.runtime.tasks.segmentation.task import SEGMENT
from edgevision.training.checkpoint import begin_with, save_checkpoint, take_backbone
from edgevision.training.data_source import open_masked
from edgevision.training.launched import is_launched_helper
from edgevision.training.mask_augmentation import GRAY
from edgevision.training.provenance import training_provenance
from edgevision.training.run_folder import RunFolder
from edgevision.training.seeded_batches import SeededBatches, seeded_loader
from edgevision.training.segmentation_data import MappedViews, WholePictures, read_masked
from edgevision.training.segmentation_figures import OUTPUT, judged_masks
from edgevision.training.segmentation_module import SegmentationModule
from edgevision.training.segmentation_targets import ClassTarget, ForegroundTarget, InstanceTarget, SegmentationTarget
from edgevision.training.settings import ClassWeights, SegmentationSettings
from edgevision.training.trainer import build_trainer, fit, lightning_precision, quiet_lightning


def train_segmenter(
    settings: SegmentationSettings, output: Path, *, force: bool = False, quiet: bool = False
) -> Path | None:
    """Train and return the path of the finished checkpoint in the folder ``output``.

    Of several processes the first one does so, the others return ``None``. The folder of an interrupted training with
    the same settings is resumed at its last validation. The averaged weights with the best figure on the ``val`` split,
    or a held-out tenth, are kept. A ``test`` split is used once, at the end, for the figures in the metadata.

    Raises:
        DatasetError, InputError, OutputError, DiskFullError: see :mod:`edgevision.core.errors`.
        KeyboardInterrupt: interrupted; what is finished is on disk.
    """
    folder = RunFolder(output, settings.model)
    lightning.seed_everything(settings.seed, workers=True, verbose=False)
    if settings.model not in SEGMENTERS:
        raise InputError(f"segmentation is trained with the model {' or '.join(SEGMENTERS)}, not {settings.model}")
    masked = open_masked(settings.data, "train")
    labels = _labels(settings, masked)
    target = _target(settings, masked)
    options = {**settings.model_options, "outputs": target.outputs}
    network = build_model(settings.model, **options)
    multiple = int(network.multiple)  # type: ignore[arg-type]
    if any(side % multiple for side in settings.view_size):
        raise InputError(
            f"the sides of what is trained on must be multiples of {multiple} for this network, not"
            f" {'x'.join(map(str, settings.view_size))}"
        )
    if settings.start_from is not None:
        begin_with(network, Path(settings.start_from))
    if settings.backbone is not None:
        take_backbone(network, Path(settings.backbone))
    lightning_precision(settings.precision)
    # Only now, with every option known to be good, and before the pictures are read, which takes its time.
    if not is_launched_helper():
        folder.prepare(settings.to_dict(), force=force)
    # A picture of any size is only padded at two sides, where gray beside a dark one would be taken for a thing.
    image = ImageSpec(size=settings.image_size, resize=Resize.PAD, pad_value=GRAY if settings.image_size else 0)
    data = read_masked(settings, image, target, multiple, quiet=quiet)
    spec = SegmentationSpec(head=target.head, labels=labels, min_score=target.min_score)
    module = SegmentationModule(network, settings, target, judged_masks(spec))
    with quiet_lightning():
        epochs = settings.steps // settings.validate_every
        average = [EMAWeightAveraging(decay=settings.ema)] if settings.ema else []
        monitor = f"val_{module.judged.monitor}"
        trainer = build_trainer(settings, folder, epochs=epochs, monitor=monitor, callbacks=average, quiet=quiet)
        views = MappedViews(data.train, settings, trainer.world_size)
        batches = SeededBatches(settings.validate_every, validation=False, rank=trainer.global_rank)
        whole = WholePictures(data.val)
        first = fit(
            trainer,
            module,
            seeded_loader(views, batches, kept=data.train.all_kept, workers=settings.workers),
            seeded_loader(
                whole, SeededBatches(len(whole), validation=True), kept=data.val.all_kept, workers=settings.workers
            ),
            folder,
            quiet=quiet,
        )
    if not first:
        return None
    figures = folder.take_best(module, module.judged.monitor)
    quality = {f"val_{name}": value for name, value in figures.items()}
    if data.test is not None:
        quality |= _test(module.cpu(), WholePictures(data.test))
    metadata = _metadata(settings, image, spec, target, multiple, quality, folder.seconds_trained() / 3600)
    save_checkpoint(folder.result, module.cpu().network.eval(), metadata, model=settings.model, options=options)
    return folder.result


def _labels(settings: SegmentationSettings, masked: MaskedFolder) -> tuple[str, ...]:
    if settings.labels and len(settings.labels) != len(masked.class_names):
        raise InputError(
            f"the masks have {len(masked.class_names)} classes, {', '.join(masked.class_names)}, and --labels names"
            f" {len(settings.labels)}"
        )
    return settings.labels or masked.class_names


def _target(settings: SegmentationSettings, masked: MaskedFolder) -> SegmentationTarget:
    """What the masks are to be learned as, as their kind says."""
    if masked.kind is MaskKind.THINGS:
        return InstanceTarget()
    if masked.kind is MaskKind.FOREGROUND:
        return ForegroundTarget()
    names = masked.class_names
    background = names.index("background") if "background" in names else None
    weights = _class_weights(masked) if settings.class_weights is ClassWeights.LOG else None
    return ClassTarget(len(names), background, weights)


def _class_weights(masked: MaskedFolder) -> list[float]:
    """How much a pixel of each class counts, 1 on average over the classes."""
    counts = np.zeros(len(masked.class_names))
    for name in masked.names:
        classes = masked.class_map(name)
        counts += np.bincount(classes[classes != VOID], minlength=len(counts))
    weights = 1 / np.log(1.1 + counts / counts.sum())
    return [float(weight) for weight in weights / weights.mean()]


@torch.inference_mode()
def _test(module: SegmentationModule, pictures: WholePictures) -> dict[str, float]:
    """The figures on the ``test`` split."""
    module.eval()
    for number in range(len(pictures)):
        module.validation_step(pictures[0, number, 0], number)
    return module.judged.compute()


def _metadata(
    settings: SegmentationSettings,
    image: ImageSpec,
    spec: SegmentationSpec,
    target: SegmentationTarget,
    multiple: int,
    quality: Mapping[str, float],
    hours: float,
) -> ModelMetadata:
    sides: tuple[int | str, int | str] = settings.image_size or ("height", "width")
    return ModelMetadata(
        task=SEGMENT.name,
        name=settings.model,
        inputs=(TensorSpec(name="image", shape=("batch", 3, *sides), value_range=(0.0, 1.0)),),
        outputs=(TensorSpec(name=OUTPUT, shape=("batch", target.outputs, *sides)),),
        image=image,
        spec=spec,
        # How far tiles have to overlap is measured when the network is exported.
        tile=None if settings.image_size else TileSpec(multiple=multiple),
        quality={name: round(value, 4) for name, value in quality.items()},
        licence=settings.licence,
        provenance=training_provenance(settings, settings.data, hours),
    )
