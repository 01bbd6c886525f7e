"""What the metadata of generators say of their networks."""

import torch

from edgevision.core.errors import InputError
from edgevision.exporters.analysis.output_range import clipped_range
from edgevision.exporters.network_facts.network import Network
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.tasks.generation.spec import GenerationSpec


@torch.inference_mode()
def describe_generation(metadata: ModelMetadata, network: Network) -> ModelMetadata:
    """Complete ``metadata`` with the output's range and, of a texture's generator, the pixels for each latent.

    Raises:
        InputError: the classes' input and the labels do not fit, or the output is no picture.
    """
    if network.described:
        return metadata
    conversion, examples = network.conversion, network.examples
    spec = metadata.spec_as(GenerationSpec)
    classes = [one.shape[1] for one in conversion.inputs[1:]]
    if classes != ([len(spec.labels)] if spec.labels else []):
        raise InputError(f"the network takes {classes or 'no'} classes, and there are {len(spec.labels)} labels")
    output = metadata.outputs[0]
    if len(output.shape) not in (2, 4):
        raise InputError(f"a generator's output is (batch, channels, height, width), not {output.shape}")
    if output.value_range is None:
        output = output.updated(value_range=clipped_range(conversion.model))
    latent = spec.latent
    assert latent is not None
    if latent.pixels is not None:
        latent = latent.updated(pixels=network.module(*examples).shape[2] // examples[0].shape[2])
    return metadata.updated(outputs=(output, *metadata.outputs[1:]), spec=spec.updated(latent=latent))
