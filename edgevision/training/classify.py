"""Training a classifier: settings in, a checkpoint that carries its metadata out."""

from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping

from edgevision.datasets import ImageDataset, ImageFolder
from edgevision.errors import DatasetError
from edgevision.metadata import Color, ImageSpec, ModelMetadata, Resize, Task, TensorSpec
from edgevision.metrics import class_scores, confusion_matrix
from edgevision.models import build_model, model_options
from edgevision.training.checkpoint import save_checkpoint
from edgevision.training.classifier_module import ClassifierModule
from edgevision.training.data import EpochBatches, TensorImages, channel_statistics, hold_out, loader
from edgevision.training.digits import Digits
from edgevision.training.provenance import training_provenance
from edgevision.training.run_folder import RunFolder, is_launched_helper
from edgevision.training.settings import DIGITS, ClassifierSettings
from edgevision.training.trainer import build_trainer, fit, lightning_precision, quiet_lightning


def train_classifier(
    settings: ClassifierSettings, output: Path, *, force: bool = False, quiet: bool = False
) -> Path | None:
    """Train and return the path of the finished checkpoint in the folder ``output``.

    Of several processes the first one does so, the others return ``None``.

    The folder of an interrupted training with the same settings is resumed at its last finished epoch. The weights of
    the epoch with the best macro F1 on the validation part are kept. A ``test`` part of the data is used once, at the
    end, for the figures in the metadata.

    Raises:
        DatasetError, InputError, OutputError, DiskFullError: see :mod:`edgevision.errors`.
        KeyboardInterrupt: interrupted; what is finished is on disk.
    """
    folder = RunFolder(output, settings.model)
    data = _open_data(settings.data, "train")
    if len(data.class_names) < 2:
        raise DatasetError(
            f"{settings.data!r} has {len(data.class_names)} class folders; a classifier needs two or more"
        )
    lightning.seed_everything(settings.seed, workers=True, verbose=False)
    image = _image_spec(data, settings)
    options = _network_options(settings, data, image)
    network = build_model(settings.model, **options)
    lightning_precision(settings.precision)
    # Only now, with every option known to be good, and before the pictures are read, which takes its time.
    if not is_launched_helper():
        folder.prepare(settings.to_dict(), force=force)
    train, val = _read_pictures(data, settings, image, quiet=quiet)
    mean, std = channel_statistics(train)
    image = image.updated(mean=mean, std=std)
    module = ClassifierModule(network, settings, image, train.labels, len(data.class_names))
    if not _fit(module, settings, folder, train, val, quiet=quiet):
        return None
    best = torch.load(folder.best, map_location="cpu", weights_only=True)
    module.load_state_dict(best["state_dict"])
    quality = {"val_top1": best["figures"]["accuracy"], "val_f1": best["figures"]["f1"]}
    quality |= _test(module.cpu(), settings, image)
    metadata = _metadata(settings, image, data.class_names, quality, folder.seconds_trained() / 3600)
    save_checkpoint(folder.result, module.network, metadata, model=settings.model, options=options)
    return folder.result


def _fit(
    module: ClassifierModule,
    settings: ClassifierSettings,
    folder: RunFolder,
    train: TensorImages,
    val: TensorImages,
    *,
    quiet: bool,
) -> bool:
    """Train to the end, from the last finished epoch on; whether this is the first of the processes."""
    with quiet_lightning():
        patience = settings.patience
        stop = [] if patience is None else [EarlyStopping("val_f1", mode="max", patience=patience)]
        trainer = build_trainer(settings, folder, epochs=settings.epochs, monitor="val_f1", callbacks=stop, quiet=quiet)
        # Only now is it known which process this is.
        rank, processes = trainer.global_rank, trainer.world_size
        size = settings.batch_size
        shuffled = EpochBatches(
            len(train),
            size,
            seed=settings.seed,
            shuffle=True,
            weights=module.picture_weights(train.labels),
            rank=rank,
            processes=processes,
        )
        in_order = EpochBatches(len(val), size, seed=0, shuffle=False, rank=rank, processes=processes)
        return fit(
            trainer,
            module,
            loader(train, shuffled, workers=settings.workers),
            loader(val, in_order, workers=settings.workers),
            folder,
            quiet=quiet,
        )


