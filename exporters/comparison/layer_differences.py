"""Where two forms of a model part, and which layers it comes from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.core.records import Record, record
from edgevision.exporters.comparison.layer_graph import LayerGraph, Values
from edgevision.exporters.comparison.matching import Match, match_layers
from edgevision.exporters.parity import DifferenceSums, TensorParity
from edgevision.runtime.tasks.samples import Batch

SAME_DB = 60.0
"""From this SQNR on two layers compute the same: float engines that add in another order reach more."""

BINS = 64


@record
class LayerDifference(Record):
    """A layer that both models have, by the name and operator of the second's node.

    Attributes:
        counterpart: the name of the first's node; ``by_name`` says whether their outputs are called alike, or they were
            matched by their order.
        precision: what the second one's computes in.
        output: how far its outputs lie apart, with all that it inherits from the layers before.
        own: how far they do where it is given what the first model's layers give: what it adds by itself.
        low, high: the first one's values, its channels scaled as the second's.
        limits: what the second one's quantised output can reach, if it is quantised.
        clipped: the share of the first one's values that lie outside of that.
    """

    name: str
    operator: str
    counterpart: str
    by_name: bool
    precision: str
    output: TensorParity
    own: TensorParity
    low: float
    high: float
    limits: tuple[float, float] | None = None
    clipped: float = 0.0

    @property
    def parts(self) -> bool:
        """Whether it computes something else than the first one's."""
        return _differs(self.output)

    @property
    def adds(self) -> bool:
        """Whether it does so by itself."""
        return _differs(self.own)


@dataclass(frozen=True)
class LayerComparison:
    """The layers that two models have both, in the order of the second.

    ``counts`` say by the name of a layer how many of the first one's values fell into each of 64 equal bins between its
    ``low`` and ``high``, where that was asked for.
    """

    layers: tuple[LayerDifference, ...]
    counts: Mapping[str, NDArray[Any]]


def compare_layers(
    first: LayerGraph,
    second: LayerGraph,
    batches: Sequence[Batch],
    *,
    histograms: bool = False,
    late: Callable[[], bool] = lambda: False,
) -> LayerComparison:
    """Run both on ``batches`` of inputs, each in the order of the first's; on no other when it is ``late``.

    Raises:
        ValueError, DeviceError: an engine does not run.
    """
    figures: list[_Figures] = []
    for count, batch in enumerate(batches):
        if late() and count:
            batches = batches[:count]
            break
        theirs, given = first.values(batch), _in_order(first, second, batch)
        ours = second.values(given)
        if not figures:
            matches = match_layers(first.layers, second.layers, _shapes(theirs), _shapes(ours))
            figures = [_Figures(match) for match in matches]
        reference = {one.match.second.output: one.in_own_terms(theirs) for one in figures}
        own = second.own_values(given, reference)
        for one in figures:
            one.add(reference[one.match.second.output], ours, own)
    if histograms:
        for batch in batches:
            theirs = first.values(batch)
            for one in figures:
                one.count(one.in_own_terms(theirs))
    counts = {one.match.second.name: one.counts for one in figures if histograms}
    return LayerComparison(tuple(one.difference() for one in figures), counts)


class _Figures:
    """What is known of two layers, added up batch by batch."""

    def __init__(self, match: Match) -> None:
        self.match = match
        self.counts = np.zeros(BINS, np.int64)
        self._output, self._own, self._scaled = DifferenceSums(), DifferenceSums(), DifferenceSums()
        self._clipped = self._size = 0

    def in_own_terms(self, theirs: Values) -> NDArray[Any]:
        """The first layer's values, its channels scaled as the second's."""
        first, second = self.match.first, self.match.second
        return second.in_own_terms(first.in_original_terms(theirs[first.output]))

    def add(self, value: NDArray[Any], ours: Values, own: Values) -> None:
        layer = self.match.second
        reference = layer.in_original_terms(value)
        self._output.add(reference, layer.in_original_terms(ours[layer.output]))
        self._own.add(reference, layer.in_original_terms(own[layer.output]))
        self._scaled.add(value, value)
        if layer.limits is not None:
            # A value is clipped that is not just rounded to the end.
            half = (layer.limits[1] - layer.limits[0]) / 510
            self._clipped += int(np.sum((value < layer.limits[0] - half) | (value > layer.limits[1] + half)))
            self._size += value.size

    def count(self, value: NDArray[Any]) -> None:
        low, high = self._scaled.low, self._scaled.high
        if high > low:
            self.counts += np.histogram(value.astype(np.float64), BINS, (low, high))[0]

    def difference(self) -> LayerDifference:
        first, second = self.match.first, self.match.second
        return LayerDifference(
            name=second.name,
            operator=second.operator,
            counterpart=first.name,
            by_name=self.match.by_name,
            precision=second.precision,
            output=self._output.figures(second.output),
            own=self._own.figures(second.output),
            low=self._scaled.low,
            high=self._scaled.high,
            limits=second.limits,
            clipped=self._clipped / max(1, self._size),
        )


def ranked(layers: Iterable[LayerDifference]) -> list[LayerDifference]:
    """The layers that add most by themselves first; of equals the first in the graph."""
    return sorted(layers, key=lambda layer: (-layer.own.not_finite, _decibels(layer.own)))


def first_parting(layers: Iterable[LayerDifference]) -> LayerDifference | None:
    """The first layer that computes something else; ``None`` where none does."""
    return next((layer for layer in layers if layer.parts), None)


def _in_order(first: LayerGraph, second: LayerGraph, batch: Batch) -> list[NDArray[Any]]:
    """A ``batch`` for ``first`` as ``second`` takes it: inputs that are called alike belong together."""
    names = [spec.name for spec in first.inputs]
    wanted = [spec.name for spec in second.inputs]
    if set(names) != set(wanted):
        return list(batch)
    return [batch[names.index(name)] for name in wanted]


def _shapes(values: Values) -> dict[str, tuple[int, ...]]:
    return {name: value.shape for name, value in values.items()}


def _differs(parity: TensorParity) -> bool:
    return bool(parity.not_finite) or _decibels(parity) < SAME_DB


def _decibels(parity: TensorParity) -> float:
    return np.inf if parity.sqnr_db is None else parity.sqnr_db
