"""What a quantisation found out, for the report beside the model and for people."""

from collections.abc import Mapping
from enum import StrEnum

from edgevision.core.records import Record, record
from edgevision.exporters.quantization.trials import Trial
from edgevision.runtime.benchmark.timing import Speedup


class Outcome(StrEnum):
    """What was written."""

    INT8 = "int8"
    """Arithmetic in int8 where it pays; it is faster than any float form, within the budget."""
    WEIGHT_ONLY = "int8-weights"
    """Weight-only int8: float arithmetic, because that is faster here, on weights stored in int8."""
    FLOAT = "float"
    """The fastest float form: int8 breaks the budget even where weights are only stored in it."""


class OperatorPrecision(StrEnum):
    """What one operator computes in."""

    FLOAT = "float"
    WEIGHT_ONLY = "float, weights stored in int8"
    INT8 = "int8"
    A16W8 = "int8, 16-bit activations"
    """Weights of 8 bits, what flows in and out of 16."""


@record
class Form(Record):
    """A row of the verdict: fp32, fp16, everything int8, all with 16-bit activations, the fastest float, the chosen.

    ``figures`` are of its quality, ``loss`` what the budget bounds; ``speedup`` is over fp32, ``None`` if not measured.
    """

    name: str
    figures: Mapping[str, float]
    loss: float
    size_bytes: int
    speedup: Speedup | None = None


@record
class NodePrecision(Record):
    """One operator of the written model, the precision it computes in, and why.

    ``sqnr_db`` is that of the model's output where this operator alone is int8.
    """

    name: str
    operator: str
    precision: OperatorPrecision
    why: str
    sqnr_db: float | None = None


@record
class QuantizationReport(Record):
    """One quantisation. ``metric`` names the figure that was judged, ``budget`` the largest loss of it in ``unit``.

    ``measured`` says whether the target is this machine; otherwise ``expected_speedup`` is the table's word.
    """

    outcome: Outcome
    verdict: str
    target: str
    measured: bool
    expected_speedup: float | None
    metric: str
    unit: str
    budget: float
    source: str
    ranges: str
    forms: tuple[Form, ...]
    trials: tuple[Trial, ...]
    nodes: tuple[NodePrecision, ...]
    notes: tuple[str, ...]
    threads: int | None
    seconds: float
