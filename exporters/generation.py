"""What the metadata of generators says of their networks."""

import torch
from torch import nn

from edgevision.core.errors import InputError
from edgevision.exporters.analysis.output_range import clipped_range
from edgevision.exporters.analysis.picture_sizes import Examples
from edgevision.exporters.conversion.onnx_conversion import Conversion
from edgevision.modelfiles.metadata import ModelMetadata


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
