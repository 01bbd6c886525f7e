import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgevision.runtime.telemetry.board_report import BoardReport
from edgevision.runtime.telemetry.cpu_load import ProcessTree, parse_cpu_times
from edgevision.runtime.telemetry.findings import FindingKind
from edgevision.runtime.telemetry.sampler import Telemetry

SAMPLED_WHILE_IDLE = """
import time
from edgevision.runtime.telemetry.sampler import Telemetry
with Telemetry(interval=0.2) as telemetry:
    time.sleep(1.6)
for finding in telemetry.report().findings:
    print(finding.kind)
"""


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs Linux")
def test_other_processes_that_load_this_machine_are_found(run_python):
    # They are this process's children and the sampled process's siblings.
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        done = run_python("-c", SAMPLED_WHILE_IDLE)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert done.stderr == ""
    assert FindingKind.SHARED_CPU in done.stdout.splitlines()


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs Linux")
def test_the_work_of_this_process_and_its_children_is_its_own():
    before, busy_before = os.times(), _busy_ticks()
    with Telemetry(interval=0.1) as telemetry:
        _work_with_a_child()
    after, busy_after = os.times(), _busy_ticks()
    report = telemetry.report()
    assert any(reading.cpu_own for reading in report.readings)
    used = sum(after[:4]) - sum(before[:4])
    seconds = report.readings[-1].time_s - report.readings[0].time_s
    # At least what others did between the readings, for the work is counted from before the first to after the last.
    others = (busy_after - busy_before) / os.sysconf("SC_CLK_TCK") - used
    if others < 0.1 * seconds:  # nothing else ran on this machine meanwhile
        assert not [finding for finding in report.findings if finding.kind is FindingKind.SHARED_CPU]


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs Linux")
def test_the_ticks_of_a_process_tree_are_those_that_the_kernel_books_on_it():
    # In ticks: a guest whose hypervisor takes cores away counts fewer of them than seconds times cores.
    tree = ProcessTree(Path("/proc"), os.getpid())
    before, first = os.times(), tree.ticks()
    _work_with_a_child(meanwhile=tree.ticks)
    last, after = tree.ticks(), os.times()
    tree.close()
    assert first is not None
    assert last is not None
    used = sum(after[:4]) - sum(before[:4])
    assert used > 0.1
    assert (last - first) / os.sysconf("SC_CLK_TCK") == pytest.approx(used, abs=0.1)


def _work_with_a_child(meanwhile: Callable[[], object] = lambda: None) -> None:
    """A second's work of this process beside a second's of a child that ends."""
    work = "import time\nend = time.time() + 1\nwhile time.time() < end: 1"
    with subprocess.Popen([sys.executable, "-c", work]):
        end = time.perf_counter() + 1.2
        while time.perf_counter() < end:
            meanwhile()
            pause = time.perf_counter() + 0.1
            while time.perf_counter() < pause:
                pass


def _busy_ticks() -> int:
    times = parse_cpu_times(Path("/proc/stat").read_text())
    assert times is not None
    return times.busy


def test_the_report_survives_json_and_covers_the_whole_block():
    with Telemetry(interval=0.05) as telemetry:
        time.sleep(0.3)
    report = telemetry.report()
    assert BoardReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    assert report.readings[-1].time_s >= 0.3
    assert len(report.readings) >= 2
    times = [reading.time_s for reading in report.readings]
    assert times == sorted(times)


def test_an_interval_of_nothing_is_refused():
    with pytest.raises(ValueError, match="interval must be positive, not 0"):
        Telemetry(interval=0)
