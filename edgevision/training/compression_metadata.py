"""What the checkpoint of a compression network says of itself; above all its entropy model in integers."""

import hashlib
import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgevision.imaging.symbol_scales import LEAST_SCALE, SCALE_COUNT, SCALE_STEP, frequency_tables
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec, TileSpec
from edgevision.models.hyperprior_codec import HyperpriorCodec
from edgevision.runtime.tasks.compression.entropy_model import UNIT, EntropyModel, IntegerLayer
from edgevision.runtime.tasks.compression.spec import CompressionSpec
from edgevision.runtime.tasks.compression.task import COMPRESS
from edgevision.training.provenance import training_provenance
from edgevision.training.settings import CompressionSettings

# Farther than a latent sees of the picture; the hyper-latents, which see more, only cost a few more bits for it.
_OVERLAP = 128
_TILE = 1024

_LARGEST_WEIGHT = 127
_MOST_SHIFT = 30


def compression_metadata(
    settings: CompressionSettings, network: HyperpriorCodec, figures: Mapping[str, float], hours: float
) -> ModelMetadata:
    """Of the trained ``network`` and what it reached in validation."""
    return ModelMetadata(
        task=COMPRESS.name,
        name=settings.model,
        inputs=(TensorSpec(name="image", shape=("batch", 3, "height", "width"), value_range=(0.0, 1.0)),),
        outputs=(
            TensorSpec(name="latents", shape=("batch", network.latents, "height/16", "width/16")),
            TensorSpec(name="hyper_latents", shape=("batch", network.hyper_latents, "height/64", "width/64")),
        ),
        image=ImageSpec(),
        spec=CompressionSpec(codec=codec_name(network), entropy_model=integer_entropy_model(network).pack()),
        tile=TileSpec(size=_TILE, multiple=network.multiple, overlap=_OVERLAP),
        quality={f"val_{name}": round(value, 4) for name, value in figures.items()},
        licence=settings.licence,
        provenance=training_provenance(settings, settings.data, hours),
    )


def codec_name(network: nn.Module) -> str:
    """The beginning of the hash of all weights, which both halves and every form of them share."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().float().numpy().astype("<f4").tobytes())
    return digest.hexdigest()[:16]


@torch.no_grad()
def integer_entropy_model(network: HyperpriorCodec) -> EntropyModel:
    """The hyperprior of ``network`` in fixed point."""
    log_gains, hyper_log_gains = network.log_gains, network.hyper_log_gains
    hyper_index = network.hyper_scales + hyper_log_gains / SCALE_STEP
    # Half of a unit rounds, where indices are cut down to whole ones.
    zero = -math.log(LEAST_SCALE) / SCALE_STEP
    offsets = torch.round((zero + log_gains / SCALE_STEP) * UNIT) + UNIT // 2
    return EntropyModel(
        gains=_floats(log_gains.exp()),
        hyper_gains=_floats(hyper_log_gains.exp()),
        hyper_steps=_integers((-hyper_log_gains).exp() * UNIT),
        hyper_tables=_integers(hyper_index.clamp(0, SCALE_COUNT - 1)).astype(np.uint8),
        offsets=_integers(offsets),
        layers=_integer_layers(network.hyper_synthesis),
        contexts=tuple(map(_integer_layers, network.contexts)),
        frequencies=frequency_tables(),
    )


def _integer_layers(part: nn.Module) -> tuple[IntegerLayer, ...]:
    return tuple(_integer_layer(layer) for layer in part.modules() if isinstance(layer, nn.Conv2d))


def _integer_layer(convolution: nn.Conv2d) -> IntegerLayer:
    """Each output channel's weights as int8 in the finest steps, of a power of two, in which all of them fit."""
    weight = convolution.weight.detach().double().numpy()
    largest = np.abs(weight).max(axis=(1, 2, 3)).clip(1e-9)
    shift = np.floor(np.log2(_LARGEST_WEIGHT / largest)).clip(0, _MOST_SHIFT).astype(np.int64)
    assert convolution.bias is not None
    bias = convolution.bias.detach().double().numpy()
    # Half of what is shifted away rounds.
    whole = np.rint(bias * UNIT * 2.0**shift).astype(np.int64) + (1 << shift >> 1)
    scaled = np.rint(weight * 2.0 ** shift[:, None, None, None])
    return IntegerLayer(scaled.clip(-_LARGEST_WEIGHT, _LARGEST_WEIGHT).astype(np.int8), whole, shift)


def _floats(values: Tensor) -> NDArray[np.float32]:
    return values.float().numpy().copy()


def _integers(values: Tensor) -> NDArray[np.int64]:
    return values.double().round().long().numpy()
