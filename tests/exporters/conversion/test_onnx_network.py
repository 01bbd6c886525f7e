"""ONNX models become PyTorch networks that compute the same; what is not known is refused by its name."""

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx.helper import make_node
from small_models import model_of, random, run

from edgevision.core.errors import InputError
from edgevision.exporters.conversion.onnx_network import OnnxNetwork, exported_network
from edgevision.metrics.figures import sqnr_db

Constants = dict[str, Any]

INTS = np.int64

CASES: dict[str, tuple[list[onnx.NodeProto], Constants, tuple[int, ...]]] = {
    "conv with uneven padding": (
        [make_node("Conv", ["x", "w", "b"], ["y"], pads=[0, 1, 2, 0], strides=[2, 1], kernel_shape=[3, 3])],
        {"w": random(5, 3, 3, 3), "b": random(5)},
        (2, 3, 8, 9),
    ),
    "depthwise": (
        [make_node("Conv", ["x", "w"], ["y"], group=4, dilations=[2, 2], kernel_shape=[3, 3])],
        {"w": random(8, 1, 3, 3)},
        (1, 4, 9, 9),
    ),
    "transposed": (
        [make_node("ConvTranspose", ["x", "w", "b"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])],
        {"w": random(3, 4, 3, 3), "b": random(4)},
        (1, 3, 5, 6),
    ),
    "gemm": (
        [make_node("Gemm", ["x", "w", "b"], ["y"], alpha=0.5, beta=2.0, transB=1)],
        {"w": random(4, 6), "b": random(4)},
        (3, 6),
    ),
    "mean pool": (
        [make_node("AveragePool", ["x"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])],
        {},
        (1, 2, 7, 8),
    ),
    "max pool": (
        [make_node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], pads=[0, 1, 1, 0], strides=[2, 2])],
        {},
        (1, 2, 7, 8),
    ),
    "depth to space by place": ([make_node("DepthToSpace", ["x"], ["y"], blocksize=2)], {}, (1, 12, 3, 4)),
    "depth to space by channel": (
        [make_node("DepthToSpace", ["x"], ["y"], blocksize=2, mode="CRD")],
        {},
        (1, 12, 3, 4),
    ),
    "space to depth": ([make_node("SpaceToDepth", ["x"], ["y"], blocksize=2)], {}, (1, 3, 4, 6)),
    "every second row, in reach": (
        [make_node("Slice", ["x", "from", "to", "axes", "steps"], ["y"])],
        {"from": INTS([1, 0]), "to": INTS([-1, 2**62]), "axes": INTS([2, 3]), "steps": INTS([1, 2])},
        (1, 2, 7, 8),
    ),
    "zeros around": ([make_node("Pad", ["x", "pads"], ["y"])], {"pads": INTS([0, 1, 0, 2, 0, 3, 1, 0])}, (1, 2, 4, 5)),
    "reflected": (
        [make_node("Pad", ["x", "pads"], ["y"], mode="reflect")],
        {"pads": INTS([0, 0, 1, 2, 0, 0, 2, 1])},
        (1, 2, 5, 5),
    ),
    "doubled": (
        [make_node("Resize", ["x", "", "s"], ["y"], coordinate_transformation_mode="asymmetric", nearest_mode="floor")],
        {"s": np.float32([1, 1, 2, 2])},
        (1, 2, 4, 5),
    ),
    "bilinear": (
        [make_node("Resize", ["x", "", "", "s"], ["y"], mode="linear")],
        {"s": INTS([1, 2, 7, 9])},
        (1, 2, 4, 5),
    ),
    "prelu": ([make_node("PRelu", ["x", "a"], ["y"])], {"a": random(3, 1, 1)}, (1, 3, 4, 4)),
    "clip": (
        [make_node("Clip", ["x", "low", "high"], ["y"])],
        {"low": np.float32(-0.5), "high": np.float32(0.25)},
        (1, 3, 4, 4),
    ),
    "norms": (
        [
            make_node("InstanceNormalization", ["x", "w", "b"], ["a"], epsilon=1e-3),
            make_node("LayerNormalization", ["a", "v"], ["y"], axis=-1),
        ],
        {"w": random(3), "b": random(3), "v": random(5)},
        (1, 3, 4, 5),
    ),
    "halves": (
        [make_node("Split", ["x"], ["a", "b"], axis=1, num_outputs=2), make_node("Mul", ["a", "b"], ["y"])],
        {},
        (1, 4, 3, 3),
    ),
    "picked": ([make_node("Gather", ["x", "places"], ["y"], axis=1)], {"places": INTS([[2, -1]])}, (1, 4, 3, 3)),
    "shuffled": (
        [
            make_node("Reshape", ["x", "sizes"], ["a"]),
            make_node("Transpose", ["a"], ["b"], perm=[0, 2, 1, 3]),
            make_node("Unsqueeze", ["b", "axes"], ["c"]),
            make_node("Squeeze", ["c", "axes"], ["d"]),
            make_node("Flatten", ["d"], ["e"]),
            make_node("Softmax", ["e"], ["y"], axis=1),
        ],
        {"sizes": INTS([0, 2, -1, 12]), "axes": INTS([1])},
        (1, 4, 3, 4),
    ),
    "arithmetic": (
        [
            make_node("HardSwish", ["x"], ["a"]),
            make_node("HardSigmoid", ["a"], ["b"], alpha=0.3),
            make_node("Pow", ["b", "two"], ["c"]),
            make_node("Sub", ["c", "two"], ["d"]),
            make_node("LeakyRelu", ["d"], ["e"], alpha=0.1),
            make_node("ReduceMean", ["e", "axes"], ["f"], keepdims=0),
            make_node("Div", ["f", "two"], ["y"]),
        ],
        {"two": np.float32(2), "axes": INTS([2, 3])},
        (1, 4, 3, 4),
    ),
    "int8": (
        [
            make_node("QuantizeLinear", ["x", "s", "z"], ["a"]),
            make_node("DequantizeLinear", ["a", "s", "z"], ["b"]),
            make_node("DequantizeLinear", ["w", "ws", "wz"], ["c"], axis=0),
            make_node("DequantizeLinear", ["bias", "bs", "bz"], ["d"], axis=0),
            make_node("Conv", ["b", "c", "d"], ["y"], kernel_shape=[1, 1]),
        ],
        {
            "s": np.float32(0.02),
            "z": np.int8(-3),
            "w": np.arange(-6, 6, dtype=np.int8).reshape(4, 3, 1, 1),
            "ws": np.float32([0.1, 0.2, 0.3, 0.4]),
            "wz": np.zeros(4, np.int8),
            "bias": np.int32([100, -200, 300, 4]),
            "bs": np.float32([0.002, 0.004, 0.006, 0.008]),
            "bz": np.zeros(4, np.int32),
        },
        (1, 3, 4, 4),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_operators_compute_what_onnx_runtime_does(name: str) -> None:
    nodes, constants, shape = CASES[name]
    model = model_of(nodes, constants, shape)
    x = random(*shape, seed=1)
    (expected,) = run(model, x)
    (found,) = OnnxNetwork(model)(torch.from_numpy(x))
    assert found.shape == expected.shape
    assert sqnr_db(expected, found.numpy()) > 100


def test_a_network_becomes_a_program_with_all_outputs_in_order() -> None:
    model = model_of(
        [make_node("Relu", ["x"], ["y"]), make_node("Neg", ["x"], ["z"])], shape=(1, 4), outputs=("z", "y")
    )
    x = torch.tensor([[-1.0, 2.0, -3.0, 4.0]])
    z, y = exported_network(model).module()(x)
    assert (z.tolist(), y.tolist()) == ([[1, -2, 3, -4]], [[0, 2, 0, 4]])


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (make_node("NonZero", ["x"], ["y"]), "nothing is known of NonZero"),
        (make_node("Resize", ["x", "", "s"], ["y"], mode="nearest"), "Resize in the mode nearest, half_pixel"),
        (make_node("Conv", ["x", "w"], ["y"], auto_pad="SAME_UPPER"), "Conv with auto_pad SAME_UPPER"),
    ],
)
def test_what_is_not_known_is_named(node: onnx.NodeProto, words: str) -> None:
    constants = {"s": np.float32([1, 1, 2, 2]), "w": random(1, 3, 3, 3)}
    model = model_of([node], {name: values for name, values in constants.items() if name in node.input}, (1, 3, 4, 4))
    with pytest.raises(InputError, match=words):
        OnnxNetwork(model)(torch.zeros(1, 3, 4, 4))
