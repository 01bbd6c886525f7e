"""What a quantiser puts into a graph is part of the layers that were there before."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info

from edgevision.exporters.comparison.onnx_layers import OnnxLayers
from edgevision.exporters.passes.channel_scales import CHANNEL_SCALE_KEY, decoded_scale, encoded_scale
from edgevision.exporters.passes.half_precision import to_half
from edgevision.metrics.figures import sqnr_db

Array = np.ndarray[Any, Any]
LAYERS = ["one", "relu_one", "two", "relu_two", "three", "shortcut", "head"]


def test_the_layers_of_a_quantised_graph_are_those_of_the_float_one(
    network: onnx.ModelProto, int8: onnx.ModelProto
) -> None:
    plain, quantized = OnnxLayers(network), OnnxLayers(int8)
    assert [layer.name for layer in plain.layers] == LAYERS
    assert [layer.name for layer in quantized.layers] == LAYERS
    assert [layer.inputs for layer in quantized.layers][1:5] == [layer.inputs for layer in plain.layers][1:5]
    assert {layer.precision for layer in plain.layers} == {"float"}
    assert {layer.precision for layer in quantized.layers} == {"int8"}
    assert plain.outputs == ("y",)
    last = quantized.layers[-1]
    assert quantized.outputs == (last.output,)
    assert "y" in last.names


def test_the_limits_are_those_of_the_pair_behind_a_layer(int8: onnx.ModelProto, inputs: Array) -> None:
    layers = OnnxLayers(int8)
    limits = {layer.name: layer.limits for layer in layers.layers}
    assert limits["one"] is None  # its Relu is fused with it, and the pair stands behind both
    found = limits["relu_one"]
    assert found is not None
    seen = layers.values([inputs])[layers.layers[1].output]
    assert found[0] == 0
    assert seen.max() <= found[1] * 1.0001
    assert len(np.unique(seen)) <= 256


def test_a_layer_that_is_given_its_inputs_inherits_nothing(
    network: onnx.ModelProto, int8: onnx.ModelProto, inputs: Array
) -> None:
    plain, quantized = OnnxLayers(network), OnnxLayers(int8)
    given = {
        theirs.output: theirs.in_own_terms(plain.values([inputs])[ours.output])
        for ours, theirs in zip(plain.layers, quantized.layers, strict=True)
    }
    own, whole = quantized.own_values([inputs], given), quantized.values([inputs])
    name = quantized.layers[-1].output
    assert sqnr_db(given[name], own[name]) > sqnr_db(given[name], whole[name]) + 2


def test_channels_that_were_scaled_are_known_by_the_file(
    network: onnx.ModelProto, int8: onnx.ModelProto, inputs: Array
) -> None:
    plain, quantized = OnnxLayers(network), OnnxLayers(int8)
    scaled = {layer.name for layer in quantized.layers if layer.channel_scale is not None}
    # What the first gives is read by the shortcut, too.
    assert scaled == {"two", "relu_two"}
    two = next(layer for layer in quantized.layers if layer.name == "relu_two")
    theirs, ours = plain.values([inputs])["r_two"], quantized.values([inputs])[two.output]
    assert sqnr_db(theirs, ours) < 20
    assert sqnr_db(theirs, two.in_original_terms(ours)) > 30
    np.testing.assert_allclose(two.in_own_terms(two.in_original_terms(ours)), ours, rtol=1e-6)


def test_a_scale_is_text_and_back() -> None:
    scale = np.float32([0.5, 1, 2.25])
    np.testing.assert_array_equal(decoded_scale(encoded_scale(scale)), scale)


@pytest.mark.parametrize("text", ["", "no base64!", "AAAA", encoded_scale(np.float32([1, np.nan])), "AAAAAA=="])
def test_a_scale_that_is_none_is_left_alone(text: str, network: onnx.ModelProto) -> None:
    assert decoded_scale(text) is None
    model = onnx.ModelProto()
    model.CopyFrom(network)
    model.graph.node[0].metadata_props.add(key=CHANNEL_SCALE_KEY, value=text)
    assert OnnxLayers(model).layers[0].channel_scale is None


def test_casts_of_half_precision_are_no_layers(network: onnx.ModelProto) -> None:
    layers = OnnxLayers(to_half(network)).layers
    assert [layer.operator for layer in layers] == [layer.operator for layer in OnnxLayers(network).layers]
    assert {layer.precision for layer in layers} == {"fp16"}


def test_what_computes_shapes_is_no_layer() -> None:
    nodes = [
        make_node("Shape", ["x"], ["shape"]),
        make_node("Relu", ["x"], ["r"]),
        make_node("Reshape", ["r", "shape"], ["y"]),
    ]
    ends = [make_tensor_value_info(name, TensorProto.FLOAT, ("batch", 4)) for name in ("x", "y")]
    graph = make_graph(nodes, "graph", ends[:1], ends[1:])
    layers = OnnxLayers(make_model(graph, opset_imports=[make_opsetid("", 18)], ir_version=8)).layers
    assert [(layer.operator, layer.inputs) for layer in layers] == [("Relu", ("x",)), ("Reshape", ("r",))]
    # A node without a name is called after what it gives.
    assert [layer.name for layer in layers] == ["r", "y"]
