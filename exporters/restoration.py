"""What the metadata of a restoration model says of its network, found out from the network itself."""

import torch
from torch import nn

from edgevision.errors import InputError
from edgevision.exporters.activation_memory import activation_bytes
from edgevision.exporters.onnx_conversion import Conversion, Examples
from edgevision.exporters.output_range import clipped_range
from edgevision.exporters.receptive_field import receptive_radius
from edgevision.metadata import ModelMetadata, Prediction, RestorationSpec, Task, TileSpec

# Twice as far as most networks look, and still quick to differentiate.
_SIDES = (256, 512)


def describe_restoration(
    metadata: ModelMetadata, network: nn.Module, conversion: Conversion, examples: Examples
) -> ModelMetadata:
    """Complete ``metadata`` with the scale, the range of a clipped output, and how pictures may be cut into tiles.

    Raises:
        InputError: the output is no picture of a whole multiple of the input's size, or contradicts the metadata.
    """
    spec = metadata.restoration or RestorationSpec()
    if spec.predicts is Prediction.CURVES:
        return metadata
    spec = _with_scale(metadata, spec, network, examples)
    outputs = metadata.outputs
    if spec.predicts is Prediction.IMAGE and outputs[0].value_range is None:
        outputs = (outputs[0].updated(value_range=clipped_range(conversion.model)), *outputs[1:])
    tile = metadata.tile or TileSpec()
    if tile.overlap is None and "height" in conversion.dynamic:
        tile = tile.updated(overlap=_overlap(network, examples, tile.multiple))
    tile = tile.updated(memory=activation_bytes(conversion.model, examples))
    return metadata.updated(restoration=spec, outputs=outputs, tile=tile)


@torch.inference_mode()
def _with_scale(
    metadata: ModelMetadata, spec: RestorationSpec, network: nn.Module, examples: Examples
) -> RestorationSpec:
    output = network(*examples)
    picture = examples[0].shape
    shape = tuple(getattr(output, "shape", ()))
    scale = shape[2] // picture[2] if len(shape) == 4 else 0
    if scale < 1 or shape[2:] != (scale * picture[2], scale * picture[3]) or shape[1] != picture[1]:
        raise InputError(
            f"a restoration network turns {tuple(picture)} into as many channels and whole multiples of the sides,"
            f" not into {shape or type(output).__name__}"
        )
    if scale > 1 and metadata.task is not Task.UPSCALE:
        raise InputError(f"the network enlarges {scale} times, which is --task upscale, not {metadata.task}")
    if scale == 1 and metadata.task is Task.UPSCALE:
        raise InputError("the network gives pictures of the size it gets, which is not --task upscale")
    if spec.scale not in (1, scale):
        raise InputError(f"the metadata says scale {spec.scale}, the network enlarges {scale} times")
    try:
        return spec.updated(scale=scale)
    except ValueError as error:
        raise InputError(f"the metadata does not fit the network: {error}") from error


def _overlap(network: nn.Module, examples: Examples, multiple: int) -> int | None:
    """How far tiles have to reach into their neighbours, or ``None`` where a pixel reaches everywhere."""
    for side in _SIDES:
        padded = -(-side // multiple) * multiple
        # Noise excites everything that the network can pass on.
        generator = torch.Generator().manual_seed(0)
        inputs = [torch.rand(1, examples[0].shape[1], padded, padded, generator=generator)]
        for example in examples[1:]:
            # Across a hole the network looks farther than anywhere else.
            mask = torch.zeros(1, example.shape[1], padded, padded)
            mask[..., 3 * padded // 8 : 5 * padded // 8, 3 * padded // 8 : 5 * padded // 8] = 1
            inputs.append(mask)
        radius = receptive_radius(network, tuple(inputs), limit=padded // 2 - 16, step=max(8, multiple))
        if radius is not None:
            return radius
    return None
