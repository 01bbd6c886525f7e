import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevision.runtime.telemetry.event_counters import EventCounters
from edgevision.runtime.telemetry.gpu_clock import GpuClock
from edgevision.runtime.telemetry.ina238 import Ina238
from edgevision.runtime.telemetry.ina3221 import Ina3221
from edgevision.runtime.telemetry.jetson import parse_clocks_locked, parse_power_mode, parse_release
from edgevision.runtime.telemetry.kernel_log import parse_warnings
from edgevision.runtime.telemetry.power import power_covers
from edgevision.runtime.telemetry.reading import Reading

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
CLOCKS = """SOC family:tegra234  Machine:Example Devkit
Online CPUs: 0-1
cpu0: Online=1 Governor=schedutil MinFreq={low} MaxFreq=1510400 CurrentFreq=1510400 IdleStates: WFI=0 c7=0
cpu1: Online=0 Governor=schedutil MinFreq=115200 MaxFreq=1510400 CurrentFreq=1510400 IdleStates: WFI=0 c7=0
GPU MinFreq={gpu} MaxFreq=918000000 CurrentFreq=918000000
EMC MinFreq=204000000 MaxFreq=3199000000 CurrentFreq=3199000000 FreqOverride=1
"""


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


@pytest.mark.parametrize("name", ["17000000.gpu", "17000000.gv11b", "57000000.gpu", "gpu-gpc-0"])
def test_the_gpu_is_found_among_the_devices(board, name):
    devices = "sys/class/devfreq"
    root = board(
        {
            f"{devices}/13000000.emc/cur_freq": "1\n",
            f"{devices}/15340000.vic/cur_freq": "2\n",
            f"{devices}/{name}/cur_freq": "918000000\n",
            f"{devices}/{name}/device/load": "973\n",
        }
    )
    reading = GpuClock(root).read()
    assert (reading.gpu_mhz, reading.gpu_load) == (918.0, 0.973)


def test_a_gpu_is_known_by_its_node_as_well(board):
    device = "sys/class/devfreq/abc.example"
    root = board({f"{device}/device/of_node/name": "ga10b\0", f"{device}/cur_freq": "306000000\n"})
    assert GpuClock(root).read() == Reading(gpu_mhz=306.0)


def test_a_machine_without_a_gpu_clock_has_none(tmp_path):
    assert GpuClock(tmp_path).read() == Reading()


def test_a_load_that_is_none_is_left_out(board):
    device = "sys/class/devfreq/fb000000.gpu"
    root = board({f"{device}/cur_freq": "300000000\n", f"{device}/device/load": "12@300000000Hz\n"})
    assert GpuClock(root).read() == Reading(gpu_mhz=300.0)


def test_a_rising_counter_is_an_over_current(board):
    root = board({f"{HWMON}/oc1_event_cnt": "4\n", f"{HWMON}/oc2_event_cnt": "0\n"})
    source = EventCounters(root)
    assert source.read().throttled == ()
    board({f"{HWMON}/oc2_event_cnt": "1\n"})
    assert source.read().throttled == ("over-current",)
    assert source.read().throttled == ()
    source.close()


def test_the_power_mode_is_found_among_warnings():
    assert parse_power_mode("NVPM WARN: fan mode is not set!\nNV Power Mode: MODE_15W\n2\n") == "MODE_15W"
    assert parse_power_mode("NVPM VERB: Current mode: NV Power Mode: 25W\n1\nNVPM VERB: PARAM X\n") == "25W"
    assert parse_power_mode("Please run as root\n") is None


def test_clocks_are_locked_where_every_online_core_and_the_gpu_are():
    assert parse_clocks_locked(CLOCKS.format(low=1510400, gpu=918000000)) is True
    assert parse_clocks_locked(CLOCKS.format(low=729600, gpu=918000000)) is False
    assert parse_clocks_locked(CLOCKS.format(low=1510400, gpu=306000000)) is False
    assert parse_clocks_locked(CLOCKS.format(low=1510400, gpu=1).split("GPU")[0]) is None
    assert parse_clocks_locked("Error: root privileges are required\n") is None


def test_the_release_is_put_together():
    assert parse_release("# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic, EABI: aarch64\n") == "36.4.3"
    assert parse_release("# R32 (release), REVISION: 7.1, GCID: 1\n") == "32.7.1"
    assert parse_release("Ubuntu\n") is None


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


def test_recorded_answers_are_read(recordings):
    def text(name):
        return (recordings / name).read_text()

    assert parse_power_mode(text("jetson/nvpmodel_q_plain_warn.txt")) == "MAXN"
    assert parse_power_mode(text("jetson/nvpmodel_q_verbose_orin_nano.txt")) == "MAXN_SUPER"
    assert parse_clocks_locked(text("jetson/jetson_clocks_show_orin_nano_super.txt")) is False
    assert parse_clocks_locked(text("jetson/jetson_clocks_show_agx_orin_partial.txt")) is False
    assert parse_clocks_locked(text("jetson/jetson_clocks_show_tx2.txt")) is False
    assert parse_power_mode(text("jetson/jetson_clocks_show_tx2.txt")) == "MAXP_CORE_ARM"
    assert parse_release(text("jetson/nv_tegra_release_r39.txt")) == "39.2.0"
    assert parse_warnings(text("vcgencmd/dmesg_undervoltage.txt")) == (
        "Under-voltage detected! (66.808862 s)",
        "Under-voltage detected! (3741.927786 s)",
    )
    assert parse_warnings("[ 9.5] " + text("jetson/dmesg_soctherm_oc.txt")) == (
        "soctherm: OC ALARM 0x00000001 (9.5 s)",
    )


def test_recorded_zones_have_names_and_no_placeholder(recordings, board):
    from edgevision.runtime.telemetry.temperatures import Temperatures

    files = {}
    for line in (recordings / "jetson/thermal_zones_nano.txt").read_text().splitlines():
        folder, kind = line.split(": ")
        files |= {f"{folder[1:]}/type": f"{kind}\n", f"{folder[1:]}/temp": "40000\n"}
    assert list(Temperatures(board(files)).read().temperatures) == ["AO", "CPU", "GPU", "PLL", "thermal"]


SAMPLES = (
    "NVPM WARN: fan mode is not set!\nNV Power Mode: MODE_15W\n2\n",
    CLOCKS,
    "# R36 (release), REVISION: 4.3, GCID: 1",
    "[  130.25] soctherm: OC ALARM 0x00000004\n",
)


@given(st.data())
def test_damaged_answers_never_raise(data):
    text = data.draw(st.sampled_from(SAMPLES))
    at = data.draw(st.integers(0, len(text)))
    damaged = text[:at] + data.draw(st.text(max_size=20)) + text[data.draw(st.integers(at, len(text))) :]
    for parse in (parse_power_mode, parse_clocks_locked, parse_release, parse_warnings):
        parse(damaged)
