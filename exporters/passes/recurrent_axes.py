"""The axes of time and direction that recurrent operators want, put on without moving numbers.

torch's exporter puts time on behind the batch and then moves it before it, and cuts the states of each layer out of
all, of one layer too. In a network that is called on one frame after the other every operator counts.
"""

from typing import Any

import onnx_ir
from onnxscript.rewriter.pattern import RewriteRule

from edgevision.exporters.passes.ir import constant


def _takes_all(_: object, data: onnx_ir.Value, starts: onnx_ir.Value, ends: onnx_ir.Value, axes: onnx_ir.Value) -> bool:
    """Whether what is cut out is all there is, from the first on."""
    cut = [constant(value) for value in (starts, ends, axes)]
    if data.shape is None or any(array is None for array in cut):
        return False
    sides = [data.shape[int(axis)] for axis in cut[2].flat]  # type: ignore[union-attr]
    return all(
        start == 0 and isinstance(side, int) and end >= side
        for start, end, side in zip(cut[0].flat, cut[1].flat, sides, strict=True)  # type: ignore[union-attr]
    )


def _moves_new_axis(_: object, axis: onnx_ir.Value, moved: onnx_ir.Value, **__: Any) -> bool:
    """Whether all other axes stay in their order."""
    found, order = constant(axis), _order(moved)
    if found is None or found.size != 1 or order is None:
        return False
    others = [place for place in order if place != int(found.item()) % len(order)]
    return others == sorted(others)


def _order(moved: onnx_ir.Value) -> list[int] | None:
    node = moved.producer()
    return list(node.attributes["perm"].as_ints()) if node is not None and "perm" in node.attributes else None


def _put_on_there(op: Any, x: onnx_ir.Value, axis: onnx_ir.Value, moved: onnx_ir.Value) -> Any:
    order, found = _order(moved), constant(axis)
    assert order is not None
    assert found is not None
    return op.Unsqueeze(x, op.Constant(value_ints=[order.index(int(found.item()) % len(order))]))


RECURRENT_AXES = (
    RewriteRule(
        lambda op, data, starts, ends, axes: op.Slice(data, starts, ends, axes),
        lambda op, data, **_: op.Identity(data),
        _takes_all,
    ),
    RewriteRule(
        lambda op, x, axis: op.Transpose(op.Unsqueeze(x, axis), _outputs=["moved"]), _put_on_there, _moves_new_axis
    ),
)
"""Slices that take everything go, and an axis that is put on and then moved is put on where it is to be."""
