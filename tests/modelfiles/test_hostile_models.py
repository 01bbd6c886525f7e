"""What a stranger writes into a model file is bounded by the file's size, and weights lie beside it."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgevision.core.errors import ModelFileError
from edgevision.modelfiles import openvino_file
from edgevision.modelfiles.model_file import check_model_file, companions, read_graph

FLOAT = TensorProto.FLOAT


def field(number: int, content: bytes) -> bytes:
    """A field of protobuf that holds a message or text."""
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def varint(number: int) -> bytes:
    digits = bytearray()
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def model(nodes: list[onnx.NodeProto], initializers: list[TensorProto]) -> bytes:
    inputs = [helper.make_tensor_value_info("x", FLOAT, [4])]
    outputs = [helper.make_tensor_value_info("y", FLOAT, [4])]
    data: bytes = helper.make_model(helper.make_graph(nodes, "g", inputs, outputs, initializers)).SerializeToString()
    return data


ADD = helper.make_node("Add", ["x", "w"], ["y"])


def nested_graphs(levels: int) -> bytes:
    graph = b""
    for _ in range(levels):
        graph = field(1, field(5, field(6, graph)))  # a graph in an attribute of a node of a graph
    return graph


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (b"\x0a\x00" * 200_000, "too many parts"),
        (field(1, b"\x2a\x00" * 200_000), "too many parts"),
        (field(11, field(2, field(1, field(2, b"\x0a\x00" * 200_000)))), "too many parts"),
        (b"\x12\x00" * 1_000_000, "too many fields"),
        (nested_graphs(40), "more than 60 deep"),
        (field(5, b"\x08\x7f" * 100), "more than 64 dimensions"),
        (field(5, field(1, b"\x7f" * 100_000)), "where a few belong"),
    ],
)
def test_an_onnx_file_holds_no_more_than_its_size_can_need(tmp_path: Path, graph: bytes, words: str) -> None:
    path = tmp_path / "bomb.onnx"
    path.write_bytes(model([ADD], [numpy_helper.from_array(np.ones(4, np.float32), "w")]) + field(7, graph))
    with pytest.raises(ModelFileError, match=words):
        check_model_file(path)


def external(name: str, **place: str) -> TensorProto:
    tensor = TensorProto(name=name, data_type=FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in place.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def in_an_initializer(tensor: TensorProto) -> bytes:
    return model([ADD], [tensor])


def in_a_constant(tensor: TensorProto) -> bytes:
    constant = helper.make_node("Constant", [], ["w"])
    constant.attribute.add(name="value", type=onnx.AttributeProto.TENSOR).t.CopyFrom(tensor)
    return model([constant, ADD], [])


def in_a_branch(tensor: TensorProto) -> bytes:
    output = helper.make_tensor_value_info("o", FLOAT, [4])
    branch = helper.make_graph([helper.make_node("Identity", ["w"], ["o"])], "b", [], [output], [tensor])
    return model([helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)], [])


def in_a_function(tensor: TensorProto) -> bytes:
    constant = helper.make_node("Constant", [], ["y"])
    constant.attribute.add(name="value", type=onnx.AttributeProto.TENSOR).t.CopyFrom(tensor)
    function = helper.make_function("own", "f", ["x"], ["y"], [constant], [helper.make_opsetid("", 17)])
    whole = onnx.load_model_from_string(model([helper.make_node("f", ["x"], ["y"], domain="own")], []))
    whole.functions.append(function)
    data: bytes = whole.SerializeToString()
    return data


PLACES = (in_an_initializer, in_a_constant, in_a_branch, in_a_function)


@pytest.mark.parametrize("place", PLACES)
def test_weights_outside_of_the_models_folder_are_refused_wherever_they_are_named(tmp_path: Path, place) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(16))
    (folder / "link.bin").symlink_to("../secret.bin")
    path = folder / "net.onnx"
    for location in ("../secret.bin", str(tmp_path / "secret.bin"), "link.bin"):
        path.write_bytes(place(external("w", location=location)))
        with pytest.raises(ModelFileError, match="must lie in the model's own folder"):
            check_model_file(path)


@pytest.mark.parametrize("place", PLACES)
def test_weights_beside_the_model_travel_with_it_and_are_all_there(tmp_path: Path, place) -> None:
    path = tmp_path / "net.onnx"
    (tmp_path / "w.bin").write_bytes(bytes(16))
    path.write_bytes(place(external("w", location="w.bin", offset="0", length="16")))
    assert companions(path) == ("w.bin",)
    for offset, length, words in (("4", "16", "is cut off"), ("0", "9" * 17, "is cut off"), ("-4", "4", "no place")):
        path.write_bytes(place(external("w", location="w.bin", offset=offset, length=length)))
        with pytest.raises(ModelFileError, match=words):
            check_model_file(path)


IR = '<?xml version="1.0"?>{}<net name="n" version="11"><layers>{}</layers><edges/></net>'
LAUGHS = '<!DOCTYPE net [<!ENTITY a "{}">]>'.format("ha" * 50)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (IR.format(LAUGHS, "&a;" * 1000), "a document type"),
        (IR.format('<!DOCTYPE net SYSTEM "file:///etc/passwd">', ""), "a document type"),
        (IR.format("", "<a/>" * 200_000), "more elements"),
        (IR.format("", "<a>" * 200 + "</a>" * 200), "or deeper ones"),
        (IR.format("", '<layer type="Const"><data shape="{}"/></layer>'.format("9" * 5000)), "a side of"),
    ],
)
def test_an_ir_holds_no_more_than_its_size_can_need(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "net.xml"
    path.write_text(text)
    path.with_suffix(".bin").write_bytes(b"")
    with pytest.raises(ValueError, match=words):
        openvino_file.describe(path)


def test_an_ordinary_model_is_inside_the_bounds(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    nodes = [helper.make_node("Identity", ["x" if n == 0 else f"v{n}"], [f"v{n + 1}"]) for n in range(5000)]
    path.write_bytes(model([*nodes, helper.make_node("Identity", ["v5000"], ["y"])], []))
    check_model_file(path)
    assert read_graph(path).operators == {"Identity": 5001}
