"""Training a stylization network: photographs and paintings in, a checkpoint that carries its metadata out."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from edgevision.imaging.images import read_image, to_array
from edgevision.imaging.patch_style import patch_quantiles
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec, TileSpec
from edgevision.modelfiles.packed_arrays import packed
from edgevision.models.style_net import StyleNet
from edgevision.runtime.tasks.stylization.spec import StylizationSpec
from edgevision.runtime.tasks.stylization.task import STYLIZE
from edgevision.training.crop_batches import planes
from edgevision.training.photo_training import begin_network, train_on_photos
from edgevision.training.provenance import training_provenance
from edgevision.training.run_folder import RunFolder
from edgevision.training.settings import StyleSettings
from edgevision.training.style_loss import StyleLoss
from edgevision.training.style_module import StyleCrops, StyleModule


def train_stylizer(settings: StyleSettings, output: Path, *, force: bool = False, quiet: bool = False) -> Path | None:
    """Train and return the path of the finished checkpoint in the folder ``output``.

    Of several processes the first one does so, the others return ``None``. The folder of an interrupted training with
    the same settings is resumed at its last validation. The averaged weights with the least loss on the held-out tenth
    of the photographs are kept.

    Raises:
        CheckpointError, DatasetError, ImageError, InputError, OutputError, DiskFullError: see
            :mod:`edgevision.core.errors`.
        KeyboardInterrupt: interrupted; what is finished is on disk.
    """
    folder = RunFolder(output, settings.model)
    options = network_options(settings)
    network = begin_network(settings, options, suited=StyleSettings.model, task=STYLIZE.name)
    assert isinstance(network, StyleNet)
    paintings = [painting(Path(style), settings.style_size) for style in settings.styles]
    return train_on_photos(
        StyleModule(network, settings, StyleLoss(paintings)),
        settings,
        lambda photos, validating: StyleCrops(photos, settings),
        folder,
        options=options,
        describe=partial(stylization_metadata, paintings=paintings),
        judged_by="loss",
        mode="min",
        force=force,
        quiet=quiet,
    )


def network_options(settings: StyleSettings) -> dict[str, Any]:
    """The keywords of the network."""
    return {"width": 16, "blocks": 5, "residual": False, **settings.model_options, "styles": len(settings.styles)}


def painting(path: Path, side: int) -> Tensor:
    """float32 (1, 3, H, W) in 0..1, of which the longer side is ``side``."""
    image = Image.fromarray(to_array(read_image(path)))
    factor = side / max(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return torch.from_numpy(planes(to_array(image.resize(size, Image.Resampling.BICUBIC))))[None]


def stylization_metadata(
    settings: StyleSettings,
    network: StyleNet,
    figures: Mapping[str, float],
    hours: float,
    *,
    paintings: Sequence[Tensor],
) -> ModelMetadata:
    """What a trained network says of itself."""
    picture = ("batch", 3, "height", "width")
    statistics = ("batch", 2, network.channels)
    quantiles = np.stack([patch_quantiles(each[0].permute(1, 2, 0).numpy()) for each in paintings])
    return ModelMetadata(
        task=STYLIZE.name,
        name=settings.model,
        inputs=(
            TensorSpec(name="image", shape=picture, value_range=(0.0, 1.0)),
            TensorSpec(name="shares", shape=("batch", network.styles)),
            TensorSpec(name="statistics", shape=statistics),
        ),
        outputs=(
            TensorSpec(name="painted_image", shape=picture),
            TensorSpec(name="own_statistics", shape=statistics),
        ),
        image=ImageSpec(),
        spec=StylizationSpec(
            styles=settings.style_names, paintings=packed({"quantiles": quantiles.astype(np.float16)})
        ),
        tile=TileSpec(multiple=network.multiple),
        quality={f"val_{name}": round(value, 4) for name, value in figures.items()},
        licence=settings.licence,
        provenance=training_provenance(settings, settings.data, hours),
    )
