"""What ran a model, as every verb says it."""

from dataclasses import dataclass
from typing import Any, Self

from edgevision.core.printable import one_line
from edgevision.runtime.engines.assignment import Assignment
from edgevision.runtime.engines.engine import Engine


@dataclass(frozen=True)
class EngineDescription:
    """Of an engine, what is said of it: it can be told to another process."""

    name: str
    device: str
    assignment: Assignment

    @classmethod
    def of(cls, engine: Engine) -> Self:
        return cls(engine.name, engine.device, engine.assignment)


def headline(name: str, engine: Engine | EngineDescription) -> str:
    """One line, as in ``classifier on npu 74 nodes · cpu 2 nodes (Shape, Gather), ONNX Runtime 1.31.1``."""
    return f"{one_line(name)} on {placement(engine)}"


def placement(engine: Engine | EngineDescription) -> str:
    """Which device runs how many nodes, and by which engine."""
    _, _, number = engine.device.partition(":")
    return f"{engine.assignment}{f' (device {number})' if number else ''}, {engine.name}"


def engine_facts(engine: Engine | EngineDescription) -> dict[str, Any]:
    """The same for ``--json``."""
    return {"device": engine.device, "engine": engine.name, "nodes": engine.assignment.to_dict()["nodes"]}
