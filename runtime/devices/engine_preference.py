"""Whether the engine that a model was measured in is taken here, and what is lost where it is not."""

from collections.abc import Sequence
from functools import cache

from edgevision.core.machine import Machine
from edgevision.core.printable import one_line
from edgevision.core.remarks import remarks
from edgevision.modelfiles.measured_engine import InferencePrecision, MeasuredEngine, native_precisions
from edgevision.runtime.devices import availability
from edgevision.runtime.devices.backends import DeviceBackend


def measured_first(
    backends: Sequence[DeviceBackend], measured: MeasuredEngine | None, file: str
) -> Sequence[DeviceBackend]:
    """``backends`` of a CPU with that first in which the model of that ``file`` was ``measured`` to be fastest.

    On another kind of CPU than the measured one, and where the engine is not there, they stay as they are and what is
    lost is remarked, once.
    """
    ours = [backend for backend in backends if measured is not None and backend.engine.package == measured.engine]
    if measured is None or not ours or len(backends) == 1:
        return backends
    lost = _not_measured_here(measured) or _unavailable(ours[0])
    if lost is None:
        return (*ours, *(backend for backend in backends if backend not in ours))
    times = "to be fastest" if measured.speedup is None else f"{measured.speedup:.1f} times as fast"
    _say_once(f"{one_line(file)} was measured {times} in {one_line(measured.title)}, {lost}")
    return backends


def precision_in(backend: DeviceBackend, measured: MeasuredEngine | None) -> InferencePrecision:
    """What a model computes in on that backend: what it was judged with there, where this CPU does so by itself."""
    if measured is None or (backend.device, backend.engine.package) != ("cpu", measured.engine):
        return InferencePrecision.FP32
    native = native_precisions(measured.engine, Machine.this().features)
    return measured.inference_precision if measured.inference_precision in native else InferencePrecision.FP32


def _not_measured_here(measured: MeasuredEngine) -> str | None:
    lacking = [feature for feature in measured.features if feature not in Machine.this().features]
    return f"on a CPU with {one_line(', '.join(lacking))}, which this one lacks" if lacking else None


def _unavailable(backend: DeviceBackend) -> str | None:
    reason = availability.unavailable_reason(backend)
    return None if reason is None else f"and {reason}: {backend.remedy}"


@cache
def _say_once(text: str) -> None:
    remarks.warning("%s", text)
