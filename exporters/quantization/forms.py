"""What may be written, and what it is compared with: files, and what each of them is run in."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import onnx

from edgevision.exporters.passes.half_precision import to_half
from edgevision.exporters.quantization.engine_settings import ONNX_RUNTIME, EngineSettings, form_label
from edgevision.exporters.quantization.qdq import Plan
from edgevision.exporters.quantization.report import AS_FOR_INT8, AS_GIVEN, CLEANED, REWRITTEN, Outcome
from edgevision.exporters.quantization.trials import Opener, Trial, Trials
from edgevision.modelfiles.measured_engine import InferencePrecision
from edgevision.modelfiles.model_file import ModelFormat

_log = logging.getLogger(__name__)

AS_FOR_INT8_PLAN = Plan(rewritten=True)

# Where a candidate of the search was so much slower than another, a longer run does not turn them round.
_FAR_SLOWER = 0.8


@dataclass(frozen=True)
class GivenModel:
    """The user's own file or the plain export, before anything was done to it, and what opens it untouched."""

    model: onnx.ModelProto
    open: Opener
    settings: EngineSettings = ONNX_RUNTIME


@dataclass(frozen=True)
class Candidates:
    """What forms are made from.

    Attributes:
        given: ``None`` where that is ``plain``, run in the first settings as all else is.
        plain: the cleaned float model, and ``fast`` its rewritten form, which should be faster in the first engine.
        as_for_int8: what int8 is made of, in float, where that is another; it may be the fastest in other engines.
        everything: the plan in which all units compute in int8.
        searched: the plans that were found, each by the settings in which it was.
        weight_only_sizes: sizes of the weights that can be stored in int8, by node.
        finetuned: the plan that was trained for, if that was of use.
    """

    given: GivenModel | None
    plain: onnx.ModelProto
    fast: onnx.ModelProto
    everything: Plan
    searched: Mapping[EngineSettings, Plan]
    weight_only_sizes: Mapping[str, int]
    finetuned: Plan | None = None
    as_for_int8: onnx.ModelProto | None = None


@dataclass(frozen=True)
class PossibleForm:
    """A file and what it is run in.

    Attributes:
        outcome: what it would be to write it; ``None`` of what is compared with only.
        written: the model that is written for it, where that is another.
        open: what opens the model that was given; all others are opened by those of their settings.
    """

    name: str
    model: onnx.ModelProto
    outcome: Outcome | None
    plan: Plan = field(default_factory=Plan)
    written: onnx.ModelProto | None = None
    settings: EngineSettings = ONNX_RUNTIME
    open: Opener | None = None

    @property
    def label(self) -> str:
        """As :attr:`Form.label`."""
        return form_label(self.name, self.settings.title)


def possible_forms(
    candidates: Candidates, trials: Trials, settings: Sequence[EngineSettings], budget: float, format: ModelFormat
) -> list[PossibleForm]:
    """Every file in the first of ``settings``, and in the others what may be fastest there by what the search has seen.

    The model as it was given stands first. A file that has an arithmetic of its own, as fp16, has only the first ones.
    """
    files: list[PossibleForm] = []
    first = settings[0]
    measured = trials.measured
    plain = AS_GIVEN if candidates.given is None or candidates.given.model is candidates.plain else CLEANED
    files.append(PossibleForm(plain, candidates.plain, Outcome.FLOAT))
    if candidates.fast is not candidates.plain:
        files.append(PossibleForm(REWRITTEN, candidates.fast, Outcome.FLOAT))
    half = _half(candidates.plain, format)
    if half is not None:
        # Files of that precision are converted while they are written.
        files.append(PossibleForm("fp16", half, Outcome.FP16, written=candidates.plain))
    found = [plan for plan in candidates.searched.values() if plan.int8]
    weight_only = _with_weight_only(Plan(), candidates, trials, budget)
    if weight_only.weight_only and (measured or not found):
        files.append(PossibleForm("int8-weights", trials.model(weight_only), Outcome.WEIGHT_ONLY, weight_only))
    files += [
        PossibleForm(name, trials.model(plan), Outcome.INT8, plan)
        for name, plan in _plans(candidates, trials, budget).items()
    ]
    forms = [replace(file, settings=first) for file in files]
    elsewhere = [file for file in files if file.outcome is not Outcome.FP16]
    if candidates.as_for_int8 is not None:
        elsewhere.append(PossibleForm(AS_FOR_INT8, candidates.as_for_int8, Outcome.FLOAT, AS_FOR_INT8_PLAN))
    forms += _promising(
        [replace(file, settings=one) for one in settings[1:] for file in elsewhere],
        forms,
        trials,
        budget,
    )
    if candidates.given is not None:
        given = candidates.given
        # Another engine than those that were asked for is compared with only.
        outcome = Outcome.FLOAT if given.settings.engine == first.engine else None
        row = PossibleForm(AS_GIVEN, given.model, outcome, settings=given.settings, open=given.open)
        # Where nothing was cleaned it is the same row, opened as others open it.
        forms[: int(row.label == forms[0].label)] = [row]
    return forms


