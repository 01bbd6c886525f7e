from hypothesis import given
from hypothesis import strategies as st

from edgevision.runtime.telemetry.findings import FindingKind, find
from edgevision.runtime.telemetry.raspberry_pi import throttled_now, throttled_since_start
from edgevision.runtime.telemetry.reading import BoardState, Reading

FOUR = BoardState(cores=4, governors=("ondemand",), occurred=())


def run(count=20, *, interval=0.5, **values):
    """Readings of a run; a value may be a function of the time."""
    times = [index * interval for index in range(count)]
    return [
        Reading(time_s=time, **{name: value(time) if callable(value) else value for name, value in values.items()})
        for time in times
    ]


def kinds(readings, before=FOUR, after=None):
    return [finding.kind for finding in find(readings, before, before if after is None else after)]


def quiet(**changes):
    steady = {
        "cpu_mhz": (1800.0,) * 4,
        "governors": ("ondemand",),
        "temperatures": {"cpu": 61.0},
        "cpu_busy": 1.0,
        "cpu_own": 0.98,
        "cpu_steal": 0.0,
    }
    return run(**steady | changes)


def pi(bits, at):
    now = throttled_now(bits(at)), throttled_since_start(bits(at))
    return Reading(
        time_s=at, throttled=now[0], occurred=now[1], temperatures={"cpu": 84.2 if now[0] else 66.0}, cpu_busy=1.0
    )


def test_a_quiet_run_is_reliable():
    assert kinds(quiet()) == []
    assert kinds([]) == []


def test_a_pi_that_throttles_in_the_middle_is_unreliable_with_time_and_temperature():
    readings = [pi(lambda at: 0xE0008 if at >= 5 else 0, index / 2) for index in range(20)]
    after = FOUR.updated(occurred=throttled_since_start(0xE0008))
    findings = find(readings, FOUR, after)
    assert {finding.kind for finding in findings} == {FindingKind.THROTTLED}
    held = next(finding for finding in findings if "soft temperature limit" in finding.message)
    assert (held.start_s, held.end_s) == (5.0, None)
    assert "from 5.0 s to the end" in held.message
    assert "84.2 °C" in held.message
    assert any("frequency capped" in finding.message for finding in findings)


def test_throttling_that_ends_has_an_end():
    readings = [pi(lambda at: 0xE0008 if 2 <= at < 4 else 0, index / 2) for index in range(20)]
    held = next(finding for finding in find(readings, FOUR, FOUR) if "soft temperature" in finding.message)
    assert (held.start_s, held.end_s) == (2.0, 3.5)


def test_what_the_board_remembers_from_before_the_run_proves_nothing():
    before = FOUR.updated(occurred=throttled_since_start(0x50000))
    readings = [pi(lambda at: 0x50000, index / 2) for index in range(20)]
    assert kinds(readings, before) == []


def test_what_the_board_remembers_only_after_the_run_marks_it():
    after = FOUR.updated(occurred=throttled_since_start(0x10000))
    (finding,) = find(quiet(), FOUR, after)
    assert finding.kind is FindingKind.THROTTLED
    assert "under-voltage" in finding.message
    assert finding.end_s is None


def test_a_memory_unknown_before_the_run_proves_nothing():
    unknown = FOUR.updated(occurred=None)
    assert kinds(quiet(occurred=("throttled",)), unknown) == []


def test_over_current_is_named():
    assert kinds(quiet(throttled=lambda at: ("over-current",) if at == 3 else ())) == [FindingKind.OVER_CURRENT]


def test_a_clock_that_drops_while_busy_is_found_wherever_it_happens():
    for low in (lambda at: at >= 5, lambda at: at < 3, lambda at: 4 <= at <= 6):
        readings = quiet(cpu_mhz=lambda at, low=low: (1200.0 if low(at) else 1800.0,) * 4)
        (finding,) = find(readings, FOUR, FOUR)
        assert finding.kind is FindingKind.FREQUENCY_DROPPED
        assert "1200 MHz" in finding.message
        assert "1800 MHz" in finding.message


