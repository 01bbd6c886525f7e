"""How much each unit alone costs: the noise in the output where nothing but it is int8."""

import math
from collections.abc import Sequence

import numpy as np

from edgevision.core.errors import EngineCrashError
from edgevision.exporters.passes.ir import to_proto
from edgevision.exporters.quantization.batches import representatives
from edgevision.exporters.quantization.qdq import Plan, Quantizer
from edgevision.exporters.quantization.time_budget import TimeBudget
from edgevision.exporters.quantization.trials import Opener
from edgevision.exporters.quantization.units import Unit
from edgevision.runtime.tasks.quality import OutputQuality, output_values
from edgevision.runtime.tasks.samples import Batch

# Of the time, for running networks; the rest is for making and loading them.
_SHARE_OF_RUNNING = 0.6


def noise_of_each(
    quantizer: Quantizer,
    units: Sequence[Unit],
    batches: Sequence[Batch],
    open_model: Opener,
    time_budget: TimeBudget,
    seconds: float,
) -> dict[str, float]:
    """Of each unit, the noise power relative to the signal, on as many samples as there is time for in ``seconds``.

    What is not reached before they are over has the mean. The power is infinite where the engine crashed.
    """
    late = time_budget.late_after(seconds)
    sample = representatives(batches)
    with open_model(to_proto(quantizer.model)) as reference:
        first = [array[:1] for array in sample]
        output_values(reference, first)
        each = time_budget.seconds_for(lambda: output_values(reference, first))
        # A network runs for every unit and once more; one sample for each tells more than many for some.
        fitting = int(_SHARE_OF_RUNNING * seconds / (len(units) + 1) / max(each, 1e-6))
        sample = [array[: max(1, fitting)] for array in sample]
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
    if len(noise) < len(units):
        time_budget.left_out.append("what some operators cost by themselves")
    known = [power for power in noise.values() if math.isfinite(power)]
    usual = float(np.mean(known)) if known else 1.0
    return {unit.name: noise.get(unit.name, usual) for unit in units}
