"""What each operator of the written model computes in, and why."""

from collections.abc import Mapping

import numpy as np

from edgevision.exporters.quantization.qdq import Plan, Quantizer
from edgevision.exporters.quantization.report import NodePrecision, OperatorPrecision
from edgevision.exporters.quantization.search import Choice


def node_precisions(
    quantizer: Quantizer, plan: Plan, choice: Choice, noise: Mapping[str, float]
) -> tuple[NodePrecision, ...]:
    """A row for each operator; ``noise`` is what each unit alone leaves in the output."""
    fused = {name: unit for unit in quantizer.units.values() for name in unit.nodes}
    rows = []
    for node in quantizer.model.graph:
        name = str(node.name)
        unit = fused.get(name)
        precision = OperatorPrecision.FLOAT
        if unit is None:
            why = "no int8 kernel, or it only moves values"
        elif unit.name in plan.int8:
            a16w8 = unit.name in plan.a16w8
            precision = OperatorPrecision.A16W8 if a16w8 else OperatorPrecision.INT8
            why = "pays within the budget"
            if a16w8:
                why = choice.reasons.get(unit.name, why)
            if name != unit.name:
                why = f"fused into {unit.name}"
        elif not quantizer.target.has_kernel(unit):
            why = f"no int8 kernel on {quantizer.target.name}"
        else:
            why = choice.reasons.get(unit.name, "the float form is faster as a whole")
        if name in plan.weight_only:
            precision = OperatorPrecision.WEIGHT_ONLY
        power = noise.get(name)
        rows.append(
            NodePrecision(
                name=name,
                operator=node.op_type,
                precision=precision,
                why=why,
                sqnr_db=None if not power else round(-10 * float(np.log10(power)), 2),
            )
        )
    return tuple(rows)
