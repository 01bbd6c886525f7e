"""What a model file says, whatever its format: read once, without an engine, and never changed."""

from collections.abc import Mapping
from typing import NamedTuple

from edgevision.modelfiles.external_data import ExternalData
from edgevision.modelfiles.metadata import TensorSpec


class Graph(NamedTuple):
    """What a model computes.

    Attributes:
        operators: how many there are of each, the most frequent first; what functions are made of is not counted.
        opsets: versions by domain.
        weights: how many numbers they are.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    operators: Mapping[str, int]
    opsets: Mapping[str, int]
    weights: int
    external_data: tuple[ExternalData, ...]


class ModelDescription(NamedTuple):
    """The project's JSON ``document`` in a file, or ``None``; and its graph, which a checkpoint does not have."""

    document: str | None
    graph: Graph | None
