"""Each term of the restoration loss, against its formula."""

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from edgevision.core.errors import CheckpointError, InputError
from edgevision.metrics.figures import psnr_db
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata
from edgevision.models import build_model
from edgevision.runtime.tasks.classification.spec import ClassificationSpec
from edgevision.training.checkpoint import save_checkpoint
from edgevision.training.restoration_loss import RestorationLoss
from edgevision.training.settings import LossTerm

# Of two pictures alone: the others want a classifier, or a network that guesses colours.
PLAIN = [term for term in LossTerm if term not in (LossTerm.PERCEPTUAL, LossTerm.COLORS)]


def pictures(channels: int = 3, noise: float = 0.1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(2, channels, 24, 28, generator=generator)
    return (target + noise * torch.randn(target.shape, generator=generator)).clamp(0, 1), target


def value(term: LossTerm, restored: Tensor, target: Tensor) -> float:
    return float(RestorationLoss({term.value: 1.0}, None)(restored, target))


def classifier(path: Path, model: str = "resnet20", color: Color = Color.RGB) -> Path:
    torch.manual_seed(0)
    options = {"num_classes": 2, "in_channels": color.channels}
    options |= {"image_size": 16} if model.startswith("cnn") else {}
    image = ImageSpec(color=color, size=(16, 16), mean=(0.4,) * color.channels, std=(0.2,) * color.channels)
    metadata = ModelMetadata(task="classify", name=model, spec=ClassificationSpec(labels=("cat", "dog")), image=image)
    save_checkpoint(path, build_model(model, **options), metadata, model=model, options=options)
    return path


@pytest.fixture
def perceptual(tmp_path: Path) -> RestorationLoss:
    return RestorationLoss({"perceptual": 1.0}, str(classifier(tmp_path / "resnet20.pt")))


@pytest.mark.parametrize("term", PLAIN)
@pytest.mark.parametrize("channels", [1, 3])
def test_equal_pictures_cost_nothing_and_better_ones_less(term: LossTerm, channels: int) -> None:
    _, target = pictures(channels)
    best = -4.0 if term is LossTerm.PSNR else 0.0  # no error at all counts as 40 dB
    assert value(term, target, target) == pytest.approx(best, abs=1e-6)
    good, bad = (value(term, *pictures(channels, noise)) for noise in (0.05, 0.2))
    assert best < good < bad


@pytest.mark.parametrize("term", PLAIN)
def test_the_gradient_reaches_every_pixel_that_is_wrong(term: LossTerm) -> None:
    restored, target = pictures()
    restored.requires_grad_(True)
    RestorationLoss({term.value: 1.0}, None)(restored, target).backward()
    assert restored.grad is not None
    assert restored.grad.isfinite().all()
    assert restored.grad.abs().sum() > 0


def test_l1_and_l2_are_mean_errors() -> None:
    restored, target = pictures()
    assert value(LossTerm.L1, restored, target) == pytest.approx(float((restored - target).abs().mean()), rel=1e-5)
    assert value(LossTerm.L2, restored, target) == pytest.approx(float((restored - target).square().mean()), rel=1e-5)


def test_psnr_is_the_mean_of_the_pictures_own_in_bel() -> None:
    restored, target = pictures(noise=0.3)
    each = [psnr_db(t.numpy(), r.numpy()) for r, t in zip(restored, target, strict=True)]
    assert value(LossTerm.PSNR, restored, target) == pytest.approx(-np.mean(each) / 10, abs=0.01)


def test_ssim_is_half_of_what_lacks_to_1() -> None:
    restored, target = pictures(channels=1)
    similar = [
        structural_similarity(
            t.numpy()[0].astype(float),
            r.numpy()[0].astype(float),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
            full=True,
        )[1][5:-5, 5:-5]
        for r, t in zip(restored, target, strict=True)
    ]
    # Near the border the filters differ.
    assert value(LossTerm.SSIM, restored, target) == pytest.approx((1 - np.mean(similar)) / 2, abs=0.02)


def test_the_edge_term_ignores_brightness_and_sees_edges() -> None:
    _, target = pictures()
    assert value(LossTerm.EDGE, target + 0.1, target) == pytest.approx(0, abs=1e-6)
    assert value(LossTerm.EDGE, target.roll(1, -1), target) > 0.01


def test_terms_are_weighed_and_added() -> None:
    restored, target = pictures()
    weights = {"l1": 2.0, "ssim": 0.5, "psnr": 0.1}
    total = float(RestorationLoss(weights, None)(restored, target))
    assert total == pytest.approx(sum(w * value(LossTerm(n), restored, target) for n, w in weights.items()), rel=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_perceptual_term_compares_features(perceptual: RestorationLoss, channels: int) -> None:
    restored, target = pictures(channels)
    assert float(perceptual(target, target)) == 0
    assert 0 < float(perceptual(*pictures(channels, 0.02))) < float(perceptual(restored, target))


def test_the_perceptual_classifier_stays_as_it_is(perceptual: RestorationLoss) -> None:
    before = {name: tensor.clone() for name, tensor in perceptual.state_dict().items()}
    assert perceptual.features is not None
    assert not any(parameter.requires_grad for parameter in perceptual.parameters())
    restored, target = pictures()
    restored.requires_grad_(True)
    perceptual(restored, target).backward()
    assert restored.grad is not None
    assert restored.grad.abs().sum() > 0
    for name, tensor in perceptual.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_the_perceptual_classifier_sees_pictures_normalised_as_its_own(tmp_path: Path) -> None:
    path = classifier(tmp_path / "a.pt")
    loss = RestorationLoss({"perceptual": 1.0}, str(path))
    assert loss.features is not None
    network = loss.features.network
    _, target = pictures()
    seen = (target - 0.4) / 0.2
    first = network.layer1(torch.relu(network.bn1(network.conv1(seen))))
    ours = loss.features(target).stages
    torch.testing.assert_close(ours[0], first, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours[1], network.layer2(first), rtol=1e-4, atol=1e-4)


def test_what_is_no_checkpoint_of_ours_is_refused_by_the_perceptual_term(tmp_path: Path) -> None:
    torch.save(build_model("resnet20").state_dict(), tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"a\.pt' is no checkpoint made by edgevision train"):
        RestorationLoss({"perceptual": 1.0}, str(tmp_path / "a.pt"))


@pytest.mark.parametrize(("model", "color"), [("cnn3", Color.RGB), ("resnet20", Color.GRAY)])
def test_another_network_is_refused_by_the_perceptual_term(tmp_path: Path, model: str, color: Color) -> None:
    path = classifier(tmp_path / "a.pt", model, color)
    with pytest.raises(InputError, match=f"needs a residual network for colour pictures, not {model}"):
        RestorationLoss({"perceptual": 1.0}, str(path))


@pytest.mark.parametrize("term", PLAIN)
def test_a_step_in_bfloat16_is_judged_as_exactly_as_one_in_float32(term: LossTerm) -> None:
    restored, target = pictures(noise=0.01)
    expected = value(term, restored, target)
    with torch.autocast("cpu", torch.bfloat16):
        assert value(term, restored, target) == pytest.approx(expected, rel=1e-3)
