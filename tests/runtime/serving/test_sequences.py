"""Clips: a video or an animation in one file, answered as the pipeline answers it, and nothing else is read for it."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from onnx_writer import node, onnx_model
from PIL import Image

from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata
from edgevision.runtime.load import load
from edgevision.runtime.tasks.sequences.spec import SequenceSpec

from .conftest import Client, serving

SIDE = 4


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network over a window of frames, which says "light" once the frames until then were so on the whole."""
    nodes = [
        node("ReduceMean", ["frames", "axes"], ["light"], keepdims=0),
        node("CumSum", ["light", "one"], ["sum"]),
        node("Unsqueeze", ["sum", "last"], ["column"]),
        node("Mul", ["column", "signs"], ["logits"]),
    ]
    weights = {
        "axes": np.array([2, 3, 4], np.int64),
        "one": np.array(1, np.int64),
        "last": np.array([2], np.int64),
        "signs": np.array([-1, 1], np.float32),
    }
    metadata = ModelMetadata(
        task="sequence",
        name="light",
        image=ImageSpec(color=Color.GRAY, size=(SIDE, SIDE), value_range=(-1.0, 1.0)),
        spec=SequenceSpec(labels=("dark", "light"), frames=3),
    )
    path = tmp_path_factory.mktemp("models") / "light.onnx"
    shapes = {"frames": ("batch", "time", 1, SIDE, SIDE)}, {"logits": ("batch", "time", 2)}
    path.write_bytes(onnx_model(nodes, *shapes, weights, metadata))
    return path


@pytest.fixture(scope="module")
def clips(model: Path) -> Iterator[Client]:
    with serving(str(model), "--max-pixels", "10000") as client:
        yield client


def animation(*grays: int, side: int = 8, kind: str = "GIF") -> bytes:
    frames = [Image.new("L", (side, side), gray) for gray in grays]
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=40)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_an_animation_is_answered_as_the_pipeline_answers_it(clips, model, tmp_path, kind):
    content = animation(20, 60, 250, 255, 240, kind=kind)
    path = tmp_path / f"clip.{kind.lower()}"
    path.write_bytes(content)
    reply = clips.run("sequence", {"clip": (path.name, content)})
    assert reply.status == 200, reply.body
    with load(model) as pipeline:
        assert reply.json["results"] == [{"input": path.name} | pipeline(path).to_dict()]
    labels = [frame["label"] for frame in reply.json["results"][0]["frames"]]
    assert (labels[0], labels[-1]) == ("dark", "light")


def test_a_video_is_answered(clips, tmp_path):
    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 32
        for gray in (0, 10, 250, 250, 250):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), gray, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    reply = clips.run("sequence", {"clip": ("clip.mp4", file.getvalue())})
    assert reply.status == 200, reply.body
    assert len(reply.json["results"][0]["frames"]) == 5


def test_a_clip_refers_to_no_file_of_the_server(clips, tmp_path):
    pytest.importorskip("av")
    secret = tmp_path / "secret.gif"
    secret.write_bytes(animation(0, 255))
    for content in (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile {secret}\n",
    ):
        reply = clips.run("sequence", {"clip": ("clip.m3u8", content.encode())})
        assert (reply.status, reply.error["kind"]) == (422, "picture"), reply.body
        assert str(tmp_path) not in reply.error["message"]


@pytest.mark.parametrize("content", [b"no clip", animation(0, 255)[:40], b"GIF89a"])
def test_what_is_no_clip_is_refused(clips, content):
    pytest.importorskip("av")
    reply = clips.run("sequence", {"clip": content})
    assert (reply.status, reply.error["kind"]) == (422, "picture"), reply.body


def test_a_clip_has_only_so_many_pixels_in_all(clips):
    reply = clips.run("sequence", {"clip": animation(*range(0, 250, 2), side=64)})
    assert reply.status == 413, reply.body
