"""Whole boards replayed through the sampler: files below a folder, and tools that answer from a script."""

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgevision.runtime.telemetry.board_report import BoardReport
from edgevision.runtime.telemetry.findings import FindingKind
from edgevision.runtime.telemetry.sampler import Telemetry

CPU = "cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 1\ncpu1 1\ncpu2 1\ncpu3 1\n"
ZONE = "sys/class/thermal/thermal_zone0"
POLICY = "sys/devices/system/cpu/cpufreq/policy0"
INA3221 = "sys/class/hwmon/hwmon4"
GPU = "sys/class/devfreq/17000000.gpu"

ORIN = {
    "proc/device-tree/model": "NVIDIA Jetson Example Devkit\0",
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic\n",
    "proc/stat": CPU.format(busy=1000, idle=1000),
    f"{ZONE}/type": "cpu-thermal\n",
    f"{ZONE}/temp": "60000\n",
    f"{POLICY}/scaling_cur_freq": "1728000\n",
    f"{POLICY}/scaling_max_freq": "1728000\n",
    f"{POLICY}/scaling_governor": "schedutil\n",
    f"{POLICY}/affected_cpus": "0 1 2 3\n",
    f"{INA3221}/name": "ina3221\n",
    f"{INA3221}/in1_label": "VDD_IN\n",
    f"{INA3221}/in1_input": "5000\n",
    f"{INA3221}/curr1_input": "2000\n",
    f"{INA3221}/curr1_crit_alarm": "0\n",
    f"{GPU}/cur_freq": "918000000\n",
    f"{GPU}/max_freq": "918000000\n",
    f"{GPU}/device/load": "980\n",
}
LINE = "RAM 900/3956MB CPU [90%@1479,1%@102] GR3D_FREQ 37%@614 CPU@38.5C POM_5V_IN 3125/2900"


class Tools:
    """Answers by the whole command line; unknown ones are missing."""

    def __init__(self, **answers):
        self.answers = answers

    def __call__(self, arguments):
        return self.answers.get(" ".join(arguments))


class FakeLines:
    def __init__(self, line):
        self.line, self.closed = line, False

    def latest(self):
        return self.line

    def close(self):
        self.closed = True


def pi(bits="0x0"):
    return {"vcgencmd get_throttled": f"throttled={bits}\n", "vcgencmd measure_clock arm": "frequency(0)=2400000000\n"}


def sample(root, tools, during=lambda: None, start=lambda arguments: None):
    """Sample a board for a moment in the middle of which something happens to it."""
    with Telemetry(interval=0.02, root=root, run=tools, start=start) as telemetry:
        time.sleep(0.1)
        during()
        time.sleep(0.1)
    return telemetry.report()


def kinds(report):
    return {finding.kind for finding in report.findings}


def test_a_pi_that_throttles_in_the_middle_marks_the_run(board):
    root = board({"proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0", f"{ZONE}/temp": "83700\n"})
    tools = Tools(**pi())
    report = sample(root, tools, lambda: tools.answers.update(pi("0xe0008")))
    assert report.board == "Raspberry Pi 5 Model B Rev 1.0"
    assert report.before.occurred == ()
    assert report.after.occurred == ("frequency capped", "throttled", "soft temperature limit")
    assert kinds(report) == {FindingKind.THROTTLED}
    assert any("83.7 °C" in finding.message for finding in report.findings)


def test_a_pi_that_throttled_only_between_two_questions_is_unreliable_too(board):
    tools = Tools(**pi())
    report = sample(board({}), tools, lambda: tools.answers.update(pi("0x20000")))
    assert kinds(report) == {FindingKind.THROTTLED}
    assert "frequency capped" in report.findings[0].message


def test_a_pi_that_throttled_before_the_run_is_reliable(board):
    report = sample(board({}), Tools(**pi("0x50000")))
    assert report.before.occurred == ("under-voltage", "throttled")
    assert report.findings == ()


def test_a_quiet_jetson_is_reliable_and_its_power_is_known(board):
    tools = Tools(**{"nvpmodel -q": "NV Power Mode: MAXN\n0\n"})
    report = sample(board(ORIN), tools)
    assert report.findings == ()
    assert (report.board, report.software) == ("NVIDIA Jetson Example Devkit", "L4T 36.4.3")
    assert (report.power_mode, report.clocks_locked) == ("MAXN", None)
    assert report.mean_power_w == pytest.approx(10.0)
    assert report.power_covers == "VDD_IN, the input of the whole module"
    first = report.readings[0]
    assert first.cpu_mhz == (1728.0,) * 4
    assert (first.gpu_mhz, first.gpu_load) == (918.0, 0.98)
    assert first.temperatures == {"cpu": 60.0}


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({f"{INA3221}/curr1_crit_alarm": "1\n"}, FindingKind.OVER_CURRENT),
        ({f"{POLICY}/scaling_max_freq": "1190400\n"}, FindingKind.THROTTLED),
        ({f"{GPU}/max_freq": "612000000\n"}, FindingKind.THROTTLED),
        ({f"{POLICY}/scaling_governor": "powersave\n"}, FindingKind.GOVERNOR_CHANGED),
    ],
)
def test_what_happens_to_a_jetson_marks_the_run(board, change, kind):
    assert kinds(sample(board(ORIN), Tools(), lambda: board(change))) == {kind}


