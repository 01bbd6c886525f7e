"""What is written in the end, and why: all forms judged alike and timed interleaved, and the best row of that table."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import onnx

from edgevision.core.errors import EdgevisionError, EngineCrashError
from edgevision.core.printable import one_line
from edgevision.exporters.engine_process import OutOfTimeError
from edgevision.exporters.quantization.engine_settings import EngineSettings
from edgevision.exporters.quantization.forms import (
    Candidates,
    PossibleForm,
    holds_as_seen,
    possible_forms,
    speed_seen,
)
from edgevision.exporters.quantization.options import Preference
from edgevision.exporters.quantization.qdq import Plan
from edgevision.exporters.quantization.report import Form, Outcome
from edgevision.exporters.quantization.selection import Candidate, Selector, SpeedupOver
from edgevision.exporters.quantization.targets import Target
from edgevision.exporters.quantization.time_budget import TimeBudget
from edgevision.exporters.quantization.trials import Timer, Trials, TrialSetup
from edgevision.exporters.quantization.verdict_words import expectation, reason
from edgevision.modelfiles.judged_loss import samples_seen
from edgevision.modelfiles.measured_engine import InferencePrecision
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.quality import Quality
from edgevision.runtime.telemetry.findings import Finding
from edgevision.runtime.telemetry.sampler import Telemetry

# How much longer it is measured where the comparison that decides shows nothing.
_LONGER = 6
DISTURBED = "the timing was disturbed"
"""How a note begins that says by what."""
RETIME_ADVICE = "it can be timed again on a quieter machine without another search"
"""How a note begins that says with what."""
NO_TIME = "the time did not suffice to try int8"
"""What is said where no form in int8 was judged for want of time."""
MORE_SETS = "more sets of operators"
"""What was left out where the time did not suffice for the search."""
# However little time there is.
_FEWEST_ROUNDS = 5
# Of the time for the verdict, for judging forms.
_SHARE_OF_JUDGING = 0.5


@dataclass(frozen=True)
class Written:
    """A model that is written or might have been: what it is, what it runs fastest in within the budget, and how many
    times as fast that is as the other engine, if one was measured."""

    model: onnx.ModelProto
    outcome: Outcome
    settings: EngineSettings
    plan: Plan
    speedup: float | None = None


@dataclass(frozen=True)
class Verdict:
    """The ``plan`` to write and what is ``written``, why, and the table that bears it out.

    ``candidates`` are the models that might have been written, by the names of their files.
    """

    plan: Plan
    written: Written
    reason: str
    forms: tuple[Form, ...]
    candidates: Mapping[str, Written]
    notes: tuple[str, ...] = ()


def decide(
    candidates: Candidates,
    trials: Trials,
    setup: TrialSetup,
    target: Target,
    *,
    budget: float,
    seconds: float,
    time_budget: TimeBudget,
    prefer: Preference,
    format: ModelFormat,
) -> Verdict:
    """Time all forms interleaved, for ``seconds`` each where the target is at hand, and choose one of them.

    What the time does not suffice for is left out: of the forms those that the search has not judged.
    """
    possible = {form.label: form for form in possible_forms(candidates, trials, tuple(setup.openers), budget, format)}
    with _opened(possible, candidates.fast, setup, trials, time_budget, budget) as (qualities, timer, notes):
        possible = {label: possible[label] for label in qualities}
        speedup = None if timer is None else timer.speedup
        judged = [
            Candidate.judged(possible[label].name, possible[label].outcome, quality, possible[label].settings)
            for label, quality in qualities.items()
        ]
        selector = Selector(judged, speedup, budget, prefer)
        if timer is not None:
            with Telemetry() as telemetry:
                timer.measure(min(seconds * len(judged), time_budget.seconds_left), fewest=_FEWEST_ROUNDS)
                if selector.undecided():
                    longer, left = _LONGER * seconds * len(judged), time_budget.seconds_left
                    # What was timed before is not lost.
                    with suppress(OutOfTimeError):
                        timer.measure(min(longer, left))
                    if left < longer and selector.undecided():
                        time_budget.left_out.append("a longer timing, which might have shown more")
            notes += disturbances(telemetry.report().findings)
        selection, first = selector.select(), judged[0].name
        chosen = possible[selection.written.name]
        forms = tuple(
            Form(
                name=possible[label].name,
                figures=quality.figures,
                loss=quality.loss,
                size_bytes=possible[label].model.ByteSize(),
                engine=possible[label].settings.title,
                speedup=None if timer is None or label == first else timer.speedup(label, first),
                latency_ms=None if timer is None else timer.latency(label),
                written=label == chosen.label,
                bound=quality.bound,
            )
            for label, quality in qualities.items()
        )
        if speedup is None and chosen.outcome is Outcome.INT8:
            why = expectation(chosen.plan, candidates.everything, target)
        else:
            why = reason(selection, first, speedup, prefer)
            # Where only what computes everything in int8 was timed, the words above say so.
            tried = any(trial.computed and trial.quality is not None for trial in trials.all)
            found = any(plan.int8 for plan in candidates.searched.values())
            if not found and (tried or selection.fastest_int8 is None):
                unit = setup.measure.unit
                within = f"within the budget of {abs(budget):g} {unit}"
                none = f"no operator can be int8 {within}" if tried else NO_TIME
                if tried and MORE_SETS in time_budget.left_out:
                    none = f"nothing in int8 that the time sufficed to try is {within}"
                why = f"{none}; {why}"
        notes += unproven(forms, chosen.label, budget, setup.measure.unit)
        files = {form.name: form for form in reversed(possible.values()) if form.outcome is not None}
        for name in files:
            inside = [one.name for one in selector.within_budget() if possible[one.name].name == name]
            if speedup is not None and inside:
                files[name] = possible[max(inside, key=lambda label: speedup(label, first).ratio)]
        files[chosen.name] = chosen
        written = {name: _written(form, possible, speedup) for name, form in reversed(files.items())}
    return Verdict(chosen.plan, written[chosen.name], why, forms, written, notes)


def _written(form: PossibleForm, possible: Mapping[str, PossibleForm], speedup: SpeedupOver | None) -> Written:
    """How the file of ``form`` is written, and what it gains over the same file as another engine runs it by itself."""
    elsewhere = [
        other.label
        for other in possible.values()
        if other.name == form.name
        and other.settings.engine != form.settings.engine
        and other.settings.inference_precision is InferencePrecision.FP32
    ]
    gain = speedup(form.label, elsewhere[0]).ratio if speedup is not None and elsewhere else None
    assert form.outcome is not None
    return Written(form.written or form.model, form.outcome, form.settings, form.plan, gain)


_Opened = tuple[dict[str, Quality], Timer | None, tuple[str, ...]]


@contextmanager
def _opened(
    possible: Mapping[str, PossibleForm],
    fast: onnx.ModelProto,
    setup: TrialSetup,
    trials: Trials,
    time_budget: TimeBudget,
    budget: float,
) -> Iterator[_Opened]:
    """The qualities of all that run, in order, what times them, and a note on each that does not run.

    What the search has judged is not judged again, nor is its float form, ``fast``. Where time is short forms are left
    out, but for the first two and one more: first those that break the ``budget``, and then the slowest as the search
    has seen them.
    """
    notes: tuple[str, ...] = ()
    home = next(iter(setup.openers)).engine
    with ExitStack() as stack:
        engines: dict[str, Engine] = {}
        qualities: dict[str, Quality] = {}
        late = time_budget.late_after(_SHARE_OF_JUDGING * time_budget.seconds_left)
        first_two = list(possible)[:2]
        known = {
            label: trials.within(form.settings).known_quality(form.plan)
            if form.plan != Plan() or form.model is fast
            else None
            for label, form in possible.items()
        }

        if setup.spread is not None:
            unknown = [form for label, form in possible.items() if known[label] is None and form.open is None]
            setup.spread.ahead((form.model, form.settings) for form in unknown)
        for label in (*first_two, *promising_first(list(possible.values())[2:], known, trials, budget)):
            form = possible[label]
            if len(engines) > len(first_two) and late():
                time_budget.left_out.append(label)
                continue
            try:
                open_model = form.open or setup.openers[form.settings]
                engine = stack.enter_context(open_model(form.model))
                judged = setup.judged(form.model, form.settings) if form.open is None else None
                qualities[label] = known[label] or judged or setup.measure(engine)
                if setup.baseline is not None:
                    engine.run(setup.feeds[0])
            except OutOfTimeError:
                # Nothing is compared without these.
                if label in first_two:
                    raise
                time_budget.left_out.append(label)
                continue
            except EdgevisionError as error:
                if isinstance(error, EngineCrashError) and form.outcome is Outcome.INT8:
                    reason = f"{label} is no candidate"
                elif form.open is not None:
                    reason = "the model as given does not run here: the first row is the cleaned"
                elif form.settings.engine != home:
                    reason = f"{label} does not run"
                else:
                    raise
                notes += (f"{reason}; {one_line(error):.200}",)
                continue
            engines[label] = engine
        rows = [label for label in possible if label in engines]
        timer = None if setup.baseline is None else setup.timer({label: engines[label] for label in rows})
        yield {label: qualities[label] for label in rows}, timer, notes


def promising_first(
    forms: Sequence[PossibleForm], known: Mapping[str, Quality | None], trials: Trials, budget: float
) -> list[str]:
    """The labels of ``forms`` in the order in which they may be written.

    Those come first that hold the ``budget`` as far as the search has seen, and last those that are ``known`` to break
    it; of either the fastest.
    """

    def rank(form: PossibleForm) -> tuple[bool, bool, float]:
        quality = known[form.label]
        breaks = quality is not None and quality.proof(budget) is None
        return breaks, not holds_as_seen(form, trials, budget), -speed_seen(form, trials)

    return [form.label for form in sorted(forms, key=rank)]


def unproven(forms: Sequence[Form], written: str, budget: float, unit: str) -> tuple[str, ...]:
    """A note on the fastest form that may be within the ``budget``, where too little was seen to say so."""

    def speed(form: Form) -> float:
        return 0.0 if form.speedup is None else form.speedup.ratio

    chosen = next(form for form in forms if form.label == written)
    possible = [one for one in forms if one.bound is not None and one.loss <= budget and one.proof(budget) is None]
    if chosen.speedup is not None:
        possible = [one for one in possible if speed(one) > speed(chosen)]
    if not possible:
        return ()
    best = max(possible, key=speed)
    assert best.bound is not None
    wanted = best.bound.enough(budget - best.loss)
    seen = samples_seen(best.bound.pictures)
    if unit == "dB" and budget < 0:
        lost = f"leaves {-best.loss:.3g} dB on {seen} and on others perhaps {-best.at_most:.3g}"
    else:
        lost = f"loses {best.loss:.3g} {unit} on {seen} and on others perhaps {best.at_most:.3g}"
    more = "" if wanted is None else f"; about {wanted} like them would show whether it is"
    return (
        f"{best.label} is not shown to be within {abs(budget):g} {unit}: it {lost}{more}; give more, or --max-drop",
    )


def disturbances(findings: Sequence[Finding]) -> tuple[str, ...]:
    """A note for each kind of finding: busy machines have dozens of one."""
    notes = []
    for kind in dict.fromkeys(found.kind for found in findings):
        first, *others = [found for found in findings if found.kind is kind]
        more = f", and {len(others)} times more" if others else ""
        notes.append(f"{DISTURBED}, {kind}: {first.message}{more}")
    return tuple(notes)
