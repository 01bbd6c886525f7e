"""Denormal weights are found wherever a model file keeps its weights."""

from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgevision.modelfiles import denormals
from edgevision.modelfiles.denormals import FLOAT_FORMATS, denormal_share

TINY = np.finfo(np.float32).tiny


def save(path: Path, initializers=(), nodes=(), **options) -> Path:
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph([*nodes, helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y], initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path, **options)
    return path


def tensor(values, dtype=np.float32):
    return numpy_helper.from_array(np.array(values, dtype), "w")


def test_denormal_is_what_lies_between_zero_and_the_smallest_normal_number():
    values = np.array([0, -0.0, TINY, -TINY, 1, np.inf, np.nan, TINY / 2, -TINY / 2, 1e-45], np.float32)
    found = FLOAT_FORMATS[TensorProto.FLOAT].denormals(values.view(np.uint32))
    assert found.tolist() == [False] * 7 + [True] * 3


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.BFLOAT16])
def test_the_smallest_normal_number_is_not_denormal_and_the_one_below_is(kind):
    form = FLOAT_FORMATS[kind]
    bits = np.array([form.smallest_normal - 1, form.smallest_normal], form.bits)
    assert form.denormals(bits).tolist() == [True, False]


HALF = [1.0, 1e-39, -1e-39, 0.0]


@pytest.mark.parametrize(
    "content",
    [
        {"initializers": [tensor(HALF)]},
        {"initializers": [tensor([1.0, 1e-310, -1e-320, 0.0], np.float64)]},
        {"initializers": [helper.make_tensor("w", TensorProto.FLOAT, [4], HALF)]},
        {"initializers": [helper.make_tensor("w", TensorProto.BFLOAT16, [4], HALF)]},
        {"initializers": [helper.make_tensor("w", TensorProto.BFLOAT16, [4000], HALF * 1000)]},
        {"initializers": [tensor(HALF)], "save_as_external_data": True, "size_threshold": 0, "location": "w.bin"},
        {"nodes": [helper.make_node("Constant", [], ["c"], value=tensor(HALF))]},
    ],
    ids=["raw", "float64", "float_data", "bfloat16", "many bfloat16", "external", "constant"],
)
def test_the_share_is_that_of_all_float_weights(tmp_path, content):
    assert denormal_share(save(tmp_path / "m.onnx", **content)) == 0.5


def test_weights_in_branches_count(tmp_path):
    def branch(values):
        node = helper.make_node("Constant", [], ["z"], value=tensor(values))
        return helper.make_graph([node], "b", [], [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)])

    chosen = helper.make_node("If", ["c"], ["z"], then_branch=branch(HALF), else_branch=branch([1.0, 2.0]))
    condition = numpy_helper.from_array(np.array(True), "c")
    assert denormal_share(save(tmp_path / "m.onnx", [condition], [chosen])) == pytest.approx(2 / 6)


def test_numbers_of_half_precision_and_integers_are_no_denormal_weights(tmp_path):
    weights = [tensor([1e-7, 1], np.float16), tensor([1, 2], np.int32)]
    assert denormal_share(save(tmp_path / "m.onnx", weights)) == 0
    assert denormal_share(save(tmp_path / "n.onnx")) == 0


def test_a_large_model_is_sampled_all_over(tmp_path, monkeypatch):
    monkeypatch.setattr(denormals, "_MOST", 1000)
    monkeypatch.setattr(denormals, "_PORTION", 64)
    values = np.ones(100_000, np.float32)
    values[70_000:] = 1e-40
    assert denormal_share(save(tmp_path / "m.onnx", [tensor(values)])) == pytest.approx(0.3, abs=0.01)


def test_the_weights_of_an_openvino_model_lie_in_its_bin(tmp_path):
    ops = openvino.opset13
    x = ops.parameter([1, 4], np.float32)
    model = openvino.Model([ops.matmul(x, ops.constant(np.array([HALF] * 4, np.float32)), False, False)], [x])
    openvino.save_model(model, tmp_path / "m.xml", compress_to_fp16=False)
    assert denormal_share(tmp_path / "m.xml") == 0.5


def test_a_model_without_weights_has_none(tmp_path):
    x = openvino.opset13.parameter([1, 4], np.float32)
    openvino.save_model(openvino.Model([openvino.opset13.relu(x)], [x]), tmp_path / "m.xml")
    assert denormal_share(tmp_path / "m.xml") == 0
