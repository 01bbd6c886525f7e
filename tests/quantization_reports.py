"""The report of a search for int8 with figures that can be followed."""

from typing import Any

from edgevision.exporters.quantization.report import Form, Outcome, QuantizationReport
from edgevision.runtime.benchmark.timing import Speedup


def faster(ratio: float) -> Speedup:
    return Speedup(ratio=ratio, low=ratio - 0.02, high=ratio + 0.03, before_ms=3.0, after_ms=3 / ratio, rounds=101)


def form(name: str, loss: float, speedup: Speedup | None = None, **figures: float) -> Form:
    return Form(name=name, figures=figures, loss=loss, size_bytes=1_234_567, speedup=speedup)


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
        "forms": (form("fp32", 0, top1=91.5), form("chosen", 0.25, faster(1.5), top1=91.25)),
        "trials": (),
        "nodes": (),
        "notes": (),
        "threads": 2,
        "seconds": 61.4,
    }
    return QuantizationReport(**(base | changes))
