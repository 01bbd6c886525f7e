"""The figures that judge samples, against formulas written out here, and the features they are taken in."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from training_runs import TRAINING_MARKS

from edgevision.core.errors import CheckpointError, InputError
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata
from edgevision.models import CifarResNet, build_model
from edgevision.runtime.tasks.classification.spec import ClassificationSpec
from edgevision.training.checkpoint import save_checkpoint
from edgevision.training.classifier_features import ClassifierFeatures, Features
from edgevision.training.sample_quality import SampleQuality

pytestmark = TRAINING_MARKS

IMAGE = ImageSpec(size=(8, 8), mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.25))
METADATA = ModelMetadata(task="classify", name="resnet8", spec=ClassificationSpec(labels=("a", "b", "c")), image=IMAGE)


@pytest.fixture
def features() -> ClassifierFeatures:
    torch.manual_seed(0)
    return ClassifierFeatures(CifarResNet(blocks=1, num_classes=3), METADATA)


def given(pooled: Tensor) -> Features:
    """Features of pictures whose first pixels are the features; the class is where the last three are greatest."""
    stage = torch.zeros(len(pooled), 1, 1, 1)
    return Features((stage, stage, stage), pooled, pooled[:, -3:])


def transparent(*points: float, second: float = 0.0) -> Tensor:
    """Pictures (N, 1, 8, 8) which :func:`given` turns into points on a line."""
    images = torch.zeros(len(points), 1, 8, 8)
    images[:, 0, 0, 0] = torch.tensor(points)
    images[:, 0, 0, 1] = second
    return images


@pytest.fixture
def on_a_line() -> SampleQuality:
    return SampleQuality(lambda images: given(images.flatten(1)))  # type: ignore[arg-type]


def frechet(real: NDArray[np.float64], fake: NDArray[np.float64]) -> float:
    """Heusel et al. 2017, equation 6; the root of the product by that of a symmetric matrix with its eigenvalues."""
    first, second = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ second @ root), 0, None)).sum()
    return float(np.sum((real.mean(0) - fake.mean(0)) ** 2) + np.trace(first) + np.trace(second) - 2 * cross)


# --- the features ---


def test_the_logits_are_the_classifiers_own(features: ClassifierFeatures) -> None:
    images = torch.rand(4, 3, 8, 8)
    mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGE.mean, IMAGE.std))
    found = features(images)
    torch.testing.assert_close(found.logits, features.network((images - mean) / std))
    assert [stage.shape[1:] for stage in found.stages] == [(16, 8, 8), (32, 4, 4), (64, 2, 2)]
    torch.testing.assert_close(found.pooled, found.stages[2].mean((2, 3)))
    assert features.labels == ("a", "b", "c")


def test_gray_pictures_are_seen_as_colour_ones(features: ClassifierFeatures) -> None:
    gray = torch.rand(3, 1, 8, 8)
    torch.testing.assert_close(features(gray).pooled, features(gray.repeat(1, 3, 1, 1)).pooled)


def test_the_classifier_never_learns(features: ClassifierFeatures) -> None:
    before = {name: tensor.clone() for name, tensor in features.network.state_dict().items()}
    features.train()
    images = torch.rand(4, 3, 8, 8, requires_grad=True)
    features(images).logits.sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in features.parameters())
    for name, tensor in features.network.state_dict().items():
        assert torch.equal(tensor, before[name]), name


@pytest.mark.parametrize(
    ("network", "metadata"),
    [
        (build_model("cnn3", image_size=8), METADATA.updated(name="cnn")),
        (CifarResNet(blocks=1, in_channels=1), METADATA.updated(name="grey", image=ImageSpec(color=Color.GRAY))),
        (CifarResNet(blocks=1), METADATA.updated(name="silent", image=None)),
    ],
    ids=["plain", "gray", "no_image"],
)
def test_another_network_gives_no_features(network: nn.Module, metadata: ModelMetadata) -> None:
    with pytest.raises(InputError, match=f"residual network for colour pictures, not {metadata.name}"):
        ClassifierFeatures(network, metadata)


def test_features_are_read_from_a_checkpoint(tmp_path: Path) -> None:
    network = build_model("resnet20", num_classes=3)
    save_checkpoint(tmp_path / "a.pt", network, METADATA, model="resnet20", options={"num_classes": 3})
    images = torch.rand(2, 3, 8, 8)
    found = ClassifierFeatures.read(tmp_path / "a.pt")(images).logits
    torch.testing.assert_close(found, ClassifierFeatures(network, METADATA)(images).logits)
    with pytest.raises(CheckpointError, match=r"missing\.pt' does not exist"):
        ClassifierFeatures.read(tmp_path / "missing.pt")


# --- the figures ---


def test_samples_that_are_the_pictures_themselves_are_perfect(features: ClassifierFeatures) -> None:
    quality, images = SampleQuality(features), torch.rand(90, 3, 8, 8)
    quality.add_real(images)
    quality.add_fake(images)
    figures = quality.compute()
    assert figures.keys() == {"classifier_frechet", "sample_precision", "sample_recall"}
    assert figures["classifier_frechet"] == pytest.approx(0, abs=1e-4)
    assert figures["sample_precision"] == figures["sample_recall"] == 100


def test_the_frechet_distance_is_that_of_the_formula(features: ClassifierFeatures) -> None:
    real, fake = torch.rand(120, 3, 8, 8), torch.rand(150, 3, 8, 8) ** 2
    quality = SampleQuality(features)
    quality.add_real(real[:50])
    quality.add_real(real[50:])
    quality.add_fake(fake[:100])
    quality.add_fake(fake[100:])
    assert quality.real_count == 120
    with torch.inference_mode():
        expected = frechet(*(features(images).pooled.double().numpy() for images in (real, fake)))
    assert expected > 0.01
    assert quality.compute()["classifier_frechet"] == pytest.approx(expected, rel=1e-3)


def test_noise_is_farther_from_pictures_than_other_pictures_are(features: ClassifierFeatures) -> None:
    def smooth(seed: int) -> Tensor:
        coarse = torch.rand(100, 3, 2, 2, generator=torch.Generator().manual_seed(seed))
        return nn.functional.interpolate(coarse, size=8, mode="bilinear")

    distances = []
    for fake in (smooth(1), torch.rand(100, 3, 8, 8)):
        quality = SampleQuality(features)
        quality.add_real(smooth(0))
        quality.add_fake(fake)
        distances.append(quality.compute()["classifier_frechet"])
    assert 0 < distances[0] < distances[1] / 5


def test_precision_and_recall_are_shares_of_neighbourhoods(on_a_line: SampleQuality) -> None:
    """Kynkäänniemi et al. 2019, k = 3, on a line where it can be followed."""
    on_a_line.add_real(transparent(*map(float, range(10))))
    on_a_line.add_fake(transparent(0.0, 1.0, 2.0, 3.0, 4.0, 1000.0, 1001.0, 1002.0, 1003.0, 1004.0))
    figures = on_a_line.compute()
    # Five of ten lie among the real ones.
    assert figures["sample_precision"] == pytest.approx(50)
    # The third neighbour of the sample at 4 is 3 away: what is real is reached up to 7.
    assert figures["sample_recall"] == pytest.approx(80)


def test_one_sample_repeated_is_precise_and_recalls_little(on_a_line: SampleQuality) -> None:
    on_a_line.add_real(transparent(*map(float, range(10))))
    on_a_line.add_fake(transparent(*[4.0] * 10))
    figures = on_a_line.compute()
    assert figures["sample_precision"] == 100
    assert figures["sample_recall"] == pytest.approx(10)


def test_agreement_is_the_share_of_samples_seen_as_the_class_asked_for(on_a_line: SampleQuality) -> None:
    images = torch.rand(8, 1, 8, 8)
    images[:, 0, 7, 5:] = torch.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]]
    on_a_line.add_real(images)
    on_a_line.add_fake(images[:4], torch.tensor([0, 1, 2, 0]))
    on_a_line.add_fake(images[4:], torch.tensor([1, 0, 0, 2]))
    assert on_a_line.compute()["class_agreement"] == pytest.approx(75)


def test_samples_are_forgotten_and_real_pictures_are_not(features: ClassifierFeatures) -> None:
    quality = SampleQuality(features)
    real, first, second = torch.rand(80, 3, 8, 8), torch.rand(80, 3, 8, 8) ** 4, torch.rand(80, 3, 8, 8) ** 2
    quality.add_real(real)
    quality.add_fake(first, torch.zeros(80))
    before = quality.compute()
    quality.add_fake(second)
    after = quality.compute()
    assert quality.real_count == 80
    assert "class_agreement" not in after
    assert after["classifier_frechet"] != before["classifier_frechet"]
    fresh = SampleQuality(features)
    fresh.add_real(real)
    fresh.add_fake(second)
    assert after == pytest.approx(fresh.compute(), rel=1e-4)
