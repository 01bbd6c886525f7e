"""Models small enough to follow by hand.

The classifier's logits are ten times the mean of red, green and blue. Of the restorers one blurs, one fills holes with
white, one doubles every pixel and one draws the same curve everywhere.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import colour_models
import numpy as np
import pytest
from fake_engine import FakeEngine
from onnx_writer import node, onnx_model
from PIL import Image
from watched_browser import Watched, open_browser

from edgevision.core.errors import ImageError
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec, TileSpec
from edgevision.runtime.tasks.classification.spec import ClassificationSpec
from edgevision.runtime.tasks.restoration.spec import Prediction, RestorationSpec

COLOURS = ("red", "green", "blue")


METADATA = ModelMetadata(
    task="classify",
    name="colours",
    inputs=(TensorSpec(name="image", shape=("batch", 3, 8, 8), value_range=(0.0, 1.0)),),
    outputs=(TensorSpec(name="logits", shape=("batch", 3)),),
    image=ImageSpec(size=(8, 8)),
    spec=ClassificationSpec(labels=COLOURS),
)


# By suffix: the engine's package, and what writes the classifier for it.
_OTHERS = {
    ".tflite": ("ai_edge_litert", colour_models.write_tflite),
    ".param": ("ncnn", colour_models.write_ncnn),
}


@pytest.fixture
def write_colours(tmp_path: Path, need: Callable[[str], None]) -> Callable[..., Path]:
    """Write the colour classifier under a name whose ending chooses the format; ``metadata=None`` leaves it out."""

    def write(
        name: str = "colours.onnx", metadata: ModelMetadata | None = METADATA, batch: int | str = "batch"
    ) -> Path:
        path = tmp_path / name
        if path.suffix in _OTHERS:
            package, write_other = _OTHERS[path.suffix]
            pytest.importorskip(package)
            if metadata is not None:
                metadata = metadata.updated(inputs=colour_models.INPUTS, outputs=colour_models.OUTPUTS)
            write_other(path, metadata)
            return path
        content = onnx_model(
            [
                node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0),
                node("Mul", ["mean", "ten"], ["logits"]),
            ],
            {"image": (batch, 3, 8, 8)},
            {"logits": (batch, 3)},
            {"ten": np.float32([10]), "axes": np.int64([2, 3])},
            metadata,
        )
        if path.suffix == ".xml":
            assert metadata is not None
            need("onnx")
            _write_openvino(content, path, metadata)
        else:
            path.write_bytes(content)
        return path

    return write


def _write_openvino(content: bytes, path: Path, metadata: ModelMetadata) -> None:
    import onnx

    from edgevision.exporters.conversion.openvino_conversion import write_openvino

    write_openvino(onnx.load_from_string(content), path, metadata, half=False)


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
    "denoise": (
        [node("Conv", ["image", "ninths"], ["restored"], group=3, pads=[1, 1, 1, 1])],
        ModelMetadata(task="denoise", name="blur", image=ImageSpec(), spec=RestorationSpec(), tile=TileSpec(overlap=1)),
    ),
    "inpaint": (
        [node("Max", ["image", "mask"], ["restored"])],
        ModelMetadata(
            task="inpaint",
            name="whitener",
            image=ImageSpec(),
            spec=RestorationSpec(),
            tile=TileSpec(overlap=0),
        ),
    ),
    "upscale": (
        [
            node("Concat", ["image"] * 4, ["copies"], axis=1),
            node("DepthToSpace", ["copies"], ["restored"], blocksize=2),
        ],
        ModelMetadata(
            task="upscale",
            name="doubler",
            image=ImageSpec(),
            spec=RestorationSpec(scale=2),
            tile=TileSpec(overlap=0),
        ),
    ),
    "brighten": (
        [
            node("AveragePool", ["image"], ["means"], kernel_shape=[4, 4], strides=[4, 4]),
            node("Sub", ["means", "means"], ["zeros"]),
            node("Add", ["zeros", "half"], ["restored"]),
        ],
        ModelMetadata(
            task="brighten",
            name="half_a_curve",
            image=ImageSpec(size=(16, 16)),
            spec=RestorationSpec(predicts=Prediction.CURVES),
        ),
    ),
}

WEIGHTS = {
    "denoise": {"ninths": np.full((3, 1, 3, 3), 1 / 9, np.float32)},
    "brighten": {"half": np.float32([0.5])},
}


@pytest.fixture
def write_restorer(tmp_path: Path) -> Callable[..., Path]:
    """Write the restorer of a task as ``models/TASK.onnx``; ``changes`` go into its metadata."""

    def write(task: str, **changes: object) -> Path:
        nodes, metadata = RESTORERS[task]
        path = tmp_path / "models" / f"{task}.onnx"
        path.parent.mkdir(exist_ok=True)
        sides = ("batch", 3, "height", "width")
        inputs = {"image": sides} | ({"mask": ("batch", 1, *sides[2:])} if task == "inpaint" else {})
        outputs = {"restored": ("batch", 3, "rows", "columns")}
        path.write_bytes(onnx_model(nodes, inputs, outputs, WEIGHTS.get(task), metadata.updated(**changes)))
        return path

    return write


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with pictures whose names must not become words of a command line."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("-rf.png", "b c.jpg", "d.gif"):
        Image.new("RGB", (8, 8)).save(folder / name)
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to work in."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def refusal(tmp_path: Path) -> Callable[[Callable[[Path], None], bytes], str | None]:
    """Why a check of what a board sent refuses these bytes; ``None`` where it does not."""

    def ask(check: Callable[[Path], None], content: bytes) -> str | None:
        path = tmp_path / "sent"
        path.write_bytes(content)
        try:
            check(path)
        except ImageError as error:
            return str(error)
        return None

    return ask


# Not for the session: as long as it is there its event loop runs, and tests of others could not run one.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with open_browser() as chromium:
        yield chromium


@pytest.fixture
def watched() -> Watched:
    return Watched()
