"""Each candidate is judged and timed at most once, and an interrupted search goes on with what it knew."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from fake_engine import FakeEngine

from edgevision.exporters.quantization.engine_settings import ONNX_RUNTIME
from edgevision.exporters.quantization.qdq import Plan
from edgevision.exporters.quantization.trials import Trial, Trials, TrialSetup
from edgevision.runtime.benchmark.timing import Speedup
from edgevision.runtime.engines.engine import Array, Engine
from edgevision.runtime.tasks.quality import Quality

FEEDS: list[Mapping[str, Array]] = [{"x": np.full(1, turn, np.float32)} for turn in range(3)]
ONE, TWO = Plan(frozenset(["a"])), Plan(frozenset(["a", "b"]), frozenset(["c"]))
FASTER = Speedup(ratio=1.5, low=1.4, high=1.6, before_ms=3.0, after_ms=2.0, rounds=11)


def idle() -> FakeEngine:
    return FakeEngine((), (), lambda feeds: [])


class Workshop:
    """What candidates are made and measured with; it notes all that is asked of it."""

    metric, unit, budget = "sqnr", "dB", -30.0

    def __init__(self) -> None:
        self.baseline = idle()
        self.made: list[Plan] = []
        self.engines: list[FakeEngine] = []
        self.judged: list[Engine] = []
        self.timed: list[Engine] = []

    def make(self, plan: Plan) -> onnx.ModelProto:
        self.made.append(plan)
        return onnx.ModelProto(doc_string="x" * len(plan.int8))

    def open(self, model: onnx.ModelProto) -> Engine:
        self.engines.append(idle())
        return self.engines[-1]

    def judge(self, engine: Engine) -> Quality:
        self.judged.append(engine)
        return Quality(figures={"sqnr": 40.0}, loss=-40.0)

    # As a judge it is called itself.
    __call__ = judge

    def timer(self, engines: Mapping[str, Engine]) -> "Workshop.Timer":
        assert engines["fp32"] is self.baseline
        self.timed.append(engines["candidate"])
        return self.Timer()

    class Timer:
        """In place of what times engines interleaved."""

        def measure(self, seconds: float, *, fewest: int) -> None:
            assert seconds == 0.5
            assert fewest < 11, "candidates are timed shorter than the verdict"

        def speedup(self, name: str, over: str) -> Speedup:
            assert (name, over) == ("candidate", "fp32")
            return FASTER

    def setup(self, *, at_hand: bool = True) -> TrialSetup:
        return TrialSetup({ONNX_RUNTIME: self.open}, self, self.baseline if at_hand else None, FEEDS, 0.5)


@pytest.fixture
def workshop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    """Whatever is opened in it is closed again, but the baseline, which is the caller's."""
    workshop = Workshop()
    monkeypatch.setattr(TrialSetup, "timer", lambda setup, engines: workshop.timer(engines))
    yield workshop
    assert all(engine.closed for engine in workshop.engines)
    assert not workshop.baseline.closed


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the search notes its candidates."""
    return tmp_path / "net.search.jsonl"


def test_a_plan_is_judged_once_and_timed_once(workshop: Workshop) -> None:
    trials = Trials(workshop.make, workshop.setup(), None, "key")
    for _ in range(3):
        assert trials.quality(ONE, "one").loss == -40
        assert trials.speedup(ONE, "one") is FASTER
    assert workshop.made == [ONE, ONE]
    assert len(workshop.judged) == len(workshop.timed) == 1


def test_judging_does_not_time_and_timing_does_not_judge(workshop: Workshop) -> None:
    trials = Trials(workshop.make, workshop.setup(), None, "key")
    trials.quality(ONE, "one")
    trials.speedup(TWO, "two")
    assert [(t.quality is None, t.speedup is None) for t in trials.all] == [(False, True), (True, False)]


def test_plans_are_the_same_where_they_hold_the_same_names(workshop: Workshop) -> None:
    trials = Trials(workshop.make, workshop.setup(), None, "key")
    for names in (["a", "b"], ["b", "a"]):
        trials.quality(Plan(frozenset(names), frozenset(["c"])), "two")
    trials.quality(Plan(frozenset(["a", "b", "c"])), "three")
    trials.quality(Plan(frozenset(["a"]), frozenset(["b", "c"])), "stored")
    assert len(workshop.judged) == 3
    for wide in (["a"], ["b", "a"], ["a", "b"]):
        trials.quality(Plan(frozenset(["a", "b"]), frozenset(["c"]), frozenset(wide)), "16 bits")
    assert len(workshop.judged) == 5
    assert [trial.wide for trial in trials.all] == [0, 0, 0, 1, 2]


def test_a_trial_keeps_its_first_name_and_counts_its_units(workshop: Workshop) -> None:
    trials = Trials(workshop.make, workshop.setup(), None, "key")
    trials.quality(TWO, "two")
    trials.speedup(TWO, "again")
    trials.quality(ONE, "one")
    assert trials.all[0] == Trial(
        name="two",
        computed=2,
        stored=1,
        size_bytes=onnx.ModelProto(doc_string="xx").ByteSize(),
        quality=Quality(figures={"sqnr": 40.0}, loss=-40.0),
        speedup=FASTER,
    )
    assert [trial.name for trial in trials.all] == ["two", "one"]


def test_candidates_are_timed_on_the_inputs_that_are_given_by_turns() -> None:
    seen: list[Mapping[str, Array]] = []

    def run(feeds: Mapping[str, Array]) -> list[Array]:
        seen.append(feeds)
        return []

    engines = {"fp32": FakeEngine((), (), run), "candidate": FakeEngine((), (), run)}
    timer = Workshop().setup().timer(engines)
    for turn in (0, 1, 2, 0):
        seen.clear()
        timer.run_round()
        assert seen
        assert all(feeds is FEEDS[turn] for feeds in seen), "all calls of a round are comparable"


def test_nothing_is_timed_where_the_device_is_not_at_hand(workshop: Workshop) -> None:
    trials = Trials(workshop.make, workshop.setup(at_hand=False), None, "key")
    trials.quality(ONE, "one")
    assert trials.speedup(ONE, "one") is None
    assert workshop.timed == []
    assert workshop.made == [ONE]


def test_an_engine_that_fails_is_closed_and_nothing_is_noted(workshop: Workshop, log: Path) -> None:
    def refuse(engine: Engine) -> Quality:
        raise RuntimeError("no memory")

    setup = TrialSetup({ONNX_RUNTIME: workshop.open}, refuse, workshop.baseline, FEEDS, 0.5)  # type: ignore[arg-type]
    trials = Trials(workshop.make, setup, log, "key")
    with pytest.raises(RuntimeError, match="no memory"):
        trials.quality(ONE, "one")
    assert trials.all == ()
    assert log.read_text(encoding="utf-8").splitlines() == ['{"search": "key"}']


def test_an_interrupted_search_goes_on_with_what_it_knew(workshop: Workshop, log: Path) -> None:
    before = Trials(workshop.make, workshop.setup(), log, "key")
    before.quality(ONE, "one")
    before.speedup(ONE, "one")
    before.quality(TWO, "two")
    after = Trials(workshop.make, workshop.setup(), log, "key")
    assert after.all == before.all
    workshop.made.clear()
    assert after.quality(ONE, "one").loss == -40
    assert after.speedup(ONE, "one") == FASTER
    assert after.quality(TWO, "two").loss == -40
    assert workshop.made == []
    # What is not known yet is found out.
    after.speedup(TWO, "two")
    assert workshop.made == [TWO]
    assert Trials(workshop.make, workshop.setup(), log, "key").all == after.all


def test_what_is_measured_is_in_the_log_at_once(workshop: Workshop, log: Path) -> None:
    trials = Trials(workshop.make, workshop.setup(), log, "key")
    assert [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] == [{"search": "key"}]
    trials.quality(ONE, "one")
    trials.speedup(ONE, "one")
    _, first, second = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())
    assert first["plan"] == second["plan"]
    assert "speedup" not in first["trial"]
    assert second["trial"]["speedup"]["ratio"] == 1.5


@pytest.mark.parametrize("exact", [float("inf"), float("-inf")])
def test_a_candidate_that_is_exact_comes_back_from_the_log(workshop: Workshop, log: Path, exact: float) -> None:
    perfect = Quality(figures={"sqnr": exact}, loss=-exact)
    setup = TrialSetup({ONNX_RUNTIME: workshop.open}, lambda engine: perfect, workshop.baseline, FEEDS, 0.5)  # type: ignore[arg-type]
    Trials(workshop.make, setup, log, "key").quality(ONE, "one")
    workshop.made.clear()
    assert Trials(workshop.make, setup, log, "key").quality(ONE, "one") == perfect
    assert workshop.made == []


def test_the_log_of_another_search_is_not_used(workshop: Workshop, log: Path) -> None:
    Trials(workshop.make, workshop.setup(), log, "one model").quality(ONE, "one")
    assert Trials(workshop.make, workshop.setup(), log, "another model").all == ()
    assert log.read_text(encoding="utf-8").splitlines() == ['{"search": "another model"}']


@pytest.mark.parametrize(
    "text",
    ["", "\n", "not JSON", '{"search": 5}\n', "[]", '"key"', '{"plan": "0", "trial": {}}\n', "\udcff"],
    ids=["empty", "a line's end", "no JSON", "another key", "a list", "a word", "no key", "no UTF-8"],
)
def test_a_file_that_is_no_log_is_replaced(workshop: Workshop, log: Path, text: str) -> None:
    log.write_bytes(text.encode("utf-8", "surrogateescape"))
    trials = Trials(workshop.make, workshop.setup(), log, "key")
    assert trials.all == ()
    trials.quality(ONE, "one")
    assert Trials(workshop.make, workshop.setup(), log, "key").all == trials.all


@pytest.mark.parametrize("cut", [1, 2, 20, 100])
def test_a_torn_last_line_costs_that_candidate_only(workshop: Workshop, log: Path, cut: int) -> None:
    trials = Trials(workshop.make, workshop.setup(), log, "key")
    trials.quality(ONE, "one")
    trials.quality(TWO, "two")
    log.write_bytes(log.read_bytes()[: -1 - cut])
    again = Trials(workshop.make, workshop.setup(), log, "key")
    assert [trial.name for trial in again.all] == ["one"]


def test_what_is_found_after_a_torn_line_survives_the_next_interruption_too(workshop: Workshop, log: Path) -> None:
    Trials(workshop.make, workshop.setup(), log, "key").quality(ONE, "one")
    with log.open("a", encoding="utf-8") as file:
        file.write('{"plan": "12')
    second = Trials(workshop.make, workshop.setup(), log, "key")
    second.quality(TWO, "two")
    second.speedup(TWO, "two")
    assert Trials(workshop.make, workshop.setup(), log, "key").all == second.all
    assert [trial.name for trial in second.all] == ["one", "two"]


@pytest.mark.parametrize(
    "entry",
    [{"plan": "0"}, {"trial": {}}, {"plan": "0", "trial": {"name": 5}}, ["plan"], {"plan": [], "trial": {}}, None],
)
def test_a_line_that_is_no_trial_ends_what_is_read(workshop: Workshop, log: Path, entry: object) -> None:
    trials = Trials(workshop.make, workshop.setup(), log, "key")
    trials.quality(ONE, "one")
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
    assert Trials(workshop.make, workshop.setup(), log, "key").all == trials.all


def test_the_model_of_a_plan_is_made_anew(workshop: Workshop) -> None:
    trials = Trials(workshop.make, workshop.setup(), None, "key")
    assert trials.model(TWO).doc_string == "xx"
    assert trials.all == ()
