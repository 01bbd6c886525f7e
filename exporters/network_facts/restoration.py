"""What the metadata of a restoration model says of its network, found out from the network itself."""

import logging

import torch
from torch import Tensor, nn

from edgevision.core.errors import InputError
from edgevision.exporters.analysis.activation_memory import activation_bytes
from edgevision.exporters.analysis.output_range import clipped_range
from edgevision.exporters.analysis.picture_sizes import Examples, PictureSizes
from edgevision.exporters.analysis.receptive_field import receptive_radius
from edgevision.exporters.analysis.tile_stride import tile_stride
from edgevision.exporters.network_facts.network import Network
from edgevision.exporters.torch_engine import EngineNetwork
from edgevision.modelfiles.metadata import ModelMetadata, TileSpec
from edgevision.runtime.tasks.restoration.spec import Prediction, RestorationKind, RestorationSpec

_log = logging.getLogger(__name__)

# Twice as far as most networks look, and still quick to differentiate.
_SIDES = (256, 512)

# What has to be left between the reach and the border.
_MARGIN = 16


def describe_restoration(metadata: ModelMetadata, network: Network) -> ModelMetadata:
    """Complete ``metadata`` with the scale, the range of a clipped output, and how pictures may be cut into tiles.

    Raises:
        InputError: the output is no picture of a whole multiple of the input's size, or contradicts the metadata.
    """
    spec = metadata.spec_as(RestorationSpec)
    if network.described or spec.predicts.from_thumbnail:
        return metadata
    conversion, examples = network.conversion, network.examples
    module = network.module
    if isinstance(module, EngineNetwork):
        module = _UnitRange(module, metadata)
    spec = _with_scale(metadata, spec, module, examples)
    outputs = metadata.outputs
    if spec.predicts is Prediction.IMAGE and outputs[0].value_range is None:
        outputs = (outputs[0].updated(value_range=clipped_range(conversion.model)), *outputs[1:])
    tile = metadata.tile or TileSpec()
    sides = conversion.picture_sizes
    if sides is not None and sides.dynamic:
        tile = tile.updated(multiple=sides.multiple, minimum=max(tile.minimum, sides.minimum))
    if sides is not None:
        try:
            tile = _cut_up(tile, module, examples, sides)
        except Exception as error:  # somebody else's code, which does not take every size after all
            _log.debug("the reach of the network: %s", error)
    tile = tile.updated(memory=activation_bytes(conversion.model, examples))
    return metadata.updated(spec=spec, outputs=outputs, tile=tile)


class _UnitRange(nn.Module):
    """A model on an engine that takes and gives pictures in 0..1 (a predicted noise around 0), whatever its own range.

    So differences mean the same for all. Masks are taken as they are.
    """

    def __init__(self, network: EngineNetwork, metadata: ModelMetadata) -> None:
        super().__init__()
        self._network, spec = network, metadata.spec_as(RestorationSpec)
        self._black, self._white = metadata.inputs[0].value_range or (0.0, 1.0)
        self._low, self._high = spec.output_range or (self._black, self._white)
        if spec.predicts is Prediction.NOISE:
            self._low, self._high = 0.0, self._white - self._black

    def forward(self, picture: Tensor, *masks: Tensor) -> Tensor:
        output: Tensor = self._network(picture * (self._white - self._black) + self._black, *masks)
        return (output - self._low) / (self._high - self._low)


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
    if scale > 1 and metadata.task != RestorationKind.UPSCALE:
        raise InputError(f"the network enlarges {scale} times, which is --task upscale, not {metadata.task}")
    if scale == 1 and metadata.task == RestorationKind.UPSCALE:
        raise InputError("the network gives pictures of the size it gets, which is not --task upscale")
    if spec.scale not in (1, scale):
        raise InputError(f"the metadata says scale {spec.scale}, the network enlarges {scale} times")
    try:
        return spec.updated(scale=scale)
    except ValueError as error:
        raise InputError(f"the metadata does not fit the network: {error}") from error


def _cut_up(tile: TileSpec, network: nn.Module, examples: Examples, sides: PictureSizes) -> TileSpec:
    """With the overlap and the stride of tiles, where the picture can be cut."""

    def draw(height: int, width: int) -> Examples:
        # Noise excites everything that the network can pass on.
        generator = torch.Generator().manual_seed(0)
        inputs = [torch.rand(1, examples[0].shape[1], height, width, generator=generator)]
        for example in examples[1:]:
            if example.ndim != 4:
                inputs.append(example[:1])
                continue
            # Across a hole the network looks farther than anywhere else.
            mask = torch.zeros(1, example.shape[1], height, width)
            mask[..., 3 * height // 8 : 5 * height // 8, 3 * width // 8 : 5 * width // 8] = 1
            inputs.append(mask)
        return tuple(inputs)

    step = max(8, tile.multiple)
    if len(sides.dynamic) < 2:
        limit = min(sides.height, sides.width) // 2 - _MARGIN
        if tile.overlap is None and limit >= step:
            tile = tile.updated(
                overlap=receptive_radius(network, draw(sides.height, sides.width), limit=limit, step=step)
            )
        return tile
    if tile.overlap is not None:
        return tile.updated(stride=tile_stride(network, draw, tile, radius=tile.overlap) or tile.stride)
    for side in _SIDES:
        padded = tile.padded(side)
        radius = receptive_radius(network, draw(padded, padded), limit=padded // 2 - _MARGIN, step=step)
        if radius is not None:
            stride = tile_stride(network, draw, tile, radius=radius)
            return tile if stride is None else tile.updated(overlap=radius, stride=stride)
    return tile
