"""What NVIDIA's tools say, recorded on boards from Jetson TX1 to Thor."""

import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevision.runtime.telemetry.jetson import (
    Tegrastats,
    parse_clocks_locked,
    parse_power_mode,
    parse_release,
    parse_tegrastats,
)
from edgevision.runtime.telemetry.linux import parse_warnings
from edgevision.runtime.telemetry.reading import Reading
from edgevision.runtime.telemetry.system import start_tool

CLOCKS = """SOC family:tegra234  Machine:Example Devkit
Online CPUs: 0-1
cpu0: Online=1 Governor=schedutil MinFreq={low} MaxFreq=1510400 CurrentFreq=1510400 IdleStates: WFI=0 c7=0
cpu1: Online=0 Governor=schedutil MinFreq=115200 MaxFreq=1510400 CurrentFreq=1510400 IdleStates: WFI=0 c7=0
GPU MinFreq={gpu} MaxFreq=918000000 CurrentFreq=918000000
EMC MinFreq=204000000 MaxFreq=3199000000 CurrentFreq=3199000000 FreqOverride=1
"""


SAMPLES = (
    "NVPM WARN: fan mode is not set!\nNV Power Mode: MODE_15W\n2\n",
    CLOCKS,
    "# R36 (release), REVISION: 4.3, GCID: 1",
    "[  130.25] soctherm: OC ALARM 0x00000004\n",
)


NANO = (
    "RAM 900/3956MB (lfb 80x4MB) SWAP 3/1978MB (cached 0MB) IRAM 0/252kB(lfb 252kB) "
    "CPU [12%@1479,off,3%@921,0%@102] EMC_FREQ 4%@1600 GR3D_FREQ 37%@614 APE 25 PLL@33C CPU@38.5C PMIC@100C "
    "GPU@35C AO@41C thermal@36.75C POM_5V_IN 3125/2900 POM_5V_GPU 410/300 POM_5V_CPU 905/700"
)


XAVIER = (
    "RAM 800/15820MB (lfb 3000x4MB) SWAP 0/7910MB (cached 0MB) CPU [4%@1190,off] EMC_FREQ 0%@800 GR3D_FREQ 5%@520 "
    "APE 150 MTS fg 1% bg 3% AO@33C GPU@34.5C Tdiode@36.5C PMIC@50C CPU@35C GPU 620/620 CPU 930/930 SOC 1240/1240"
)


ORIN = (
    "11-21-2026 08:00:01 RAM 5000/15656MB (lfb 4x4MB)   SWAP 0/7828MB (cached 0MB) CPU [50%@1984,100%@1984] "
    "EMC_FREQ 9%@3199 GR3D_FREQ 99%@[1173,1122]  NVENC  off   APE  174  cpu@61.5C  cv0@-256C soc2@58.125C "
    "VDD_GPU_SOC 9100mW/8000mW VDD_CPU_CV 3300mW/3000mW VIN_SYS_5V0 4600mW/4500mW NC 0mW/0mW"
)


LATEST = "RAM 1/10MB CPU [1%@100] cpu@50.5C/49C VDD_IN 7000mW/6500mW/6000mW"


THOR = "RAM 3000/8000MB (lfb 1x512kB) GR3D_FREQ @[900,1000,800] APE 150"


# First line of each recording: online cores, GPU load, GPU MHz, temperatures, the CPU's, rails, total W, free MB.
RECORDED = {
    "agx_orin_jp72_gr3d_array_3power": (12, 0.12, 1300, 4, 52.968, 3, 13.907, 42175),
    "agx_orin_nosudo": (12, 0.0, None, 6, 42.0, 3, 10.37, 60392),
    "agx_orin_r35_offline_sensors_emulator": (12, 0.0, 0, 7, 41.437, 4, 7.009, 28279),
    "agx_orin_r36_padded": (12, 0.0, 305, 6, 53.062, 3, 12.377, 1583),
    "agx_xavier_cores_off": (4, 0.0, 318, 7, 37.5, 6, 3.346, 31206),
    "nano": (4, 0.0, 76, 5, 36.5, 3, 1.022, 3430),
    "nano_jp461_pmic50": (4, 0.0, 76, 5, 40.0, 3, 1.75, 2041),
    "nano_load_log": (4, 0.0, None, 5, 31.0, 3, 1.997, 2218),
    "nano_nosudo": (4, 0.0, None, 5, 31.5, 3, 1.388, 1949),
    "orin_nano_idle": (6, 0.0, None, 6, 50.031, 3, 4.824, 4168),
    "orin_nano_sudo_gr3d_array": (6, 0.63, 621, 6, 53.968, 3, 12.479, 1435),
    "orin_nano_super_loaded": (6, 0.0, None, 6, 47.875, 3, 4.654, 6132),
    "orin_nano_three_seconds": (6, 0.0, None, 6, 48.468, 3, 4.761, 6845),
    "orin_nx_mw_units": (4, 0.0, 611, 9, 47.937, 3, 5.299, 9054),
    "thor_gr3d_array_fragment": (0, None, 1000, 0, None, 0, None, 3122),
    "tx1": (4, 0.0, 76, 7, 37.5, 3, 2.532, 2804),
    "tx2_cores_off": (4, 0.0, 624, 7, None, 6, 3.056, 5508),
    "tx2_vdd_sys_rails": (6, 0.0, 114, 7, None, 6, 5.297, 4583),
    "xavier_nx": (6, 0.62, 306, 5, 43.5, 3, 4.067, 3360),
}


