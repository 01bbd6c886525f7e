"""Readings of several sources are one reading."""

import pytest

from edgevision.runtime.telemetry.reading import Reading, combine


def test_readings_are_combined_and_the_later_source_is_believed():
    early = Reading(cpu_mhz=(1.0,), temperatures={"cpu": 1.0, "gpu": 2.0}, throttled=("throttled",), gpu_load=0.5)
    late = Reading(cpu_mhz=(2.0, 3.0), temperatures={"cpu": 4.0}, throttled=("over-current", "throttled"))
    reading = combine(7.5, [early, late, Reading()])
    assert reading == Reading(
        time_s=7.5,
        cpu_mhz=(2.0, 3.0),
        temperatures={"cpu": 4.0, "gpu": 2.0},
        throttled=("throttled", "over-current"),
        gpu_load=0.5,
    )


def test_the_total_is_that_of_the_rails_of_all_sources():
    board_input = Reading(power_w={"VIN": 22.4, "VDD_GPU": 2.4}, total_power_w=22.4)
    others = Reading(power_w={"VDD_GPU": 2.5, "VDD_CPU": 5.5}, total_power_w=8.0)
    for parts in ([board_input, others], [others, board_input]):
        assert combine(0.0, parts).total_power_w == 22.4
    more = Reading(power_w={"VIN_SYS_5V0": 4.5}, total_power_w=4.5)
    assert combine(0.0, [others, more]).total_power_w == pytest.approx(12.5)
