"""A layer that stays float between int8 ones is float in ONNX Runtime too."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.helper import make_node

from edgevision.exporters.quantization.qdq import Plan, Quantizer

Array = np.ndarray[Any, Any]

CONV = make_node("Conv", ["b", "v", "vb"], ["middle"], pads=[1] * 4)
TRANSPOSED = make_node("ConvTranspose", ["b", "t"], ["middle"], strides=[2, 2])
BEHIND = {
    "nothing": [],
    "a Relu": [make_node("Relu", ["middle"], ["c"])],
    "a Clip": [make_node("Clip", ["middle", "zero", "six"], ["c"])],
    "a pool": [make_node("Relu", ["middle"], ["d"]), make_node("MaxPool", ["d"], ["c"], kernel_shape=[2, 2])],
}


@pytest.mark.parametrize("layer", [CONV, TRANSPOSED], ids=["Conv", "ConvTranspose"])
@pytest.mark.parametrize("behind", BEHIND)
def test_a_float_layer_between_int8_ones_keeps_its_weights(
    build: Callable[..., onnx.ModelProto],
    calibrate: Callable[..., Quantizer],
    random: Callable[..., Array],
    run: Callable[..., Array],
    sqnr: Callable[[object, object], float],
    layer: onnx.NodeProto,
    behind: str,
) -> None:
    nodes = [
        make_node("Conv", ["x", "w"], ["a"], pads=[1] * 4),
        make_node("Relu", ["a"], ["b"]),
        onnx.NodeProto.FromString(layer.SerializeToString()),
        *BEHIND[behind],
    ]
    nodes.append(make_node("Conv", ["c" if BEHIND[behind] else "middle", "u"], ["y"], "last"))
    # One scale for all of these channels would leave nothing of most.
    sizes = np.geomspace(0.001, 1, 8, dtype=np.float32).reshape(8, 1, 1, 1)
    constants = {
        "w": random(8, 4, 3, 3) / 6,
        "v": random(8, 8, 3, 3) / 8 * sizes,
        "vb": random(8) * sizes.ravel(),
        "t": random(8, 8, 2, 2) / 4 * sizes.reshape(1, 8, 1, 1),
        "u": random(4, 8, 1, 1) / sizes.reshape(1, 8, 1, 1),
        "zero": np.float32(0),
        "six": np.float32(6),
    }
    used = {name for node in nodes for name in node.input}
    model = build(nodes, {name: value for name, value in constants.items() if name in used}, x=("batch", 4, 8, 8))
    x = random(8, 4, 8, 8)
    quantizer = calibrate(model, x)
    mixed = quantizer(Plan(frozenset({"a", "last"})))
    onnx.checker.check_model(mixed, full_check=True)
    assert sqnr(run(mixed, x, literally=True), run(mixed, x)) > 40
