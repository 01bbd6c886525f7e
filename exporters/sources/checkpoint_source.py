"""A checkpoint's network, converted to ONNX and described."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from edgevision.exporters.analysis.picture_sizes import Examples
from edgevision.exporters.analysis.randomness import check_repeatable
from edgevision.exporters.checkpoints import Checkpoint
from edgevision.exporters.checkpoints.float32 import cast_in_float32
from edgevision.exporters.conversion.agreement import Case
from edgevision.exporters.conversion.converted_network import ConvertedNetwork
from edgevision.exporters.conversion.onnx_conversion import convert_to_onnx, run_network
from edgevision.exporters.network_facts.network import Network, describe_network
from edgevision.exporters.samples import extreme_batches, seeded_batches
from edgevision.exporters.sources.describe import describe
from edgevision.exporters.sources.input_shapes import size_limits, tile_notes
from edgevision.exporters.sources.source_model import SourceModel, completed, keeps_size
from edgevision.exporters.torch_engine import TorchEngine, flatten_outputs
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.engines.engine import Engine


def convert_checkpoint(
    checkpoint: Checkpoint,
    name: str,
    input_shape: tuple[int, ...] | None,
    metadata: Mapping[str, Any],
    seed: int,
    check: Callable[[ModelMetadata], None] = lambda metadata: None,
) -> SourceModel:
    """``checkpoint`` as a model of that ``name``; raises as :func:`.read_source_model`."""
    network = checkpoint.network
    described, shape = describe(checkpoint.metadata, metadata, name=name, input_shape=input_shape)
    check(described)
    # Real values, not random ones: a network may branch on them while it is traced.
    examples = tuple(map(torch.from_numpy, next(iter(seeded_batches(described, shape, 1, seed)))))
    notes = (*checkpoint.notes, *cast_in_float32(network, examples))
    check_repeatable(network, examples)
    input_names = _input_names(described, len(examples))
    conversion = convert_to_onnx(
        network,
        examples,
        input_names=input_names,
        output_names=_output_names(network, examples, described, input_names),
        multiple=described.tile.multiple if described.tile else 1,
        keeps_size=keeps_size(described),
        values=[Case(name, tuple(map(torch.from_numpy, batch))) for name, batch in extreme_batches(described, shape)],
    )
    known = described.tile
    described = completed(described, conversion, checkpoint.sha256)
    inputs, outputs = described.inputs, described.outputs

    def reference() -> Engine:
        return TorchEngine(network, inputs, outputs)

    converted = ConvertedNetwork(conversion=conversion, shape=shape, examples=examples, reference=reference)
    facts = Network(**vars(converted), module=network, described=False, seed=seed)
    described = describe_network(described, facts)
    if described.image is not None and not keeps_size(described):
        described = described.updated(tile=size_limits(described, conversion))
    notes += tile_notes(described, known)
    return SourceModel(**vars(converted), metadata=described, notes=notes)


def _input_names(metadata: ModelMetadata, count: int) -> list[str]:
    if metadata.inputs:
        return [spec.name for spec in metadata.inputs]
    return find_task(metadata.task).input_names(metadata, count)


def _output_names(network: nn.Module, examples: Examples, metadata: ModelMetadata, taken: Sequence[str]) -> list[str]:
    if metadata.outputs:
        # An output cannot have the name of an input.
        return [f"restored_{spec.name}" if spec.name in taken else spec.name for spec in metadata.outputs]
    count = len(flatten_outputs(run_network(network, examples)))
    first = find_task(metadata.task).output_name(metadata)
    return [first, *(f"output_{index}" for index in range(1, count))]
