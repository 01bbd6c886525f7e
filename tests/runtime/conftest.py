"""Models small enough to follow by hand.

The classifier's logits are ten times the mean of red, green and blue. Of the restorers one blurs, one fills holes with
white, one doubles every pixel and one draws the same curve everywhere.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from fake_engine import FakeEngine
from onnx import TensorProto, helper

from edgevision.exporters.conversion.openvino_conversion import write_openvino
from edgevision.exporters.passes.cleanup import add_metadata
from edgevision.modelfiles.metadata import (
    METADATA_KEY,
    ImageSpec,
    ModelMetadata,
    Prediction,
    RestorationSpec,
    Task,
    TensorSpec,
    TileSpec,
)

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


@pytest.fixture
def picture_engine() -> Callable[..., FakeEngine]:
    """An engine that answers with ``function(image)``, or with ``mask`` with ``function(image, mask)``.

    ``shape`` fixes the size of its input; like a real engine it refuses tensors of another one.
    """

    def build(
        function: Callable[..., np.ndarray],
        channels: int = 3,
        *,
        shape: tuple[int | str, ...] | None = None,
        mask: bool = False,
    ) -> FakeEngine:
        size = shape or ("batch", channels, "height", "width")
        inputs = [TensorSpec(name="image", shape=size)]
        if mask:
            inputs.append(TensorSpec(name="mask", shape=(size[0], 1, *size[2:])))

        def run(feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
            tensors = [feeds[spec.name] for spec in inputs]
            for tensor, spec in zip(tensors, inputs, strict=True):
                if any(
                    isinstance(want, int) and want != got for want, got in zip(spec.shape, tensor.shape, strict=True)
                ):
                    raise ValueError(f"{spec.name} is {spec.shape}, not {tensor.shape}")
                if (len(tensor), *tensor.shape[2:]) != (len(tensors[0]), *tensors[0].shape[2:]):
                    raise ValueError(f"{spec.name} of {tensor.shape} does not go with {tensors[0].shape}")
            return [function(*tensors)]

        return FakeEngine(tuple(inputs), (TensorSpec(name="restored", shape=size),), run)

    return build


@pytest.fixture
def blur() -> Callable[[np.ndarray], np.ndarray]:
    """The mean over 3x3 pixels of float32 (N, C, H, W), black beyond the border as in a convolution."""

    def mean(image: np.ndarray) -> np.ndarray:
        height, width = image.shape[2:]
        padded = np.pad(image, ((0, 0), (0, 0), (1, 1), (1, 1)))
        total = sum(padded[:, :, y : y + height, x : x + width] for y in range(3) for x in range(3))
        return (total / 9).astype(np.float32)

    return mean


RESTORERS = {
    Task.DENOISE: (
        [helper.make_node("Conv", ["image", "ninths"], ["restored"], group=3, pads=[1, 1, 1, 1])],
        ModelMetadata(
            task=Task.DENOISE, name="blur", image=ImageSpec(), restoration=RestorationSpec(), tile=TileSpec(overlap=1)
        ),
    ),
    Task.INPAINT: (
        [helper.make_node("Max", ["image", "mask"], ["restored"])],
        ModelMetadata(
            task=Task.INPAINT,
            name="whitener",
            image=ImageSpec(),
            restoration=RestorationSpec(),
            tile=TileSpec(overlap=0),
        ),
    ),
    Task.UPSCALE: (
        [
            helper.make_node("Concat", ["image"] * 4, ["copies"], axis=1),
            helper.make_node("DepthToSpace", ["copies"], ["restored"], blocksize=2),
        ],
        ModelMetadata(
            task=Task.UPSCALE,
            name="doubler",
            image=ImageSpec(),
            restoration=RestorationSpec(scale=2),
            tile=TileSpec(overlap=0),
        ),
    ),
    Task.BRIGHTEN: (
        [
            helper.make_node("AveragePool", ["image"], ["means"], kernel_shape=[4, 4], strides=[4, 4]),
            helper.make_node("Sub", ["means", "means"], ["zeros"]),
            helper.make_node("Add", ["zeros", "half"], ["restored"]),
        ],
        ModelMetadata(
            task=Task.BRIGHTEN,
            name="half_a_curve",
            image=ImageSpec(size=(16, 16)),
            restoration=RestorationSpec(predicts=Prediction.CURVES),
        ),
    ),
}


@pytest.fixture
def write_restorer(tmp_path: Path) -> Callable[..., Path]:
    """Write the restorer of a task as ``models/TASK.onnx``; ``changes`` go into its metadata."""

    def write(task: str, **changes: object) -> Path:
        nodes, metadata = RESTORERS[Task(task)]
        weights = [
            helper.make_tensor("ninths", TensorProto.FLOAT, [3, 1, 3, 3], [1 / 9] * 27),
            helper.make_tensor("half", TensorProto.FLOAT, [1], [0.5]),
        ]
        used = {name for node in nodes for name in node.input}
        channels = {"image": 3, "mask": 1}
        graph = helper.make_graph(
            nodes,
            metadata.name,
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", count, "height", "width"])
                for name, count in channels.items()
                if name in used
            ],
            [helper.make_tensor_value_info("restored", TensorProto.FLOAT, ["batch", 3, "rows", "columns"])],
            [weight for weight in weights if weight.name in used],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        add_metadata(model, METADATA_KEY, metadata.updated(**changes).to_json())
        path = tmp_path / "models" / f"{task}.onnx"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(model.SerializeToString())
        return path

    return write