def test_a_core_that_is_unplugged_is_no_change_of_the_governor(board):
    own = POLICY.replace("policy0", "policy4")
    root = board(ORIN | {f"{own}/scaling_governor": "performance\n", f"{own}/affected_cpus": "4\n"})
    report = sample(root, Tools(), lambda: board({f"{own}/scaling_governor": "", f"{own}/affected_cpus": "\n"}))
    assert report.findings == ()
    assert report.before.governors == ("schedutil", "performance")
    assert report.after.governors == ("schedutil",)


def test_a_power_mode_changed_and_an_alarm_logged_meanwhile_mark_the_run(board):
    tools = Tools(**{"nvpmodel -q": "NV Power Mode: MAXN\n0\n", "dmesg": "[ 5.0] soctherm: OC ALARM 0x00000001\n"})

    def change():
        tools.answers["nvpmodel -q"] = "NV Power Mode: MODE_15W\n2\n"
        tools.answers["dmesg"] += "[ 99.0] soctherm: OC ALARM 0x00000001\n"

    report = sample(board(ORIN), tools, change)
    assert kinds(report) == {FindingKind.POWER_MODE_CHANGED, FindingKind.OVER_CURRENT}
    messages = " ".join(finding.message for finding in report.findings)
    assert "MAXN before the run and MODE_15W" in messages
    assert "OC ALARM 0x00000001' once during the run" in messages


def test_a_pc_that_slows_down_from_heat_is_unreliable_without_its_log(board):
    counter = "sys/devices/system/cpu/cpu3/thermal_throttle/package_throttle_count"
    report = sample(board({counter: "12\n"}), Tools(), lambda: board({counter: "13\n"}))
    (finding,) = report.findings
    assert finding.kind is FindingKind.THROTTLED
    assert "thermal cooling" in finding.message
    assert sample(board({}), Tools()).findings == ()


def test_tegrastats_is_run_only_where_the_files_do_not_tell_as_much(board):
    started = []

    def start(arguments):
        started.append((tuple(arguments), FakeLines(LINE)))
        return started[-1][1]

    sample(board(ORIN), Tools(), start=start)
    assert started == []
    (board({}) / GPU / "device/load").write_text("\n")
    report = sample(board({}), Tools(), start=start)
    ((arguments, lines),) = started
    assert arguments == ("tegrastats", "--interval", "20")
    assert lines.closed
    assert report.readings[0].gpu_load == 0.37
    assert report.readings[0].cpu_mhz == (1728.0,) * 4


def test_the_input_of_the_board_is_its_power_whichever_source_tells_it(board):
    (board(ORIN) / GPU / "device/load").write_text("\n")
    root = board({f"{INA3221}/in1_label": "VDD_GPU\n"})
    report = sample(root, Tools(), start=lambda arguments: FakeLines("VDD_GPU 9000mW/9000mW VIN 25000mW/25000mW"))
    assert report.readings[-1].power_w == {"VDD_GPU": 10.0, "VIN": 25.0}
    assert report.mean_power_w == pytest.approx(25.0)
    assert report.power_covers == "VIN, the input of the whole board"
    monitor = "sys/class/hwmon/hwmon5"
    report = sample(board({f"{monitor}/name": "ina238\n", f"{monitor}/power1_input": "24000000\n"}), Tools())
    assert report.mean_power_w == pytest.approx(24.0)


def test_a_machine_that_tells_nothing_gives_empty_readings(tmp_path):
    report = sample(tmp_path, Tools())
    assert len(report.readings) >= 2
    assert report.findings == ()
    assert (report.board, report.mean_power_w, report.power_covers) == (None, None, None)
    assert all(reading.cpu_mhz == () and reading.cpu_busy is None for reading in report.readings)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_the_files_and_tools_of_a_board_hold_every_source_can_read_it(data, board, caplog):
    content = st.text(max_size=30) | st.integers(-(10**20), 10**20).map(str)
    root = board({name: data.draw(content) for name in ORIN})
    answers = {name: data.draw(content) for name in [*pi(), "vcgencmd pmic_read_adc", "nvpmodel -q", "dmesg"]}
    damaged = FakeLines(LINE.replace(data.draw(st.sampled_from(LINE.split())), data.draw(content)))
    with Telemetry(root=root, run=Tools(**answers), start=lambda arguments: damaged) as telemetry:
        pass
    report = telemetry.report()
    assert BoardReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    assert caplog.records == []


def test_a_source_that_fails_costs_only_its_own_figures_and_is_named_once(board, monkeypatch, caplog):
    from edgevision.runtime.telemetry.linux import Memory

    def fail(self):
        raise RuntimeError("no such luck")

    monkeypatch.setattr(Memory, "read", fail)
    report = sample(board(ORIN), Tools())
    assert report.readings[-1].cpu_mhz
    assert report.readings[-1].memory_available_mb is None
    assert [record.getMessage() for record in caplog.records] == ["Memory cannot be read and is left out"]
