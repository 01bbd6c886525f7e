"""What the two networks of a GAN compete by, against values computed by hand."""

import math

import pytest
import torch
from torch import Tensor

from edgevision.training.gan_losses import discriminator_loss, generator_loss, gradient_penalty
from edgevision.training.settings import GanLoss

REAL, FAKE = (0.5, -1.0, 2.0), (2.0, 0.0, -3.0)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def scores(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values, requires_grad=True)


def entropy(smoothing: float) -> float:
    real = [-(1 - smoothing) * math.log(sigmoid(x)) - smoothing * math.log(1 - sigmoid(x)) for x in REAL]
    return mean(real) + mean([-math.log(1 - sigmoid(x)) for x in FAKE])


@pytest.mark.parametrize(
    ("kind", "smoothing", "expected"),
    [
        (GanLoss.BCE, 0.0, entropy(0.0)),
        (GanLoss.BCE, 0.1, entropy(0.1)),
        (GanLoss.HINGE, 0.0, (0.5 + 2.0 + 0.0) / 3 + (3.0 + 1.0 + 0.0) / 3),
        (GanLoss.WGAN_GP, 0.0, -1.0 / 3 - 1.5 / 3),
    ],
)
def test_the_discriminators_loss(kind: GanLoss, smoothing: float, expected: float) -> None:
    loss = discriminator_loss(kind, scores(REAL), scores(FAKE), label_smoothing=smoothing)
    assert loss.shape == ()
    assert loss.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (GanLoss.BCE, mean([-math.log(sigmoid(x)) for x in FAKE])),
        (GanLoss.HINGE, 1.0 / 3),
        (GanLoss.WGAN_GP, 1.0 / 3),
    ],
)
def test_the_generators_loss(kind: GanLoss, expected: float) -> None:
    assert generator_loss(kind, scores(FAKE)).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("kind", GanLoss)
def test_the_discriminator_pulls_real_pictures_up_and_the_generator_its_own(kind: GanLoss) -> None:
    real, fake = scores((0.3, -0.4)), scores((0.1, -0.2))
    discriminator_loss(kind, real, fake).backward()
    assert real.grad is not None
    assert fake.grad is not None
    assert (real.grad < 0).all()
    assert (fake.grad > 0).all()
    own = scores((0.1, -0.2))
    generator_loss(kind, own).backward()
    assert own.grad is not None
    assert (own.grad < 0).all()


@pytest.mark.parametrize("kind", GanLoss)
def test_a_generator_that_is_seen_through_still_learns(kind: GanLoss) -> None:
    fake = scores((-40.0,))
    generator_loss(kind, fake).backward()
    assert fake.grad is not None
    assert fake.grad.item() == pytest.approx(-1, abs=1e-4)


@pytest.mark.parametrize("kind", GanLoss)
def test_certain_scores_stay_finite(kind: GanLoss) -> None:
    real, fake = scores((1e4, -1e4)), scores((-1e4, 1e4))
    for loss in (discriminator_loss(kind, real, fake, label_smoothing=0.1), generator_loss(kind, fake)):
        assert torch.isfinite(loss)


@pytest.mark.parametrize("kind", GanLoss)
def test_patches_count_like_pictures(kind: GanLoss) -> None:
    real, fake = torch.randn(3, 4), torch.randn(3, 4)
    together = discriminator_loss(kind, real, fake)
    torch.testing.assert_close(together, discriminator_loss(kind, real.flatten(), fake.flatten()))
    torch.testing.assert_close(generator_loss(kind, fake), generator_loss(kind, fake.flatten()))


@pytest.mark.parametrize(("length", "expected"), [(1.0, 0.0), (3.0, 4.0), (0.0, 1.0)])
def test_the_penalty_is_how_far_the_slope_is_from_one_squared(length: float, expected: float) -> None:
    direction = torch.randn(2, 4, 4)
    slope = length * direction / direction.norm()
    penalty = gradient_penalty(lambda x: (x * slope).sum((1, 2, 3)), torch.rand(5, 2, 4, 4), torch.rand(5, 2, 4, 4))
    assert penalty.item() == pytest.approx(expected, abs=1e-5)


def test_the_slope_is_taken_between_a_real_picture_and_a_generated_one() -> None:
    real, fake = torch.zeros(400, 1, 2, 2), torch.full((400, 1, 2, 2), 2.0)
    seen: list[Tensor] = []

    def discriminate(images: Tensor) -> Tensor:
        seen.append(images.detach())
        return images.sum((1, 2, 3))

    gradient_penalty(discriminate, real, fake)
    (between,) = seen
    shares = between[:, 0, 0, 0] / 2
    torch.testing.assert_close(between, (2 * shares)[:, None, None, None].expand_as(between))
    assert shares.min() > 0
    assert shares.max() < 1
    assert float(shares.mean()) == pytest.approx(0.5, abs=0.06)
    assert float(shares.std()) == pytest.approx(12**-0.5, abs=0.03)


def test_the_penalty_changes_the_discriminator_and_neither_picture() -> None:
    weight = torch.tensor(3.0, requires_grad=True)
    real, fake = torch.rand(4, 1, 1, 1), torch.rand(4, 1, 1, 1)
    gradient_penalty(lambda x: weight * x.sum((1, 2, 3)), real, fake).backward()
    assert weight.grad is not None
    assert weight.grad.item() == pytest.approx(2 * (3 - 1))
    assert not real.requires_grad
    assert not fake.requires_grad