def test_a_boost_that_is_lost_when_more_cores_work_marks_nothing():
    twelve = BoardState(cores=12, governors=("ondemand",))

    def busy(at):  # one core, all, one again; where it changes it is the mean of both
        return 0.5 if at in (5.0, 10.0) else 1.0 if 5 < at < 10 else 1 / 12

    def phases(*clocks):
        return quiet(count=30, cpu_mhz=lambda at: (800.0, clocks[int(at // 5)]), cpu_busy=busy, cpu_own=busy)

    assert kinds(phases(4700.0, 3500.0, 4700.0), twelve) == []
    (finding,) = find(phases(4700.0, 3500.0, 2900.0), twelve, twelve)
    assert (finding.start_s, finding.end_s) == (10.0, None)
    assert "2900 MHz" in finding.message
    assert "its sustained clock is 4700 MHz" in finding.message


def test_throttling_is_found_in_each_of_two_loads():
    def clock(at):
        return (4700.0 if at < 3 else 3600.0 if at < 5 else 3500.0 if at < 8 else 2000.0,)

    def busy(at):
        return 0.25 if at < 5 else 1.0

    dropped = find(quiet(cpu_mhz=clock, cpu_busy=busy, cpu_own=busy), FOUR, FOUR)
    assert {finding.kind for finding in dropped} == {FindingKind.FREQUENCY_DROPPED}
    assert [(finding.start_s, finding.end_s) for finding in dropped] == [(2.5, 4.5), (7.5, None)]
    assert "3600 MHz" in dropped[0].message
    assert "4700 MHz" in dropped[0].message
    assert "2000 MHz" in dropped[1].message
    assert "3500 MHz" in dropped[1].message


def test_the_low_clock_of_an_idle_core_marks_nothing():
    waiting = quiet(cpu_mhz=lambda at: (600.0,) * 4 if at < 5 else (1800.0,) * 4, cpu_busy=lambda at: at >= 5)
    one_thread = quiet(cpu_mhz=(600.0, 1800.0, 600.0, 600.0), cpu_busy=0.25, cpu_own=0.25)
    assert kinds(waiting) == []
    assert kinds(one_thread) == []


def test_the_wandering_of_a_boost_and_a_single_low_reading_mark_nothing():
    wandering = quiet(cpu_mhz=lambda at: (4600.0 - 700 * (at % 2 < 1),) * 8)
    single = quiet(cpu_mhz=lambda at: (600.0,) * 4 if at == 4 else (1800.0,) * 4)
    assert kinds(wandering) == []
    assert kinds(single) == []


def test_a_gpu_clock_that_drops_under_load_is_found():
    readings = quiet(gpu_mhz=lambda at: 306.0 if at >= 5 else 918.0, gpu_load=0.97)
    (finding,) = find(readings, FOUR, FOUR)
    assert finding.kind is FindingKind.FREQUENCY_DROPPED
    assert "GPU" in finding.message
    assert kinds(quiet(gpu_mhz=lambda at: 306.0 if at >= 5 else 918.0, gpu_load=0.0)) == []


def test_a_changed_governor_and_a_changed_power_mode_are_found():
    governor = quiet(governors=lambda at: ("powersave",) if at >= 5 else ("ondemand",))
    (finding,) = find(governor, FOUR, FOUR.updated(governors=("powersave",)))
    assert finding.kind is FindingKind.GOVERNOR_CHANGED
    assert finding.message == "the CPU governor changed from ondemand to powersave at 5.0 s"
    modes = FOUR.updated(power_mode="MAXN"), FOUR.updated(power_mode="15W")
    assert kinds(quiet(), *modes) == [FindingKind.POWER_MODE_CHANGED]
    assert kinds(quiet(), FOUR.updated(power_mode="MAXN"), FOUR) == []


def governed(*phases):
    """Readings of a run in which each of these holds for 2 s, and what is found in them."""
    return [finding.message for finding in find(quiet(governors=lambda at: phases[int(at // 2)]), FOUR, FOUR)]


def test_a_policy_that_goes_offline_and_comes_back_has_not_changed_its_governor():
    both = ("schedutil", "performance")
    assert governed(both, ("schedutil", ""), both, ("", ""), both) == []
    assert governed(("schedutil", ""), both, both, (), both) == []


def test_a_governor_that_changes_is_found_whatever_the_others_are():
    three = ("schedutil", "performance", "schedutil")
    swapped = ("schedutil", "performance", "performance")
    assert governed(three, three, swapped, swapped, swapped) == [
        "the CPU governor changed from schedutil to performance at 4.0 s"
    ]
    away = ("schedutil", "performance", "")
    assert governed(three, away, swapped, away, swapped) == [
        "the CPU governor changed from schedutil to performance at 4.0 s"
    ]
    assert governed(*[three] * 4, ("powersave",) * 3) == [
        "the CPU governor changed from schedutil + performance to powersave at 8.0 s"
    ]


def test_other_processes_over_the_whole_run_mark_it():
    (finding,) = find(quiet(cpu_own=0.5), FOUR, FOUR)
    assert finding.kind is FindingKind.SHARED_CPU
    assert "50%" in finding.message
    assert "2.0 of 4 cores" in finding.message


def test_other_processes_for_a_second_are_found_and_for_a_moment_are_not():
    second = quiet(cpu_own=lambda at: 0.7 if at in (4.0, 4.5) else 0.99)
    (finding,) = find(second, FOUR, FOUR)
    assert finding.kind is FindingKind.SHARED_CPU
    assert (finding.start_s, finding.end_s) == (3.5, 4.5)
    assert kinds(quiet(cpu_own=lambda at: 0.85 if at == 4.0 else 0.99)) == []


def test_the_ordinary_chores_of_a_system_mark_nothing():
    assert kinds(quiet(cpu_busy=0.28, cpu_own=0.25)) == []


def test_one_busy_neighbour_is_found_on_a_board_of_many_cores():
    twelve = BoardState(cores=12, governors=("ondemand",))
    assert kinds(quiet(cpu_busy=0.5, cpu_own=0.5 - 1 / 12), twelve) == [FindingKind.SHARED_CPU]


def test_stolen_time_marks_a_run():
    (finding,) = find(quiet(cpu_steal=0.05), FOUR, FOUR)
    assert finding.kind is FindingKind.STEAL
    assert "5.0%" in finding.message
    assert kinds(quiet(cpu_steal=0.01)) == []


readings_of_anything = st.builds(
    Reading,
    time_s=st.floats(0, 1e6),
    cpu_mhz=st.lists(st.floats(0, 1e5), max_size=3).map(tuple),
    governors=st.lists(st.sampled_from(["performance", "schedutil"]), max_size=2, unique=True).map(tuple),
    cpu_busy=st.none() | st.floats(0, 1),
    cpu_own=st.none() | st.floats(0, 1),
    cpu_steal=st.none() | st.floats(0, 1),
    gpu_mhz=st.none() | st.floats(0, 1e5),
    gpu_load=st.none() | st.floats(0, 1),
    throttled=st.lists(st.sampled_from(["throttled", "over-current"]), max_size=2, unique=True).map(tuple),
    occurred=st.lists(st.sampled_from(["throttled", "under-voltage"]), max_size=2, unique=True).map(tuple),
)


@given(st.lists(readings_of_anything, max_size=8))
def test_findings_of_any_readings_are_in_order_and_inside_the_run(readings):
    readings.sort(key=lambda reading: reading.time_s)
    findings = find(readings, FOUR, FOUR)
    assert list(findings) == sorted(findings, key=lambda finding: finding.start_s)
    for finding in findings:
        assert 0 <= finding.start_s <= (finding.end_s if finding.end_s is not None else readings[-1].time_s)
