"""Graphs of any age and maker in one form, which computes the same."""

from collections.abc import Sequence

import numpy as np
import onnx
import onnx_ir
import pytest
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info
from onnx.numpy_helper import from_array
from small_models import assert_same, everything, model_of, operators, random

from edgevision.core.errors import InputError
from edgevision.exporters.passes.canonical_form import canonical
from edgevision.exporters.passes.convolution_rewrites import pool_by_operator


def old_model(names: Sequence[str]) -> onnx.ModelProto:
    """As exporters wrote in 2019: opset 9, every constant an input as well, attributes for what inputs are today."""
    constants = {
        "weight": random(4, 3, 3, 3),
        "gain": 1 + 0.1 * random(4),
        "shift": random(4, seed=1),
        "mean": random(4, seed=2),
        "variance": 1 + random(4, seed=3) ** 2,
        "scales": np.array([1, 1, 2, 2], np.float32),
    }
    nodes = [
        make_node("Conv", ["x", "weight"], ["features"], kernel_shape=[3, 3]),
        make_node("BatchNormalization", ["features", "gain", "shift", "mean", "variance"], ["normal"]),
        make_node("Relu", ["normal"], ["above"]),
        make_node("Upsample", ["above", "scales"], ["large"], mode="nearest"),
        make_node("ReduceMean", ["large"], ["pooled"], axes=[2, 3]),
        make_node("Pad", ["pooled"], ["y"], mode="constant", pads=[0, 1, 0, 0, 0, 1, 0, 0], value=0.0),
    ]
    for node, name in zip(nodes, names, strict=True):
        node.name = name
    inputs = [make_tensor_value_info("x", TensorProto.FLOAT, ("batch", 3, 8, 8))]
    inputs += [make_tensor_value_info(name, TensorProto.FLOAT, values.shape) for name, values in constants.items()]
    outputs = [make_tensor_value_info("y", TensorProto.FLOAT, ("batch", 6, 1, 1))]
    weights = [from_array(values, name) for name, values in constants.items()]
    graph = make_graph(nodes, "graph", inputs, outputs, weights)
    model = make_model(graph, opset_imports=[make_opsetid("", 9)], ir_version=3)
    onnx.checker.check_model(model)
    return model


@pytest.mark.parametrize(
    "names",
    [("a", "b", "c", "d", "e", "f"), ("", "", "", "", "", ""), ("a", "a", "a", "", "b", "b")],
    ids=["named", "without names", "names given twice"],
)
def test_an_old_model_becomes_a_current_one_that_computes_the_same(names: Sequence[str]) -> None:
    model = old_model(names)
    before = model.SerializeToString(deterministic=True)
    cleaned = canonical(model)
    onnx.checker.check_model(cleaned)
    assert [entry.version for entry in cleaned.opset_import] == [18]
    assert operators(cleaned) == {"Conv": 1, "Relu": 1, "Resize": 1, "ReduceMean": 1, "Pad": 1}
    assert [value.name for value in cleaned.graph.input] == ["x"]
    found = [node.name for node in cleaned.graph.node]
    assert all(found)
    assert len(set(found)) == len(found)
    # ONNX Runtime does not load a model that gives a name twice.
    assert_same(old_model(list("abcdef")), cleaned, random(2, 3, 8, 8))
    assert model.SerializeToString(deterministic=True) == before
    assert pool_by_operator(onnx_ir.from_proto(onnx.shape_inference.infer_shapes(cleaned)))


def normalised(*, layer: onnx.NodeProto, behind: Sequence[onnx.NodeProto], outputs: Sequence[str]) -> onnx.ModelProto:
    """``layer``, which gives ``made``, and BatchNormalization, which gives ``normal``."""
    statistics = {"gain": 1 + 0.1 * random(4), "shift": random(4, seed=1), "mean": random(4, seed=2)}
    statistics |= {"variance": 1 + random(4, seed=3) ** 2, "weight": random(4, 3, 3, 3), "turned": random(3, 4, 3, 3)}
    normalisation = make_node("BatchNormalization", ["made", "gain", "shift", "mean", "variance"], ["normal"])
    nodes = [layer, normalisation, *behind]
    return model_of(nodes, statistics, ("batch", 3, 8, 8), outputs)


