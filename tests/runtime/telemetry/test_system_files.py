import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevision.runtime.telemetry.board import board_name, parse_model
from edgevision.runtime.telemetry.cpu_frequency import CpuFrequency
from edgevision.runtime.telemetry.cpu_load import CpuLoad, CpuTimes, count_cores, parse_cpu_times, parse_process
from edgevision.runtime.telemetry.event_counters import EventCounters
from edgevision.runtime.telemetry.mean_power import mean_power, measured_rails
from edgevision.runtime.telemetry.memory import Memory, parse_available
from edgevision.runtime.telemetry.reading import Reading, combine
from edgevision.runtime.telemetry.source import SystemFile, find_tool, run_tool, whole_number
from edgevision.runtime.telemetry.temperatures import Temperatures

STAT = "cpu  {user} 10 300 {idle} 50 0 40 {steal} 0 0\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5 0\nctxt 77\n"


def policy(number, **files):
    return {f"sys/devices/system/cpu/cpufreq/policy{number}/{name}": f"{text}\n" for name, text in files.items()}


def zone(number, kind, milli):
    folder = f"sys/class/thermal/thermal_zone{number}"
    return {f"{folder}/type": f"{kind}\n", f"{folder}/temp": f"{milli}\n"}


def cooling(number, kind, state):
    folder = f"sys/class/thermal/cooling_device{number}"
    return {f"{folder}/type": f"{kind}\n", f"{folder}/cur_state": f"{state}\n"}


def process(number, parent, *ticks, name="python3"):
    columns = [number, f"({name})", "S", parent, *range(9), *ticks, 20, 0, 1]
    return {f"proc/{number}/stat": " ".join(map(str, columns))}


def test_a_file_is_read_anew_each_time(board):
    path = board({"sys/value": "17\n"}) / "sys/value"
    file = SystemFile(path)
    assert file.number() == 17
    path.write_text("-18\n")
    assert file.number() == -18
    file.close()
    assert file.text() is None
    assert SystemFile(path.parent).text() is None
    assert SystemFile(path.with_name("absent")).number() is None


@pytest.mark.parametrize("text", [None, "", "-", "12.5", "0x1f", "9" * 19, "१२", "two"])
def test_what_is_no_number_is_absent(text):
    assert whole_number(text) is None


def test_clocks_are_of_online_cores_and_governors_of_policies(board):
    root = board(
        policy(0, scaling_cur_freq=1510400, scaling_governor="schedutil", affected_cpus="0 1 2 3")
        | policy(4, scaling_cur_freq=729600, scaling_governor="schedutil", affected_cpus="4")
        | policy(10, scaling_cur_freq="<unknown>", scaling_governor="performance", affected_cpus="")
        | policy(11, scaling_cur_freq="", scaling_governor="", affected_cpus="")
    )
    reading = CpuFrequency(root).read()
    assert reading.cpu_mhz == (1510.4, 1510.4, 1510.4, 1510.4, 729.6)
    assert reading.governors == ("schedutil", "schedutil", "performance", "")
    assert reading.throttled == ()
    assert CpuFrequency(root, clocks=False).read().cpu_mhz == ()


def test_a_lowered_limit_of_the_clock_is_a_cap(board):
    root = board(policy(0, scaling_cur_freq=2200000, scaling_max_freq=2200000))
    source = CpuFrequency(root)
    assert source.read().throttled == ()
    board(policy(0, scaling_max_freq=1400000))
    assert source.read().throttled == ("frequency capped",)
    source.close()


def test_a_machine_without_cpufreq_has_no_clocks(tmp_path):
    assert CpuFrequency(tmp_path).read() == Reading()


def test_the_cpu_line_is_split_into_busy_idle_and_stolen():
    assert parse_cpu_times(STAT.format(user=600, idle=900, steal=7)) == CpuTimes(busy=950, idle=950, steal=7)
    assert parse_cpu_times("cpu 1 2 3 4 5") == CpuTimes(busy=6, idle=9, steal=0)
    assert count_cores(STAT) == 2
    for text in ("", "cpu", "cpu 1 2 3", "cpu0 1 2 3 4 5", "cpu 1 2 x 4 5", "intr 1 2 3 4 5"):
        assert parse_cpu_times(text) is None


