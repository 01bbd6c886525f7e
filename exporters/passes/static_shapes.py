"""Axes made static: with every size known, what computes shapes folds away, and NPUs take the graph."""

from collections.abc import Collection

import onnx
import torch

from edgevision.exporters.passes.cleanup import folded

_PICTURE_RANK, _WINDOW_RANK = 4, 5
"""Of pictures (batch, channels, height, width), and of a window of frames (batch, time, channels, height, width)."""


def dynamic_axes(rank: int) -> dict[str, int]:
    """The axes of an input of that rank that may be dynamic, by name: a picture's sides, or the length of a window."""
    others = {_PICTURE_RANK: {"height": 2, "width": 3}, _WINDOW_RANK: {"time": 1}}
    return {"batch": 0} | others.get(rank, {})


def with_static_shapes(
    model: onnx.ModelProto, examples: tuple[torch.Tensor, ...], axes: Collection[str] | None = None
) -> onnx.ModelProto:
    """With the shape of every input that of ``examples``, and what follows from it computed.

    ``axes`` restricts that to some of batch, height and width, or time.
    """
    static = onnx.ModelProto()
    static.CopyFrom(model)
    for value, example in zip(static.graph.input, examples, strict=True):
        known = dynamic_axes(example.ndim)
        kept = set() if axes is None else {known[name] for name in known if name not in axes}
        for axis, size in enumerate(example.shape):
            if axis not in kept:
                value.type.tensor_type.shape.dim[axis].dim_value = size
    # What was inferred for dynamic axes would stand in the way.
    del static.graph.value_info[:]
    for value in static.graph.output:
        value.type.tensor_type.ClearField("shape")
    # Folding turns what computes a shape into the shape.
    return onnx.shape_inference.infer_shapes(folded(static), data_prop=True)
