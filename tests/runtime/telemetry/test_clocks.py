"""Clocks, governors and lowered limits of CPU and GPU."""

import pytest

from edgevision.runtime.telemetry.clocks import CpuFrequency, GpuClock
from edgevision.runtime.telemetry.reading import Reading


def policy(number, **files):
    return {f"sys/devices/system/cpu/cpufreq/policy{number}/{name}": f"{text}\n" for name, text in files.items()}


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