def test_a_process_may_have_any_name():
    text = process(7, 3, 100, 20, 5, 1, name="a b) S 99 (")["proc/7/stat"]
    assert parse_process(text) == (3, 126)
    assert parse_process("7 (a) S 3 1 2") is None


def test_load_is_split_between_this_tree_others_and_the_hypervisor(board):
    root = board({"proc/stat": STAT.format(user=1000, idle=5000, steal=0)} | process(7, 1, 50, 10, 0, 0))
    source = CpuLoad(root, process=7)
    assert source.read().cpu_busy is None
    # 1000 ticks more: 600 busy, of them 200 this process, 100 its child and 60 its grandchild; 100 stolen.
    board(
        {"proc/stat": STAT.format(user=1600, idle=5300, steal=100)}
        | process(7, 1, 250, 10, 0, 0)
        | process(8, 7, 80, 20, 0, 0)
        | process(9, 8, 60, 0, 0, 0)
        | process(10, 1, 240, 0, 0, 0)
    )
    reading = source.read()
    assert reading.cpu_busy == pytest.approx(0.6)
    assert reading.cpu_own == pytest.approx(0.36)
    assert reading.cpu_steal == pytest.approx(0.1)


def test_an_ended_child_is_counted_once(board):
    root = board(
        {"proc/stat": STAT.format(user=1000, idle=5000, steal=0)}
        | process(7, 1, 50, 0, 0, 0)
        | process(8, 7, 30, 0, 0, 0)
    )
    source = CpuLoad(root, process=7)
    source.read()
    (root / "proc/8/stat").write_text("")
    board({"proc/stat": STAT.format(user=1500, idle=5500, steal=0)} | process(7, 1, 150, 0, 100, 0))
    assert source.read().cpu_own == pytest.approx(0.17)
    source.close()


def test_shares_of_no_time_are_absent_and_the_next_ones_cover_it(board):
    root = board({"proc/stat": STAT.format(user=1000, idle=5000, steal=0)})
    source = CpuLoad(root, process=7)
    source.read()
    board({"proc/stat": STAT.format(user=1004, idle=5000, steal=0)})
    assert source.read() == Reading()
    board({"proc/stat": STAT.format(user=1050, idle=5050, steal=0)})
    assert source.read().cpu_busy == pytest.approx(0.5)
    assert source.read().cpu_own is None


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


def test_the_mean_power_is_of_the_rails_that_are_named():
    early = Reading(time_s=0.0, power_w={"VDD_GPU": 2.0, "VDD_CPU": 6.0}, total_power_w=8.0)
    later = [Reading(time_s=t, power_w={**early.power_w, "VIN": 20.0 + t}, total_power_w=20.0 + t) for t in (1.0, 3.0)]
    readings = [early, *later, early.updated(time_s=4.0), Reading(time_s=5.0)]
    assert list(measured_rails(readings)) == ["VDD_GPU", "VDD_CPU", "VIN"]
    assert mean_power(readings) == pytest.approx(22.0)
    assert mean_power([early]) == 8.0
    assert (measured_rails([]), mean_power([Reading()])) == ({}, None)


def test_a_missing_or_failing_tool_says_nothing():
    assert run_tool(["edgevision-no-such-tool"]) is None
    assert run_tool(["false"]) is None
    assert run_tool(["echo", "a b"]) == "a b\n"
    assert find_tool("sh") is not None


@given(st.text(max_size=200) | st.from_regex(r"cpu +([0-9]{1,19} ?){0,12}.*", fullmatch=True))
def test_any_text_is_parsed_or_refused(text):
    times = parse_cpu_times(text)
    assert times is None or times.total >= 0
    parse_process(text)
    parse_available(text)
    parse_model(text)
    count_cores(text)


@given(st.binary(max_size=64))
def test_any_bytes_in_a_file_are_survived(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("file") / "value"
    path.write_bytes(content)
    file = SystemFile(path)
    file.text()
    file.number()
    file.close()
