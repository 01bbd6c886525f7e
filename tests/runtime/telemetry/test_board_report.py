"""The power of a run is that of the rails that are named."""

import pytest

from edgevision.runtime.telemetry.board_report import mean_power, measured_rails
from edgevision.runtime.telemetry.reading import Reading


def test_the_mean_power_is_of_the_rails_that_are_named():
    early = Reading(time_s=0.0, power_w={"VDD_GPU": 2.0, "VDD_CPU": 6.0}, total_power_w=8.0)
    later = [Reading(time_s=t, power_w={**early.power_w, "VIN": 20.0 + t}, total_power_w=20.0 + t) for t in (1.0, 3.0)]
    readings = [early, *later, early.updated(time_s=4.0), Reading(time_s=5.0)]
    assert list(measured_rails(readings)) == ["VDD_GPU", "VDD_CPU", "VIN"]
    assert mean_power(readings) == pytest.approx(22.0)
    assert mean_power([early]) == 8.0
    assert (measured_rails([]), mean_power([Reading()])) == ({}, None)
