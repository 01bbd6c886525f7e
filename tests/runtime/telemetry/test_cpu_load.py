"""Who used the CPU: this process tree, others, the hypervisor."""

import pytest

from edgevision.runtime.telemetry.cpu_load import CpuLoad, CpuTimes, count_cores, parse_cpu_times, parse_process
from edgevision.runtime.telemetry.reading import Reading

STAT = "cpu  {user} 10 300 {idle} 50 0 40 {steal} 0 0\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5 0\nctxt 77\n"


def process(number, parent, *ticks, name="python3"):
    columns = [number, f"({name})", "S", parent, *range(9), *ticks, 20, 0, 1]
    return {f"proc/{number}/stat": " ".join(map(str, columns))}


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
