"""A classifier small enough to follow by hand: its logits are ten times the mean of red, green and blue."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgevision.exporters.onnx_conversion import add_metadata
from edgevision.exporters.openvino_conversion import write_openvino
from edgevision.metadata import METADATA_KEY, ImageSpec, ModelMetadata, Task, TensorSpec

COLOURS = ("red", "green", "blue")


METADATA = ModelMetadata(
    task=Task.CLASSIFY,
    name="colours",
    inputs=(TensorSpec(name="image", shape=("batch", 3, 8, 8), value_range=(0.0, 1.0)),),
    outputs=(TensorSpec(name="logits", shape=("batch", 3)),),
    image=ImageSpec(size=(8, 8)),
    labels=COLOURS,
)


def colour_model(batch: int | str = "batch") -> onnx.ModelProto:
    """The graph, without metadata."""
    ten = helper.make_tensor("ten", TensorProto.FLOAT, [1], [10.0])
    axes = helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3])
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0),
            helper.make_node("Mul", ["mean", "ten"], ["logits"]),
        ],
        "colours",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, 3])],
        [ten, axes],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.fixture
def write_colours(tmp_path: Path) -> Callable[..., Path]:
    """Write the colour classifier under a name whose ending chooses the format; ``metadata=None`` leaves it out."""

    def write(
        name: str = "colours.onnx", metadata: ModelMetadata | None = METADATA, batch: int | str = "batch"
    ) -> Path:
        path, model = tmp_path / name, colour_model(batch)
        if path.suffix == ".xml":
            assert metadata is not None
            write_openvino(model, path, metadata, half=False)
        else:
            if metadata is not None:
                add_metadata(model, METADATA_KEY, metadata.to_json())
            path.write_bytes(model.SerializeToString())
        return path

    return write


@pytest.fixture
def paint() -> Callable[[str], np.ndarray]:
    """A uint8 (20, 30, 3) picture of one colour."""

    def picture(colour: str) -> np.ndarray:
        pixels = np.zeros((20, 30, 3), np.uint8)
        pixels[:, :, COLOURS.index(colour)] = 200
        return pixels

    return picture
