"""The search over what to compute in int8, with trials whose outcome is known beforehand."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from edgevision.exporters.quantization.node_times import Profile
from edgevision.exporters.quantization.qdq import Plan
from edgevision.exporters.quantization.search import Choice, Search
from edgevision.exporters.quantization.time_budget import Stage, TimeBudget
from edgevision.exporters.quantization.units import Unit
from edgevision.runtime.benchmark.timing import Speedup
from edgevision.runtime.tasks.loss_bound import LossBound
from edgevision.runtime.tasks.quality import Quality

Names = frozenset[str]
Speed = Callable[[Names], float] | None

NOT_PAYING = "int8 does not pay here"
TOO_NOISY = "int8 costs too much quality here"
TOO_COARSE = "activations of 8 bits cost too much quality here"
LONE = "a lone int8 part between float ones does not pay"


def more_is_faster(names: Names) -> float:
    return 1 + len(names) / 100


class FakeTrials:
    """A candidate's loss is the sum of its units' noise, its speed what ``speed`` says; it notes what was tried.

    With activations of 16 bits a unit has its noise by ``rest``, where that knows it. ``coarse`` is what the input adds
    where it is not taken in two parts.
    """

    def __init__(
        self, noise: Mapping[str, float], speed: Speed, rest: Mapping[str, float] | None = None, coarse: float = 0
    ) -> None:
        self._noise, self._speed, self._rest, self._coarse = noise, speed, rest, coarse
        self.judgements: dict[Names, float] = {}
        self.plans: dict[Plan, float] = {}
        self.timings: dict[Names, str] = {}
        self.foreseen: set[Plan] = set()

    def ahead(self, plans: Iterable[Plan]) -> None:
        self.foreseen |= set(itertools.islice(plans, 2))

    def quality(self, plan: Plan, name: str) -> Quality:
        assert not plan.weight_only
        assert plan.a16w8 <= plan.int8
        assert self._rest is not None or not plan.a16w8
        noise = dict(self._noise) | {name: (self._rest or {})[name] for name in plan.a16w8}
        loss = sum(noise[name] for name in plan.int8) + (0 if plan.fine_inputs or not plan.int8 else self._coarse)
        self.judgements[plan.int8] = self.plans[plan] = loss
        return Quality(figures={"sqnr": -loss}, loss=loss, bound=LossBound(pictures=100, error=0.0))

    def speedup(self, plan: Plan, name: str) -> Speedup | None:
        if self._speed is None:
            return None
        self.timings.setdefault(plan.int8, name)
        ratio = self._speed(plan.int8)
        return Speedup(ratio=ratio, low=ratio, high=ratio, before_ms=1.0, after_ms=1 / ratio, rounds=11)


def chain(names: str, channels: Mapping[str, tuple[int, int] | None] | None = None) -> list[Unit]:
    """Convolutions one behind the other, named by one letter each."""
    widths: dict[str, tuple[int, int] | None] = dict.fromkeys(names, (16, 16)) | dict(channels or {})
    return [
        Unit(name, "Conv", (name,), (before,), f"{name}_out", widths[name])
        for before, name in zip(["x", *(f"{name}_out" for name in names)], names, strict=False)
    ]


def search(
    noise: Mapping[str, float],
    *,
    budget: float,
    speed: Speed = more_is_faster,
    gain: Mapping[str, float] | None = None,
    borders: Sequence[tuple[str, str, float]] = (),
    late: Callable[[], bool] = lambda: False,
    over: Callable[[], bool] = lambda: False,
    units: Sequence[Unit] | None = None,
    rest: Mapping[str, float] | None = None,
) -> tuple[Choice, FakeTrials]:
    """Search over a chain of the units that have a noise; ``rest`` is what 16 bits leave of it, where there are any."""
    trials = FakeTrials(noise, speed, rest)
    made: Any = trials
    profile = Profile(gain or {}, borders)
    wide = rest is not None
    found = Search(made, units or chain("".join(noise)), lambda names: noise, profile, budget, late, over, a16w8=wide)
    return found.run(), trials


def test_everything_within_the_budget_is_kept() -> None:
    choice, _ = search(dict.fromkeys("abcdef", 1.0), budget=6)
    assert choice == Choice(Plan(frozenset("abcdef")), {}, fastest=Plan(frozenset("abcdef")))


def test_what_each_costs_is_not_asked_where_everything_is_within_the_budget() -> None:
    made: Any = FakeTrials(dict.fromkeys("abc", 1.0), more_is_faster)

    def asked(names: Sequence[str]) -> Mapping[str, float]:
        raise AssertionError("nobody needs it")

    never = lambda: False  # noqa: E731
    choice = Search(made, chain("abc"), asked, Profile({}, ()), 3.0, never, never).run()
    assert choice.plan == Plan(frozenset("abc"))


@pytest.mark.parametrize(("seconds", "found"), [(100, 0), (400, 1), (1000, 1)])
def test_no_promise_is_broken_to_find_a_set_within_the_budget(seconds: int, found: int) -> None:
    """Every candidate takes half a minute, by a clock that does not run by itself."""
    now = 0.0
    budget = TimeBudget(seconds, lambda: now)
    budget.begin(Stage.SEARCHING)
    noise = dict.fromkeys("abcdefghijklmnop", 1.0)

    class Slow(FakeTrials):
        def quality(self, plan: Plan, name: str) -> Quality:
            nonlocal now
            now += 0 if plan.int8 in self.judgements else 30
            return super().quality(plan, name)

    trials: Any = Slow(noise, more_is_faster)
    units = chain("".join(noise))
    choice = Search(trials, units, lambda names: noise, Profile({}, ()), 1.5, budget.late, budget.over).run()
    assert now <= seconds
    assert len(choice.plan.int8) == found


def test_the_noisiest_are_given_up_first() -> None:
    choice, _ = search({"a": 5, "b": 1, "c": 8, "d": 1, "e": 3, "f": 2}, budget=7)
    assert choice.plan == Plan(frozenset("bdef"))
    assert choice.reasons == {"a": TOO_NOISY, "c": TOO_NOISY}


def test_noise_is_weighed_against_what_int8_gains() -> None:
    noise, gain = {"a": 4, "b": 4, "c": 4}, {"a": 10, "b": 90, "c": 40}
    choice, _ = search(noise, budget=8, gain=gain)
    assert choice.plan == Plan(frozenset("bc"))


def test_what_gains_nothing_goes_before_anything_that_gains() -> None:
    choice, _ = search({"a": 1, "b": 5, "c": 5}, budget=10, gain={"a": -3, "b": 20, "c": 20}, speed=None)
    assert choice.plan == Plan(frozenset("bc"))


def test_a_unit_without_a_profile_counts_as_one_microsecond() -> None:
    choice, _ = search({"a": 2, "b": 2}, budget=2, gain={"a": 0.5}, speed=None)
    assert choice.plan == Plan(frozenset("b"))


def test_what_fits_again_is_brought_back() -> None:
    # By noise for what it gains: a, b, c, d. With a and b there is no room for c, but for d.
    choice, trials = search(
        {"a": 3, "b": 3, "c": 6, "d": 2}, budget=8, gain={"a": 100, "b": 60, "c": 20, "d": 5}, speed=None
    )
    assert choice.plan == Plan(frozenset("abd"))
    assert choice.reasons == {"c": TOO_NOISY}
    assert trials.judgements[frozenset("abd")] == 8


@pytest.mark.parametrize("order", ["abcd", "dcba", "bdac", "cabd"])
def test_of_equals_the_first_in_the_graph_is_kept(order: str) -> None:
    units = chain(order)
    choice, _ = search(dict.fromkeys("abcd", 1.0), budget=2, units=units, speed=None)
    assert choice.plan == Plan(frozenset(order[:2]))


def test_as_long_a_beginning_as_holds_is_found_for_any_budget() -> None:
    noise = {name: float(index) for index, name in enumerate("abcdefghijk", 1)}
    for budget in range(70):
        choice, trials = search(noise, budget=budget + 0.5, speed=None)
        loss = sum(noise[name] for name in choice.plan.int8)
        assert loss <= budget + 0.5
        # Not one more fits.
        assert all(loss + noise[name] > budget + 0.5 for name in set(noise) - choice.plan.int8)
        assert len(trials.judgements) <= 1 + 4 + len(noise)


def test_nothing_is_left_where_not_one_unit_holds_the_budget() -> None:
    choice, _ = search(dict.fromkeys("abc", 2.0), budget=1)
    assert choice == Choice(Plan(), dict.fromkeys("abc", TOO_NOISY), fastest=Plan(frozenset("abc")))


def test_a_loss_that_is_no_number_does_not_hold_the_budget() -> None:
    choice, _ = search({"a": float("nan"), "b": 1.0}, budget=5, speed=None)
    assert "a" not in choice.plan.int8


def test_a_lone_unit_is_searched_too() -> None:
    assert search({"a": 1.0}, budget=2)[0] == Choice(Plan(frozenset("a")), {}, fastest=Plan(frozenset("a")))
    assert search({"a": 3.0}, budget=2)[0] == Choice(Plan(), {"a": TOO_NOISY}, fastest=Plan(frozenset("a")))


# --- time ---


def test_without_a_measurement_everything_is_kept_and_nothing_else_is_timed() -> None:
    choice, trials = search(dict.fromkeys("abcd", 1.0), budget=10, speed=None, gain=dict.fromkeys("abcd", -5.0))
    assert choice == Choice(Plan(frozenset("abcd")), {}, fastest=Plan(frozenset("abcd")))
    assert trials.timings == {}


@pytest.mark.parametrize(
    ("slow", "name"),
    [("a", "without the first"), ("d", "without the last"), ("ad", "without both ends")],
)
def test_ends_that_are_slower_in_int8_stay_float(slow: str, name: str) -> None:
    def speed(names: Names) -> float:
        return 2 + 0.1 * len(names) - 0.5 * len(names & set(slow))

    choice, trials = search(dict.fromkeys("abcd", 1.0), budget=10, speed=speed)
    paying = Plan(frozenset("abcd") - set(slow))
    assert choice == Choice(paying, dict.fromkeys(slow, NOT_PAYING), fastest=paying)
    assert trials.timings[choice.plan.int8] == name


@pytest.mark.parametrize(
    ("channels", "slow", "name"),
    [
        ({"b": (4, 16), "c": (16, 4)}, "bc", "without narrow layers"),
        ({"b": None, "d": None}, "bd", "weighted only"),
    ],
)
def test_kinds_of_layers_that_are_slower_in_int8_stay_float(
    channels: Mapping[str, tuple[int, int] | None], slow: str, name: str
) -> None:
    def speed(names: Names) -> float:
        return 2 + 0.1 * len(names) - 0.5 * len(names & set(slow))

    units = chain("abcde", channels)
    choice, trials = search(dict.fromkeys("abcde", 1.0), budget=10, speed=speed, units=units)
    assert choice.plan == Plan(frozenset("abcde") - set(slow))
    assert trials.timings[choice.plan.int8] == name


def test_dense_layers_alone_are_tried() -> None:
    def speed(names: Names) -> float:
        return 3.0 if names == frozenset("bd") else 1.0

    units = [replace(unit, operator="MatMul") if unit.name in "bd" else unit for unit in chain("abcde")]
    choice, trials = search(dict.fromkeys("abcde", 1.0), budget=10, speed=speed, units=units)
    assert choice.plan == Plan(frozenset("bd"))
    assert trials.timings[choice.plan.int8] == "dense layers only"


def instance_normalised() -> tuple[list[Unit], dict[str, float]]:
    """Convolutions of which one is too noisy, and products of a few numbers that save nothing and are worse."""
    units = chain("abcdefgh", dict.fromkeys("bdfh", (8, 8)))
    units = [replace(unit, operator="MatMul") if unit.name in "bdfh" else unit for unit in units]
    return units, {"a": 0.1, "b": 9, "c": 2, "d": 9, "e": 0.1, "f": 9, "g": 0.1, "h": 9}


def test_convolutions_alone_are_tried_beside_other_layers_with_weights() -> None:
    def speed(names: Names) -> float:
        return 3.0 if names == frozenset("aceg") else 1.0

    units, _ = instance_normalised()
    choice, trials = search(dict.fromkeys("abcdefgh", 1.0), budget=10, speed=speed, units=units)
    assert choice.plan == Plan(frozenset("aceg"))
    assert trials.timings[choice.plan.int8] == "convolutions only"


def test_what_is_given_up_begins_with_convolutions_that_are_as_fast_and_lose_far_less() -> None:
    def speed(names: Names) -> float:
        return 1 + 0.5 * len(names & set("aceg")) + 0.01 * len(names & set("bdfh"))

    units, noise = instance_normalised()
    asked: list[str] = []

    def noise_of(names: Sequence[str]) -> Mapping[str, float]:
        asked.extend(names)
        return noise

    made: Any = FakeTrials(noise, speed)
    never = lambda: False  # noqa: E731
    gain = {name: 50.0 if name in "aceg" else 1.0 for name in noise}
    choice = Search(made, units, noise_of, Profile(gain, ()), 1.0, never, never).run()
    assert choice.plan == Plan(frozenset("aeg"))
    assert choice.reasons == {"c": TOO_NOISY} | dict.fromkeys("bdfh", NOT_PAYING)
    assert choice.fastest == Plan(frozenset("abcdefgh"))
    assert sorted(asked) == [*"aceg"]


def test_the_noise_of_what_saves_most_is_asked_first() -> None:
    asked: list[str] = []

    def noise_of(names: Sequence[str]) -> Mapping[str, float]:
        asked.extend(names)
        return dict.fromkeys(names, 1.0)

    made: Any = FakeTrials(dict.fromkeys("abcd", 1.0), None)
    never = lambda: False  # noqa: E731
    gain = {"a": 1.0, "b": 9.0, "c": 3.0, "d": 0.0}
    Search(made, chain("abcd"), noise_of, Profile(gain, ()), 2.0, never, never).run()
    assert asked == [*"bcad"]


def test_what_the_profile_proposes_is_tried() -> None:
    def speed(names: Names) -> float:
        return 3.0 if names == frozenset("bc") else 1.0

    gain = {"a": -9.0, "b": 8.0, "c": 9.0, "d": -9.0, "e": 2.0}
    borders = [(one, other, 3.0) for one, other in itertools.pairwise("abcde")]
    choice, trials = search(dict.fromkeys("abcde", 1.0), budget=10, speed=speed, gain=gain, borders=borders)
    assert choice.plan == Plan(frozenset("bc"))
    assert trials.timings[frozenset("bc")] == "fastest by the profile"


def test_only_what_pays_is_given_up_for_quality() -> None:
    def speed(names: Names) -> float:
        return 1 + 0.1 * len(names) - 0.5 * ("a" in names)

    choice, _ = search({"a": 0.1, "b": 1, "c": 4, "d": 1}, budget=2.5, speed=speed)
    assert choice == Choice(Plan(frozenset("bd")), {"a": NOT_PAYING, "c": TOO_NOISY}, fastest=Plan(frozenset("bcd")))


def test_a_likely_set_within_the_budget_is_taken_where_giving_up_one_by_one_leaves_less() -> None:
    def speed(names: Names) -> float:
        # Any hole but the one at the beginning costs two conversions.
        return 1 + 0.1 * len(names) - 0.3 * any(name not in names for name in "bcdef")

    # Nothing is known of gains, so that the noisiest units go first, which are in the middle.
    choice, _ = search({"a": 1.0, "b": 0.5, "c": 1.2, "d": 1.2, "e": 0.5, "f": 0.5}, budget=4.0, speed=speed)
    assert choice.plan == Plan(frozenset("bcdef"))
    assert choice.reasons == {"a": TOO_NOISY}


def test_empty_candidates_are_neither_timed_nor_in_the_way_of_others() -> None:
    # Without both ends nothing is left; the narrow one comes later among what is tried.
    units = chain("ab", {"a": (3, 16)})

    def speed(names: Names) -> float:
        return {"ab": 1.0, "b": 1.5, "a": 0.5}["".join(sorted(names))]

    choice, trials = search({"a": 1, "b": 1}, budget=10, speed=speed, units=units)
    assert choice.plan == Plan(frozenset("b"))
    assert frozenset() not in trials.timings
    # No unit has weights, none gains by the profile: nothing is proposed twice or empty.
    units = chain("abc", dict.fromkeys("abc"))
    _, trials = search(dict.fromkeys("abc", 1.0), budget=10, units=units, gain=dict.fromkeys("abc", -1.0))
    assert frozenset() not in trials.timings


def test_what_is_timed_is_judged_as_well() -> None:
    # The page shows every candidate by quality and speed.
    _, trials = search(dict.fromkeys("abcd", 1.0), budget=10)
    assert set(trials.timings) <= set(trials.judgements)


# --- islands ---


def test_a_lone_int8_unit_between_float_ones_goes_where_it_does_not_pay() -> None:
    def speed(names: Names) -> float:
        # Every stretch of int8 costs two conversions.
        starts = sum(name in names and chr(ord(name) - 1) not in names for name in "abcdef")
        return 2 + 0.1 * len(names) - 0.3 * starts

    choice, trials = search({"a": 1, "b": 1, "c": 1, "d": 9, "e": 1, "f": 9}, budget=4, speed=speed)
    assert trials.judgements[frozenset("abce")] == 4
    assert choice.plan == Plan(frozenset("abc"))
    assert choice.reasons == {"d": TOO_NOISY, "f": TOO_NOISY, "e": LONE}


def test_a_lone_int8_unit_that_pays_stays() -> None:
    choice, _ = search({"a": 1, "b": 1, "c": 1, "d": 9, "e": 1, "f": 9}, budget=4)
    assert choice.plan == Plan(frozenset("abce"))


def test_where_nothing_was_given_up_no_island_is_looked_for() -> None:
    units = [Unit(name, "Conv", (name,), ("x",), f"{name}_out", (16, 16)) for name in "abc"]
    choice, _ = search(dict.fromkeys("abc", 1.0), budget=3, units=units)
    assert choice == Choice(Plan(frozenset("abc")), {}, fastest=Plan(frozenset("abc")))


def test_islands_stay_where_nothing_is_measured_and_where_nothing_else_would_be_left() -> None:
    noise = {"a": 1.0, "b": 9.0, "c": 1.0}
    assert search(noise, budget=2, speed=None)[0].plan == Plan(frozenset("ac"))
    assert search(noise, budget=2)[0].plan == Plan(frozenset("ac"))


# --- activations of 16 bits ---


def finer(noise: Mapping[str, float], share: float = 0.01) -> dict[str, float]:
    """What is left of the noise in 16 bits."""
    return {name: share * value for name, value in noise.items()}


def test_where_8_bits_hold_the_budget_none_has_16() -> None:
    noise = dict.fromkeys("abcdef", 1.0)
    choice, trials = search(noise, budget=6, speed=None, rest=finer(noise))
    assert choice == Choice(Plan(frozenset("abcdef")), {}, fastest=Plan(frozenset("abcdef")))
    assert list(trials.plans) == [choice.plan]


def test_the_noisiest_have_16_bits_and_all_stay_int8() -> None:
    noise = {"a": 5, "b": 1, "c": 8, "d": 1, "e": 3, "f": 2}
    choice, trials = search(noise, budget=7.2, speed=None, rest=finer(noise))
    assert choice.plan == Plan(frozenset("abcdef"), a16w8=frozenset("ac"))
    assert choice.reasons == {"a": TOO_COARSE, "c": TOO_COARSE}
    assert trials.plans[choice.plan] <= 7.2


def test_whatever_8_bits_still_bear_goes_back_to_them() -> None:
    # By noise: d, a, b, c. With d and a in 8 bits there is no room for b, but its 16 bits are noisier than those of c.
    noise, rest = {"a": 3, "b": 3.5, "c": 3.6, "d": 1}, {"a": 0, "b": 0.1, "c": 2, "d": 0}
    choice, _ = search(noise, budget=8, speed=None, rest=rest)
    assert choice.plan == Plan(frozenset("abcd"), a16w8=frozenset("b"))


def test_what_16_bits_do_not_mend_stays_float_and_the_others_in_8_where_they_can() -> None:
    noise = {"a": 1, "b": 50, "c": 9, "d": 2}
    choice, trials = search(noise, budget=5, speed=None, rest=finer(noise) | {"b": 40})
    assert choice.plan == Plan(frozenset("acd"), a16w8=frozenset("c"))
    assert choice.reasons == {"b": TOO_NOISY, "c": TOO_COARSE}
    assert trials.plans[choice.plan] <= 5


def test_where_16_bits_mend_nothing_the_outcome_is_that_of_8() -> None:
    noise = {"a": 5, "b": 1, "c": 8, "d": 1, "e": 3, "f": 2}
    narrow, _ = search(noise, budget=7, speed=None)
    assert search(noise, budget=7, speed=None, rest=noise)[0] == narrow
    nothing, _ = search(noise, budget=0.5, speed=None, rest=noise)
    assert nothing == Choice(Plan(), dict.fromkeys(noise, TOO_NOISY), fastest=Plan(frozenset(noise)))


def test_no_16_bits_are_left_that_could_be_8_for_any_budget() -> None:
    noise = {name: float(index) for index, name in enumerate("abcdefghijk", 1)}
    rest = finer(noise)
    for budget in range(1, 70):
        choice, trials = search(noise, budget=budget, speed=None, rest=rest)
        plan = choice.plan
        assert plan.int8 == set(noise)
        assert trials.plans[plan] <= budget
        assert all(trials.plans[plan] + noise[name] - rest[name] > budget for name in plan.a16w8)
        assert set(choice.reasons) == plan.a16w8
        assert len(trials.plans) <= 2 + 4 + len(noise)


@pytest.mark.parametrize("deadline", range(12))
def test_whenever_the_deadline_comes_8_and_16_bits_together_hold_the_budget(deadline: int) -> None:
    noise = {"a": 5, "b": 1, "c": 8, "d": 1, "e": 3, "f": 2}
    choice, trials = search(noise, budget=4.2, late=after(deadline), speed=None, rest=finer(noise))
    assert trials.plans[choice.plan] <= 4.2
    assert choice.plan.int8 == set(noise)
    assert set(choice.reasons) == choice.plan.a16w8


# --- the deadline ---


def after(looks: int) -> Callable[[], bool]:
    """It is late when it was looked at so often."""
    count = iter(range(1000))
    return lambda: next(count) >= looks


@pytest.mark.parametrize("deadline", range(20))
def test_whenever_the_deadline_comes_what_is_left_holds_the_budget(deadline: int) -> None:
    noise = {"a": 5, "b": 1, "c": 8, "d": 1, "e": 3, "f": 2}
    choice, trials = search(noise, budget=7, late=after(deadline), units=chain("abcdef", {"b": (4, 4)}))
    assert trials.judgements[choice.plan.int8] <= 7
    assert choice.plan.int8 >= frozenset("bdf")
    assert set(choice.reasons) == set(noise) - choice.plan.int8


def test_after_the_deadline_only_what_is_needed_is_tried() -> None:
    noise = {"a": 5, "b": 1, "c": 8, "d": 1, "e": 3, "f": 2}
    choice, trials = search(noise, budget=7, late=lambda: True)
    assert list(trials.timings) == [frozenset("abcdef")]
    # Halves of halves, until one of them holds.
    assert choice.plan == Plan(frozenset("bdf"))
    assert len(trials.judgements) <= 3


@pytest.mark.parametrize(
    ("budget", "coarse", "kept", "fine"),
    [(5, 1, "abc", False), (3, 1, "abc", True), (2, 1, "bc", True), (2, 0, "bc", False)],
)
def test_the_input_is_taken_in_two_parts_before_anything_is_given_up(
    budget: float, coarse: float, kept: str, fine: bool
) -> None:
    noise = {"a": 1.5, "b": 0.5, "c": 1.0}
    made: Any = FakeTrials(noise, more_is_faster, coarse=coarse)
    never = lambda: False  # noqa: E731
    found = Search(
        made, chain("abc"), lambda names: noise, Profile({}, ()), budget, never, never, fine_inputs=True
    ).run()
    assert found.plan == Plan(frozenset(kept), fine_inputs=fine)
    assert found.fastest == Plan(frozenset("abc"), fine_inputs=fine)


def test_everything_with_the_input_in_two_parts_is_tried_though_another_set_is_faster() -> None:
    class Measured(FakeTrials):
        """As was seen: in int8 without its first layer a network lost as much as with it, the input in one part."""

        def quality(self, plan: Plan, name: str) -> Quality:
            loss = 1.0 if plan.fine_inputs and "a" in plan.int8 else float(len(plan.int8) > 1) * 3
            return Quality(figures={"psnr": 30 - loss}, loss=loss, bound=LossBound(pictures=100, error=0.0))

    made: Any = Measured({}, lambda names: 4 if names == frozenset("bc") else len(names))
    never = lambda: False  # noqa: E731
    noise = dict.fromkeys("abc", 1.0)
    found = Search(made, chain("abc"), lambda names: noise, Profile({}, ()), 2, never, never, fine_inputs=True).run()
    assert found.plan == Plan(frozenset("abc"), fine_inputs=True)
    assert found.fastest == Plan(frozenset("bc"))
