"""Under which licences a model is handed on, said before it is."""

from edgevision.core.printable import abridged, one_line
from edgevision.modelfiles.metadata import ModelMetadata


def licences_line(metadata: ModelMetadata | None) -> str:
    """Those of the weights and of the data that they were learned from, or that nobody said them."""
    if metadata is None:
        return "licences: not stated, as the model has no metadata"
    provenance = metadata.provenance
    data = "" if provenance.data is None else f" ({abridged(provenance.data)})"
    weights, of_data = (
        abridged((licence or "").strip()) or "not stated" for licence in (metadata.licence, provenance.data_licence)
    )
    return one_line(f"licences of {abridged(metadata.name)}: weights {weights}; data{data} {of_data}")
