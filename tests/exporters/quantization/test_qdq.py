"""Quantised graphs, run by ONNX Runtime beside the float model they were made from."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.helper import make_graph, make_node, make_tensor_value_info
from small_models import GraphView

from edgevision.exporters.quantization.qdq import Plan, QuantizedWeights, Quantizer
from edgevision.modelfiles.model_file import ModelFormat

Array = np.ndarray[Any, Any]
Build = Callable[..., onnx.ModelProto]
Calibrate = Callable[..., Quantizer]
Random = Callable[..., Array]
Run = Callable[..., Array]
Sqnr = Callable[[object, object], float]


@dataclass(frozen=True)
class Network:
    """Nodes from ``x`` (batch, 4, 10, 10) to ``y``, shapes of their constants, and what ONNX Runtime makes of them."""

    nodes: tuple[onnx.NodeProto, ...]
    shapes: dict[str, tuple[int, ...]]
    fused: dict[str, int]


def conv(x: str, w: str, y: str, *bias: str, **options: Any) -> onnx.NodeProto:
    return make_node("Conv", [x, w, *bias], [y], **({"pads": [1] * 4} | options))


NETWORKS = {
    "convolutions": Network(
        (
            conv("x", "w", "a", "wb"),
            make_node("Relu", ["a"], ["b"]),
            conv("b", "v", "c"),
            make_node("Relu", ["c"], ["y"]),
        ),
        {"w": (8, 4, 3, 3), "wb": (8,), "v": (6, 8, 3, 3)},
        {"QLinearConv": 2},
    ),
    "strides, dilations and a clip": Network(
        (
            conv("x", "w", "a", "wb", strides=[2, 1]),
            make_node("Clip", ["a", "zero", "six"], ["b"]),
            conv("b", "v", "y", dilations=[2, 2]),
        ),
        {"w": (8, 4, 3, 3), "wb": (8,), "v": (6, 8, 3, 3)},
        {"QLinearConv": 2},
    ),
    "residual": Network(
        (
            conv("x", "w", "a", "wb"),
            make_node("Relu", ["a"], ["b"]),
            conv("b", "v", "c"),
            make_node("Add", ["c", "b"], ["d"]),
            make_node("Relu", ["d"], ["y"]),
        ),
        {"w": (8, 4, 3, 3), "wb": (8,), "v": (8, 8, 3, 3)},
        {"QLinearConv": 2, "QLinearAdd": 1},
    ),
    "concat": Network(
        (
            conv("x", "w", "a", "wb"),
            conv("x", "v", "b"),
            make_node("Concat", ["a", "b"], ["c"], axis=1),
            conv("c", "u", "y"),
        ),
        {"w": (8, 4, 3, 3), "wb": (8,), "v": (6, 4, 3, 3), "u": (4, 14, 3, 3)},
        {"QLinearConv": 3, "QLinearConcat": 1},
    ),
    "depthwise": Network(
        (
            conv("x", "w", "a"),
            make_node("Relu", ["a"], ["b"]),
            conv("b", "v", "c", "vb", group=8),
            make_node("Relu", ["c"], ["d"]),
            conv("d", "u", "y", pads=[0] * 4),
        ),
        {"w": (8, 4, 1, 1), "v": (8, 1, 3, 3), "vb": (8,), "u": (6, 8, 1, 1)},
        {"QLinearConv": 3},
    ),
    "groups": Network((conv("x", "w", "y", "wb", group=2),), {"w": (6, 2, 3, 3), "wb": (6,)}, {"QLinearConv": 1}),
    "classifier": Network(
        (
            conv("x", "w", "a", "wb"),
            make_node("Relu", ["a"], ["b"]),
            make_node("GlobalAveragePool", ["b"], ["c"]),
            make_node("Flatten", ["c"], ["d"]),
            make_node("Gemm", ["d", "v", "vb"], ["y"], transB=1),
        ),
        {"w": (8, 4, 3, 3), "wb": (8,), "v": (5, 8), "vb": (5,)},
        {"QLinearConv": 1, "QLinearGlobalAveragePool": 1, "QGemm": 1},
    ),
    "dense": Network(
        (
            make_node("AveragePool", ["x"], ["p"], kernel_shape=[5, 5], strides=[5, 5]),
            make_node("Flatten", ["p"], ["a"]),
            make_node("Gemm", ["a", "w", "wb"], ["b"]),
            make_node("Relu", ["b"], ["c"]),
            make_node("MatMul", ["c", "v"], ["d"]),
            make_node("Add", ["d", "vb"], ["y"]),
        ),
        {"w": (16, 12), "wb": (12,), "v": (12, 5), "vb": (5,)},
        {"QLinearAveragePool": 1, "QGemm": 1, "QLinearMatMul": 1, "QLinearAdd": 1},
    ),
    "gates": Network(
        (
            conv("x", "w", "a", "wb"),
            make_node("Sigmoid", ["a"], ["b"]),
            make_node("Mul", ["a", "b"], ["c"]),
            make_node("LeakyRelu", ["c"], ["d"], alpha=0.1),
            make_node("AveragePool", ["d"], ["e"], kernel_shape=[2, 2], strides=[2, 2]),
            make_node("Mul", ["e", "k"], ["y"]),
        ),
        {"w": (8, 4, 3, 3), "wb": (8,), "k": (8, 1, 1)},
        {"QLinearConv": 1, "QLinearSigmoid": 1, "QLinearMul": 2, "QLinearLeakyRelu": 1, "QLinearAveragePool": 1},
    ),
}


@pytest.fixture
def made(build: Build, random: Random) -> Callable[[str], onnx.ModelProto]:
    """The float model of a network of the table."""

    def make(name: str) -> onnx.ModelProto:
        network = NETWORKS[name]
        constants = {
            key: random(*shape, seed=index) / np.sqrt(np.prod(shape[1:])).astype(np.float32)
            for index, (key, shape) in enumerate(network.shapes.items())
        }
        return build(network.nodes, constants | {"zero": np.float32(0), "six": np.float32(6)}, x=("batch", 4, 10, 10))

    return make


@pytest.fixture
def optimized(tmp_path: Path) -> Callable[[onnx.ModelProto], dict[str, int]]:
    """How often each operator stands in what ONNX Runtime really runs."""

    def count(model: onnx.ModelProto) -> dict[str, int]:
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
        # It warns that the result is made for this machine.
        options.log_severity_level = 3
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return operators(onnx.load(options.optimized_model_filepath))

    return count


def operators(model: onnx.ModelProto) -> dict[str, int]:
    return dict(Counter(node.op_type for node in model.graph.node))


def everything(quantizer: Quantizer) -> Plan:
    return Plan(frozenset(quantizer.units))


def scale_of(model: onnx.ModelProto, tensor: str) -> tuple[float, int]:
    """With which scale and zero point ``tensor`` is quantised."""
    graph = GraphView(model)
    node = next(node for node in model.graph.node if node.op_type == "QuantizeLinear" and node.input[0] == tensor)
    return float(graph.constants[node.input[1]]), int(graph.constants[node.input[2]])


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("target", ["x86-avx2", "arm64", "qualcomm-htp"])
def test_all_in_int8_agrees_with_the_float_model(
    made: Any, calibrate: Calibrate, random: Random, run: Run, sqnr: Sqnr, name: str, target: str
) -> None:
    model, x = made(name), random(8, 4, 10, 10)
    quantizer = calibrate(model, x[:4], x[4:], target=target)
    quantized = quantizer(everything(quantizer))
    onnx.checker.check_model(quantized, full_check=True)
    # What is made for other devices may overflow in the kernels of this one.
    given = run(quantized, x, literally=target != "x86-avx2")
    assert 70 > sqnr(run(model, x), given) > 30


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_runtime_computes_all_of_it_in_int8(
    made: Any, calibrate: Calibrate, random: Random, optimized: Any, name: str
) -> None:
    model = made(name)
    quantizer = calibrate(model, random(4, 4, 10, 10))
    found = optimized(quantizer(everything(quantizer)))
    # The kernel of a Gemm gives float where nothing in int8 follows.
    ends = {"QuantizeLinear": 1} | ({} if model.graph.node[-1].op_type == "Gemm" else {"DequantizeLinear": 1})
    layout = {"Transpose", "Flatten", "Reshape"}
    assert {operator: count for operator, count in found.items() if operator not in layout} == (
        NETWORKS[name].fused | ends
    )


def test_a_transposed_convolution_is_int8_for_a_target_that_has_a_kernel(
    build: Build, calibrate: Calibrate, random: Random, run: Run, sqnr: Sqnr
) -> None:
    nodes = [
        make_node("ConvTranspose", ["x", "w", "wb"], ["a"], strides=[2, 2], pads=[1] * 4),
        make_node("Relu", ["a"], ["b"]),
        make_node("ConvTranspose", ["b", "v"], ["y"], strides=[2, 2]),
    ]
    constants = {"w": random(4, 6, 4, 4), "wb": random(6), "v": random(6, 3, 2, 2)}
    model = build(nodes, constants)
    quantizer = calibrate(model, random(2, 4, 5, 5), target="jetson-orin")
    quantized = quantizer(everything(quantizer))
    x = random(2, 4, 5, 5)
    assert sqnr(run(model, x), run(quantized, x)) > 30
    weights = [node for node in quantized.graph.node if node.op_type == "DequantizeLinear" and node.attribute]
    assert [node.attribute[0].i for node in weights] == [1, 1]
    assert operators(quantized)["QuantizeLinear"] == 3


def test_a_target_with_symmetric_values_gets_no_zero_point_and_a_float_bias(
    made: Any, calibrate: Calibrate, random: Random
) -> None:
    quantizer = calibrate(made("convolutions"), random(2, 4, 10, 10), target="jetson-orin")
    quantized = quantizer(everything(quantizer))
    for tensor in ("x", "b", "y_computed"):
        assert scale_of(quantized, tensor)[1] == 0
    graph = GraphView(quantized)
    assert {values.dtype.name for values in graph.constants.values()} == {"int8", "float32"}
    assert graph.constants[graph.nodes["a"].input[2]].dtype == np.float32


def test_a_bias_in_int32_has_the_scale_of_the_products(made: Any, calibrate: Calibrate, random: Random) -> None:
    quantizer = calibrate(made("convolutions"), random(2, 4, 10, 10))
    quantized = quantizer(everything(quantizer))
    graph = GraphView(quantized)
    weight, bias = (graph.makers[graph.nodes["a"].input[position]] for position in (1, 2))
    assert graph.constants[bias.input[0]].dtype == np.int32
    np.testing.assert_allclose(
        graph.constants[bias.input[1]], graph.constants[weight.input[1]] * scale_of(quantized, "x")[0], rtol=1e-6
    )


@pytest.mark.parametrize("target", ["x86-avx2", "qualcomm-htp"])
@pytest.mark.parametrize("bias", [2.0, -300.0])
def test_a_bias_fits_its_32_bits_even_where_the_weights_are_next_to_nothing(
    build: Build, calibrate: Calibrate, random: Random, run: Run, sqnr: Sqnr, bias: float, target: str
) -> None:
    weight = random(36, 3)
    weight *= np.float32([0.01, 0, 1e-9])
    nodes = [make_node("Flatten", ["x"], ["f"]), make_node("Gemm", ["f", "w", "b"], ["y"])]
    model = build(nodes, {"w": weight, "b": np.float32([bias, bias, bias])}, x=("batch", 4, 3, 3))
    x = random(20, 4, 3, 3)
    quantizer = calibrate(model, x, target=target)
    assert sqnr(run(model, x)[:, 1:], run(quantizer(everything(quantizer)), x)[:, 1:]) > 35


@pytest.mark.parametrize("channels", [4, 3])
@pytest.mark.parametrize("layer", ["Conv", "depthwise", "Gemm", "MatMul"])
def test_products_of_the_brightest_inputs_and_equal_weights_do_not_overflow(
    build: Build, calibrate: Calibrate, random: Random, run: Run, sqnr: Sqnr, layer: str, channels: int
) -> None:
    if layer == "Conv":
        nodes, shape = [conv("x", "w", "y", pads=[0] * 4)], (8, channels, 3, 3)
    elif layer == "depthwise":
        nodes, shape = [conv("x", "w", "y", pads=[0] * 4, group=channels)], (channels, 1, 3, 3)
    else:
        nodes = [make_node("Flatten", ["x"], ["f"]), make_node(layer, ["f", "w"], ["y"])]
        shape = (9 * channels, 8)
    weight = 1 + 0.1 * random(*shape)
    model = build(nodes, {"w": weight}, x=("batch", channels, 3, 3))
    x = 1 + 0.01 * random(16, channels, 3, 3)
    quantizer = calibrate(model, x)
    assert sqnr(run(model, x), run(quantizer(everything(quantizer)), x)) > 45


def test_nodes_outside_the_plan_stay_as_they_are(
    made: Any, calibrate: Calibrate, random: Random, run: Run, sqnr: Sqnr
) -> None:
    model = made("residual")
    quantizer = calibrate(model, random(2, 4, 10, 10))
    quantized = quantizer(Plan(frozenset({"c"})))
    before, after = GraphView(model), GraphView(quantized)
    for name in ("a", "b", "y"):
        assert after.nodes[name] == before.nodes[name]
    # The sum reads the convolution from behind the pair, and the other tensor before it.
    assert list(after.nodes["d"].input) == ["c_dequantized", "b"]
    assert operators(quantized) == operators(model) | {"QuantizeLinear": 2, "DequantizeLinear": 4}
    np.testing.assert_array_equal(after.constants["w"], before.constants["w"])
    assert "v" not in after.constants
    x = random(2, 4, 10, 10)
    alone = sqnr(run(model, x), run(quantized, x))
    assert alone > sqnr(run(model, x), run(quantizer(everything(quantizer)), x))


def test_an_empty_plan_is_the_float_model(made: Any, calibrate: Calibrate, random: Random, run: Run) -> None:
    model = made("residual")
    quantizer = calibrate(model, random(2, 4, 10, 10))
    same = quantizer(Plan())
    assert list(same.graph.node) == list(model.graph.node)
    x = random(2, 4, 10, 10)
    np.testing.assert_array_equal(run(same, x), run(model, x))


@pytest.mark.parametrize("name", NETWORKS)
def test_inputs_and_outputs_keep_their_names_dtypes_and_dynamic_axes(
    made: Any, calibrate: Calibrate, random: Random, run: Run, name: str
) -> None:
    model = made(name)
    before = model.SerializeToString(deterministic=True)
    quantizer = calibrate(model, random(2, 4, 10, 10))
    quantized = quantizer(everything(quantizer))
    assert list(quantized.graph.input) == list(model.graph.input)
    assert list(quantized.graph.output) == list(model.graph.output)
    assert quantized.opset_import == model.opset_import
    assert model.SerializeToString(deterministic=True) == before
    for batch in (1, 3):
        assert run(quantized, random(batch, 4, 10, 10)).shape == run(model, random(batch, 4, 10, 10)).shape


def test_a_picture_of_any_size_goes_through(
    build: Build, calibrate: Calibrate, random: Random, run: Run, sqnr: Sqnr
) -> None:
    nodes = [conv("x", "w", "a"), make_node("Relu", ["a"], ["b"]), conv("b", "v", "y")]
    model = build(nodes, {"w": random(8, 4, 3, 3), "v": random(3, 8, 3, 3)})
    quantizer = calibrate(model, random(2, 4, 9, 9))
    quantized = quantizer(everything(quantizer))
    x = random(1, 4, 13, 6)
    assert sqnr(run(model, x), run(quantized, x)) > 30


def test_the_same_plan_gives_the_same_bytes_and_spoils_nothing_for_the_next(
    made: Any, calibrate: Calibrate, random: Random
) -> None:
    quantizer = calibrate(made("concat"), random(2, 4, 10, 10))
    first = quantizer(everything(quantizer)).SerializeToString(deterministic=True)
    quantizer(Plan(frozenset({"c"}), frozenset({"a"})))
    assert quantizer(everything(quantizer)).SerializeToString(deterministic=True) == first


def test_an_output_of_the_graph_inside_an_int8_chain_keeps_its_name(
    build: Build, calibrate: Calibrate, random: Random, run: Run, optimized: Any, sqnr: Sqnr
) -> None:
    nodes = [
        conv("x", "w", "a"),
        make_node("Relu", ["a"], ["b"]),
        conv("b", "v", "c"),
        make_node("Add", ["b", "c"], ["y"]),
    ]
    # The output in the middle is read by an int8 unit and by a float node.
    model = build(nodes, {"w": random(8, 4, 3, 3), "v": random(8, 8, 3, 3)}, b=None, y=None)
    quantizer = calibrate(model, random(2, 4, 10, 10))
    quantized = quantizer(Plan(frozenset({"a", "c"})))
    assert [value.name for value in quantized.graph.output] == ["b", "y"]
    assert GraphView(quantized).makers["b"].op_type == "DequantizeLinear"
    assert list(GraphView(quantized).nodes["y"].input) == ["b", "c_dequantized"]
    x = random(2, 4, 10, 10)
    assert sqnr(run(model, x), run(quantized, x)) > 35
    assert optimized(quantized)["QLinearConv"] == 2


FOLLOWING = {
    "MaxPool": (make_node("MaxPool", ["a"], ["b"], kernel_shape=[2, 2], strides=[2, 2]), (2, 8, 5, 5)),
    "Reshape": (make_node("Reshape", ["a", "shape"], ["b"]), (2, 4, 10, 20)),
    "Transpose": (make_node("Transpose", ["a"], ["b"], perm=[0, 1, 3, 2]), (2, 8, 10, 10)),
    "DepthToSpace": (make_node("DepthToSpace", ["a"], ["b"], blocksize=2), (2, 2, 20, 20)),
    "SpaceToDepth": (make_node("SpaceToDepth", ["a"], ["b"], blocksize=2), (2, 32, 5, 5)),
    "Slice": (make_node("Slice", ["a", "starts", "ends", "axes"], ["b"]), (2, 8, 9, 10)),
    "Identity": (make_node("Identity", ["a"], ["b"]), (2, 8, 10, 10)),
}


@pytest.mark.parametrize("operator", FOLLOWING)
def test_what_only_moves_or_chooses_values_between_int8_units_stays_at_their_scale(
    build: Build, calibrate: Calibrate, random: Random, run: Run, sqnr: Sqnr, operator: str
) -> None:
    node, shape = FOLLOWING[operator]
    constants = {"w": random(8, 4, 3, 3), "v": random(3, shape[1], 3, 3)}
    constants |= {
        "shape": np.array([0, 4, 10, 20]),
        "starts": np.array([1]),
        "ends": np.array([99]),
        "axes": np.array([2]),
    }
    model = build([conv("x", "w", "a"), node, conv("b", "v", "y")], constants, x=("batch", 4, 10, 10))
    quantizer = calibrate(model, random(2, 4, 10, 10))
    quantized = quantizer(Plan(frozenset({"a", "y"})))
    graph = GraphView(quantized)
    assert list(graph.nodes["b"].input[:1]) == ["a_dequantized"]
    assert list(graph.nodes["y"].input[:1]) == ["b_dequantized"]
    assert scale_of(quantized, "b") == scale_of(quantized, "a")
    x = random(2, 4, 10, 10)
    assert sqnr(run(model, x), run(quantized, x)) > 30


def test_followers_in_a_row_run_in_int8(
    build: Build, calibrate: Calibrate, random: Random, run: Run, optimized: Any, sqnr: Sqnr
) -> None:
    nodes = [
        conv("x", "w", "a"),
        make_node("MaxPool", ["a"], ["b"], kernel_shape=[2, 2], strides=[2, 2]),
        make_node("Flatten", ["b"], ["c"]),
        make_node("Gemm", ["c", "v"], ["y"]),
    ]
    model = build(nodes, {"w": random(8, 4, 3, 3), "v": random(200, 5)}, x=("batch", 4, 10, 10))
    quantizer = calibrate(model, random(2, 4, 10, 10))
    quantized = quantizer(everything(quantizer))
    found = optimized(quantized)
    assert found["QuantizeLinear"] == found["QGemm"] == 1
    assert "DequantizeLinear" not in found
    assert scale_of(quantized, "c") == scale_of(quantized, "b") == scale_of(quantized, "a")
    x = random(2, 4, 10, 10)
    assert sqnr(run(model, x), run(quantized, x)) > 30


def test_a_matmul_that_float_operators_read_gives_float(
    build: Build, calibrate: Calibrate, random: Random, run: Run, optimized: Any, sqnr: Sqnr
) -> None:
    nodes = [
        make_node("MatMul", ["x", "w"], ["a"]),
        make_node("Add", ["a", "b"], ["c"]),
        make_node("Softmax", ["c"], ["d"]),
        make_node("MatMul", ["d", "v"], ["e"]),
        make_node("MatMul", ["e", "u"], ["y"]),
    ]
    constants = {"w": random(32, 24), "b": random(24), "v": random(24, 32), "u": random(32, 8)}
    model = build(nodes, constants, x=("batch", 6, 32))
    given = random(4, 6, 32)
    for target, float_outputs in (("x86-vnni", True), ("arm64", True), ("qualcomm-htp", False)):
        quantizer = calibrate(model, given, target=target)
        weighted = [unit.name for unit in quantizer.computable if unit.channels is not None]
        quantized = quantizer(Plan(frozenset(weighted)))
        after = GraphView(quantized)
        assert list(after.nodes["c"].input) == ["a" if float_outputs else "a_dequantized", "b"]
        # Behind it is another in int8.
        assert list(after.nodes["y"].input[:1]) == ["e_dequantized"]
        if target == "x86-vnni":
            found = optimized(quantized)
            assert (found["MatMulIntegerToFloat"], found["QLinearMatMul"]) == (2, 1)
            assert sqnr(run(model, given), run(quantized, given)) > 30


def test_what_leads_to_float_nodes_is_no_follower(build: Build, calibrate: Calibrate, random: Random) -> None:
    nodes = [
        conv("x", "w", "a"),
        make_node("MaxPool", ["a"], ["b"], kernel_shape=[2, 2]),
        make_node("Exp", ["b"], ["c"]),
        conv("c", "v", "y"),
    ]
    quantizer = calibrate(build(nodes, {"w": random(8, 4, 3, 3), "v": random(3, 8, 3, 3)}), random(1, 4, 6, 6))
    after = GraphView(quantizer(everything(quantizer)))
    assert list(after.nodes["b"].input) == ["a_dequantized"]
    assert list(after.nodes["c"].input) == ["b"]
    assert list(after.nodes["y"].input[:1]) == ["c_dequantized"]


def test_a_shape_that_is_computed_stays_what_it_is(
    build: Build, calibrate: Calibrate, random: Random, run: Run, sqnr: Sqnr
) -> None:
    nodes = [
        conv("x", "w", "a"),
        make_node("Shape", ["x"], ["count"], end=1),
        make_node("Concat", ["count", "rest"], ["shape"], axis=0),
        make_node("Reshape", ["a", "shape"], ["b"]),
        make_node("Gemm", ["b", "v"], ["y"]),
    ]
    constants = {"w": random(8, 4, 3, 3), "v": random(800, 5), "rest": np.array([-1])}
    model = build(nodes, constants, x=("batch", 4, 10, 10))
    quantizer = calibrate(model, random(16, 4, 10, 10))
    quantized = quantizer(everything(quantizer))
    assert GraphView(quantized).nodes["b"].input[1] == "shape"
    for batch in (1, 3):
        x = random(batch, 4, 10, 10)
        assert sqnr(run(model, x), run(quantized, x)) > 30


def test_what_a_subgraph_takes_is_still_there(
    build: Build, calibrate: Calibrate, random: Random, run: Run, sqnr: Sqnr
) -> None:
    branches = [
        make_graph(
            [make_node("Mul", ["a", factor], [f"by_{factor}"])],
            factor,
            [],
            [make_tensor_value_info(f"by_{factor}", onnx.TensorProto.FLOAT, None)],
        )
        for factor in ("two", "three")
    ]
    nodes = [
        conv("x", "w", "a"),
        make_node("Relu", ["a"], ["b"]),
        make_node("If", ["yes"], ["i"], then_branch=branches[0], else_branch=branches[1]),
        make_node("Add", ["b", "i"], ["y"]),
    ]
    constants = {"w": random(8, 4, 3, 3), "yes": np.array(True), "two": np.float32(2), "three": np.float32(3)}
    model = build(nodes, constants)
    quantizer = calibrate(model, random(2, 4, 6, 6))
    x = random(2, 4, 6, 6)
    assert sqnr(run(model, x), run(quantizer(everything(quantizer)), x)) > 30


def test_names_that_the_model_has_already_are_not_taken(
    build: Build, calibrate: Calibrate, random: Random, run: Run, sqnr: Sqnr
) -> None:
    nodes = [
        make_node("Conv", ["x", "conv_weight", "conv_bias"], ["a"], "conv"),
        make_node("Mul", ["a", "a_scale"], ["y"]),
    ]
    constants = {"conv_weight": random(6, 4, 3, 3), "conv_bias": random(6), "a_scale": random(6, 1, 1)}
    model = build(nodes, constants)
    x = random(2, 4, 6, 6)
    quantizer = calibrate(model, x)
    for plan in (everything(quantizer), Plan(frozenset({"conv"})), Plan(weight_only=frozenset({"conv"}))):
        quantized = quantizer(plan)
        names = [tensor.name for tensor in quantized.graph.initializer]
        assert len(names) == len(set(names))
        assert sqnr(run(model, x), run(quantized, x)) > 30


def test_one_tensor_given_twice_and_one_constant_given_to_two_are_quantised_once(
    build: Build, calibrate: Calibrate, random: Random, run: Run, sqnr: Sqnr
) -> None:
    nodes = [
        make_node("Add", ["x", "x"], ["a"]),
        make_node("Mul", ["a", "k"], ["b"]),
        make_node("Add", ["b", "k"], ["y"]),
    ]
    model = build(nodes, {"k": random(4, 1, 1)})
    quantizer = calibrate(model, random(2, 4, 6, 6))
    quantized = quantizer(everything(quantizer))
    onnx.checker.check_model(quantized, full_check=True)
    assert operators(quantized)["QuantizeLinear"] == 4
    x = random(2, 4, 6, 6)
    assert sqnr(run(model, x), run(quantized, x)) > 35


def test_weights_that_two_layers_share_are_rounded_for_each_and_kept_for_the_float_one(
    build: Build, calibrate: Calibrate, random: Random, run: Run, sqnr: Sqnr
) -> None:
    model = build(
        [conv("x", "w", "a"), make_node("Relu", ["a"], ["b"]), conv("b", "w", "y")], {"w": random(4, 4, 3, 3)}
    )
    x = random(2, 4, 8, 8)
    quantizer = calibrate(model, x)
    for names, kept in (({"a", "y"}, False), ({"y"}, True)):
        quantized = quantizer(Plan(frozenset(names)))
        assert ("w" in GraphView(quantized).constants) == kept
        assert sqnr(run(model, x), run(quantized, x)) > 28


@pytest.mark.parametrize("name", ["convolutions", "depthwise", "classifier", "dense"])
def test_stored_weights_compute_like_float_with_rounded_weights(
    made: Any, calibrate: Calibrate, random: Random, run: Run, sqnr: Sqnr, name: str
) -> None:
    model = made(name)
    quantizer = calibrate(model, random(4, 4, 10, 10))
    stored = quantizer(Plan(weight_only=frozenset(quantizer.weight_only)))
    onnx.checker.check_model(stored, full_check=True)
    assert not {"QuantizeLinear", "DequantizeLinear"} & operators(stored).keys()
    rounded = onnx.ModelProto()
    rounded.CopyFrom(model)
    for node in rounded.graph.node:
        if node.name in quantizer.weight_only:
            replace_weights(rounded, node, quantizer.weight_only[node.name])
    x = random(2, 4, 10, 10)
    assert sqnr(run(rounded, x), run(stored, x)) > 110
    assert 90 > sqnr(run(model, x), run(stored, x)) > 35


def replace_weights(model: onnx.ModelProto, node: onnx.NodeProto, weights: QuantizedWeights) -> None:
    """Write into ``model`` what ``weights`` stand for, as float."""
    graph = GraphView(model)
    options = {attribute.name: attribute.i for attribute in node.attribute}
    axis = 1 if node.op_type == "MatMul" or (node.op_type == "Gemm" and not options.get("transB")) else 0
    scales = weights.scales.reshape([-1 if index == axis else 1 for index in range(weights.values.ndim)])
    values = {node.input[1]: weights.values * scales}
    if weights.bias is not None:
        name = f"{node.name}_new_bias"
        values[name] = weights.bias
        inputs = [*node.input[:2], name]
        del node.input[:]
        node.input.extend(inputs)
    kept = [tensor for tensor in model.graph.initializer if tensor.name not in values]
    assert node.input[1] in graph.constants
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in values.items())


def test_stored_weights_take_a_quarter_of_the_bytes_and_are_float_again_when_loaded(
    build: Build, calibrate: Calibrate, random: Random, optimized: Any
) -> None:
    nodes = [conv("x", "w", "a", "wb"), make_node("Relu", ["a"], ["b"]), conv("b", "v", "y")]
    constants = {"w": random(64, 4, 3, 3), "wb": random(64), "v": random(64, 64, 3, 3)}
    model = build(nodes, constants, x=("batch", 4, 8, 8))
    quantizer = calibrate(model, random(1, 4, 8, 8))
    stored = quantizer(Plan(weight_only=frozenset(quantizer.weight_only)))
    assert stored.ByteSize() < 0.3 * model.ByteSize()
    assert not {"Cast", "Mul"} & optimized(stored).keys()


def test_weights_are_computed_with_in_one_layer_and_stored_in_another(
    made: Any, calibrate: Calibrate, random: Random, run: Run, sqnr: Sqnr
) -> None:
    model = made("convolutions")
    quantizer = calibrate(model, random(4, 4, 10, 10))
    # What is computed with in int8 needs no storing.
    mixed = quantizer(Plan(frozenset({"a"}), frozenset({"a", "c"})))
    assert operators(mixed) == {"Conv": 2, "Relu": 2, "QuantizeLinear": 2, "DequantizeLinear": 4, "Cast": 1, "Mul": 1}
    assert not {"w", "wb", "v"} & GraphView(mixed).constants.keys()
    x = random(2, 4, 10, 10)
    assert sqnr(run(model, x), run(mixed, x)) > 35


def test_a_narrower_range_clips(made: Any, calibrate: Calibrate, random: Random, run: Run) -> None:
    quantizer = calibrate(made("convolutions"), random(4, 4, 10, 10))
    narrow = replace(quantizer, ranges={**quantizer.ranges, "y": (0.0, 0.1)})
    x = random(2, 4, 10, 10)
    assert run(quantizer(everything(quantizer)), x).max() > 0.2
    assert run(narrow(everything(quantizer)), x).max() == pytest.approx(0.1)


def test_a_unit_that_is_not_there_cannot_be_planned(made: Any, calibrate: Calibrate, random: Random) -> None:
    quantizer = calibrate(made("convolutions"), random(1, 4, 10, 10))
    with pytest.raises(KeyError, match="nothing"):
        quantizer(Plan(frozenset({"nothing"})))


# --- activations of 16 bits ---


def formats(model: onnx.ModelProto, unit: Any) -> set[str]:
    """The dtypes of the integers that a unit takes and gives, without its weights and bias."""
    graph = GraphView(model)
    node, last = graph.nodes[unit.name], graph.nodes[unit.nodes[-1]]
    found = set()
    for position, name in enumerate(node.input):
        maker = graph.makers.get(name)
        weighs = unit.channels is not None and position
        if maker is not None and maker.op_type == "DequantizeLinear" and not weighs:
            found.add(graph.constants[maker.input[2]].dtype.name)
    (reader,) = graph.readers[last.output[0]]
    assert reader.op_type == "QuantizeLinear"
    return found | {graph.constants[reader.input[2]].dtype.name}


@pytest.mark.parametrize("name", NETWORKS)
def test_16_bits_everywhere_leave_only_what_rounding_the_weights_costs(
    made: Any, calibrate: Calibrate, random: Random, run: Run, sqnr: Sqnr, name: str
) -> None:
    model, x = made(name), random(8, 4, 10, 10)
    quantizer = calibrate(model, x[:4], x[4:], target="qualcomm-htp")
    units = frozenset(quantizer.units)
    wide = quantizer(Plan(units, a16w8=units))
    onnx.checker.check_model(wide, full_check=True)
    assert [(entry.domain, entry.version) for entry in wide.opset_import] == [("", 18), ("com.microsoft", 1)]
    exact = run(model, x)
    literal = run(wide, x, literally=True)
    assert sqnr(exact, literal) > max(40, sqnr(exact, run(quantizer(everything(quantizer)), x, literally=True)) + 4)
    assert sqnr(literal, run(wide, x)) > 60


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", NETWORKS)
def test_any_mixture_of_8_and_16_bits_and_float_computes_the_same(
    made: Any, calibrate: Calibrate, random: Random, run: Run, sqnr: Sqnr, name: str, seed: int
) -> None:
    model, x = made(name), random(8, 4, 10, 10)
    quantizer = calibrate(model, x, target="qualcomm-htp")
    generator = np.random.default_rng(seed)
    drawn = {unit: int(generator.integers(3)) for unit in quantizer.units}
    plan = Plan(
        frozenset(unit for unit, kind in drawn.items() if kind),
        a16w8=frozenset(unit for unit, kind in drawn.items() if kind == 2),
    )
    mixed = quantizer(plan)
    onnx.checker.check_model(mixed, full_check=True)
    assert len({node.name for node in mixed.graph.node}) == len(mixed.graph.node)
    # NPUs leave to the CPU what nobody reads.
    read = {name for node in mixed.graph.node for name in node.input} | {"y"}
    assert all(read.intersection(node.output) for node in mixed.graph.node)
    for unit in plan.int8:
        assert formats(mixed, quantizer.units[unit]) == {"uint16" if unit in plan.a16w8 else "uint8"}
    exact, given = run(model, x), run(mixed, x, literally=True)
    assert sqnr(exact, given) > 30
    # ONNX Runtime's own rewritings of pairs in a row must not take one format for the other.
    assert sqnr(given, run(mixed, x, widely=True)) > 30


def test_between_both_formats_stands_one_conversion_that_nobody_else_reads(
    made: Any, calibrate: Calibrate, random: Random
) -> None:
    quantizer = calibrate(made("residual"), random(4, 4, 10, 10), target="qualcomm-htp")
    # The sum takes both what the second convolution gives, and what that one takes.
    graph = GraphView(quantizer(Plan(frozenset("acd"), a16w8=frozenset("d"))))
    for tensor in ("b", "c"):
        taken = graph.makers[f"{tensor}_16bit_dequantized"]
        assert graph.readers[taken.output[0]] == [graph.nodes["d"]]
        quantize = graph.makers[taken.input[0]]
        convert = graph.makers[quantize.input[0]]
        assert [convert.op_type, quantize.op_type] == ["DequantizeLinear", "QuantizeLinear"]
        assert graph.readers[convert.output[0]] == [quantize]
        assert convert.input[0] == f"{tensor}_quantized"
        assert [convert.domain, quantize.domain, taken.domain] == ["", "com.microsoft", "com.microsoft"]
    # The convolution reads on in 8 bits.
    assert graph.nodes["c"].input[0] == "b_dequantized"


def test_what_float_nodes_give_goes_straight_into_either_format(
    build: Build, calibrate: Calibrate, random: Random
) -> None:
    model = build(
        [conv("x", "w", "y"), conv("x", "v", "z")], {"w": random(8, 4, 3, 3), "v": random(8, 4, 3, 3)}, y=None, z=None
    )
    quantizer = calibrate(model, random(2, 4, 6, 6), target="qualcomm-htp")
    quantized = quantizer(Plan(frozenset("yz"), a16w8=frozenset("z")))
    readers = [node for node in quantized.graph.node if "x" in node.input]
    assert [(node.op_type, node.output[0]) for node in readers] == [
        ("QuantizeLinear", "x_quantized"),
        ("QuantizeLinear", "x_16bit_quantized"),
    ]


@pytest.mark.parametrize("operator", FOLLOWING)
@pytest.mark.parametrize("wide", ["a", "y", "ay"])
def test_what_only_moves_values_keeps_the_format_that_reaches_it(
    build: Build, calibrate: Calibrate, random: Random, run: Run, sqnr: Sqnr, operator: str, wide: str
) -> None:
    node, shape = FOLLOWING[operator]
    constants = {"w": random(8, 4, 3, 3), "v": random(3, shape[1], 3, 3)}
    constants |= {"shape": np.array([0, 4, 10, 20]), "starts": np.array([1])}
    constants |= {"ends": np.array([99]), "axes": np.array([2])}
    model = build([conv("x", "w", "a"), node, conv("b", "v", "y")], constants, x=("batch", 4, 10, 10))
    quantizer = calibrate(model, random(2, 4, 10, 10), target="qualcomm-htp")
    quantized = quantizer(Plan(frozenset("ay"), a16w8=frozenset(wide)))
    graph = GraphView(quantized)
    label = "a_16bit" if "a" in wide else "a"
    assert graph.nodes["b"].input[0] == f"{label}_dequantized"
    assert scale_of(quantized, "b") == scale_of(quantized, "a")
    x = random(2, 4, 10, 10)
    assert sqnr(run(model, x), run(quantized, x, widely=True)) > 30


def test_16_bits_have_ranges_of_their_own(made: Any, calibrate: Calibrate, random: Random) -> None:
    quantizer = calibrate(made("convolutions"), random(2, 4, 10, 10), target="qualcomm-htp")
    whole = dict(quantizer.ranges_of_16_bits)
    # With 8 bits it pays to cut off what is rare.
    quantizer = replace(quantizer, ranges={name: (low / 2, high / 2) for name, (low, high) in whole.items()})
    quantized = quantizer(Plan(frozenset("ac"), a16w8=frozenset("c")))
    graph = GraphView(quantized)
    low, high = whole["b"]
    steps = {name: float(graph.constants[name]) for name in ("b_scale", "b_16bit_scale")}
    assert steps["b_scale"] == pytest.approx((high - min(low, 0)) / 2 / 255, rel=1e-6)
    assert steps["b_16bit_scale"] == pytest.approx((high - min(low, 0)) / 65535, rel=1e-6)


def test_an_output_in_16_bits_keeps_its_name(
    build: Build, calibrate: Calibrate, random: Random, run: Run, sqnr: Sqnr
) -> None:
    nodes = [conv("x", "w", "a"), conv("a", "v", "y")]
    model = build(nodes, {"w": random(8, 4, 3, 3), "v": random(8, 8, 3, 3)}, a=None, y=None)
    quantizer = calibrate(model, random(2, 4, 6, 6), target="qualcomm-htp")
    for wide in ("a", "y"):
        quantized = quantizer(Plan(frozenset("ay"), a16w8=frozenset(wide)))
        onnx.checker.check_model(quantized, full_check=True)
        assert [value.name for value in quantized.graph.output] == ["a", "y"]
        x = random(1, 4, 7, 5)
        assert sqnr(run(model, x), run(quantized, x, widely=True)) > 35


def test_what_ncnn_rounds_for_an_int8_layer_others_read_as_it_was(
    build: Build, calibrate: Calibrate, random: Random
) -> None:
    network = NETWORKS["residual"]
    constants = {name: random(*shape, seed=seed) for seed, (name, shape) in enumerate(network.shapes.items())}
    float_model = build(network.nodes, constants, (1, 4, 10, 10))
    quantizer = calibrate(float_model, random(1, 4, 10, 10), target="arm64", format=ModelFormat.NCNN)
    assert quantizer.everything.int8 == {"a", "c"}
    model = GraphView(quantizer(quantizer.everything))
    rounded = {node.input[0] for node in model.nodes.values() if node.op_type == "QuantizeLinear"}
    assert rounded == {"x", "b"}
    assert list(model.makers["d"].input) == ["c", "b"]
    assert all(model.makers[name].input[2] in model.constants for name in ("a", "c"))
