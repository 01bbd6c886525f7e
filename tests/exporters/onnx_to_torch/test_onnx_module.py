"""ONNX graphs as PyTorch networks, beside ONNX Runtime."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir
import onnxruntime
import pytest
import torch
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info
from onnx.numpy_helper import from_array

from edgevision.core.errors import InputError
from edgevision.exporters.onnx_to_torch.exported_network import exported_network
from edgevision.exporters.onnx_to_torch.onnx_module import OnnxModule, unknown_operators
from edgevision.exporters.passes.ir import to_ir

Array = np.ndarray[Any, Any]
X = (2, 4, 7, 6)


def draw(*shape: int) -> Array:
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def numbers(*values: float) -> Array:
    return np.array(values, np.int64 if all(isinstance(value, int) for value in values) else np.float32)


def graph(nodes: Sequence[onnx.NodeProto], constants: Mapping[str, Array], x: Sequence[int] = X) -> onnx.ModelProto:
    return make_model(
        make_graph(
            nodes,
            "graph",
            [make_tensor_value_info("x", TensorProto.FLOAT, x)],
            [make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [from_array(np.array(values), name) for name, values in constants.items()],
        ),
        opset_imports=[make_opsetid("", 20)],
        ir_version=9,
    )


SHAPES = {"Gemm": (2, 24), "SpaceToDepth": (2, 3, 8, 6)}

# The operator, its constants, its options.
CASES: list[tuple[str, dict[str, Array], dict[str, Any]]] = [
    ("Conv", {"w": draw(6, 4, 3, 3), "b": draw(6)}, {"pads": [1, 0, 2, 1], "strides": [2, 1]}),
    ("Conv", {"w": draw(4, 1, 3, 3)}, {"group": 4, "strides": [2, 1], "auto_pad": "SAME_LOWER"}),
    ("ConvTranspose", {"w": draw(4, 3, 3, 3), "b": draw(3)}, {"strides": [2, 2], "pads": [1, 0, 0, 1]}),
    ("ConvTranspose", {"w": draw(4, 3, 2, 2)}, {"strides": [2, 2], "output_padding": [1, 0]}),
    ("ConvTranspose", {"w": draw(4, 3, 3, 3)}, {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ("ConvTranspose", {"w": draw(4, 3, 3, 3)}, {"strides": [2, 2], "output_shape": [14, 12]}),
    ("Conv", {"w": draw(8, 1, 3, 3)}, {"group": 4, "dilations": [2, 2]}),
    ("Gemm", {"w": draw(5, 24), "b": draw(5)}, {"alpha": 0.5, "beta": 2.0, "transB": 1}),
    ("Gemm", {"w": draw(24, 5), "b": draw(5)}, {}),
    ("MaxPool", {}, {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1]}),
    ("MaxPool", {}, {"kernel_shape": [2, 3], "strides": [2, 2], "ceil_mode": 1}),
    ("MaxPool", {}, {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "dilations": [1, 2]}),
    ("AveragePool", {}, {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ("AveragePool", {}, {"kernel_shape": [3, 3], "strides": [2, 1], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    ("AveragePool", {}, {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    ("AveragePool", {}, {"kernel_shape": [3, 2], "pads": [1, 0, 0, 1]}),
    ("AveragePool", {}, {"kernel_shape": [3, 2], "pads": [1, 0, 0, 1], "count_include_pad": 1}),
    ("GlobalAveragePool", {}, {}),
    ("PRelu", {"slope": draw(4, 1, 1)}, {}),
    ("PRelu", {"slope": np.float32(0.2)}, {}),
    ("LeakyRelu", {}, {"alpha": 0.3}),
    ("HardSigmoid", {}, {"alpha": 0.3, "beta": 0.4}),
    ("HardSwish", {}, {}),
    ("Elu", {}, {"alpha": 0.7}),
    ("Gelu", {}, {"approximate": "tanh"}),
    ("Erf", {}, {}),
    ("Clip", {"low": np.float32(-0.5), "high": np.float32(0.4)}, {}),
    ("Clip", {"low": np.float32(0), "high": np.float32(6)}, {}),
    ("Max", {"other": np.float32(0.1)}, {}),
    ("Softmax", {}, {"axis": 1}),
    ("Pow", {"exponent": np.float32(2)}, {}),
    ("Div", {"other": 2 + np.abs(draw(4, 1, 1))}, {}),
    ("BatchNormalization", {k: 1 + np.abs(draw(4)) for k in "abcd"}, {"epsilon": 0.1}),
    ("InstanceNormalization", {"scale": draw(4), "bias": draw(4)}, {"epsilon": 0.01}),
    ("LayerNormalization", {"scale": draw(7, 6), "bias": draw(7, 6)}, {"axis": 2}),
    ("ReduceMean", {"axes": numbers(2, 3)}, {"keepdims": 0}),
    ("ReduceMax", {"axes": numbers(-1)}, {}),
    ("Reshape", {"shape": numbers(0, -1, 3)}, {}),
    ("Flatten", {}, {"axis": 2}),
    ("Transpose", {}, {"perm": [0, 2, 3, 1]}),
    ("Unsqueeze", {"axes": numbers(-1, 0)}, {}),
    ("Slice", {"s": numbers(0, 5), "e": numbers(99, -8), "axes": numbers(1, 3), "steps": numbers(2, -2)}, {}),
    ("Slice", {"s": numbers(1, 0), "e": numbers(-1, 2**62), "axes": numbers(2, -1), "steps": numbers(1, 2)}, {}),
    ("Gather", {"indices": np.array([[0, -1], [2, 2]])}, {"axis": 1}),
    ("Expand", {"shape": numbers(3, 1, 1, 1, 1)}, {}),
    ("Tile", {"repeats": numbers(1, 2, 1, 3)}, {}),
    ("Pad", {"pads": numbers(0, 0, 1, 2, 0, 0, 0, 1), "value": np.float32(3)}, {}),
    ("Pad", {"pads": numbers(0, 0, 1, 2, 0, 0, 0, 1)}, {"mode": "reflect"}),
    ("Pad", {"pads": numbers(0, 0, -1, 0, 0, 0, 0, -2)}, {}),
    ("SpaceToDepth", {}, {"blocksize": 2}),
    ("DepthToSpace", {}, {"blocksize": 2}),
    ("DepthToSpace", {}, {"blocksize": 2, "mode": "CRD"}),
    ("Resize", {"roi": np.float32([]), "scales": np.float32([1, 1, 2, 1.5])}, {"mode": "linear"}),
    ("Resize", {"roi": np.float32([]), "scales": np.float32([1, 1, 1.5, 2])}, {"mode": "linear"}),
    ("Resize", {"roi": np.float32([]), "scales": np.float32([1, 1, 3, 2])}, {"mode": "cubic"}),
    (
        "Resize",
        {"roi": np.float32([]), "scales": np.float32([1, 1, 2, 4])},
        {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    ),
    ("Resize", {"roi": np.float32([]), "scales": np.float32([1, 1, 0.6, 3])}, {"mode": "cubic", "cubic_coeff_a": -0.5}),
    (
        "Resize",
        {"roi": np.float32([]), "scales": np.float32([]), "sizes": numbers(2, 4, 14, 9)},
        {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    ),
    (
        "Resize",
        {"roi": np.float32([]), "scales": np.float32([]), "sizes": numbers(2, 4, 5, 11)},
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    ),
]


@pytest.mark.parametrize(("operator", "constants", "options"), CASES, ids=lambda value: str(value)[:20])
def test_an_operator_computes_what_onnx_runtime_does_also_exported_and_has_derivatives(
    operator: str, constants: dict[str, Array], options: dict[str, Any]
) -> None:
    shape = SHAPES.get(operator, X)
    model = graph([make_node(operator, ["x", *constants], ["y"], **options)], constants, shape)
    (expected,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": draw(*shape)})
    x = torch.from_numpy(draw(*shape)).requires_grad_()
    (found,) = OnnxModule(to_ir(model))(x)
    (exported,) = exported_network(model).module()(x.detach())
    for answer in (found.detach(), exported):
        assert answer.shape == expected.shape
        assert np.abs(answer.numpy() - expected).max() <= 1e-5 * np.abs(expected).max()
    torch.autograd.backward(found.square().sum())
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert x.grad.any()


def test_shapes_are_computed_and_values_may_be_given() -> None:
    nodes = [
        make_node("Shape", ["x"], ["shape"], start=2),
        make_node("Cast", ["shape"], ["sides"], to=TensorProto.FLOAT),
        make_node("ReduceSum", ["sides"], ["sum"], keepdims=0),
        make_node("Split", ["x"], ["first", "second"], axis=1, num_outputs=2),
        make_node("Mul", ["first", "w"], ["scaled"]),
        make_node("Concat", ["second", "scaled"], ["joined"], axis=1),
        make_node("Mul", ["joined", "sum"], ["y"]),
    ]
    module = OnnxModule(to_ir(graph(nodes, {"w": np.float32(2)})))
    x = torch.from_numpy(draw(*X))
    (found,) = module(x)
    assert torch.equal(found, torch.cat([x[:, 2:], 2 * x[:, :2]], 1) * 13)
    weight = torch.tensor(5.0, requires_grad=True)
    (found,) = module(x, given={"w": weight, "sum": torch.tensor(1.0)})
    assert torch.equal(found, torch.cat([x[:, 2:], 5 * x[:, :2]], 1))
    torch.autograd.backward(found.sum())
    assert weight.grad == pytest.approx(float(x[:, :2].sum()), rel=1e-4)


def test_what_is_not_known_is_named() -> None:
    nodes = [
        make_node("Det", ["x"], ["d"]),
        make_node("Resize", ["x", "", "scales"], ["r"], antialias=1, mode="linear"),
        make_node("Sum", ["r", "d"], ["y"]),
    ]
    model = onnx_ir.from_proto(graph(nodes, {"scales": np.float32([1, 1, 0.5, 0.5])}))
    assert unknown_operators(model) == ["Det", "Sum", "Resize with antialias"]
    with pytest.raises(InputError, match="nothing is known of Det, Sum, Resize with antialias"):
        OnnxModule(model)
