"""Looking into an RKNN model (``.rknn`` beside the metadata) without Rockchip's libraries.

The format is Rockchip's own and undocumented. What is looked at was seen in the files of rknn-toolkit2 2.5: the letters
``RKNN``, at byte 16 the length of the graph, which begins at byte 64, and behind it at least 8 bytes more.
"""

from pathlib import Path

from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.modelfiles.metadata_beside import metadata_path, read_document
from edgevision.modelfiles.model_description import Graph, ModelDescription

_MAGIC, _HEADER = b"RKNN", 64


def describe(path: Path) -> ModelDescription:
    """What the metadata say, as the file itself does not.

    Raises:
        ValueError: it is damaged, or no metadata lie beside it.
    """
    with path.open("rb") as file:
        header = file.read(_HEADER)
    if not header.startswith(_MAGIC) or len(header) < _HEADER:
        raise ValueError("an RKNN model begins with RKNN")
    length = int.from_bytes(header[16:24], "little")
    if path.stat().st_size < _HEADER + length + 8:
        raise ValueError(f"it says that it has {_HEADER + length + 8} bytes or more, and has {path.stat().st_size}")
    document, beside = read_document(path)
    if document is None:
        raise ValueError(f"what it takes and gives is known from {metadata_path(path).name!r}, which is not beside it")
    declared = ModelMetadata.from_json(document, repr(path.name))
    inputs, outputs = (
        tuple(TensorSpec(name=spec.name, shape=spec.shape, dtype=spec.dtype) for spec in specs)
        for specs in (declared.inputs, declared.outputs)
    )
    graph = Graph(inputs=inputs, outputs=outputs, operators={}, opsets={}, weights=0, external_data=beside)
    return ModelDescription(document, graph)
