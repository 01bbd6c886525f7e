"""What the metadata of generators says of their networks, and which part of an autoencoder is exported."""

from dataclasses import replace
from enum import StrEnum

import torch
from torch import nn

from edgevision.errors import InputError
from edgevision.exporters.checkpoints import Checkpoint
from edgevision.exporters.onnx_conversion import Conversion, Examples
from edgevision.exporters.output_range import clipped_range
from edgevision.metadata import ModelMetadata, Task, TensorSpec
from edgevision.models import ConvVae


class Part(StrEnum):
    """What of a variational autoencoder a model file holds."""

    BOTH = "both"
    """From picture to reconstruction and code: ``edgevision run reconstruct``."""
    ENCODER = "encoder"
    """From picture to code: ``edgevision run encode``."""
    DECODER = "decoder"
    """From a drawn code to a picture: ``edgevision run generate``."""


def take_part(checkpoint: Checkpoint, part: Part) -> Checkpoint:
    """The part of the project's own autoencoder as a checkpoint by itself; :class:`InputError` for another network."""
    if part is Part.BOTH:
        return checkpoint
    network, metadata = checkpoint.network, checkpoint.metadata
    if not isinstance(network, ConvVae) or metadata is None or metadata.latent is None:
        raise InputError(f"--part {part} is for a variational autoencoder made by edgevision train vae")
    name = f"{metadata.name}-{part}"
    if part is Part.ENCODER:
        code = next(spec for spec in metadata.outputs if spec.name == "code")
        return replace(
            checkpoint,
            network=network.encoder,
            metadata=metadata.updated(task=Task.ENCODE, name=name, outputs=(code,), latent=None),
        )
    latent = TensorSpec(name="latent", shape=("batch", metadata.latent.size))
    picture = metadata.outputs[0].updated(name="image")
    described = metadata.updated(task=Task.GENERATE, name=name, inputs=(latent,), outputs=(picture,), image=None)
    return replace(checkpoint, network=network.decoder, metadata=described)


@torch.inference_mode()
def describe_generation(
    metadata: ModelMetadata, network: nn.Module, conversion: Conversion, examples: Examples
) -> ModelMetadata:
    """Complete ``metadata`` with the output's range and, of a texture's generator, the pixels for each latent.

    Raises:
        InputError: the classes' input and the labels do not fit, or the output is no picture.
    """
    classes = [spec.shape[1] for spec in conversion.inputs[1:]]
    if classes != ([len(metadata.labels)] if metadata.labels else []):
        raise InputError(f"the network takes {classes or 'no'} classes, and there are {len(metadata.labels)} labels")
    output = metadata.outputs[0]
    if len(output.shape) not in (2, 4):
        raise InputError(f"a generator's output is (batch, channels, height, width), not {output.shape}")
    if output.value_range is None:
        output = output.updated(value_range=clipped_range(conversion.model))
    latent = metadata.latent
    assert latent is not None
    if latent.pixels is not None:
        latent = latent.updated(pixels=network(*examples).shape[2] // examples[0].shape[2])
    return metadata.updated(outputs=(output, *metadata.outputs[1:]), latent=latent)
