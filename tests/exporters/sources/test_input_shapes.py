"""Somebody else's graph may call a side open that it is not: it is run before anything is promised."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from edgevision.exporters.export import export
from edgevision.modelfiles.model_file import read_metadata


def write(path: Path, nodes: list[onnx.NodeProto], **constants: list[int]) -> Path:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])
    answer = helper.make_tensor_value_info("answer", TensorProto.FLOAT, None)
    weights = [helper.make_tensor(name, TensorProto.INT64, [len(v)], v) for name, v in constants.items()]
    graph = helper.make_graph(nodes, "given", [image], [answer], weights)
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()
    )
    return path


@pytest.mark.parametrize(
    ("shape", "dynamic", "fixed"),
    [
        ([0, 3, -1], ("batch", "height", "width"), ("n", 3, "h", "w")),
        ([-1, 768], ("batch",), ("n", 3, 16, 16)),
        ([1, 3, -1], ("height", "width"), (1, 3, "h", "w")),
        ([0, 3, -1, 16], ("batch", "height"), ("n", 3, "h", 16)),
        ([1, 3, 16, 16], (), (1, 3, 16, 16)),
    ],
)
def test_a_side_that_a_constant_shape_closes_is_fixed_which_is_said(
    tmp_path: Path, shape: list[int], dynamic: tuple[str, ...], fixed: tuple[int | str, ...]
) -> None:
    nodes = [
        helper.make_node("Relu", ["image"], ["light"]),
        helper.make_node("Reshape", ["light", "shape"], ["answer"]),
    ]
    if shape == [0, 3, -1, 16]:
        # Rows of 16 pixels also come of other widths; only added to the picture they do not fit.
        nodes[1:] = [
            helper.make_node("Reshape", ["light", "shape"], ["rows"]),
            helper.make_node("Add", ["rows", "image"], ["answer"]),
        ]
    source = write(tmp_path / "given.onnx", nodes, shape=shape)
    report = export(source, tmp_path / "out.onnx", input_shape=(1, 3, 16, 16))
    assert report.dynamic == dynamic
    metadata = read_metadata(tmp_path / "out.onnx")
    assert metadata is not None
    assert metadata.inputs[0].shape == fixed
    closed = {"batch", "height", "width"} - set(dynamic)
    assert bool(closed) == any("the graph says it is dynamic" in note for note in report.notes)


def test_the_multiple_that_a_graph_needs_is_found(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("SpaceToDepth", ["image"], ["small"], blocksize=4),
        helper.make_node("DepthToSpace", ["small"], ["answer"], blocksize=4),
    ]
    report = export(write(tmp_path / "given.onnx", nodes), tmp_path / "out.onnx", input_shape=(1, 3, 16, 16))
    assert report.dynamic == ("batch", "height", "width")
    assert report.metadata.tile is not None
    assert (report.metadata.tile.multiple, report.metadata.tile.minimum) == (4, 4)
