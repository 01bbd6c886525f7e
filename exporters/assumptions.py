"""What an exported program takes for granted of the sides it leaves open.

``torch.export`` follows a branch on a side the way the example goes and notes the condition. The ONNX exporter drops
it, so that the graph would go that way for every size.
"""

from collections.abc import Mapping

import torch
from torch.export import ExportedProgram

# Small sizes are run and compared, which would take too long for large ones: their conditions are worked out.
_LARGE = 2048


class BranchError(Exception):
    """The program holds only for some of the sizes that it is said to take."""


def check_assumptions(program: ExportedProgram, axes: Mapping[str, int]) -> None:
    """Raise :class:`BranchError` where a large, an upright or a lying picture takes another way than the example.

    ``axes`` names the open sides of the pictures that ``program`` takes.
    """
    nodes = program.graph.nodes
    pictures = [node.meta["val"] for node in nodes if node.op == "placeholder"]
    example: dict[object, int] = {}
    symbols: dict[str, object] = {}
    for picture in pictures:
        for axis, side in enumerate(getattr(picture, "shape", ())):
            if isinstance(side, torch.SymInt):
                (symbol,) = side.node.expr.free_symbols
                # The side is the symbol, or a multiple of it.
                example[symbol] = int(side.node.hint) // int(side.node.expr.subs(symbol, 1))
                symbols |= {name: symbol for name, at in axes.items() if at == axis}
    factor = max(2, _LARGE // min((example[symbol] for symbol in symbols.values()), default=_LARGE))
    conditions = [node.meta["val"].node.expr for node in nodes if isinstance(node.meta.get("val"), torch.SymBool)]
    for names in (tuple(symbols), *((name,) for name in symbols)):
        large = example | {symbols[name]: factor * example[symbols[name]] for name in names}
        for condition in conditions:
            if bool(condition.subs(example)) != bool(condition.subs(large)):
                raise BranchError(f"it goes another way where {condition} does not hold")
        for name in names:
            bounds = program.range_constraints.get(symbols[name])
            if bounds is not None and bounds.upper < large[symbols[name]]:
                raise BranchError(f"it goes another way where the {name} is more than {bounds.upper}")
