"""What the profiler of an engine says."""

from collections.abc import Sequence
from dataclasses import dataclass

Shape = tuple[int, ...]


@dataclass(frozen=True)
class OperatorTime:
    """What an engine's profiler says of one operator: inputs and outputs as (shape, bytes an element)."""

    name: str
    operator: str
    where: str
    microseconds: float
    inputs: Sequence[tuple[Shape, int]]
    outputs: Sequence[tuple[Shape, int]]


@dataclass(frozen=True)
class EngineProfile:
    """What a profiler gave: the operators in the order in which they ran."""

    runs: int
    read_ms: float | None
    compile_ms: float | None
    operators: Sequence[OperatorTime]
