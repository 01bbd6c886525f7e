"""The rails that a Jetson's power monitors measure."""

import pytest

from edgevision.runtime.telemetry.power_monitors import Ina238, Ina3221
from edgevision.runtime.telemetry.reading import Reading, power_covers

HWMON = "sys/class/hwmon/hwmon3"


ORIN_RAILS = {
    f"{HWMON}/{name}": f"{text}\n"
    for name, text in {
        "name": "ina3221",
        "in1_label": "VDD_IN",
        "in1_input": 5000,
        "curr1_input": 2400,
        "curr1_crit_alarm": 0,
        "in2_label": "VDD_CPU_GPU_CV",
        "in2_input": 4960,
        "curr2_input": 1000,
        "in3_label": "NC",
        "in3_input": 0,
        "curr3_input": 0,
        "in7_label": "sum of shunt voltages",
        "in7_input": 12,
    }.items()
}


IIO = "sys/bus/iio/devices/iio:device0"


NANO_RAILS = {
    f"{IIO}/{name}": f"{text}\n"
    for name, text in {
        "rail_name_0": "POM_5V_IN",
        "in_voltage0_input": 5100,
        "in_current0_input": 900,
        "crit_current_limit_0": "4500 ma",
        "rail_name_1": "POM_5V_GPU",
        "in_voltage1_input": 5100,
        "in_current1_input": 100,
    }.items()
}


def test_rails_of_the_hwmon_interface_are_volts_times_amperes(board):
    source = Ina3221(board(ORIN_RAILS))
    reading = source.read()
    assert reading.power_w == pytest.approx({"VDD_IN": 12.0, "VDD_CPU_GPU_CV": 4.96})
    assert reading.total_power_w == pytest.approx(12.0)
    assert power_covers(reading.power_w) == "VDD_IN, the input of the whole module"
    assert reading.throttled == ()
    board({f"{HWMON}/curr1_crit_alarm": "1\n"})
    assert source.read().throttled == ("over-current",)
    source.close()


def test_rails_of_jetpack_4_are_read_too(board):
    source = Ina3221(board(NANO_RAILS))
    assert source.read().power_w == pytest.approx({"POM_5V_IN": 4.59, "POM_5V_GPU": 0.51})
    board({f"{IIO}/in_current0_input": "4600\n"})
    assert source.read().throttled == ("over-current",)
    source.close()


def test_a_rail_that_cannot_be_read_is_left_out(board):
    root = board(ORIN_RAILS | {f"{HWMON}/curr1_input": "\n"})
    assert Ina3221(root).read().power_w == {"VDD_CPU_GPU_CV": 4.96}
    assert power_covers({"A": 1.0, "B": 2.0}) == "the sum of the rails A, B"
    assert power_covers({}) is None


def test_the_monitor_of_the_boards_input_is_read(board):
    source = Ina238(board({f"{HWMON}/name": "ina238\n", f"{HWMON}/power1_input": "22424000\n"}))
    assert source.read() == Reading(power_w={"VIN": 22.424}, total_power_w=22.424)
    assert power_covers(source.read().power_w) == "VIN, the input of the whole board"
    board({f"{HWMON}/power1_input": "\n"})
    assert source.read() == Reading()
    source.close()


def test_other_sensors_are_not_taken_for_rails(board):
    root = board(ORIN_RAILS | {f"{HWMON}/name": "nct6775\n", f"{HWMON}/power1_input": "1\n"})
    assert Ina3221(root).read() == Reading()
    assert Ina238(root).read() == Reading()
