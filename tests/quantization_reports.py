"""The report of a search for int8 with figures that can be followed."""

from typing import Any

from edgevision.exporters.quantization.report import Form, Outcome, QuantizationReport
from edgevision.runtime.benchmark.statistics import Estimate
from edgevision.runtime.benchmark.timing import Speedup


def faster(ratio: float) -> Speedup:
    return Speedup(ratio=ratio, low=ratio - 0.02, high=ratio + 0.03, before_ms=3.0, after_ms=3 / ratio, rounds=101)


def form(name: str, loss: float, speedup: Speedup | None = None, **figures: float) -> Form:
    """A row that took 3 ms by itself; that of the name ``int8`` was written."""
    milliseconds = 3.0 if speedup is None else speedup.after_ms
    return Form(
        name=name,
        figures=figures,
        loss=loss,
        size_bytes=1_234_567,
        speedup=speedup,
        latency_ms=Estimate(value=milliseconds, low=milliseconds - 0.1, high=milliseconds + 0.1),
        written=name == "int8",
    )


def quantization_report(**changes: Any) -> QuantizationReport:
    base: dict[str, Any] = {
        "outcome": Outcome.INT8,
        "verdict": "int8 is 1.50 times as fast as the fastest float form",
        "target": "x86-avx2",
        "measured": True,
        "expected_speedup": None,
        "metric": "top1",
        "unit": "points",
        "budget": 0.3,
        "source": "256 pictures of data",
        "ranges": "mse",
        "forms": (form("as given", 0, top1=91.5), form("int8", 0.25, faster(1.5), top1=91.25)),
        "trials": (),
        "nodes": (),
        "notes": (),
        "threads": 2,
        "seconds": 61.4,
    }
    return QuantizationReport(**(base | changes))
