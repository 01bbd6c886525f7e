"""The published figure of a published checkpoint, in every form it is exported to."""

from pathlib import Path

import pytest
from PIL import Image

import edgevision
from edgevision.data.datasets import ImageFolder
from edgevision.exporters.checkpoints import read_checkpoint
from edgevision.exporters.torch_engine import TorchEngine
from edgevision.modelfiles.metadata import Precision
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.runtime.tasks.classification.classifier import Classifier
from edgevision.runtime.tasks.classification.evaluation import evaluate_classifier

ARCH = "edgevision.models:resnet20"
LABELS = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


class InMemory:
    """A data set decoded once for all the models that are tried on it."""

    def __init__(self, data: ImageFolder) -> None:
        self.class_names, self.labels, self.names = data.class_names, data.labels, data.names
        self._images = [data.image(index) for index in range(len(data))]

    def __len__(self) -> int:
        return len(self._images)

    def image(self, index: int) -> Image.Image:
        return self._images[index]


@pytest.fixture(scope="module")
def data(shared: Path) -> InMemory:
    return InMemory(ImageFolder(shared / "data/cifar10.zip", ("test",)))


@pytest.fixture(scope="module")
def checkpoint(shared: Path) -> Path:
    return shared / "cases/resnet20_cifar10/resnet20.th"


def test_pytorch_onnx_and_openvino_reach_the_published_accuracy(data, checkpoint, tmp_path):
    top1 = {}
    for format, suffix in ((ModelFormat.ONNX, ".onnx"), (ModelFormat.OPENVINO, ".xml")):
        for precision in (Precision.FP32, Precision.FP16):
            path = tmp_path / f"{precision}{suffix}"
            report = edgevision.export(
                checkpoint,
                path,
                format=format,
                precision=precision,
                arch=ARCH,
                input_shape=(1, 3, 32, 32),
                metadata={
                    "task": "classify",
                    "labels": LABELS,
                    "image": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
                },
                force=True,
            )
            with edgevision.load(path) as classify:
                top1[path.name] = evaluate_classifier(classify, data, quiet=True).top1
    network = read_checkpoint(checkpoint, arch=ARCH).network
    with TorchEngine(network, report.metadata.inputs, report.metadata.outputs) as engine:
        top1["pytorch"] = evaluate_classifier(Classifier(engine, report.metadata), data, quiet=True).top1
    assert top1["pytorch"] == pytest.approx(81.03, abs=0.005)
    assert top1["fp32.onnx"] == pytest.approx(81.03, abs=0.005)
    assert top1["fp32.xml"] == pytest.approx(81.03, abs=0.005)
    assert top1["fp16.onnx"] == pytest.approx(81.03, abs=0.05)
    assert top1["fp16.xml"] == pytest.approx(81.03, abs=0.05)


def test_the_classifier_that_ships_is_as_good_as_promised(data):
    with edgevision.load("classify") as classify:
        report = evaluate_classifier(classify, data, quiet=True)
        assert report.top1 >= 84
        assert report.top1 == pytest.approx(classify.metadata.quality["top1"], abs=0.05)
