"""How much each unit alone costs: the noise in the output where nothing but it is int8."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from edgevision.core.errors import EngineCrashError
from edgevision.exporters.passes.ir import to_proto
from edgevision.exporters.quantization.batches import representatives
from edgevision.exporters.quantization.qdq import Plan, Quantizer
from edgevision.exporters.quantization.trials import Opener
from edgevision.exporters.quantization.units import Unit
from edgevision.runtime.tasks.quality import OutputQuality
from edgevision.runtime.tasks.samples import Batch


def noise_of_each(
    quantizer: Quantizer,
    units: Sequence[Unit],
    batches: Sequence[Batch],
    open_model: Opener,
    late: Callable[[], bool],
) -> dict[str, float]:
    """Of each unit, the noise power relative to the signal; what is not reached before it is ``late`` has the mean.

    It is infinite where the engine crashed.
    """
    sample = representatives(batches)
    with open_model(to_proto(quantizer.model)) as reference:
        measure = OutputQuality(reference, sample)
    noise: dict[str, float] = {}
    for unit in units:
        if late():
            break
        try:
            with open_model(quantizer(Plan(frozenset([unit.name])))) as engine:
                noise[unit.name] = 10 ** (measure(engine).loss / 10)
        except EngineCrashError:
            noise[unit.name] = math.inf
    known = [power for power in noise.values() if math.isfinite(power)]
    usual = float(np.mean(known)) if known else 1.0
    return {unit.name: noise.get(unit.name, usual) for unit in units}
