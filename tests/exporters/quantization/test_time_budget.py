"""Each stage has its share of the time, and what it leaves goes to those behind it."""

import signal
import time

import pytest

from edgevision.core.errors import InputError
from edgevision.exporters.engine_process import OutOfTimeError
from edgevision.exporters.quantization.time_budget import Stage, TimeBudget, cpu_clock, parse_duration


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_stage_has_its_share_of_what_is_left_when_it_begins() -> None:
    clock = Clock()
    budget = TimeBudget(110, clock, stages=(Stage.READING, Stage.SEARCHING, Stage.WRITING))
    clock.now += 10
    budget.begin(Stage.READING)
    share = budget.seconds_left
    assert 0 < share < 100 / 2
    clock.now += share - 1
    assert not budget.late()
    clock.now += 1
    assert budget.late()
    assert budget.seconds_left == 0


def test_what_a_stage_does_not_need_is_left_to_those_behind_it() -> None:
    lefts = []
    for used in (0, 5):
        clock = Clock()
        budget = TimeBudget(100, clock)
        budget.begin(Stage.READING)
        clock.now += used
        budget.begin(Stage.SEARCHING)
        lefts.append(budget.seconds_left)
    assert lefts[1] == pytest.approx(0.95 * lefts[0])
    budget.begin(Stage.WRITING)
    assert budget.seconds_left == pytest.approx(95)


def test_stages_that_there_will_not_be_take_no_share() -> None:
    few, all_of_them = (TimeBudget(100, Clock(), stages=stages) for stages in (set(Stage) - {Stage.FINETUNING}, Stage))
    for budget in (few, all_of_them):
        budget.begin(Stage.SEARCHING)
    assert few.seconds_left > 1.2 * all_of_them.seconds_left


def test_no_step_is_begun_that_would_end_late_were_it_like_the_one_before() -> None:
    clock = Clock()
    budget = TimeBudget(100, clock)
    budget.begin(Stage.WRITING)
    clock.now += 30  # what is done before the first step is none
    assert not budget.late()
    clock.now += 30
    assert not budget.late()
    clock.now += 35
    assert budget.late()
    assert budget.cut_short
    # What is asked right behind is told the same.
    assert budget.late()


def test_a_stage_that_ends_by_itself_is_not_cut_short() -> None:
    clock = Clock()
    budget = TimeBudget(100, clock)
    budget.begin(Stage.WRITING)
    assert not budget.late()
    clock.now += 200
    assert not budget.cut_short
    budget.begin(Stage.WRITING)
    assert budget.late()


def test_nothing_is_begun_that_would_end_in_what_is_kept_back_for_the_verdict() -> None:
    clock = Clock()
    budget = TimeBudget(100, clock)
    budget.begin(Stage.SEARCHING)
    whole = budget.seconds_before_verdict
    assert 60 < whole < 100
    assert not budget.over()
    clock.now += 0.4 * whole
    assert not budget.over()
    clock.now += 0.3 * whole
    # Another as long as the longest would not fit.
    assert budget.over()
    budget.begin(Stage.DECIDING)
    assert budget.seconds_left > 10


def test_where_reading_was_slow_more_is_kept_back_for_writing_and_nothing_long_is_begun() -> None:
    left = {}
    for reading in (1, 50):
        clock = Clock()
        budget = TimeBudget(200, clock)
        clock.now += reading
        budget.begin(Stage.READING)
        left[reading] = budget.seconds_before_writing
        assert not budget.too_slow()
        clock.now += 90
        assert budget.too_slow() == (reading == 50)
    assert left[1] == pytest.approx(199 - 0.6 * 200 * 5 / 145, abs=1)
    assert left[50] == pytest.approx(150 - 0.4 * 50)


def test_what_was_spent_before_counts_and_a_part_of_it_is_kept_for_the_end_of_the_program() -> None:
    budget = TimeBudget(100, Clock(), spent=40)
    budget.begin(Stage.WRITING)
    assert budget.seconds_left == pytest.approx(60 - 0.45 * 40)


def test_a_part_of_a_stage_has_so_many_seconds_of_it() -> None:
    clock = Clock()
    budget = TimeBudget(100, clock)
    budget.begin(Stage.WRITING)
    late = budget.late_after(10)
    clock.now += 4
    assert not late()
    clock.now += 4
    assert late()  # another such step would end behind it
    assert late()
    assert not budget.late()
    assert budget.late_after(1000)() is False
    clock.now += 95
    assert budget.late_after(1000)()


def test_loading_that_takes_it_all_leaves_every_stage_late() -> None:
    clock = Clock()
    budget = TimeBudget(5, clock)
    clock.now += 6
    for stage in Stage:
        budget.begin(stage)
        assert budget.late()


def test_a_person_is_told_the_stage_and_how_much_is_left() -> None:
    clock, told = Clock(), []
    budget = TimeBudget(100, clock, lambda *state: told.append(state))
    budget.begin(Stage.READING)
    clock.now += 50
    budget.late()
    (first, used, _), (_, half, left) = told
    assert (first, used, half) == ("reading the calibration data", 0, 0.5)
    assert left == pytest.approx(50)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no such timer")
def test_what_cannot_be_asked_is_ended_when_the_promise_is_over() -> None:
    before = signal.getsignal(signal.SIGALRM)

    def stubborn() -> None:
        while True:
            try:
                time.sleep(60)
            except Exception:
                continue

    with pytest.raises(OutOfTimeError), TimeBudget(0.2).enforced(0):
        stubborn()
    with TimeBudget(60).enforced(0.5):
        pass
    # Of a hundred seconds some are kept back for writing; half of them are left then.
    budget = TimeBudget(100)
    with budget.enforced(0.5):
        # Reading may take what leaves a fifth of it.
        assert signal.getitimer(signal.ITIMER_REAL)[0] == pytest.approx(100 / 1.2, abs=1)
    budget.begin(Stage.WRITING)
    with TimeBudget(100, Clock()).enforced(0.5):
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    with budget.enforced(0):
        with budget.enforced(0.5):
            left = (100 + budget.seconds_before_writing) / 2
            assert signal.getitimer(signal.ITIMER_REAL)[0] == pytest.approx(left, abs=1)
        assert left + 1 < signal.getitimer(signal.ITIMER_REAL)[0] <= 100
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_many_threads_do_not_make_the_time_shorter() -> None:
    one, many = cpu_clock(1)(), cpu_clock(16)()
    assert one == pytest.approx(8 * many, rel=0.1)


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("3m", 180), ("1h", 3600), ("1h30m", 5400), ("0.5m", 30)])
def test_a_time_is_a_number_and_its_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "3", "m", "-3m", "3 m", "3x", "0s", "nan", "1e3s", "3m!", "infh", "9999999s"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--budget must be a time as 30s, 3m or 1h"):
        parse_duration(text)
