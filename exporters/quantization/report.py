"""What a quantisation found out, for the report beside the model and for people."""

import math
from collections.abc import Mapping
from enum import StrEnum

from edgevision.core.records import Record, record
from edgevision.exporters.quantization.engine_settings import ONNX_RUNTIME, form_label
from edgevision.exporters.quantization.options import Preference
from edgevision.exporters.quantization.trials import Trial
from edgevision.modelfiles.judged_loss import JudgedLoss
from edgevision.modelfiles.measured_engine import ENGINE_TITLES
from edgevision.runtime.benchmark.statistics import Estimate
from edgevision.runtime.benchmark.timing import Clock, Speedup
from edgevision.runtime.tasks.loss_bound import BoundedLoss, Proof

AS_GIVEN, CLEANED, REWRITTEN, AS_FOR_INT8 = "as given", "cleaned", "rewritten", "rewritten as for int8"
"""Rows of the table: the user's own file or the plain export, untouched; cleaned; with faster operators; and with
those that int8 is made of."""

NOT_JUDGED = "nothing"
"""The metric of a report without a figure, as the time was over before the float model had been judged."""


class Outcome(StrEnum):
    """What was written."""

    INT8 = "int8"
    """Arithmetic in int8 where it pays; it is faster than any float form, within the budget."""
    WEIGHT_ONLY = "int8-weights"
    """Weight-only int8: float arithmetic, because that is faster here, on weights stored in int8."""
    FP16 = "fp16"
    """Arithmetic in half precision: it is faster than any form in float32 or int8, within the budget."""
    FLOAT = "float"
    """A float form: nothing smaller is as fast within the budget."""


class OperatorPrecision(StrEnum):
    """What one operator computes in."""

    FLOAT = "float"
    WEIGHT_ONLY = "float, weights stored in int8"
    INT8 = "int8"
    A16W8 = "int8, 16-bit activations"
    """Weights of 8 bits, what flows in and out of 16."""


@record
class Form(BoundedLoss):
    """A row of the verdict's table; all rows were timed interleaved, in one run.

    The first is the model as it was given. ``figures`` are of its quality, of which ``loss`` was lost. ``latency_ms``
    and ``speedup``, which is over the first row, are of the same runs; ``None`` if not measured. ``name`` is that of
    the file, ``engine`` what it was run in. ``written`` is the one that became the model file.
    """

    name: str
    figures: Mapping[str, float]
    size_bytes: int
    engine: str = ONNX_RUNTIME.title
    speedup: Speedup | None = None
    latency_ms: Estimate | None = None
    written: bool = False

    @property
    def label(self) -> str:
        """The file and what it was run in, as in ``all int8 in OpenVINO bf16``; ONNX Runtime goes without saying."""
        return form_label(self.name, self.engine)


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
class KeptCandidate(Record):
    """A model that might have been written: the ``name`` of its rows, its ``file`` in ``NAME.candidates/`` with the
    SHA-256 of that, and its operators."""

    name: str
    file: str
    sha256: str
    outcome: Outcome
    nodes: tuple[NodePrecision, ...]


@record
class QuantizationReport(Record):
    """One quantisation, of which ``verdict`` says in words what ``forms`` show.

    ``metric`` names the figure that was judged, ``budget`` the largest loss of it in ``unit``. Timed were
    runs of ``batch`` inputs, by ``clock``; ``timed_shapes`` are those of the arrays, in the order of the inputs. Older
    reports do not know them.
    ``prefer`` is what was asked for where int8 does not pay; ``candidates`` are those that were kept.
    ``measured`` says whether the target is this machine; otherwise ``expected_speedup`` is what its kind is known for.
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

    @property
    def judged_loss(self) -> JudgedLoss | None:
        """What the form that was written lost; ``None`` of one that computes in float32 what the float model does."""
        written = next((form for form in self.forms if form.written), None)
        if written is None or (self.outcome is Outcome.FLOAT and written.engine in ENGINE_TITLES.values()):
            return None
        proof = written.proof(self.budget)
        if proof is None or not math.isfinite(written.at_most):
            return None
        bound = written.bound
        proven = proof is Proof.BOUND
        return JudgedLoss(
            metric=self.metric,
            unit=self.unit,
            loss=written.loss,
            at_most=written.at_most,
            budget=self.budget,
            proven=proven,
            pictures=None if bound is None else bound.pictures,
            pictures_needed=None if proven or bound is None else bound.enough(self.budget - written.loss),
        )

    def with_caveat(self) -> "QuantizationReport":
        """With a verdict that says so where the loss of what was written is not proven to be within the budget."""
        caveat = None if self.judged_loss is None else self.judged_loss.caveat
        return self if caveat is None else self.updated(verdict=f"{self.verdict}; {caveat}")

    @property
    def headline(self) -> str:
        """What was written and what it is to be run in, as in ``int8 in OpenVINO bf16``."""
        written = next((form for form in self.forms if form.written), None)
        return str(self.outcome) if written is None else form_label(self.outcome, written.engine)

    clock: Clock = Clock.WALL
    batch: int = 1
    timed_shapes: tuple[tuple[int, ...], ...] = ()
    prefer: Preference = Preference.SPEED
    candidates: tuple[KeptCandidate, ...] = ()
