"""Graphs that are given pictures in other ways than models here are run as their authors run them."""

import numpy as np
import onnx
import pytest
from bright_squares import HEIGHT, WIDTH, write_detector
from onnx import TensorProto, helper, numpy_helper

import edgevision
from edgevision.core.errors import InputError
from edgevision.exporters.sources.picture_input import picture_input
from edgevision.exporters.verify import verify
from edgevision.modelfiles.model_file import require_metadata


def squares() -> np.ndarray:
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[16:28, 32:44] = 250
    return picture


def given_as(path, shape, kind, nodes, names=("image",)):
    """The detector of bright squares, whose picture ``nodes`` make of one of that shape and type."""
    model = onnx.load(write_detector(path))
    graph = model.graph
    inside = helper.make_node("Cast", ["plain"], ["float"], to=TensorProto.FLOAT)
    share = numpy_helper.from_array(np.float32(1 / 255), "share")
    scaled = helper.make_node("Mul", ["float", "share"], ["inside"])
    for node in graph.node:
        node.input[:] = ["inside" if name == "image" else name for name in node.input]
    for node in (scaled, inside, *reversed(nodes)):
        graph.node.insert(0, node)
    graph.initializer.append(share)
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info(names[0], kind, shape))
    onnx.save(model, path)
    return path


def test_bytes_with_the_channels_last_are_given_as_tensorflow_takes_them(tmp_path):
    turned = helper.make_node("Transpose", ["image"], ["plain"], perm=[0, 3, 1, 2])
    source = given_as(tmp_path / "tf.onnx", ("n", HEIGHT, WIDTH, 3), TensorProto.UINT8, [turned])
    report = edgevision.export(source, tmp_path / "out.onnx", metadata={"task": "detect"})
    assert any("took (batch, height, width, channels)" in note for note in report.notes)
    metadata = require_metadata(tmp_path / "out.onnx")
    assert (metadata.image.value_range, metadata.inputs[0].name) == ((0, 255), "image_nchw")
    with edgevision.load(tmp_path / "out.onnx") as find:
        np.testing.assert_allclose(find(squares()).boxes, [[32, 16, 44, 28]], atol=0.5)
    verify(tmp_path / "out.onnx", source).parity.check("fp32")


@pytest.mark.parametrize(("shape", "perm"), [((3, HEIGHT, WIDTH), None), ((HEIGHT, WIDTH, 3), [2, 0, 1])])
def test_a_picture_without_a_batch_is_given_as_one(tmp_path, shape, perm):
    nodes = [] if perm is None else [helper.make_node("Transpose", ["image"], ["first"], perm=perm)]
    nodes.append(helper.make_node("Unsqueeze", [nodes[0].output[0] if nodes else "image", "zero"], ["plain"]))
    source = given_as(tmp_path / "one.onnx", shape, TensorProto.FLOAT, nodes)
    model = onnx.load(source)
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "zero"))
    onnx.save(model, source)
    metadata = {"task": "detect", "image": {"value_range": [0, 255]}}
    edgevision.export(source, tmp_path / "out.onnx", metadata=metadata)
    with edgevision.load(tmp_path / "out.onnx") as find:
        np.testing.assert_allclose(find(squares()).boxes, [[32, 16, 44, 28]], atol=0.5)


def sized(path, shape):
    """A graph that gives back the sizes that it asks for, beside the mean of its picture."""
    names = {"orig_target_sizes": TensorProto.INT64, "scale_factor": TensorProto.FLOAT}
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)]
    inputs += [helper.make_tensor_value_info(name, kind, (1, 2)) for name, kind in names.items()]
    nodes = [helper.make_node("ReduceMean", ["images"], ["mean"])]
    nodes += [helper.make_node("Identity", [name], [f"{name}_out"]) for name in names]
    outputs = [helper.make_tensor_value_info("mean", TensorProto.FLOAT, None)]
    outputs += [helper.make_tensor_value_info(f"{name}_out", kind, (1, 2)) for name, kind in names.items()]
    graph = helper.make_graph(nodes, "sizes", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return model


def test_sizes_that_a_graph_asks_for_are_those_of_its_input(tmp_path):
    model = sized(tmp_path / "sized.onnx", ("n", 3, 64, 96))
    found = picture_input(model, None)
    assert [value.name for value in found.applied(model).graph.input] == ["images"]
    feeds = found.feeds({"images": np.zeros((1, 3, 64, 96), np.float32)})
    assert feeds["orig_target_sizes"].tolist() == [[96, 64]]
    assert (feeds["scale_factor"].tolist(), feeds["scale_factor"].dtype) == ([[1, 1]], np.float32)
    assert found.spec.shape == ("n", 3, 64, 96)


def test_a_size_that_nobody_knows_is_asked_for(tmp_path):
    model = sized(tmp_path / "sized.onnx", ("n", 3, "h", "w"))
    with pytest.raises(InputError, match="made for one: give --input-shape"):
        picture_input(model, None)
    assert picture_input(model, (1, 3, 32, 48)).spec.shape == ("n", 3, 32, 48)


def test_what_is_a_picture_already_stays(tmp_path):
    assert picture_input(onnx.load(write_detector(tmp_path / "plain.onnx")), None) is None
