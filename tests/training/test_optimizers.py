"""The update rules: which weights get which, and what Muon's steps look like."""

import math

import pytest
import torch
from torch import Tensor, nn

from edgevision.training.optimizers import Muon, build_optimizer
from edgevision.training.settings import Optimizer

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 24, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(24, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 3, 3, padding=1),
    )


def stepped(weight: Tensor, gradient: Tensor, learning_rate: float, weight_decay: float = 0.0) -> Tensor:
    """What one orthogonal step subtracts from ``weight``."""
    parameter = nn.Parameter(weight.clone())
    parameter.grad = gradient.clone()
    Muon([{"params": [parameter], "momentum": 0.95, "weight_decay": weight_decay}], lr=learning_rate).step()
    return (weight - parameter).detach()


@pytest.mark.parametrize("shape", [(16, 48), (48, 16), (20, 20), (8, 6, 3, 3), (24, 2, 1, 3), (16, 8, 1, 1)])
def test_an_update_is_orthogonal_and_as_large_as_adamws(shape: tuple[int, ...]) -> None:
    update = stepped(torch.randn(shape), 1e-3 * torch.randn(shape), 0.01).flatten(1)
    longer = max(update.shape)
    values = torch.linalg.svdvals(update / (0.01 * 0.2 * math.sqrt(longer)))
    # Five steps of the iteration end between 0.7 and 1.2, Jordan et al. 2024; the least of a square matrix is slower.
    assert values.max() < 1.25
    assert values.median() > 0.65
    if update.shape[0] != update.shape[1]:
        assert values.min() > 0.6
    assert float(update.square().mean().sqrt()) == pytest.approx(0.2 * 0.01, rel=0.2)


def test_an_update_goes_along_the_gradient_and_does_not_depend_on_its_length() -> None:
    weight, gradient = torch.randn(16, 40), torch.randn(16, 40)
    update = stepped(weight, gradient, 0.01)
    assert float((update * gradient).sum()) > 0.7 * float(update.norm() * gradient.norm())
    torch.testing.assert_close(stepped(weight, 1000 * gradient, 0.01), update, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(stepped(weight, -gradient, 0.01), -update, rtol=1e-3, atol=1e-5)


def test_the_nearest_orthogonal_matrix_has_the_gradients_directions() -> None:
    left, _, right = torch.linalg.svd(torch.randn(16, 40), full_matrices=False)
    update = stepped(torch.zeros(16, 40), left @ torch.diag(torch.linspace(1, 3, 16)) @ right, 1.0)
    inside = left.T @ update @ right.T
    assert (inside - torch.diag(inside.diagonal())).abs().max() < 0.01 * inside.diagonal().min()


def test_weight_decay_shrinks_before_the_step() -> None:
    weight, gradient = torch.randn(8, 20), torch.randn(8, 20)
    decayed, plain = (stepped(weight, gradient, 0.1, decay) for decay in (0.5, 0.0))
    torch.testing.assert_close(decayed - plain, 0.1 * 0.5 * weight)


@pytest.mark.parametrize("momentum", [0.95, 0.6])
def test_the_momentum_outlives_a_step(momentum: float) -> None:
    parameter = nn.Parameter(torch.zeros(6, 9))
    optimizer = Muon([{"params": [parameter], "momentum": momentum}], lr=0.1, weight_decay=0.0)
    first, second = torch.randn(6, 9), torch.randn(6, 9)
    for gradient in (first, second):
        before = parameter.detach().clone()
        parameter.grad = gradient.clone()
        optimizer.step()
    # Nesterov's: the average of the gradients, and the newest once more.
    average = (1 - momentum) * (momentum * first + second)
    expected = stepped(torch.zeros(6, 9), (1 - momentum) * second + momentum * average, 0.1)
    torch.testing.assert_close(before - parameter.detach(), expected, rtol=1e-3, atol=1e-4)


def test_weights_without_a_gradient_stay() -> None:
    first, second = nn.Parameter(torch.randn(4, 6)), nn.Parameter(torch.randn(4))
    kept = first.detach().clone(), second.detach().clone()
    optimizer = Muon([{"params": [first], "momentum": 0.95}, {"params": [second]}], lr=0.1)
    optimizer.step()
    assert torch.equal(first, kept[0])
    assert torch.equal(second, kept[1])


def test_the_closure_computes_the_gradients_and_its_loss_comes_back() -> None:
    parameter = nn.Parameter(torch.randn(4, 6))
    before = parameter.detach().clone()
    optimizer = Muon([{"params": [parameter], "momentum": 0.95}], lr=0.1)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = parameter.square().sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == pytest.approx(before.square().sum().item())
    assert parameter.square().sum() < before.square().sum()


@pytest.mark.parametrize("momentum", [0.9, 0.5])
def test_wide_inner_weights_are_turned_and_ends_and_biases_learn_at_a_fifth(momentum: float) -> None:
    net = network()
    optimizer = build_optimizer(net, Optimizer.MUON, learning_rate=0.05, weight_decay=0.01, momentum=momentum)
    assert isinstance(optimizer, Muon)
    groups = {id(weight): group for group in optimizer.param_groups for weight in group["params"]}
    assert len(groups) == len(list(net.parameters()))
    for name, weight in net.named_parameters():
        group = groups[id(weight)]
        inner = name in ("3.weight", "5.weight")
        assert group.get("momentum") == (pytest.approx((1 + momentum) / 2) if inner else None), name
        assert group["betas"] == (momentum, 0.999), name
        assert group["lr"] == pytest.approx(0.05 if inner else 0.01), name
        assert group["weight_decay"] == (0.01 if weight.ndim > 1 else 0), name


@pytest.mark.parametrize(("rule", "kind"), [(Optimizer.ADAMW, torch.optim.AdamW), (Optimizer.SGD, torch.optim.SGD)])
def test_the_other_rules_treat_all_weights_alike_and_do_not_decay_biases(rule: Optimizer, kind: type) -> None:
    net = network()
    optimizer = build_optimizer(net, rule, learning_rate=0.05, weight_decay=0.01, momentum=0.5)
    assert type(optimizer) is kind
    groups = {id(weight): group for group in optimizer.param_groups for weight in group["params"]}
    for name, weight in net.named_parameters():
        group = groups[id(weight)]
        assert (group["lr"], group["weight_decay"]) == (0.05, 0.01 if weight.ndim > 1 else 0), name
        assert (group["betas"][0] if rule is Optimizer.ADAMW else group["momentum"]) == 0.5


@pytest.mark.parametrize(("rule", "learning_rate"), [("adamw", 0.003), ("sgd", 0.05), ("muon", 0.02)])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_every_rule_lowers_a_loss(rule: str, learning_rate: float, memory_format: torch.memory_format) -> None:
    net = network().to(memory_format=memory_format)
    images = torch.rand(8, 3, 8, 8)
    target = images.flip(1)
    optimizer = build_optimizer(net, Optimizer(rule), learning_rate=learning_rate, weight_decay=0.0)
    losses = []
    for _ in range(100):
        loss = (net(images) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


@pytest.mark.parametrize("layers", [1, 2])
def test_a_network_without_inner_layers_learns_too(layers: int) -> None:
    net = nn.Sequential(*(nn.Linear(4, 4) for _ in range(layers)))
    before = [weight.detach().clone() for weight in net.parameters()]
    optimizer = build_optimizer(net, Optimizer.MUON, learning_rate=0.01, weight_decay=0.0)
    net(torch.rand(3, 4)).square().sum().backward()
    optimizer.step()
    assert all(not torch.equal(weight, old) for weight, old in zip(net.parameters(), before, strict=True))
