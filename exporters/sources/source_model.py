"""What is exported: a PyTorch network converted to ONNX, or an ONNX model that is there already."""

from dataclasses import dataclass
from importlib.metadata import version

import onnx

import edgevision
from edgevision.core.errors import InputError
from edgevision.exporters.conversion.converted_network import ConvertedNetwork
from edgevision.exporters.conversion.onnx_conversion import Conversion
from edgevision.imaging.preprocessing import scale_and_offset
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.task_registry import find_task


@dataclass(frozen=True, kw_only=True)
class SourceModel(ConvertedNetwork):
    """A float model in ONNX with everything that is known of it.

    Attributes:
        metadata: complete but for what exporting adds.
        given: what the file held, where it is an ONNX model.
    """

    metadata: ModelMetadata
    notes: tuple[str, ...]
    given: onnx.ModelProto | None = None


def keeps_size(metadata: ModelMetadata) -> bool:
    """Whether the output is a picture of the input's size, or of a multiple of it."""
    return find_task(metadata.task).keeps_size(metadata)


def completed(metadata: ModelMetadata, conversion: Conversion, digest: str) -> ModelMetadata:
    """With the converted model's inputs and outputs, and where it came from.

    Raises:
        InputError: the metadata name more or fewer outputs than it has.
    """
    if metadata.outputs and len(metadata.outputs) != len(conversion.outputs):
        raise InputError(
            f"the outputs among the metadata are {', '.join(spec.name for spec in metadata.outputs)}, and the network"
            f" has {len(conversion.outputs)}: name all of them, or none"
        )
    ranges = [spec.value_range for spec in metadata.outputs] or [None] * len(conversion.outputs)
    outputs = tuple(
        spec.updated(value_range=value_range) for spec, value_range in zip(conversion.outputs, ranges, strict=True)
    )
    first, *beside = conversion.inputs
    value_range = find_task(metadata.task).auxiliary_range
    if value_range is not None:
        beside = [spec.updated(value_range=value_range) for spec in beside]
    inputs = (first.updated(value_range=_input_range(metadata)), *beside)
    names = ("torch", "onnx", "onnxscript")
    versions = {"edgevision": edgevision.__version__} | {name: version(name) for name in names}
    provenance = metadata.provenance.updated(
        checkpoint_sha256=digest,
        versions=dict(metadata.provenance.versions) | versions,
    )
    return metadata.updated(inputs=inputs, outputs=outputs, provenance=provenance)


def _input_range(metadata: ModelMetadata) -> tuple[float, float] | None:
    if metadata.image is None:
        return None
    scale, offset = scale_and_offset(metadata.image)
    return round(float(offset.min()), 6), round(float((255 * scale + offset).max()), 6)
