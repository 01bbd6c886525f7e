"""A classifier exported with its features is that classifier, and can judge."""

from pathlib import Path

import numpy as np
import pytest
import torch

from edgevision.core.errors import InputError
from edgevision.exporters.export import export
from edgevision.exporters.verify import verify
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, Precision, TensorSpec
from edgevision.models import CifarResNet, build_model
from edgevision.runtime.load import load
from edgevision.runtime.tasks.classification.spec import ClassificationSpec
from edgevision.runtime.tasks.generation.feature_classifier import FeatureClassifier
from edgevision.training.checkpoint import save_checkpoint
from edgevision.training.classifier_features import ClassifierFeatures

LABELS = ("ant", "bee", "cow")
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.25)
METADATA = ModelMetadata(
    task="classify",
    name="resnet20",
    inputs=(TensorSpec(name="image", shape=("batch", 3, 8, 8)),),
    outputs=(TensorSpec(name="logits", shape=("batch", 3)),),
    spec=ClassificationSpec(labels=LABELS),
    image=ImageSpec(size=(8, 8), mean=MEAN, std=STD),
    licence="CC0-1.0",
)


@pytest.fixture(scope="module")
def network() -> CifarResNet:
    torch.manual_seed(0)
    built = build_model("resnet20", num_classes=3, dropout=0.5).train()
    with torch.no_grad():
        built(2 * torch.randn(64, 3, 8, 8))
    return built.eval()


@pytest.fixture(scope="module")
def checkpoint(network: CifarResNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("resnet") / "resnet.pt"
    save_checkpoint(path, network, METADATA, model="resnet20", options={"num_classes": 3, "dropout": 0.5})
    return path


@pytest.fixture(scope="module", params=["judge.onnx", "judge.xml"])
def judge(request: pytest.FixtureRequest, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("judge") / request.param
    export(checkpoint, path, part="features", format="onnx" if path.suffix == ".onnx" else "openvino")
    return path


def test_its_features_are_those_that_training_compares_in(judge: Path, network: CifarResNet) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    with torch.inference_mode():
        expected = ClassifierFeatures(network, METADATA)(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255)
    with FeatureClassifier.open(judge) as opened:
        features, answers = opened(list(pixels))
        assert (opened.size, opened.labels, opened.side) == (64, LABELS, (8, 8))
    np.testing.assert_allclose(features, expected.pooled, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(answers, expected.logits.argmax(1))


def test_it_still_is_a_classifier(judge: Path, network: CifarResNet) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    with torch.inference_mode():
        logits = network(((torch.from_numpy(pixels).permute(2, 0, 1) / 255 - mean) / std)[None])[0]
    with load(judge) as classify:
        assert classify.metadata.task == "classify"
        assert [spec.name for spec in classify.metadata.outputs] == ["logits", "features"]
        np.testing.assert_allclose(classify(pixels).scores, logits, rtol=1e-3, atol=1e-4)


def test_it_is_verified_against_the_classifier(judge: Path, checkpoint: Path) -> None:
    parity = verify(judge, checkpoint, samples=8, quiet=True).parity
    parity.check(Precision.FP32)
    assert [output.name for output in parity.outputs] == ["logits", "features"]


def test_other_networks_show_no_features(tmp_path: Path) -> None:
    options = {"num_classes": 3, "image_size": 8}
    save_checkpoint(tmp_path / "cnn.pt", build_model("cnn3", **options), METADATA, model="cnn3", options=options)
    with pytest.raises(InputError, match="--part features is for a residual classifier"):
        export(tmp_path / "cnn.pt", tmp_path / "net.onnx", part="features")
    assert [path.name for path in tmp_path.iterdir()] == ["cnn.pt"]
