"""Operators: what they compute by their shapes, what the engines' profilers say, and the peak it is compared with."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import edgevision
from edgevision.runtime.benchmark.operators import count_operations
from edgevision.runtime.benchmark.roofline import product_model

QUICK = {"seconds": 0.01, "warmup": 0.0, "runs": 5}


@pytest.mark.parametrize(
    ("operator", "inputs", "outputs", "operations"),
    [
        # 16 filters of 3x3x3 at each of 8x8 places.
        ("Conv", [(1, 3, 10, 10), (16, 3, 3, 3), (16,)], [(1, 16, 8, 8)], 2 * 16 * 27 * 64),
        ("QLinearConv", [(1, 3, 8, 8), (), (), (16, 3, 1, 1)], [(1, 16, 8, 8)], 2 * 16 * 3 * 64),
        # Depthwise: a filter sees one channel.
        ("Conv", [(1, 8, 4, 4), (8, 1, 3, 3)], [(1, 8, 4, 4)], 2 * 8 * 9 * 16),
        ("Convolution", [(1, 8, 4, 4), (8, 1, 1, 3, 3)], [(1, 8, 4, 4)], 2 * 8 * 9 * 16),
        # Each of 4x4x8 inputs is spread over 3 channels of 2x2.
        ("ConvTranspose", [(1, 8, 4, 4), (8, 3, 2, 2)], [(1, 3, 8, 8)], 2 * 8 * 16 * 12),
        ("Deconvolution", [(1, 8, 4, 4), (8, 3, 2, 2)], [(1, 3, 8, 8)], 2 * 8 * 16 * 12),
        ("Gemm", [(5, 64), (64, 10), (10,)], [(5, 10)], 2 * 5 * 64 * 10),
        ("FusedMatMul", [(2, 4, 6), (2, 6, 3)], [(2, 4, 3)], 2 * 2 * 4 * 6 * 3),
        ("Relu", [(1, 10)], [(1, 10)], 10),
        ("GlobalAveragePool", [(1, 4, 8, 8)], [(1, 4, 1, 1)], 256),
        ("Reshape", [(1, 10), (2,)], [(10, 1)], 0),
        ("Convert", [(1, 10)], [(1, 10)], 0),
        ("ConstantOfShape", [], [], 0),
    ],
)
def test_operations_follow_from_the_shapes(operator, inputs, outputs, operations):
    assert count_operations(operator, inputs, outputs) == operations


@pytest.fixture(params=["onnx", "openvino"])
def profile(request, tmp_path):
    """A convolution of 24 channels and a dense layer, profiled."""
    path = tmp_path / "net.onnx"
    generator = np.random.default_rng(0)

    def constant(name, *shape):
        return helper.make_tensor(name, TensorProto.FLOAT, shape, generator.normal(size=shape).ravel())

    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "filters"], ["maps"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["maps"], ["bright"]),
            helper.make_node("Flatten", ["bright"], ["flat"]),
            helper.make_node("Gemm", ["flat", "dense", "bias"], ["scores"]),
        ],
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 10])],
        [constant("filters", 24, 3, 3, 3), constant("dense", 24 * 256, 10), constant("bias", 10)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    device = "openvino:cpu" if request.param == "openvino" else "cpu"
    return edgevision.benchmark(path, device, threads=1, profile=True, **QUICK).subjects[0].operators


def test_the_profile_has_every_operator_with_its_share_and_work(profile):
    assert sum(operator.share for operator in profile.operators) == pytest.approx(1)
    assert sum(profile.nodes.values()) == len(profile.operators)
    work = {operator.operations for operator in profile.operators}
    assert {2 * 24 * 27 * 256, 2 * 24 * 256 * 10} <= work
    dense = next(operator for operator in profile.operators if operator.operations == 2 * 24 * 256 * 10)
    # The weights are most of what a dense layer moves.
    assert 24 * 256 * 10 * 4 <= dense.bytes <= 1.2 * 24 * 256 * 11 * 4
    assert dense.bound == "memory"
    assert profile.compile_ms > 0
    for operator in profile.operators:
        if operator.gflops is not None:
            assert operator.gflops == pytest.approx(operator.operations / operator.microseconds / 1000)
            assert operator.peak_share == pytest.approx(operator.gflops / profile.peak.gflops)


def test_the_peak_is_measured(profile):
    assert profile.peak.gflops > 0.1
    assert profile.peak.gb_per_s > 0.1


def test_the_table_shows_the_slowest_operators_and_the_peak(edgevision, write_colours):
    code, out, _ = edgevision(
        "bench", write_colours(), "--device", "cpu", "--profile", "--seconds", 0.01, "--warmup", 0
    )
    assert code == 0
    assert "ReduceMean" in out
    assert "peak measured here" in out


def test_the_product_written_by_hand_is_a_valid_model():
    model = onnx.load_from_string(product_model(300))
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["MatMul"]
    assert onnx.numpy_helper.to_array(model.graph.initializer[0]).shape == (300, 300)


@pytest.mark.parametrize("device", ["cpu", "openvino:cpu"])
def test_channels_that_an_engine_pads_for_its_kernels_are_not_counted(tmp_path, device):
    """Depthwise, pointwise, with a sum: 20 and 24 channels, of which kernels make 24 or 32."""
    generator = np.random.default_rng(0)
    constants = {"a": (24, 3, 3, 3), "b": (24, 1, 3, 3), "c": (20, 24, 1, 1), "d": (24, 20, 1, 1)}
    nodes = [
        helper.make_node("Conv", ["image", "a"], ["first"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["first"], ["bright"]),
        helper.make_node("Conv", ["bright", "b"], ["deep"], pads=[1, 1, 1, 1], group=24),
        helper.make_node("Conv", ["deep", "c"], ["narrow"]),
        helper.make_node("Conv", ["narrow", "d"], ["wide"]),
        helper.make_node("Add", ["wide", "deep"], ["sum"]),
        helper.make_node("MaxPool", ["sum"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["pooled", "c"], ["last"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("last", TensorProto.FLOAT, [1, 20, 8, 8])],
        [onnx.numpy_helper.from_array(generator.normal(size=s).astype(np.float32), n) for n, s in constants.items()],
    )
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    operators = edgevision.benchmark(path, device, threads=1, profile=True, **QUICK).subjects[0].operators.operators
    work = sorted(operator.operations for operator in operators if "conv" in operator.operator.lower())
    assert work == sorted([2 * 24 * 27 * 256, 2 * 24 * 9 * 256, *[2 * 20 * 24 * 256] * 2, 2 * 20 * 24 * 64])
    assert max(operator.bytes for operator in operators if "Conv" in operator.operator) <= 4 * (3 * 24 * 256 + 24 * 27)


def test_the_weights_of_int8_convolutions_count_beside_blocked_ones(tmp_path):
    """Engines name what they add by numbers, which are others where it is optimised otherwise."""
    generator, make = np.random.default_rng(0), helper.make_node
    constants = {
        "f": generator.normal(size=(16, 3, 3, 3)).astype(np.float32),
        "w": generator.integers(-64, 64, (24, 16, 3, 3)).astype(np.int8),
        "one": np.float32(0.1),
        "zero": np.uint8(0),
        "wzero": np.int8(0),
    }
    nodes = [make("Conv", ["image", "f"], ["c"], pads=[1, 1, 1, 1]), make("Relu", ["c"], ["r"])]
    nodes += [
        make("QuantizeLinear", ["r", "one", "zero"], ["q"]),
        make("DequantizeLinear", ["q", "one", "zero"], ["d"]),
    ]
    nodes += [make("DequantizeLinear", ["w", "one", "wzero"], ["v"]), make("Conv", ["d", "v"], ["e"], pads=[1] * 4)]
    nodes += [
        make("QuantizeLinear", ["e", "one", "zero"], ["s"]),
        make("DequantizeLinear", ["s", "one", "zero"], ["y"]),
    ]
    specs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, c, 16, 16]) for n, c in (("image", 3), ("y", 24))]
    tensors = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "net", specs[:1], specs[1:], tensors)
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    operators = edgevision.benchmark(path, threads=1, profile=True, **QUICK).subjects[0].operators.operators
    work = {operator.operations for operator in operators if "Conv" in operator.operator}
    assert work == {2 * 16 * 27 * 256, 2 * 24 * 16 * 9 * 256}
