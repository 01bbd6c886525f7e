"""What ran a model, as every verb says it."""

from typing import Any

from edgevision.core.printable import one_line
from edgevision.runtime.engines.engine import Engine


def headline(name: str, engine: Engine) -> str:
    """One line, as in ``classifier on npu 74 nodes · cpu 2 nodes (Shape, Gather), ONNX Runtime 1.31.1``."""
    return f"{one_line(name)} on {placement(engine)}"


def placement(engine: Engine) -> str:
    """Which device runs how many nodes, and by which engine."""
    _, _, number = engine.device.partition(":")
    return f"{engine.assignment}{f' (device {number})' if number else ''}, {engine.name}"


def engine_facts(engine: Engine) -> dict[str, Any]:
    """The same for ``--json``."""
    return {"device": engine.device, "engine": engine.name, "nodes": engine.assignment.to_dict()["nodes"]}
