"""Which device runs which nodes of a loaded model, and which of them may be left to the CPU."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from edgevision.core.errors import DeviceError
from edgevision.core.records import Record, record

SHAPE_OPERATORS = frozenset(
    {"Cast", "Concat", "Constant", "ConstantOfShape", "Gather", "Range", "Shape", "Size", "Slice", "Squeeze"}
    | {"Unsqueeze"}
)
"""What engines leave to the CPU on purpose, as it works out sizes: no pixels pass through it."""


@record
class Assignment(Record):
    """Nodes by device and operator, after the engine's own fusions; the device that was asked for stands first."""

    nodes: Mapping[str, Mapping[str, int]]

    def __post_init__(self) -> None:
        if not self.nodes:
            raise ValueError("an assignment names the device that was asked for")

    @classmethod
    def of(cls, device: str, nodes: Iterable[tuple[str, str]]) -> "Assignment":
        """From (device, operator) of every node, for a model that is meant for ``device``."""
        counts: dict[str, dict[str, int]] = {device: {}}
        for where, operator in nodes:
            operators = counts.setdefault(where, {})
            operators[operator] = operators.get(operator, 0) + 1
        return cls(nodes=counts)

    def elsewhere(self) -> dict[str, Mapping[str, int]]:
        """The computing nodes that do not run on the device that was asked for."""
        _, *others = self.nodes
        strays = {
            device: {operator: n for operator, n in self.nodes[device].items() if operator not in SHAPE_OPERATORS}
            for device in others
        }
        return {device: operators for device, operators in strays.items() if operators}

    def __str__(self) -> str:
        """As in ``npu 74 nodes · cpu 2 nodes (Shape, Gather)``."""
        first, *others = self.nodes
        parts = [f"{first} {_count(self.nodes[first])}"]
        parts += [f"{device} {_count(self.nodes[device])} ({', '.join(self.nodes[device])})" for device in others]
        return " · ".join(parts)


def refuse_fallback(assignment: Assignment, path: Path) -> None:
    """Raise a :class:`DeviceError` that names what would not run on the device that was asked for."""
    strays = assignment.elsewhere()
    if not strays:
        return
    device = next(iter(assignment.nodes))
    named = "; ".join(
        f"{', '.join(f'{count} {operator}' for operator, count in operators.items())} would run on {where}"
        for where, operators in strays.items()
    )
    raise DeviceError(
        f"{device} cannot run all of {path.name!r}: {named}; --allow-fallback lets them, or choose a --device that can"
    )


def _count(operators: Mapping[str, int]) -> str:
    total = sum(operators.values())
    return f"{total} node" if total == 1 else f"{total} nodes"
