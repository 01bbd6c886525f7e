"""A segmenter that takes what is bright for a person, and pictures for it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx_writer import node, onnx_model
from PIL import Image

from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, Resize, TensorSpec
from edgevision.runtime.tasks.detection.spec import Scores
from edgevision.runtime.tasks.segmentation.spec import MapField, MapPart, SegmentationHead, SegmentationSpec

HEIGHT, WIDTH = 96, 128


def _metadata(labels: tuple[str, ...]) -> ModelMetadata:
    head = SegmentationHead(
        maps=(MapPart(output="logit", fields=(MapField.FOREGROUND,), activation=Scores.SIGMOID),), background=0
    )
    return ModelMetadata(
        task="segment",
        name="bright",
        inputs=(TensorSpec(name="image", shape=(1, 3, 32, 32)),),
        outputs=(TensorSpec(name="logit", shape=(1, 1, 32, 32)),),
        image=ImageSpec(size=(32, 32), resize=Resize.STRETCH),
        spec=SegmentationSpec(labels=labels, head=head),
    )


@pytest.fixture
def segmenter(tmp_path: Path) -> Path:
    """A model file."""
    path = tmp_path / "bright.onnx"
    content = onnx_model(
        [node("Conv", ["image", "weights", "bias"], ["logit"])],
        {"image": (1, 3, 32, 32)},
        {"logit": (1, 1, 32, 32)},
        {"weights": np.full((1, 3, 1, 1), 20, np.float32), "bias": np.float32([-36])},
        _metadata(("nothing", "person")),
    )
    path.write_bytes(content)
    return path


@pytest.fixture
def pixels() -> np.ndarray:
    """A dark picture of two bright squares, with some texture."""
    picture = np.random.default_rng(0).integers(20, 60, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    picture[24:56, 16:48] = 240
    picture[40:72, 80:112] = (250, 230, 210)
    return picture


@pytest.fixture
def write_picture(tmp_path: Path, pixels: np.ndarray) -> Callable[..., Path]:
    """Write it, or another one, under a name."""

    def write(name: str = "photo.png", content: np.ndarray | None = None, **options: object) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels if content is None else content).save(path, **options)
        return path

    return write
