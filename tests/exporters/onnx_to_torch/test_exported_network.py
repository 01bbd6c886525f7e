"""ONNX models become PyTorch networks that compute the same; what is not known is refused by its name."""

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx.helper import make_node
from small_models import model_of, random, run

from edgevision.core.errors import InputError
from edgevision.exporters.onnx_to_torch.exported_network import exported_network
from edgevision.metrics.figures import sqnr_db

Constants = dict[str, Any]

INTS = np.int64

CASES: dict[str, tuple[list[onnx.NodeProto], Constants, tuple[int, ...]]] = {
    "halves": (
        [make_node("Split", ["x"], ["a", "b"], axis=1, num_outputs=2), make_node("Mul", ["a", "b"], ["y"])],
        {},
        (1, 4, 3, 3),
    ),
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
def test_a_network_computes_what_onnx_runtime_does(name: str) -> None:
    nodes, constants, shape = CASES[name]
    model = model_of(nodes, constants, shape)
    x = random(*shape, seed=1)
    (expected,) = run(model, x)
    (found,) = exported_network(model).module()(torch.from_numpy(x))
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
        (make_node("Resize", ["x", "", "s"], ["y"], antialias=1), "nothing is known of Resize with antialias"),
        (make_node("Reshape", ["x", "sizes"], ["y"]), "invalid for input of size 48"),
    ],
)
def test_what_is_not_known_is_named(node: onnx.NodeProto, words: str) -> None:
    constants = {"s": np.float32([1, 1, 2, 2]), "sizes": INTS([5, -1])}
    model = model_of([node], {name: values for name, values in constants.items() if name in node.input}, (1, 3, 4, 4))
    with pytest.raises(InputError, match=f"this model cannot become a PyTorch network: .*{words}"):
        exported_network(model)
