"""What generator and discriminator compete by; scores are (N,) or (N, patches), higher for real pictures."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from edgevision.training.settings import GanLoss


def discriminator_loss(kind: GanLoss, real: Tensor, fake: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """To be made small by the discriminator; the Wasserstein loss still lacks its penalty."""
    if kind is GanLoss.BCE:
        certain = torch.full_like(real, 1 - label_smoothing)
        return F.binary_cross_entropy_with_logits(real, certain) + F.softplus(fake).mean()
    if kind is GanLoss.HINGE:
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    return fake.mean() - real.mean()


def generator_loss(kind: GanLoss, fake: Tensor) -> Tensor:
    """To be made small by the generator."""
    return F.softplus(-fake).mean() if kind is GanLoss.BCE else -fake.mean()


def balanced_loss(made: Tensor, error: Tensor, contest: Tensor, share: float) -> Tensor:
    """To be made small by a network that has ``made`` pictures: their ``error`` and the ``contest``, which has a graph.

    Its gradient at the pictures is that of ``error`` plus that of ``contest``, as long as ``share`` times the first
    (Esser et al. 2021, equation 7, there at the last layer): no weight has to be found for each kind of picture.
    """
    toward, past = (torch.autograd.grad(value, made, retain_graph=True)[0] for value in (error, contest))
    gradient = toward + past * (share * toward.norm() / past.norm().clamp(min=1e-12))
    loss: Tensor = (made * gradient.detach()).sum()
    return loss


def gradient_penalty(discriminate: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """How far the slope of the scores between real and generated pictures is from one, squared."""
    share = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = (share * real + (1 - share) * fake).requires_grad_()
    (slope,) = torch.autograd.grad(discriminate(between).sum(), between, create_graph=True)
    penalty: Tensor = (slope.flatten(1).norm(dim=1) - 1).square().mean()
    return penalty
