"""Requests share a batch only where the network answers each as it does alone, and cores only where that pays."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from onnx_writer import node, onnx_model

from edgevision.core.errors import UnfitInputError
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.serving import engine_choice
from edgevision.runtime.serving.engine_choice import open_for_requests
from edgevision.runtime.serving.equal_batches import largest_equal_batch
from edgevision.runtime.serving.settings import ServerSettings

METADATA = ModelMetadata(
    task="classify",
    name="small",
    inputs=(TensorSpec(name="image", shape=("batch", 3, 8, 8)),),
    image=ImageSpec(size=(8, 8)),
)


class Network:
    """Gives the mean of each picture, which is another in batches of ``wrong_from`` and more, or an error."""

    def __init__(self, *, wrong_from: int = 1000, most: int = 1000, batch: Any = "batch") -> None:
        self.inputs = (TensorSpec(name="image", shape=(batch, 3, 8, 8)),)
        self.outputs = (TensorSpec(name="mean", shape=(batch, 1)),)
        self.wrong_from, self.most = wrong_from, most

    def run(self, inputs: Any) -> list[Any]:
        (images,) = inputs.values()
        if len(images) > self.most:
            raise UnfitInputError("too many")
        means = images.mean(axis=(1, 2, 3))[:, None]
        return [np.nextafter(means, np.inf) if len(images) >= self.wrong_from else means]


@pytest.mark.parametrize(
    ("network", "most", "largest"),
    [
        (Network(), 8, 8),
        (Network(), 7, 4),
        (Network(), 1, 1),
        # What differs in the last bit is another answer.
        (Network(wrong_from=8), 8, 4),
        (Network(wrong_from=2), 8, 1),
        (Network(most=1), 8, 1),
        (Network(batch=1), 8, 1),
        (Network(batch=4), 8, 1),
    ],
)
def test_batches_are_as_large_as_their_answers_are_equal(network, most, largest):
    assert largest_equal_batch(network, METADATA, most) == largest


@pytest.mark.parametrize(("limit", "threads", "alone"), [(1e9, None, True), (0.0, None, False), (1e9, 2, False)])
def test_a_small_network_answers_each_request_on_one_core(tmp_path, monkeypatch, limit, threads, alone):
    monkeypatch.setattr(engine_choice, "_SMALL_SECONDS", limit)
    path = tmp_path / "model.onnx"
    graph = [node("GlobalAveragePool", ["image"], ["mean"])]
    shapes = {"image": ("batch", 3, 8, 8)}, {"mean": ("batch", 3, 1, 1)}
    path.write_bytes(onnx_model(graph, *shapes, metadata=METADATA))
    offered: Any = SimpleNamespace(path=path, task="classify", metadata=METADATA)
    task: Any = SimpleNamespace(task=find_task("classify"), served=SimpleNamespace(batches=True))
    engine, found = open_for_requests(offered, task, ServerSettings(threads=threads))
    engine.close()
    assert found is alone