def _plans(candidates: Candidates, trials: Trials, budget: float) -> dict[str, Plan]:
    """Those with int8 arithmetic by the names of their files, each once: one loaded twice would have two times.

    Each engine has at most one besides everything in int8; that of the second is ``other int8``.
    """
    everything = candidates.everything
    plans = {"all int8": everything} if everything.int8 else {}
    if any(plan.a16w8 for plan in candidates.searched.values()):
        plans = {"all 16-bit": replace(everything, a16w8=everything.int8)} | plans
    for settings, plan in candidates.searched.items():
        if not plan.int8:
            continue
        plan = _with_weight_only(plan, candidates, trials.within(settings), budget)
        if plan not in plans.values():
            plans["other int8" if "int8" in plans else "int8"] = plan
    if candidates.finetuned is not None:
        name = "all int8" if candidates.finetuned.int8 == everything.int8 else "int8"
        plans[f"{name} finetuned"] = _with_weight_only(candidates.finetuned, candidates, trials, budget)
    return plans


def _promising(
    forms: Sequence[PossibleForm], measured_anyway: Sequence[PossibleForm], trials: Trials, budget: float
) -> list[PossibleForm]:
    """Those of ``forms`` not seen to be far slower than the fastest within the budget; in float32, than that in it."""

    every = [form for form in (*forms, *measured_anyway) if holds_as_seen(form, trials, budget)]
    fastest = {
        which: max([1.0, *(speed_seen(form, trials) for form in every if _exact(form) >= which)])
        for which in (False, True)
    }
    return [form for form in forms if speed_seen(form, trials) >= _FAR_SLOWER * fastest[_exact(form)]]


def holds_as_seen(form: PossibleForm, trials: Trials, budget: float) -> bool:
    """Whether ``form`` is within the ``budget`` by what the search has judged, or loses nothing anyway."""
    trial = _tried(form, trials)
    return _exact(form) or (trial is not None and trial.quality is not None and trial.quality.proof(budget) is not None)


def speed_seen(form: PossibleForm, trials: Trials) -> float:
    """How many times as fast as the float model the search has seen ``form`` to be; 0 where it has not timed it."""
    trial = _tried(form, trials)
    return 0.0 if trial is None or trial.speedup is None else trial.speedup.ratio


def _exact(form: PossibleForm) -> bool:
    return form.outcome is not Outcome.INT8 and form.settings.inference_precision is InferencePrecision.FP32


def _tried(form: PossibleForm, trials: Trials) -> Trial | None:
    within = trials.within(form.settings)
    # What is only stored in another way takes the same time.
    computed = replace(form.plan, weight_only=frozenset())
    as_for_int8 = within.known(AS_FOR_INT8_PLAN) if form.plan.weight_only and not form.plan.int8 else None
    return as_for_int8 or within.known(computed)


def _with_weight_only(plan: Plan, candidates: Candidates, trials: Trials, budget: float) -> Plan:
    """With the largest weights among those of float operators, as many as hold the budget in int8."""
    sizes = {name: size for name, size in candidates.weight_only_sizes.items() if name not in plan.int8}
    order = sorted(sizes, key=lambda name: -sizes[name])
    while order:
        candidate = replace(plan, weight_only=frozenset(order))
        if trials.quality(candidate, f"{len(order)} weight-only").proof(budget) is not None:
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
