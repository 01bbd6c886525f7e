"""What is written in the end, and why: all forms judged alike and timed interleaved, and the best row of that table."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

import onnx

from edgevision.core.errors import EdgevisionError
from edgevision.core.printable import one_line
from edgevision.exporters.passes.half_precision import to_half
from edgevision.exporters.quantization.options import Preference
from edgevision.exporters.quantization.qdq import Plan
from edgevision.exporters.quantization.report import AS_GIVEN, CLEANED, REWRITTEN, Form, Outcome
from edgevision.exporters.quantization.selection import Candidate, Selection, Selector, SpeedupOver
from edgevision.exporters.quantization.targets import Target
from edgevision.exporters.quantization.trials import Opener, Trials, TrialSetup
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.runtime.benchmark.timing import InterleavedTimer, Speedup
from edgevision.runtime.tasks.quality import Quality
from edgevision.runtime.telemetry.findings import Finding
from edgevision.runtime.telemetry.sampler import Telemetry

_log = logging.getLogger(__name__)

# How much longer it is measured where the comparison that decides shows nothing.
_LONGER = 6


@dataclass(frozen=True)
class Verdict:
    """The ``plan`` to write and its ``model``, why, and the table that bears it out.

    ``candidates`` are the models that might have been written, by the names of their rows, and what they are.
    """

    plan: Plan
    model: onnx.ModelProto
    outcome: Outcome
    reason: str
    forms: tuple[Form, ...]
    candidates: Mapping[str, tuple[onnx.ModelProto, Outcome]]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class GivenModel:
    """The user's own file or the plain export, before anything was done to it, and what opens it untouched."""

    model: onnx.ModelProto
    open: Opener


@dataclass(frozen=True)
class Candidates:
    """What may be written, and what it is compared with.

    Attributes:
        given: ``None`` where nothing had to be cleaned: then that is ``plain``.
        plain: the cleaned float model, and ``fast`` its rewritten form, which should be faster.
        everything: the plan in which all units compute in int8.
        searched: the plan that the search has chosen.
        weight_only_sizes: sizes of the weights that can be stored in int8, by node.
    """

    given: GivenModel | None
    plain: onnx.ModelProto
    fast: onnx.ModelProto
    everything: Plan
    searched: Plan
    weight_only_sizes: Mapping[str, int]


@dataclass(frozen=True)
class _Row:
    """A form as it is measured; ``written`` is the model that is written for it, where that is another."""

    model: onnx.ModelProto
    outcome: Outcome | None
    plan: Plan = field(default_factory=Plan)
    written: onnx.ModelProto | None = None


def decide(
    candidates: Candidates,
    trials: Trials,
    setup: TrialSetup,
    target: Target,
    *,
    budget: float,
    seconds: float,
    prefer: Preference,
    format: ModelFormat,
) -> Verdict:
    """Time all forms interleaved, for ``seconds`` each where the target is at hand, and choose one of them."""
    rows = _rows(candidates, trials, budget, format, measured=setup.baseline is not None)
    with _opened(rows, candidates.given, setup) as (qualities, timer, notes):
        speedup = None if timer is None else timer.speedup
        judged = [Candidate(name, rows[name].outcome, quality.loss) for name, quality in qualities.items()]
        selector = Selector(judged, speedup, budget, prefer)
        if timer is not None:
            with Telemetry() as telemetry:
                timer.measure(seconds * len(judged))
                if selector.undecided():
                    timer.measure(_LONGER * seconds * len(judged))
            notes += _disturbances(telemetry.report().findings)
        selection, first = selector.select(), judged[0].name
        written = rows[selection.written.name]
        forms = tuple(
            Form(
                name=name,
                figures=quality.figures,
                loss=quality.loss,
                size_bytes=rows[name].model.ByteSize(),
                speedup=None if timer is None or name == first else timer.speedup(name, first),
                latency_ms=None if timer is None else timer.latency(name),
                written=name == selection.written.name,
            )
            for name, quality in qualities.items()
        )
        if speedup is None and written.outcome is Outcome.INT8:
            reason = _expectation(written.plan, target)
        else:
            reason = _reason(selection, first, speedup, prefer)
            if not candidates.searched.int8:
                unit = setup.measure.unit
                reason = f"no operator can be int8 within the budget of {abs(budget):g} {unit}; {reason}"
    models = {name: (row.written or row.model, row.outcome) for name, row in rows.items() if row.outcome is not None}
    model, outcome = models[selection.written.name]
    return Verdict(written.plan, model, outcome, reason, forms, models, notes)


def _rows(
    candidates: Candidates, trials: Trials, budget: float, format: ModelFormat, *, measured: bool
) -> dict[str, _Row]:
    """What was searched for stands last."""
    rows: dict[str, _Row] = {}
    if candidates.given is not None:
        rows[AS_GIVEN] = _Row(candidates.given.model, None)
    rows[CLEANED if rows else AS_GIVEN] = _Row(candidates.plain, Outcome.FLOAT)
    if candidates.fast is not candidates.plain:
        rows[REWRITTEN] = _Row(candidates.fast, Outcome.FLOAT)
    if (half := _half(candidates.plain, format)) is not None:
        # Files of that precision are converted while they are written.
        rows["fp16"] = _Row(half, Outcome.FP16, written=candidates.plain)
    everything, found = candidates.everything, candidates.searched
    weight_only = _with_weight_only(Plan(), candidates, trials, budget)
    if weight_only.weight_only and (measured or not found.int8):
        rows["int8-weights"] = _Row(trials.model(weight_only), Outcome.WEIGHT_ONLY, weight_only)
    plans = {"all int8": everything} if everything.int8 else {}
    if found.a16w8:
        plans = {"all 16-bit": replace(everything, a16w8=everything.int8)} | plans
    if found.int8:
        found = _with_weight_only(found, candidates, trials, budget)
        if found not in plans.values():
            # One model loaded twice would have two times.
            plans["int8"] = found
    return rows | {name: _Row(trials.model(plan), Outcome.INT8, plan) for name, plan in plans.items()}


