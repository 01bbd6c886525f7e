"""Whether two engines compute the same: per output the largest error, its share of the range, and the SQNR."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from edgevision.core.errors import ParityError
from edgevision.core.records import Record, record
from edgevision.modelfiles.metadata import Precision
from edgevision.runtime.engines.batching import run_batched, sample_count
from edgevision.runtime.engines.engine import Array, Engine
from edgevision.runtime.tasks.samples import Batch

Predictions = Callable[[Sequence[Any], int], Any]

# fp32 engines reorder sums, which costs some 1e-6 of the range (above 100 dB in practice); fp16 keeps 11 bits, and
# rounding through some tens of layers leaves 45 dB and more. Below these a graph is wrong, not rounded.
_FLOOR_DB = {Precision.FP32: 60.0, Precision.FP16: 35.0}
_FLOOR_AGREEMENT = {Precision.FP32: 98.0, Precision.FP16: 96.0}


@record
class TensorParity(Record):
    """One output. ``relative_error`` is ``max_abs_error`` over the reference's range; ``None`` dB: no error.

    ``not_finite`` counts the values that are NaN on either side, or infinite where the other side's are not the same;
    they are left out of the other figures.
    """

    name: str
    max_abs_error: float
    relative_error: float
    sqnr_db: float | None
    not_finite: int = 0


@record
class ParityReport(Record):
    """The comparison on ``samples`` inputs; ``agreement`` is the share of equal answers in percent (classifiers)."""

    reference: str
    actual: str
    samples: int
    source: str
    outputs: tuple[TensorParity, ...]
    agreement: float | None = None

    @property
    def worst(self) -> TensorParity:
        """The output with values that are not finite, or else with the lowest SQNR."""
        return min(self.outputs, key=lambda o: (-o.not_finite, np.inf if o.sqnr_db is None else o.sqnr_db))

    def check(self, precision: Precision) -> None:
        """Raise :class:`ParityError`, naming the worst output, where the floor of ``precision`` is missed.

        Only values that are no numbers fail an int8 model: how much it may lose was a question of its budget.
        """
        worst = self.worst
        if worst.not_finite:
            raise ParityError(
                f"the {precision} model does not compute what the checkpoint does: {worst.not_finite} values of output"
                f" {worst.name!r} are not a number, or infinite on one side only"
            )
        floor = _FLOOR_DB.get(precision)
        if floor is None:
            return
        if worst.sqnr_db is not None and worst.sqnr_db < floor:
            raise ParityError(
                f"the {precision} model does not compute what the checkpoint does: output {worst.name!r} has an SQNR of"
                f" {worst.sqnr_db:.1f} dB (at least {floor:g} asked), largest error {worst.max_abs_error:.3g}"
            )
        if self.agreement is not None and self.agreement < _FLOOR_AGREEMENT[precision]:
            raise ParityError(
                f"the {precision} model decides otherwise than the checkpoint: {self.agreement:.1f} % of"
                f" {self.samples} answers agree in {worst.name!r} (at least {_FLOOR_AGREEMENT[precision]:g} % asked)"
            )


class DifferenceSums:
    """What the figures of one tensor need, added up batch by batch."""

    def __init__(self) -> None:
        self.signal = self.noise = self.error = 0.0
        self.low, self.high = np.inf, -np.inf
        self.not_finite = 0

    def add(self, reference: Array, actual: Array) -> None:
        """Add the values of a batch, of equal shape."""
        r, a = reference.astype(np.float64).ravel(), actual.astype(np.float64).ravel()
        finite = np.isfinite(r) & np.isfinite(a)
        self.not_finite += int(np.sum(~finite & (r != a)))
        r, a = r[finite], a[finite]
        difference = r - a
        self.signal += float(np.sum(r * r))
        self.noise += float(np.sum(difference * difference))
        self.error = max(self.error, float(np.abs(difference).max(initial=0)))
        self.low, self.high = min(self.low, float(r.min(initial=np.inf))), max(self.high, float(r.max(initial=-np.inf)))

    def figures(self, name: str) -> TensorParity:
        """Those of all that was added."""
        sqnr = 10 * float(np.log10(max(self.signal, 1e-300) / self.noise)) if self.noise else None
        span = self.high - self.low if self.high > self.low else 0.0
        return TensorParity(
            name=name,
            max_abs_error=self.error,
            relative_error=self.error / span if span else self.error,
            sqnr_db=sqnr,
            not_finite=self.not_finite,
        )


def compare_engines(
    reference: Engine,
    actual: Engine,
    batches: Iterable[Batch],
    *,
    source: str,
    predictions: Predictions | None = None,
) -> ParityReport:
    """Run both engines on every batch and compare all outputs in order, and where there are some the ``predictions``.

    Those are what the task makes of the outputs of so many samples, see :meth:`.Task.predictions`.

    Raises:
        ParityError: different numbers or shapes of outputs.
        ValueError, DeviceError: an engine does not run.
    """
    sums = [DifferenceSums() for _ in actual.outputs]
    samples = equal = 0
    for batch in batches:
        expected = run_batched(reference, batch)
        found = run_batched(actual, batch)
        shapes = [output.shape for output in expected], [output.shape for output in found]
        if shapes[0] != shapes[1]:
            raise ParityError(f"the checkpoint's outputs are {shapes[0]}, the model's are {shapes[1]}")
        for total, r, a in zip(sums, expected, found, strict=True):
            total.add(r, a)
        count = sample_count(batch)
        samples += count
        if predictions is not None:
            theirs, ours = predictions(expected, count), predictions(found, count)
            if theirs is None or ours is None:
                predictions = None
            else:
                equal += int(np.sum(theirs == ours))
    return ParityReport(
        reference=reference.name,
        actual=f"{actual.name} on {actual.device}",
        samples=samples,
        source=source,
        outputs=tuple(total.figures(spec.name) for total, spec in zip(sums, actual.outputs, strict=True)),
        agreement=None if predictions is None else 100 * equal / samples,
    )
