"""ONNX models as files of the project: with their metadata, in the precision that is asked for."""

from pathlib import Path

import onnx

from edgevision.exporters.passes.cleanup import add_metadata
from edgevision.exporters.passes.half_precision import to_half
from edgevision.modelfiles.metadata import METADATA_KEY, ModelMetadata


def write_onnx(model: onnx.ModelProto, path: Path, metadata: ModelMetadata | None, *, half: bool) -> None:
    """Write ``path`` (``.onnx``), the metadata inside; ``half`` computes in fp16."""
    if half:
        model = to_half(model)
    if metadata is not None:
        add_metadata(model, METADATA_KEY, metadata.to_json())
    path.write_bytes(model.SerializeToString())
