"""The quantiser of one model for one target: calibrated, its weights rounded, its ranges chosen."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import onnx

from edgevision.exporters.passes.ir import to_ir
from edgevision.exporters.quantization.batches import representatives
from edgevision.exporters.quantization.equalization import Equalization
from edgevision.exporters.quantization.observations import observe
from edgevision.exporters.quantization.qdq import Quantizer
from edgevision.exporters.quantization.ranges import RangeMethod, choose_ranges, choose_ranges_of_16_bits
from edgevision.exporters.quantization.targets import Target
from edgevision.exporters.quantization.trials import Opener
from edgevision.exporters.quantization.units import WEIGHTED, find_units
from edgevision.exporters.quantization.weights import quantize_weights
from edgevision.runtime.tasks.quality import OutputQuality
from edgevision.runtime.tasks.samples import Batch

_log = logging.getLogger(__name__)

# Fewer weights than this are not worth two nodes more.
_FEWEST_WEIGHTS = 256


def calibrated_quantizer(
    model: onnx.ModelProto, batches: Sequence[Batch], target: Target, open_model: Opener
) -> tuple[Quantizer, RangeMethod]:
    """The quantiser with the ranges under which everything in int8 is nearest to the float model."""
    model = Equalization(batches, strength=0.5)(model).model
    ir = to_ir(model)
    nodes = {str(node.name): node for node in ir.graph}
    units = {unit.name: unit for unit in find_units(ir, target.operators | WEIGHTED)}
    seen = observe(ir, units.values(), batches)
    weighted = [unit.name for unit in units.values() if unit.channels is not None]
    weights = {
        name: quantize_weights(
            nodes[name],
            seen.inputs[name],
            pair_limit=target.pair_limit,
            per_channel=nodes[name].op_type not in target.per_tensor,
        )
        for name in weighted
    }
    weight_only = {
        name: quantize_weights(nodes[name], seen.inputs[name], pair_limit=None)
        for name in weighted
        if weights[name].values.size >= _FEWEST_WEIGHTS
    }
    quantizer = Quantizer(
        ir, units, target, {}, weights, weight_only, choose_ranges_of_16_bits(seen, units.values(), ir)
    )
    everything = quantizer.everything
    if not everything.int8:
        return quantizer, RangeMethod.MINMAX
    with open_model(model) as reference:
        measure = OutputQuality(reference, representatives(batches))
    best: tuple[Quantizer, RangeMethod, float] | None = None
    for method in RangeMethod:
        candidate = replace(quantizer, ranges=choose_ranges(seen, method))
        with open_model(candidate(everything)) as engine:
            loss = measure(engine).loss
        _log.debug("ranges by %s: SQNR %.2f dB", method, -loss)
        if best is None or loss < best[2]:
            best = candidate, method, loss
    assert best is not None
    return best[:2]