def _metadata(
    settings: ClassifierSettings,
    image: ImageSpec,
    labels: tuple[str, ...],
    quality: dict[str, float],
    hours: float,
) -> ModelMetadata:
    return ModelMetadata(
        task=Task.CLASSIFY,
        name=settings.model,
        inputs=(TensorSpec(name="image", shape=("batch", image.color.channels, *(image.size or ()))),),
        outputs=(TensorSpec(name="logits", shape=("batch", len(labels))),),
        image=image,
        labels=labels,
        quality={name: round(value, 4) for name, value in quality.items()},
        licence=settings.licence,
        provenance=training_provenance(Path(settings.data).name, hours),
    )


def _open_data(data: str, split: str) -> ImageDataset:
    return Digits(split) if data == DIGITS else ImageFolder(data, (split,))


def _image_spec(data: ImageDataset, settings: ClassifierSettings) -> ImageSpec:
    """Size and colour, as asked for or as the data has them; the normalisation comes from the pictures themselves."""
    color = settings.color or (Color.GRAY if isinstance(data, Digits) else Color.RGB)
    return ImageSpec(color=color, size=_image_size(data, settings), resize=Resize.CROP)


def _read_pictures(
    data: ImageDataset, settings: ClassifierSettings, image: ImageSpec, *, quiet: bool
) -> tuple[TensorImages, TensorImages]:
    """The pictures to train and to validate on."""
    splits: tuple[str, ...] = getattr(data, "splits", ())
    for split in {"val", "test"} & set(splits):
        names = _open_data(settings.data, split).class_names
        # A test part without class folders is only left out of the figures.
        if names != data.class_names and (names or split == "val"):
            raise DatasetError(f"{settings.data!r} has other classes in its {split} part than in its train part")
    if "val" in splits:
        held_out = _open_data(settings.data, "val")
        train = TensorImages(data, np.arange(len(data)), image, quiet=quiet)
        return train, TensorImages(held_out, np.arange(len(held_out)), image, quiet=quiet)
    kept, out = hold_out(data.labels, settings.val_fraction, settings.seed)
    if len(kept) < 2:
        raise DatasetError(f"{settings.data!r} has {len(data)} pictures, too few to hold some out for validation")
    return TensorImages(data, kept, image, quiet=quiet), TensorImages(data, out, image, quiet=quiet)


def _image_size(data: ImageDataset, settings: ClassifierSettings) -> tuple[int, int]:
    if settings.image_size:
        return settings.image_size, settings.image_size
    if isinstance(data, Digits):
        return 28, 28
    sizes = {data.image(index).size for index in np.linspace(0, len(data) - 1, 16).astype(int)}
    width, height = sizes.pop()
    return (height, width) if not sizes and height == width <= 64 else (224, 224)


def _network_options(settings: ClassifierSettings, data: ImageDataset, image: ImageSpec) -> dict[str, Any]:
    assert image.size is not None
    options: dict[str, Any] = {
        "num_classes": len(data.class_names),
        "in_channels": image.color.channels,
        "dropout": settings.dropout,
    }
    if "image_size" in model_options(settings.model):
        options["image_size"] = image.size[0]
    return options | dict(settings.model_options)


@torch.inference_mode()
def _test(module: ClassifierModule, settings: ClassifierSettings, image: ImageSpec) -> dict[str, float]:
    """Top-1 and macro F1 in percent on the ``test`` part, or nothing where there is none."""
    try:
        data = _open_data(settings.data, "test")
    except DatasetError:
        return {}
    if getattr(data, "split", "") != "test" or not data.class_names:
        return {}
    images = TensorImages(data, np.arange(len(data)), image, quiet=True)
    module.eval()
    # Not torchmetrics: it would wait for the other processes, which have ended.
    predicted = [
        module(batch[0]).argmax(1).numpy()
        for batch in loader(images, EpochBatches(len(images), 256, seed=0, shuffle=False), workers=0)
    ]
    matrix = confusion_matrix(images.labels, np.concatenate(predicted), len(data.class_names))
    scores = class_scores(matrix, data.class_names)
    return {"top1": 100 * matrix.trace() / matrix.sum(), "f1": 100 * float(np.mean([score.f1 for score in scores]))}