_Opened = tuple[dict[str, Quality], InterleavedTimer[str] | None, tuple[str, ...]]


@contextmanager
def _opened(rows: Mapping[str, _Row], given: GivenModel | None, setup: TrialSetup) -> Iterator[_Opened]:
    """The qualities of all rows that run, in order, what times them, and a note where the given model does not run."""
    notes: tuple[str, ...] = ()
    with ExitStack() as stack:
        engines, qualities = {}, {}
        for name, row in rows.items():
            try:
                open_model = given.open if given is not None and row.outcome is None else setup.open
                engine = stack.enter_context(open_model(row.model))
                qualities[name] = setup.measure(engine)
            except EdgevisionError as error:
                if row.outcome is not None:
                    raise
                notes = (f"the model as given does not run here: the first row is the cleaned; {one_line(error):.200}",)
                continue
            engines[name] = engine
        yield qualities, None if setup.baseline is None else setup.timer(engines), notes


def _disturbances(findings: Sequence[Finding]) -> tuple[str, ...]:
    """A note for each kind of finding: busy machines have dozens of one."""
    notes = []
    for kind in dict.fromkeys(found.kind for found in findings):
        first, *others = [found for found in findings if found.kind is kind]
        more = f", and {len(others)} times more" if others else ""
        notes.append(f"the timing was disturbed, {kind}: {first.message}{more}")
    return tuple(notes)


def _reason(selection: Selection, first: str, speedup: SpeedupOver | None, prefer: Preference) -> str:
    """Why that row is written, in the table's own figures."""
    written, fastest = selection.written, selection.fastest_float
    int8, weight_only = selection.fastest_int8, selection.weight_only

    def times(name: str) -> str:
        return "" if speedup is None else _times(speedup(name, fastest.name), fastest.name)

    if selection.reduced:
        reasons = [f"{written.name} is {times(written.name)}"]
        if prefer is Preference.INT8 and speedup is not None and speedup(written.name, fastest.name).low <= 1:
            reasons.append("it is written because --prefer int8 asks for it")
    else:
        reasons = [] if int8 is None else [f"int8 arithmetic does not pay here: {int8.name} is {times(int8.name)}"]
        if written.outcome is Outcome.WEIGHT_ONLY:
            slower = speedup is not None and speedup(written.name, fastest.name).high < 1
            which = f", which is {times(written.name)}" if slower else ""
            reasons.append(f"the weights are stored in int8 and computed with in float{which}")
        else:
            if weight_only is not None:
                reasons.append(f"with weights stored in int8 it is {times(weight_only.name)}")
            reasons.append(f"written is the fastest float32 form, {_known_as(written.name)}")
    if speedup is not None and first not in (written.name, fastest.name):
        found = speedup(written.name, first)
        reasons.append(f"it is {_interval(found)} as fast as {_known_as(first)}")
        if found.high < 1:
            reasons.append("the model that was given is the faster one")
    return "; ".join(reasons)


def _times(found: Speedup, fastest: str) -> str:
    """How many times as fast as the fastest float32 form; what is no gain is called so."""
    text = f"{_interval(found)} as fast as {_known_as(fastest)}, the fastest float32 form"
    if found.low > 1:
        return text
    if found.ratio < 1:
        return f"{'slower' if found.high < 1 else 'rather slower'}, {text}"
    return f"not shown to be faster, {text}"


def _interval(found: Speedup) -> str:
    return f"{found.ratio:.2f} times ({found.low:.2f} to {found.high:.2f})"


def _known_as(row: str) -> str:
    forms = {AS_GIVEN: "given", CLEANED: "cleaned", REWRITTEN: "rewritten"}
    return f"the {forms[row]} one" if row in forms else row


def _expectation(plan: Plan, target: Target) -> str:
    if not plan.a16w8:
        return f"int8 for {target.name}, expected {target.speedup:g} times as fast, not measured"
    return (
        f"int8 for {target.name} with activations of 16 bits in {len(plan.a16w8)} of {len(plan.int8)} operators,"
        f" expected at most {target.speedup:g} times as fast, not measured"
    )


def _with_weight_only(plan: Plan, candidates: Candidates, trials: Trials, budget: float) -> Plan:
    """With the largest weights among those of float operators, as many as hold the budget in int8."""
    sizes = {name: size for name, size in candidates.weight_only_sizes.items() if name not in plan.int8}
    order = sorted(sizes, key=lambda name: -sizes[name])
    while order:
        candidate = replace(plan, weight_only=frozenset(order))
        if trials.quality(candidate, f"{len(order)} weight-only").loss <= budget:
            return candidate
        order = order[: len(order) // 2]
    return plan


def _half(model: onnx.ModelProto, format: ModelFormat) -> onnx.ModelProto | None:
    if format is not ModelFormat.ONNX:
        return None
    try:
        return to_half(model)
    except Exception as error:  # the converter's own, for graphs that it does not know
        _log.debug("no fp16: %s", error)
        return None
