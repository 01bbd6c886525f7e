"""A model as the layers that its author meant: what a quantiser or a converter put between them is part of a layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from numpy.typing import NDArray

from edgevision.modelfiles.metadata import TensorSpec
from edgevision.runtime.tasks.samples import Batch

Values = dict[str, NDArray[Any]]
"""By the output of a layer, as read by others and in float."""


@dataclass(frozen=True)
class Layer:
    """One operator.

    Attributes:
        name: of its node.
        output: what it gives; the first one, of several.
        inputs: outputs of other layers, and inputs of the graph, that it reads.
        names: all that its output, as others read it, is called on the way there, as before and behind a quantiser's
            pair.
        precision: what it computes in, in the words of reports.
        limits: the lowest and the highest value that its output can have, where that is quantised.
        channel_scale: by how much each channel (axis 1) of its output is larger than in the model that this was made
            from, as equalisation leaves it for the next layer to undo; ``None`` for not at all.
    """

    name: str
    operator: str
    output: str
    inputs: tuple[str, ...]
    names: frozenset[str]
    precision: str = "float"
    limits: tuple[float, float] | None = None
    channel_scale: NDArray[Any] | None = field(default=None, compare=False)

    def in_original_terms(self, value: NDArray[Any]) -> NDArray[Any]:
        """Values of its output without the scale of its channels."""
        return value if self.channel_scale is None else value / self._along(value)

    def in_own_terms(self, value: NDArray[Any]) -> NDArray[Any]:
        """The reverse of :meth:`in_original_terms`."""
        return value if self.channel_scale is None else value * self._along(value)

    def _along(self, value: NDArray[Any]) -> NDArray[Any]:
        assert self.channel_scale is not None
        return self.channel_scale.reshape(1, -1, *([1] * (value.ndim - 2)))


class LayerGraph(Protocol):
    """The layers of a model file, and what runs them.

    Attributes:
        inputs: of the graph.
        outputs: what each output of the graph is called as the output of a layer, in order.
        layers: in an order in which they can be computed.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[str, ...]
    layers: tuple[Layer, ...]

    def values(self, batch: Batch) -> Values:
        """What every layer gives for ``batch``, an array for each input."""
        ...

    def own_values(self, batch: Batch, given: Mapping[str, NDArray[Any]]) -> Values:
        """What every layer gives that reads, instead of the others' outputs, those that are ``given``."""
        ...


def producers(layers: Sequence[Layer]) -> dict[str, Layer]:
    """The layers by what they give."""
    return {layer.output: layer for layer in layers}