def wait_for(question):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if (answer := question()) is not None:
            return answer
        time.sleep(0.01)
    raise AssertionError("nothing came")


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


@given(st.data())
def test_damaged_answers_never_raise(data):
    text = data.draw(st.sampled_from(SAMPLES))
    at = data.draw(st.integers(0, len(text)))
    damaged = text[:at] + data.draw(st.text(max_size=20)) + text[data.draw(st.integers(at, len(text))) :]
    for parse in (parse_power_mode, parse_clocks_locked, parse_release, parse_warnings):
        parse(damaged)


def test_a_line_of_an_early_board_is_read():
    assert parse_tegrastats(NANO) == Reading(
        cpu_mhz=(1479.0, 921.0, 102.0),
        temperatures={"PLL": 33.0, "CPU": 38.5, "GPU": 35.0, "AO": 41.0, "thermal": 36.75},
        memory_available_mb=3056.0,
        gpu_load=0.37,
        gpu_mhz=614.0,
        power_w={"POM_5V_IN": 3.125, "POM_5V_GPU": 0.41, "POM_5V_CPU": 0.905},
        total_power_w=3.125,
    )


def test_rails_without_units_and_without_an_input_are_summed():
    reading = parse_tegrastats(XAVIER)
    assert reading.power_w == {"GPU": 0.62, "CPU": 0.93, "SOC": 1.24}
    assert reading.total_power_w == pytest.approx(2.79)
    assert "PMIC" not in reading.temperatures


def test_a_line_of_a_recent_board_is_read():
    reading = parse_tegrastats(ORIN)
    assert reading.cpu_mhz == (1984.0, 1984.0)
    assert (reading.gpu_load, reading.gpu_mhz) == (0.99, 1173.0)
    assert reading.temperatures == {"cpu": 61.5, "soc2": 58.125}
    assert reading.power_w == {"VDD_GPU_SOC": 9.1, "VDD_CPU_CV": 3.3, "VIN_SYS_5V0": 4.6}
    assert reading.total_power_w == pytest.approx(17.0)


def test_the_input_of_the_board_is_the_total():
    line = "VDD_GPU 2370mW/2370mW VDD_CPU_SOC_MSS 5531mW/5531mW VIN_SYS_5V0 4344mW/4344mW VIN 22424mW/22000mW"
    assert parse_tegrastats(line).total_power_w == 22.424


def test_of_several_values_the_first_is_the_present_one():
    reading = parse_tegrastats(LATEST)
    assert reading.temperatures == {"cpu": 50.5}
    assert reading.total_power_w == 7.0


def test_a_gpu_without_load_has_a_clock_and_one_without_a_clock_a_load():
    assert (parse_tegrastats(THOR).gpu_load, parse_tegrastats(THOR).gpu_mhz) == (None, 1000.0)
    without = parse_tegrastats("RAM 1/2MB GR3D_FREQ 0% PLL@30C")
    assert (without.gpu_load, without.gpu_mhz) == (0.0, None)


def test_every_recorded_line_is_read(recordings):
    lines = {path.stem: path.read_text().splitlines() for path in (recordings / "tegrastats").iterdir()}
    assert set(RECORDED) <= set(lines)
    for name, (cores, load, clock, sensors, cpu, rails, total, free) in RECORDED.items():
        reading = parse_tegrastats(lines[name][0])
        temperatures = reading.temperatures
        assert len(reading.cpu_mhz) == cores, name
        assert (reading.gpu_load, reading.gpu_mhz) == (load, clock), name
        assert len(temperatures) == sensors, name
        assert temperatures.get("CPU", temperatures.get("cpu")) == cpu, name
        assert len(reading.power_w) == rails, name
        assert reading.total_power_w == pytest.approx(total), name
        assert reading.memory_available_mb == free, name
    assert parse_tegrastats(lines["orin_nano_super_loaded"][1]).gpu_load == 0.62
    assert parse_tegrastats(lines["orin_nano_three_seconds"][2]).temperatures["cpu"] == 48.562


@given(st.data())
def test_damaged_lines_never_raise_and_never_invent(data):
    line = data.draw(st.sampled_from([NANO, XAVIER, ORIN, LATEST, THOR]))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(line)))
        line = line[:at] + data.draw(st.text(max_size=8)) + line[data.draw(st.integers(at, len(line))) :]
    reading = parse_tegrastats(line)
    assert all(-60 < celsius < 200 for celsius in reading.temperatures.values())
    assert all(0 <= watts <= 10_000 for watts in reading.power_w.values())
    assert reading.gpu_load is None or 0 <= reading.gpu_load <= 1
    assert (reading.total_power_w is None) == (not reading.power_w)


def test_the_newest_line_of_a_running_tool_is_read_and_the_tool_is_stopped():
    program = (
        "import sys\nprint('first', flush=True)\nprint(sys.argv[1], flush=True)\nprint('ha', end='', flush=True)\n"
    )
    lines = start_tool([sys.executable, "-c", f"{program}import time\ntime.sleep(60)", NANO])
    source = Tegrastats(lines)
    assert wait_for(lambda: source.read().gpu_load) == 0.37
    source.close()


def test_a_tool_that_has_ended_says_nothing_more():
    lines = start_tool([sys.executable, "-c", f"print({NANO!r})"])
    wait_for(lambda: True if lines._process.poll() is not None else None)
    assert lines.latest() is None
    lines.close()
    assert start_tool(["edgevision-no-such-tool"]) is None
