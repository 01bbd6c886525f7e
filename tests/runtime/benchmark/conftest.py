"""Reports made up for what is read off them, without measuring anything."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgevision.core.machine import Machine
from edgevision.runtime.benchmark.report import BenchmarkReport, Latency, Samples, SubjectReport
from edgevision.runtime.benchmark.settings import Settings
from edgevision.runtime.benchmark.timing import WarmUp
from edgevision.runtime.engines.assignment import Assignment
from edgevision.runtime.telemetry.board_report import BoardReport
from edgevision.runtime.telemetry.reading import BoardState, Reading

Made = Callable[..., Any]


@pytest.fixture
def make_subject() -> Made:
    """A subject whose samples are some percent above ``median``, 10 in each round."""

    def make(median: float = 2.0, *, seed: int = 0, count: int = 400, **changes: Any) -> SubjectReport:
        ms = np.round(median * (1 + 0.03 * (np.random.default_rng(seed).exponential(size=count) - np.log(2))), 6)
        starts = np.round(np.concatenate([[0.0], np.cumsum(ms)[:-1] / 1000]), 6)
        samples = Samples(start_s=tuple(starts.tolist()), ms=tuple(ms.tolist()), rounds=(10,) * (count // 10))
        values: dict[str, Any] = {
            "name": "net.onnx",
            "sha256": "0" * 64,
            "precision": "fp32",
            "engine": "Engine 1.0",
            "device": "cpu",
            "provider": "CPUExecutionProvider",
            "assignment": Assignment.of("cpu", [("cpu", "Conv"), ("cpu", "Relu")]),
            "threads": 2,
            "batch": 1,
            "shapes": {"image": (1, 3, 8, 8)},
            "load_ms": 20.0,
            "first_ms": 5.0,
            "warmup": WarmUp(runs=50, seconds=0.5, steady=True),
            "latency": Latency.of(ms),
            "throughput": 1000 / float(ms.mean()),
            "samples": samples,
        }
        return SubjectReport(**(values | changes))

    return make


@pytest.fixture
def make_report(make_subject: Made) -> Made:
    """A report of the subjects, of a machine and board that stand still."""

    def make(*subjects: SubjectReport, **changes: Any) -> BenchmarkReport:
        state = BoardState(cores=4, governors=("performance",))
        readings = [
            Reading(time_s=t / 2, cpu_mhz=(2400.0,), temperatures={"cpu": 50 + t}, cpu_busy=0.5, cpu_own=0.5)
            for t in range(4)
        ]
        board = BoardReport(
            board="Board 5",
            power_mode=None,
            clocks_locked=None,
            before=state,
            after=state,
            readings=tuple(readings),
            findings=changes.pop("findings", ()),
            mean_power_w=None,
            power_covers=None,
            sampling_cpu_s=0.01,
        )
        values: dict[str, Any] = {
            "version": "1.0",
            "created": "2026-01-01T00:00:00+00:00",
            "machine": Machine(processor="P", cores=4, memory_gb=8.0, system="S"),
            "load_average": 0.1,
            "settings": Settings(),
            "board": board,
            "rounds": 40,
            "seconds": 1.5,
            "peak_memory_mb": 100.0,
            "subjects": subjects or (make_subject(),),
        }
        return BenchmarkReport(**(values | changes))

    return make
