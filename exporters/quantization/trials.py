"""Candidates that were tried and what came out: each is judged and timed at most once, over interruptions too.

A candidate is a plan and the engine settings that it is run in.
"""

import hashlib
import json
import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import onnx

from edgevision.core.errors import EngineCrashError
from edgevision.core.records import Record, record
from edgevision.exporters.engine_process import OutOfTimeError, ProcessEngine, ProcessTimer
from edgevision.exporters.quantization.engine_settings import ONNX_RUNTIME, EngineSettings, form_label
from edgevision.exporters.quantization.qdq import Plan
from edgevision.runtime.benchmark.timing import Clock, Feeds, InterleavedTimer, Speedup, inferences_by_turns
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.quality import Quality, QualityMeasure

_log = logging.getLogger(__name__)

_BLOCK_MS = 2.0
# The threads of an engine stay awake for a while after a run, and take time of the other's next one: long enough that
# what is short runs several times, of which the first does not count.
_BLOCK_BESIDE_ANOTHER_ENGINE_MS = 6.0

# However slow a network is: candidates are told apart, and the verdict times them again.
_FEWEST_ROUNDS = 5

# Of crashes in one engine that is not the plainest, after which it is left out: each costs some seconds.
_MOST_CRASHES = 3

Opener = Callable[[onnx.ModelProto], Engine]
Timer = InterleavedTimer[str] | ProcessTimer

_NEVER = Speedup(ratio=0.0, low=0.0, high=0.0, before_ms=math.nan, after_ms=math.inf, rounds=0)


@record
class Trial(Record):
    """One candidate: how many units compute in int8, the bytes of its graph, and what was measured of it so far.

    ``wide`` are those of ``computed`` with activations of 16 bits, ``engine`` is what it was run in. ``crash`` says how
    the engine failed where it crashed or did not come back: it is no candidate any more.
    """

    name: str
    computed: int
    stored: int
    size_bytes: int
    wide: int = 0
    engine: str = ONNX_RUNTIME.title
    quality: Quality | None = None
    speedup: Speedup | None = None
    crash: str | None = None


Candidate = tuple[onnx.ModelProto, EngineSettings]
"""A model and what it is run in."""


class JudgesAhead(Protocol):
    """Judges candidates before they are asked for, ``at_once`` in the time of one."""

    @property
    def at_once(self) -> int: ...

    def begin(self, measure: QualityMeasure) -> None:
        """Say what is judged by."""
        ...

    def ahead(self, candidates: Iterable[Candidate]) -> None:
        """Judge those that are not yet."""
        ...

    def found(self, model: onnx.ModelProto, settings: EngineSettings) -> Quality | None:
        """What came out, if it was judged; raises what its engine did."""
        ...


@dataclass(frozen=True)
class TrialSetup:
    """What candidates are measured with: engines, the plain float model, inputs to time on by turns, and for how many
    seconds.

    ``openers`` are those of all engine settings, the plainest first; ``baseline`` is ``None`` where the device is not
    at hand; ``spread`` is what judges some candidates at once, if anything does; ``clock`` is what they are timed by.
    """

    openers: Mapping[EngineSettings, Opener]
    measure: QualityMeasure
    baseline: Engine | None
    feeds: Sequence[Feeds]
    seconds: float
    spread: JudgesAhead | None = None
    clock: Clock = Clock.WALL

    def timer(self, engines: Mapping[str, Engine]) -> Timer:
        """Times one inference of each on the inputs."""
        return inference_timer(engines, self.feeds, self.openers, self.clock)

    def judged(self, model: onnx.ModelProto, settings: EngineSettings) -> Quality | None:
        """What a candidate was found to be worth before it was asked for; raises what its engine did."""
        return None if self.spread is None else self.spread.found(model, settings)


def inference_timer(
    engines: Mapping[str, Engine], feeds: Sequence[Feeds], settings: Iterable[EngineSettings], clock: Clock
) -> Timer:
    """Times one inference of each of ``engines``, which are run in some of ``settings``: in their process, if any.

    Every round takes the next of ``feeds``.
    """
    several = len({one.engine for one in settings}) > 1
    block_ms = _BLOCK_BESIDE_ANOTHER_ENGINE_MS if several else _BLOCK_MS
    theirs = {name: engine for name, engine in engines.items() if isinstance(engine, ProcessEngine)}
    if len(theirs) == len(engines):
        return ProcessTimer(theirs, feeds, block_ms, clock)
    return inferences_by_turns(
        {name: engine.run for name, engine in engines.items()}, feeds, block_ms=block_ms, clock=clock
    )


