"""Training a restoration network: settings in, a checkpoint that carries its metadata out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgevision.modelfiles.metadata import (
    Color,
    ImageSpec,
    ModelMetadata,
    Resize,
    TensorSpec,
    TileSpec,
)
from edgevision.models import ColorNet, model_options
from edgevision.runtime.tasks.restoration.spec import Prediction, RestorationKind, RestorationSpec
from edgevision.training.color_module import ColorModule
from edgevision.training.data_source import open_photos
from edgevision.training.network_options import network_options
from edgevision.training.photo_training import begin_network, train_on_photos
from edgevision.training.provenance import training_provenance
from edgevision.training.restoration_data import DamagedCrops
from edgevision.training.restoration_module import RestorationModule
from edgevision.training.run_folder import RunFolder
from edgevision.training.settings import RESTORATION_DEFAULTS, RestorationSettings


def train_restorer(
    settings: RestorationSettings, output: Path, *, force: bool = False, quiet: bool = False
) -> Path | None:
    """Train and return the path of the finished checkpoint in the folder ``output``.

    Of several processes the first one does so, the others return ``None``. The folder of an interrupted training with
    the same settings is resumed at its last validation. The averaged weights with the best PSNR on the held-out tenth
    of the photographs are kept.

    Raises:
        DatasetError, InputError, OutputError, DiskFullError: see :mod:`edgevision.core.errors`.
        KeyboardInterrupt: interrupted; what is finished is on disk.
    """
    folder = RunFolder(output, settings.model)
    options = _network_options(settings)
    for path in settings.data:
        open_photos(path)
    network = begin_network(
        settings,
        options,
        suited=RESTORATION_DEFAULTS[settings.kind].model,
        task=settings.kind,
        # Inpainting sees its crops at half the size, too.
        crop_multiples=2 if settings.kind == RestorationKind.INPAINT else 1,
    )
    # What differs between two validations should be the network alone.
    plain = settings.updated(flip=False)
    return train_on_photos(
        (ColorModule if isinstance(network, ColorNet) else RestorationModule)(network, settings),
        settings,
        lambda photos, validating: DamagedCrops(photos, plain if validating else settings),
        folder,
        options=options,
        describe=restoration_metadata,
        judged_by="psnr",
        force=force,
        quiet=quiet,
    )


def _network_options(settings: RestorationSettings) -> dict[str, Any]:
    decided = {"scale": settings.scale} if "scale" in model_options(settings.model) else {}
    return network_options(decided, settings.model_options)


def restoration_metadata(
    settings: RestorationSettings, network: nn.Module, figures: Mapping[str, float], hours: float
) -> ModelMetadata:
    color = Color.LUMA if settings.kind == RestorationKind.UPSCALE else Color.RGB
    inputs = [TensorSpec(name="image", shape=("batch", color.channels, "height", "width"), value_range=(0.0, 1.0))]
    image = ImageSpec(color=color)
    spec = RestorationSpec(
        scale=settings.scale,
        sigma=settings.sigma if settings.kind == RestorationKind.DENOISE else None,
        noise=settings.noise,
    )
    # How far tiles have to overlap is measured when the network is exported.
    tile: TileSpec | None = TileSpec(multiple=int(getattr(network, "multiple", 1)))
    output = "restored_image"
    if settings.kind == RestorationKind.INPAINT:
        inputs.append(TensorSpec(name="mask", shape=("batch", 1, "height", "width"), value_range=(0.0, 1.0)))
    elif settings.kind == RestorationKind.BRIGHTEN:
        side = settings.crop
        inputs = [TensorSpec(name="image", shape=("batch", 3, side, side), value_range=(0.0, 1.0))]
        image = ImageSpec(size=(side, side), resize=Resize.STRETCH)
        spec, tile, output = RestorationSpec(predicts=Prediction.CURVES), None, "curves"
    elif settings.kind == RestorationKind.COLORIZE:
        side = settings.crop
        inputs = [TensorSpec(name="image", shape=("batch", 1, side, side), value_range=(0.0, 1.0))]
        image = ImageSpec(color=Color.GRAY, size=(side, side), resize=Resize.STRETCH)
        spec, tile, output = RestorationSpec(predicts=Prediction.CHROMA), None, "chroma"
    return ModelMetadata(
        task=settings.kind,
        name=settings.model,
        inputs=tuple(inputs),
        outputs=(TensorSpec(name=output, shape=_output_shape(network, inputs)),),
        image=image,
        spec=spec,
        tile=tile,
        quality={f"val_{name}": round(value, 4) for name, value in figures.items()},
        licence=settings.licence,
        provenance=training_provenance(settings, settings.data, hours),
    )


@torch.inference_mode()
def _output_shape(network: nn.Module, inputs: list[TensorSpec]) -> tuple[int | str, ...]:
    """Names for the sides that follow the input's, numbers for those that do not."""
    sizes = {"batch": 1, "height": 32, "width": 32}
    tensors = [torch.zeros([side if isinstance(side, int) else sizes[side] for side in spec.shape]) for spec in inputs]
    shape = network(*tensors).shape
    if "height" not in inputs[0].shape:
        return ("batch", *shape[1:])
    scale = shape[2] // 32
    names = ("height", "width") if scale == 1 else (f"{scale}*height", f"{scale}*width")
    return ("batch", shape[1], *names)
