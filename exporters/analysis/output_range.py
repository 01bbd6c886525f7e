"""The range that a graph keeps its output in."""

import onnx
from onnx import numpy_helper

_RESHAPING = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Cast", "Dropout")


def clipped_range(model: onnx.ModelProto) -> tuple[float, float] | None:
    """What the operator that gives the first output clips it to; ``None`` where it does not."""
    last = last_operator(model)
    if last is None:
        return None
    if last.op_type == "Clip":
        constants = {value.name: numpy_helper.to_array(value) for value in model.graph.initializer}
        bounds = [constants.get(bound) for bound in last.input[1:3]]
        if len(bounds) == 2 and bounds[0] is not None and bounds[1] is not None:
            return float(bounds[0]), float(bounds[1])
    return {"Sigmoid": (0.0, 1.0), "Tanh": (-1.0, 1.0)}.get(last.op_type)


def last_operator(model: onnx.ModelProto) -> onnx.NodeProto | None:
    """The operator that gives the first output; what only reshapes or casts after it does not count."""
    makers = {output: node for node in model.graph.node for output in node.output}
    last = makers.get(model.graph.output[0].name)
    while last is not None and last.op_type in _RESHAPING:
        last = makers.get(last.input[0])
    return last
