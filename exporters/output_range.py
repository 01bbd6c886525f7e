"""The range that a graph keeps its output in."""

import onnx
from onnx import numpy_helper


def clipped_range(model: onnx.ModelProto) -> tuple[float, float] | None:
    """What the operator that gives the first output clips it to; ``None`` where it does not.

    Reshaping after that changes nothing.
    """
    makers = {output: node for node in model.graph.node for output in node.output}
    last = makers.get(model.graph.output[0].name)
    while last is not None and last.op_type in ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"):
        last = makers.get(last.input[0])
    if last is None:
        return None
    if last.op_type == "Clip":
        constants = {value.name: numpy_helper.to_array(value) for value in model.graph.initializer}
        bounds = [constants.get(bound) for bound in last.input[1:3]]
        if len(bounds) == 2 and bounds[0] is not None and bounds[1] is not None:
            return float(bounds[0]), float(bounds[1])
    return {"Sigmoid": (0.0, 1.0), "Tanh": (-1.0, 1.0)}.get(last.op_type)
