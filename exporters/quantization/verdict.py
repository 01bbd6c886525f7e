"""What is written in the end, and why: all forms judged alike and timed interleaved, so that the table bears it out."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import onnx

from edgevision.exporters.passes.half_precision import to_half
from edgevision.exporters.quantization.options import Preference
from edgevision.exporters.quantization.qdq import Plan
from edgevision.exporters.quantization.report import Form, Outcome
from edgevision.exporters.quantization.targets import Target
from edgevision.exporters.quantization.trials import Trials, TrialSetup
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.runtime.benchmark.timing import InterleavedTimer, Speedup
from edgevision.runtime.tasks.quality import Quality

_log = logging.getLogger(__name__)

# How much longer it is measured where the comparison that decides shows nothing.
_LONGER = 6
# What may be lost for a quarter of the size.
_AS_FAST = 0.97


@dataclass(frozen=True)
class Verdict:
    """The ``plan`` to write and its ``model``, why, and what stands in the table."""

    plan: Plan
    model: onnx.ModelProto
    outcome: Outcome
    reason: str
    forms: tuple[Form, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Candidates:
    """What may be written, and what it is compared with.

    Attributes:
        plain: the float model as it was given, and ``fast`` its rewritten form, which should be faster.
        everything: the plan in which all units compute in int8.
        searched: the plan that the search has chosen.
        weight_only_sizes: sizes of the weights that can be stored in int8, by node.
    """

    plain: onnx.ModelProto
    fast: onnx.ModelProto
    everything: Plan
    searched: Plan
    weight_only_sizes: Mapping[str, int]


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
    int8 = _with_weight_only(candidates.searched, candidates, trials, budget) if candidates.searched.int8 else None
    weight_only = _with_weight_only(Plan(), candidates, trials, budget)
    forms = {"fp32": candidates.plain}
    if candidates.fast is not candidates.plain:
        forms["rewritten"] = candidates.fast
    if candidates.everything.int8:
        forms["all int8"] = trials.model(candidates.everything)
        if candidates.searched.a16w8:
            forms["all 16-bit"] = trials.model(replace(candidates.everything, a16w8=candidates.everything.int8))
    if (half := _half(candidates.plain, format)) is not None:
        forms["fp16"] = half
    if int8 == candidates.everything:
        # One model loaded twice would have two times.
        forms["int8"] = forms.pop("all int8")
    elif int8 is not None:
        forms["int8"] = trials.model(int8)
    if weight_only.weight_only and (int8 is None or setup.baseline is not None):
        forms["weight-only"] = trials.model(weight_only)
    with _opened(forms, setup) as (qualities, timer):
        if timer is not None:
            timer.measure(seconds * len(forms))
        fastest = _fastest_float(forms, timer)
        if timer is not None and int8 is not None:
            found = timer.speedup("int8", fastest)
            if found.low <= 1 < found.ratio:
                # Nothing shown yet, perhaps for want of rounds.
                timer.measure(_LONGER * seconds * len(forms))
                fastest = _fastest_float(forms, timer)

        def against(name: str) -> Speedup | None:
            return None if timer is None else timer.speedup(name, fastest)

        chosen, outcome, reason = _chosen(forms, against, fastest, prefer)
        if int8 is None:
            reason = f"no operator can be int8 within the budget of {abs(budget):g} {setup.measure.unit}; {reason}"
        elif timer is None:
            reason = _expectation(int8, target)
        whole = {"all int8": "int8"} if int8 == candidates.everything else {}
        shown = {name: name for name in forms if name not in ("rewritten", "int8", "weight-only")}
        names = {"fp32": "fp32", "fastest float": fastest} | whole | shown | {"chosen": chosen}
        rows = tuple(
            Form(
                name=name,
                figures=qualities[form].figures,
                loss=qualities[form].loss,
                size_bytes=forms[form].ByteSize(),
                speedup=None if timer is None or name == "fp32" else timer.speedup(form, "fp32"),
            )
            for name, form in names.items()
        )
    plan = {"int8": int8, "weight-only": weight_only}.get(chosen) or Plan()
    return Verdict(plan, forms[chosen], outcome, reason, rows, _notes(rows, budget))


@contextmanager
def _opened(
    forms: Mapping[str, onnx.ModelProto], setup: TrialSetup
) -> Iterator[tuple[Mapping[str, Quality], InterleavedTimer[str] | None]]:
    with ExitStack() as stack:
        engines = {name: stack.enter_context(setup.open(model)) for name, model in forms.items()}
        qualities = {name: setup.measure(engine) for name, engine in engines.items()}
        yield qualities, None if setup.baseline is None else setup.timer(engines)


def _fastest_float(forms: Mapping[str, onnx.ModelProto], timer: InterleavedTimer[str] | None) -> str:
    """The faster of the plain and the rewritten model, the latter where that is not known."""
    candidates = [name for name in ("rewritten", "fp32") if name in forms]
    return candidates[0] if timer is None else min(candidates, key=timer.milliseconds)


def _chosen(
    forms: Mapping[str, onnx.ModelProto],
    against: Callable[[str], Speedup | None],
    fastest: str,
    prefer: Preference,
) -> tuple[str, Outcome, str]:
    """The form, what it is, and the reason; ``against`` is how many times as fast as the fastest float one is."""
    reasons = []
    if "int8" in forms:
        int8 = against("int8")
        if int8 is None:
            return "int8", Outcome.INT8, ""
        if int8.low > 1:
            return "int8", Outcome.INT8, f"int8 is {_times(int8)}"
        if prefer is Preference.INT8:
            return "int8", Outcome.INT8, f"int8 is {_times(int8)}; it is written because --prefer int8 asks for it"
        reasons.append(f"int8 arithmetic does not pay here: int8 is {_times(int8)}")
    if "weight-only" in forms:
        weight_only = against("weight-only")
        if weight_only is None or weight_only.high >= _AS_FAST or prefer is not Preference.SPEED:
            slower = f", which is {_times(weight_only)}" if weight_only is not None and weight_only.high < 1 else ""
            reasons.append(f"the weights are stored in int8 and computed with in float{slower}")
            return "weight-only", Outcome.WEIGHT_ONLY, "; ".join(reasons)
        reasons.append(f"with weights stored in int8 it is {_times(weight_only)}")
    return fastest, Outcome.FLOAT, "; ".join([*reasons, "written is the fastest float form"])


def _times(found: Speedup) -> str:
    """How many times as fast as the fastest float form; what is no gain is called so."""
    interval = f"{found.ratio:.2f} times ({found.low:.2f} to {found.high:.2f}) as fast as the fastest float form"
    if found.low > 1:
        return interval
    if found.ratio < 1:
        return f"{'slower' if found.high < 1 else 'rather slower'}, {interval}"
    return f"not shown to be faster, {interval}"


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


def _notes(rows: tuple[Form, ...], budget: float) -> tuple[str, ...]:
    """Where half precision, which is another option, is the fastest of all."""
    by_name = {row.name: row for row in rows}
    half, chosen = by_name.get("fp16"), by_name["chosen"]
    if half is None or half.speedup is None or chosen.speedup is None or not half.loss <= budget:
        return ()
    if half.speedup.low <= max(1.0, chosen.speedup.high):
        return ()
    times = half.speedup.ratio / chosen.speedup.ratio
    return (f"fp16 is {times:.2f} times as fast as what is written: edgevision export --fp16",)