class Trials:
    """All candidates of one search by their plan.

    What is measured is appended to ``log`` at once; a search with the same ``key`` starts with what it finds there.

    Attributes:
        settings: what candidates are run in.
    """

    def __init__(self, make: Callable[[Plan], onnx.ModelProto], setup: TrialSetup, log: Path | None, key: str) -> None:
        self._make, self._setup = make, setup
        self._log = log
        self.settings = next(iter(setup.openers))
        self._trials: dict[str, Trial] = {}
        if log is not None:
            self._trials = _read(log, key)
            # Written anew: what is appended to a torn line would be lost with it.
            known = [{"plan": plan, "trial": trial.to_dict()} for plan, trial in self._trials.items()]
            log.write_text("".join(json.dumps(line) + "\n" for line in ({"search": key}, *known)), encoding="utf-8")

    @property
    def all(self) -> tuple[Trial, ...]:
        """In the order they were first tried."""
        return tuple(self._trials.values())

    @property
    def measured(self) -> bool:
        """Whether the device is at hand."""
        return self._setup.baseline is not None

    @property
    def possible(self) -> tuple[EngineSettings, ...]:
        """All that candidates can be run in, the plainest first."""
        return tuple(self._setup.openers)

    def known(self, plan: Plan) -> Trial | None:
        """What is known of a candidate, if it was tried."""
        return self._trials.get(_key(plan, self.settings))

    def within(self, settings: EngineSettings) -> "Trials":
        """The same, run in ``settings``."""
        other = copy(self)
        other.settings = settings
        return other

    def model(self, plan: Plan) -> onnx.ModelProto:
        """The candidate itself."""
        return self._make(plan)

    def quality(self, plan: Plan, name: str) -> Quality:
        """The quality of a candidate; one that crashed its engine has lost everything."""
        trial = self._measured(plan, name, quality=True, speed=False)
        return trial.quality or Quality(figures={self._setup.measure.metric: math.nan}, loss=math.inf)

    def ahead(self, plans: Iterable[Plan]) -> None:
        """Judge what may be asked for next, the first of which will be, as many at once as there are workers."""
        spread = self._setup.spread
        if spread is None:
            return
        first, *others = islice(plans, spread.at_once)
        if self.known_quality(first) is None and self._setup.judged(self._make(first), self.settings) is None:
            spread.ahead((self._make(plan), self.settings) for plan in (first, *others))

    def known_quality(self, plan: Plan) -> Quality | None:
        """That of a candidate which was judged already."""
        known = self._trials.get(_key(plan, self.settings))
        return None if known is None else known.quality

    def speedup(self, plan: Plan, name: str) -> Speedup | None:
        """How many times as fast as the plain float model a candidate is; ``None`` where the device is not at hand.

        One that crashed its engine is as slow as can be.
        """
        trial = self._measured(plan, name, quality=False, speed=True)
        return trial.speedup if trial.crash is None or not self.measured else _NEVER

    @property
    def crashes(self) -> tuple[str, ...]:
        """A note on each candidate that crashed its engine."""
        return tuple(
            f"{form_label(trial.name, trial.engine)} is no candidate: {trial.crash}"
            for trial in self.all
            if trial.crash is not None
        )

    def trial(self, plan: Plan) -> Trial:
        """What is known of a candidate that was tried."""
        return self._trials[_key(plan, self.settings)]

    def _measured(self, plan: Plan, name: str, *, quality: bool, speed: bool) -> Trial:
        key = _key(plan, self.settings)
        known = self._trials.get(key)
        quality = quality and (known is None or known.quality is None)
        speed = speed and self._setup.baseline is not None and (known is None or known.speedup is None)
        if known is not None and (known.crash is not None or (not quality and not speed)):
            return known
        model = self._make(plan)
        trial = known or Trial(
            name=name,
            computed=len(plan.int8),
            stored=len(plan.weight_only),
            size_bytes=model.ByteSize(),
            wide=len(plan.a16w8),
            engine=self.settings.title,
        )
        if (left_out := self._left_out()) is not None:
            return trial.updated(crash=left_out)
        try:
            trial = self._tried(model, trial, quality=quality, speed=speed)
        except EngineCrashError as error:
            trial = trial.updated(quality=None, speedup=None, crash=str(error))
            _log.info("%s is given up: %s", name, error)
            if isinstance(error, OutOfTimeError):
                # With more time it is tried again.
                self._trials[key] = trial
                return trial
        self._trials[key] = trial
        if self._log is not None:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"plan": key, "trial": trial.to_dict()}) + "\n")
        return trial

    def _tried(self, model: onnx.ModelProto, trial: Trial, *, quality: bool, speed: bool) -> Trial:
        if quality and (judged := self._setup.judged(model, self.settings)) is not None:
            trial, quality = trial.updated(quality=judged), False
            if not speed:
                return trial
        with self._setup.openers[self.settings](model) as engine:
            if quality:
                trial = trial.updated(quality=self._setup.measure(engine))
            if speed:
                assert self._setup.baseline is not None
                # What does not come back is seen sooner where one run is asked for.
                engine.run(self._setup.feeds[0])
                timer = self._setup.timer({"fp32": self._setup.baseline, "candidate": engine})
                timer.measure(self._setup.seconds, fewest=_FEWEST_ROUNDS)
                trial = trial.updated(speedup=timer.speedup("candidate", over="fp32"))
        return trial

    def _left_out(self) -> str | None:
        """Why no other candidate is tried in this engine, if there is another one."""
        engine = self.settings.engine
        titles = {one.title for one in self.possible if one.engine == engine}
        crashes = sum(trial.engine in titles for trial in self.all if trial.crash is not None)
        if crashes < _MOST_CRASHES or engine == self.possible[0].engine:
            return None
        return f"{crashes} others have crashed {self.settings.title}"


def _key(plan: Plan, settings: EngineSettings) -> str:
    members = [sorted(plan.int8), sorted(plan.weight_only), sorted(plan.a16w8)]
    flags = [one.name for one in fields(plan) if getattr(plan, one.name) is True]
    text = json.dumps([*members, settings.title, *flags])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(log: Path, key: str) -> dict[str, Trial]:
    """The trials of an interrupted search; none where it was another one, or its last line is torn."""
    trials: dict[str, Trial] = {}
    try:
        lines = log.read_text(encoding="utf-8").splitlines()
        first: Any = json.loads(lines[0]) if lines else {}
        if first != {"search": key}:
            return {}
        for line in lines[1:]:
            entry = json.loads(line)
            trials[entry["plan"]] = Trial.from_dict(entry["trial"])
    except (OSError, ValueError, KeyError, TypeError):
        return trials
    return trials