@pytest.mark.parametrize("operator", ["Conv", "ConvTranspose"])
def test_normalisation_is_folded_into_the_layer_before_it(operator: str) -> None:
    weight = "weight" if operator == "Conv" else "turned"
    layer = make_node(operator, ["x", weight], ["made"])
    model = normalised(layer=layer, behind=[make_node("Relu", ["normal"], ["y"])], outputs=["y"])
    cleaned = canonical(model)
    assert operators(cleaned) == {operator: 1, "Relu": 1}
    assert all(not node.metadata_props for node in cleaned.graph.node)
    assert_same(model, cleaned, random(2, 3, 8, 8))


@pytest.mark.parametrize(
    ("behind", "outputs"),
    [([make_node("Add", ["normal", "made"], ["y"])], ["y"]), ([make_node("Relu", ["normal"], ["y"])], ["y", "made"])],
    ids=["read by others", "an output"],
)
def test_normalisation_is_not_folded_where_the_layer_is_wanted_as_it_is(
    behind: Sequence[onnx.NodeProto], outputs: Sequence[str]
) -> None:
    model = normalised(layer=make_node("Conv", ["x", "weight"], ["made"]), behind=behind, outputs=outputs)
    cleaned = canonical(model)
    assert operators(cleaned)["BatchNormalization"] == 1
    assert_same(model, cleaned, random(2, 3, 8, 8))


def test_padding_double_activations_and_biases_are_folded() -> None:
    nodes = [
        make_node("Pad", ["x", "pads"], ["padded"]),
        make_node("Conv", ["padded", "weight"], ["made"]),
        make_node("Relu", ["made"], ["above"]),
        make_node("Relu", ["above"], ["still_above"]),
        make_node("Flatten", ["still_above"], ["flat"]),
        make_node("MatMul", ["flat", "dense"], ["sums"]),
        make_node("Add", ["sums", "bias"], ["y"]),
    ]
    constants = {"pads": np.array([0, 0, 1, 1, 0, 0, 1, 2]), "weight": random(4, 3, 3, 3)}
    constants |= {"dense": random(4 * 8 * 9, 5), "bias": random(5)}
    model = model_of(nodes, constants, ("batch", 3, 8, 8))
    cleaned = canonical(model)
    found = operators(cleaned)
    assert found["Conv"] == found["Relu"] == found["Gemm"] == 1
    assert not {"Pad", "MatMul", "Add"} & set(found)
    assert_same(model, cleaned, random(2, 3, 8, 8))


@pytest.mark.parametrize("bias", [(3, 1, 5), (4, 5), (1, 5), ()], ids=str)
def test_what_is_added_to_a_product_is_folded_only_where_it_is_a_bias(bias: Sequence[int]) -> None:
    nodes = [make_node("MatMul", ["x", "dense"], ["sums"]), make_node("Add", ["sums", "added"], ["y"])]
    model = model_of(nodes, {"dense": random(8, 5), "added": random(*bias)}, ("batch", 8))
    cleaned = canonical(model)
    # Gemm would refuse those that make the sum larger than the product.
    assert operators(cleaned) == {"MatMul": 1, "Add": 1}
    assert_same(model, cleaned, random(1, 8))


def test_a_model_of_a_current_opset_keeps_it_and_its_dynamic_axes() -> None:
    model = everything()
    cleaned = canonical(model)
    assert cleaned.opset_import == model.opset_import
    assert cleaned.graph.input == model.graph.input
    assert_same(model, cleaned, random(2, 3, 8, 8), random(1, 3, 5, 7))


def test_a_model_that_cannot_be_raised_to_a_current_opset_is_refused() -> None:
    model = old_model(list("abcdef"))
    model.graph.node[2].op_type = "NoSuchOperator"
    with pytest.raises(InputError, match="the model's opset 9 cannot be raised to 18: ") as caught:
        canonical(model)
    assert len(str(caught.value).splitlines()) == 1
    assert caught.value.__cause__ is not None
