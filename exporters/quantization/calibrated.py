"""The quantiser of one model for one target: calibrated, its weights rounded, its ranges chosen."""

import logging
import math
from dataclasses import replace
from itertools import islice

import onnx

from edgevision.core.errors import EngineCrashError
from edgevision.exporters.passes.ir import to_ir
from edgevision.exporters.quantization.batches import Portions, representatives
from edgevision.exporters.quantization.convergence import Convergence
from edgevision.exporters.quantization.equalization import Equalization
from edgevision.exporters.quantization.observations import observe
from edgevision.exporters.quantization.qdq import Quantizer
from edgevision.exporters.quantization.ranges import RangeMethod, choose_ranges, choose_ranges_of_16_bits
from edgevision.exporters.quantization.targets import Target
from edgevision.exporters.quantization.time_budget import TimeBudget
from edgevision.exporters.quantization.trials import Opener
from edgevision.exporters.quantization.units import WEIGHTED, find_units
from edgevision.exporters.quantization.weights import one_torch_thread, quantize_weights
from edgevision.runtime.tasks.quality import OutputQuality

_log = logging.getLogger(__name__)

# The peaks of channels vary less than the ends of ranges.
_PORTIONS_TO_EQUALIZE = 2
# Fewer weights than this are not worth two nodes more.
_FEWEST_WEIGHTS = 256


def calibrated_quantizer(
    model: onnx.ModelProto, portions: Portions, target: Target, open_model: Opener, budget: TimeBudget
) -> tuple[Quantizer, RangeMethod]:
    """The quantiser with the ranges under which everything in int8 is nearest to the float model.

    No more of ``portions`` are read than are needed, nor than there is time for; then weights are rounded to the
    nearest and ranges are those of the methods tried so far.
    """
    first = [batch for portion in islice(portions, _PORTIONS_TO_EQUALIZE) for batch in portion]
    model = Equalization(first, strength=0.5)(model).model
    ir = to_ir(model)
    nodes = {str(node.name): node for node in ir.graph}
    units = {unit.name: unit for unit in find_units(ir, target.operators | WEIGHTED)}
    convergence = Convergence(budget.late)
    with one_torch_thread():
        seen = observe(ir, units.values(), portions, convergence)
    if budget.cut_short and not convergence.settled:
        budget.left_out.append("data until the ranges settle")
    weighted = [unit.name for unit in units.values() if unit.channels is not None]
    with one_torch_thread():
        weights = {
            name: quantize_weights(
                nodes[name],
                None if budget.late() else seen.inputs[name],
                pair_limit=target.pair_limit,
                per_channel=nodes[name].op_type not in target.per_tensor,
            )
            for name in weighted
        }
        weight_only = {
            name: weights[name]
            if target.pair_limit is None and nodes[name].op_type not in target.per_tensor
            else quantize_weights(nodes[name], None if budget.late() else seen.inputs[name], pair_limit=None)
            for name in weighted
            if weights[name].values.size >= _FEWEST_WEIGHTS
        }
    if weighted and budget.cut_short:
        budget.left_out.append("rounding weights one after the other")
    quantizer = Quantizer(
        ir, units, target, {}, weights, weight_only, choose_ranges_of_16_bits(seen, units.values(), ir)
    )
    everything = quantizer.everything
    if not everything.int8:
        return quantizer, RangeMethod.MINMAX
    with open_model(model) as reference:
        measure = OutputQuality(reference, representatives(portions.batches))
    best: tuple[Quantizer, RangeMethod, float] | None = None
    for method in RangeMethod:
        if best is not None and budget.late():
            budget.left_out.append(f"ranges by {method}")
            continue
        candidate = replace(quantizer, ranges=choose_ranges(seen, method))
        try:
            with open_model(candidate(everything)) as engine:
                loss = measure(engine).loss
        except EngineCrashError:
            loss = math.inf
        _log.debug("ranges by %s: SQNR %.2f dB", method, -loss)
        if best is None or loss < best[2]:
            best = candidate, method, loss
    assert best is not None
    return best[:2]
