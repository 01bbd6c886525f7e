"""A published generator of handwritten digits in every form it is exported to, and the generator that ships."""

from pathlib import Path

import numpy as np
import pytest

import edgevision
from edgevision.data.datasets import ImageFolder
from edgevision.exporters.verify import verify
from edgevision.modelfiles.metadata import Precision
from edgevision.modelfiles.model_file import read_metadata
from edgevision.runtime.shipped_models import shipped_feature_classifier
from edgevision.runtime.tasks.generation.evaluation import evaluate_generator
from edgevision.runtime.tasks.generation.feature_classifier import FeatureClassifier
from edgevision.runtime.tasks.generation.spec import LatentSpec

ARCH = {
    "arch": "edgevision.models:MlpGenerator",
    "arch_options": {"latent": 64, "hidden": [256, 256], "activation": "relu"},
}


@pytest.fixture(scope="module")
def weights(shared: Path) -> Path:
    return shared / "cases/mnist_gan_mlp/G--300.ckpt"


@pytest.fixture(scope="module", params=["net.onnx", "net.xml"])
def generator(request: pytest.FixtureRequest, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("generator") / request.param
    kind = "onnx" if path.suffix == ".onnx" else "openvino"
    edgevision.export(weights, path, format=kind, input_shape=(1, 64), metadata={"task": "generate"}, **ARCH)
    return path


def test_its_digits_are_bright_strokes_on_black_and_all_different(generator):
    with edgevision.load(generator) as draw:
        pictures = draw(100, seed=1).pixels
    assert pictures.shape == (100, 28, 28, 1)
    dark, bright = (pictures < 64).mean((1, 2, 3)), (pictures > 192).mean((1, 2, 3))
    # MNIST's digits are black for four fifths, and white for a tenth.
    assert 0.7 < dark.mean() < 0.9
    assert 0.05 < bright.mean() < 0.2
    assert dark.min() > 0.5
    assert bright.min() > 0.005
    # Strokes lie in the middle, and not in a border of two pixels.
    border = np.ones((28, 28), bool)
    border[2:-2, 2:-2] = False
    assert (pictures[:, border] < 64).mean() > 0.99
    # No two are alike: they differ from one another about as much as two of MNIST do.
    flat = pictures.reshape(100, -1).astype(float)
    differences = np.abs(flat[:, None] - flat[None]).mean(2)[np.triu_indices(100, 1)]
    assert differences.min() > 2
    assert 15 < differences.mean() < 60


def test_it_says_what_it_takes_and_gives(generator):
    metadata = read_metadata(generator)
    assert metadata.spec.latent == LatentSpec(size=64)
    assert metadata.inputs[0].shape == ("batch", 64)
    assert metadata.outputs[0].shape == ("batch", 1, 28, 28)
    assert metadata.outputs[0].value_range == (-1, 1)
    assert metadata.spec.labels == ()


def test_it_computes_what_the_checkpoint_does(generator, weights):
    report = verify(generator, weights, samples=100, quiet=True, **ARCH)
    report.parity.check(Precision.FP32)
    assert report.parity.samples == 100
    assert report.parity.worst.sqnr_db > 90


def test_the_generator_that_ships_is_as_good_as_promised(shared):
    data = ImageFolder(shared / "data/cifar10.zip", ("test",))
    with edgevision.load("generate") as generator, FeatureClassifier.open(shipped_feature_classifier()) as judge:
        report = evaluate_generator(generator, data, judge, samples=1000, quiet=True)
        promised = generator.metadata.quality
    assert (report.samples, report.images, report.remarks) == (1000, 1000, ())
    # What 2,000 samples and pictures gave, with the error that half as many have.
    assert report.class_agreement == pytest.approx(promised["val_class_agreement"], abs=3)
    assert report.class_agreement > 91
    assert report.classifier_frechet < 0.6
    assert report.sample_precision == pytest.approx(90, abs=4)
    assert report.sample_recall == pytest.approx(81, abs=6)
    assert report.sample_variety > 90
    assert min(score.agreement for score in report.classes) > 75
