"""What the kernel tells of a board: name, memory, temperatures, counters of events, warnings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevision.runtime.telemetry.cpu_load import count_cores, parse_cpu_times, parse_process
from edgevision.runtime.telemetry.linux import (
    EventCounters,
    Memory,
    Temperatures,
    board_name,
    parse_available,
    parse_model,
    parse_warnings,
)


def zone(number, kind, milli):
    folder = f"sys/class/thermal/thermal_zone{number}"
    return {f"{folder}/type": f"{kind}\n", f"{folder}/temp": f"{milli}\n"}


def cooling(number, kind, state):
    folder = f"sys/class/thermal/cooling_device{number}"
    return {f"{folder}/type": f"{kind}\n", f"{folder}/cur_state": f"{state}\n"}


HWMON = "sys/class/hwmon/hwmon3"


def test_memory_is_what_the_kernel_thinks_can_be_used(board):
    root = board({"proc/meminfo": "MemTotal:        8000000 kB\nMemFree: 1 kB\nMemAvailable:    2097152 kB\n"})
    assert Memory(root).read().memory_available_mb == 2048
    assert parse_available("MemTotal: 12 kB") is None


def test_zones_are_named_by_what_they_measure_and_placeholders_are_left_out(board):
    root = board(
        zone(0, "cpu-thermal", 61250)
        | zone(1, "GPU-therm", 55000)
        | zone(2, "PMIC-Die", 100000)
        | zone(3, "cv0-thermal", -256000)
        | zone(4, "acpitz", 41000)
        | zone(5, "acpitz", 43000)
        | zone(6, "soc0-thermal", "")
    )
    assert Temperatures(root).read().temperatures == {"cpu": 61.25, "GPU": 55.0, "acpitz": 41.0, "acpitz 2": 43.0}


def test_without_zones_the_sensor_of_the_cpu_is_read(board):
    files = {"sys/class/hwmon/hwmon0/name": "nvme\n", "sys/class/hwmon/hwmon0/temp1_input": "35000\n"}
    root = board(files | {"sys/class/hwmon/hwmon1/name": "k10temp\n", "sys/class/hwmon/hwmon1/temp1_input": "70125\n"})
    assert Temperatures(root).read().temperatures == {"cpu": 70.125}


@pytest.mark.parametrize(
    ("zones", "expected"),
    [
        (zone(0, "acpitz", 20000), {"acpitz": 20.0, "cpu": 97.875}),
        ({"sys/class/thermal/thermal_zone0/type": "iwlwifi_1\n"}, {"cpu": 97.875}),
        (zone(0, "acpitz", 20000) | zone(1, "x86_pkg_temp", 98000), {"acpitz": 20.0, "x86_pkg_temp": 98.0}),
        (zone(0, "cpu0-thermal", 98000), {"cpu0": 98.0}),
    ],
)
def test_the_sensor_of_the_cpu_is_read_unless_a_zone_is_the_cpus(board, zones, expected):
    sensor = {"sys/class/hwmon/hwmon2/name": "k10temp\n", "sys/class/hwmon/hwmon2/temp1_input": "97875\n"}
    source = Temperatures(board(zones | sensor))
    assert source.read().temperatures == expected
    source.close()


def test_cooling_by_slowing_down_is_throttling_and_a_fan_is_not(board):
    root = board(cooling(0, "pwm-fan", 4) | cooling(1, "cpufreq-cpu0", 0) | cooling(2, "intel_powerclamp", -1))
    source = Temperatures(root)
    assert source.read().throttled == ()
    board(cooling(1, "cpufreq-cpu0", 2))
    assert source.read().throttled == ("thermal cooling",)
    source.close()


def test_a_rising_count_of_an_intel_cpus_throttling_is_throttling(board):
    core, package = (f"sys/devices/system/cpu/cpu{n}/thermal_throttle" for n in (0, 13))
    counters = {f"{folder}/{kind}_throttle_count": "7\n" for folder in (core, package) for kind in ("core", "package")}
    source = EventCounters(board(counters | {f"{core}/core_throttle_total_time_ms": "5\n"}))
    assert source.read().throttled == ()
    for counter in (f"{core}/core_throttle_count", f"{package}/package_throttle_count"):
        board({counter: "9\n"})
        assert source.read().throttled == ("thermal cooling",)
        assert source.read().throttled == ()
    board({f"{core}/core_throttle_total_time_ms": "50\n"})
    assert source.read().throttled == ()
    source.close()


def test_a_board_is_called_by_its_model_and_never_by_its_hardware(board):
    cpuinfo = "processor\t: 0\n\nHardware\t: BCM2835\nSerial\t\t: 00\nModel\t\t: Raspberry Pi 9 Model Q\n"
    root = board({"proc/cpuinfo": cpuinfo})
    assert board_name(root) == "Raspberry Pi 9 Model Q"
    assert board_name(board({"proc/device-tree/model": "Example Devkit\0"})) == "Example Devkit"
    assert parse_model("model name\t: Some CPU\nmodel\t\t: 1\nHardware\t: BCM2835\n") is None


def test_recorded_boards_have_their_names(recordings):
    names = {path.stem: parse_model(path.read_text()) for path in (recordings / "cpuinfo").iterdir()}
    assert names["pi5_model_b_rev1_0"] == "Raspberry Pi 5 Model B Rev 1.0"
    assert names["pi4_model_b_rev1_5_64bit"] == "Raspberry Pi 4 Model B Rev 1.5"
    assert names["pi4_model_b_rev1_2_32bit"] == "Raspberry Pi 4 Model B Rev 1.2"
    assert [stem for stem, name in names.items() if name] == [stem for stem in names if stem.startswith("pi")]


@given(st.text(max_size=200) | st.from_regex(r"cpu +([0-9]{1,19} ?){0,12}.*", fullmatch=True))
def test_any_text_is_parsed_or_refused(text):
    times = parse_cpu_times(text)
    assert times is None or times.total >= 0
    parse_process(text)
    parse_available(text)
    parse_model(text)
    count_cores(text)


def test_a_rising_counter_is_an_over_current(board):
    root = board({f"{HWMON}/oc1_event_cnt": "4\n", f"{HWMON}/oc2_event_cnt": "0\n"})
    source = EventCounters(root)
    assert source.read().throttled == ()
    board({f"{HWMON}/oc2_event_cnt": "1\n"})
    assert source.read().throttled == ("over-current",)
    assert source.read().throttled == ()
    source.close()


def test_the_kernels_warnings_are_picked_out_of_its_log():
    log = (
        "[    0.000000] Booting Linux\n[  120.5] hwmon hwmon1: Undervoltage detected!\n"
        "[  130.25] soctherm: OC ALARM 0x00000004\n[  131.0] usb 1-1: new device\n"
        "[  140.0] mce: CPU3: Core temperature is above threshold, cpu clock is throttled (total events = 1)\n"
        "[  150.5][    T1] hwmon hwmon1: Undervoltage detected!\n[  151.5] [   C12] soctherm: OC ALARM 0x00000001\n"
    )
    assert parse_warnings(log) == (
        "Undervoltage detected! (120.5 s)",
        "soctherm: OC ALARM 0x00000004 (130.25 s)",
        "CPU3: Core temperature is above threshold, cpu clock is throttled (140.0 s)",
        "Undervoltage detected! (150.5 s)",
        "soctherm: OC ALARM 0x00000001 (151.5 s)",
    )


def test_recorded_zones_have_names_and_no_placeholder(recordings, board):
    from edgevision.runtime.telemetry.linux import Temperatures

    files = {}
    for line in (recordings / "jetson/thermal_zones_nano.txt").read_text().splitlines():
        folder, kind = line.split(": ")
        files |= {f"{folder[1:]}/type": f"{kind}\n", f"{folder[1:]}/temp": "40000\n"}
    assert list(Temperatures(board(files)).read().temperatures) == ["AO", "CPU", "GPU", "PLL", "thermal"]
