"""The update rules that a training can choose from."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from edgevision.training.settings import Optimizer
from edgevision.training.settings.steps import SteppedSettings

# A matrix with fewer rows or columns than this has too few directions to balance.
_LEAST_RANK = 16


class Muon(torch.optim.AdamW):
    """AdamW, but for the groups with ``momentum``: their average gradient, as a matrix, is orthogonalised first.

    Jordan et al. 2024, "Muon"; scaled by 0.2 sqrt(longer side) so that the steps are as large as AdamW's (Liu et al.
    2025, "Muon is scalable", equation 4). It computes in the weights' own format: torch.optim.Muon takes no
    convolutions, and bf16, which others round to, takes half a training step on a CPU that has none.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update; ``closure`` computes the loss and the gradients, which is returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"] if "momentum" in group else ():
                if weight.grad is not None:
                    self._turn(weight, group["lr"], group["weight_decay"], group["momentum"])
                    # AdamW passes over what has no gradient.
                    weight.grad = None
        super().step()
        return loss

    def _turn(self, weight: Tensor, learning_rate: float, weight_decay: float, momentum: float) -> None:
        state = self.state[weight]
        # AdamW, when it is resumed, asks every weight for its step.
        state.setdefault("step", torch.zeros(()))
        average = state.setdefault("momentum", torch.zeros_like(weight))
        average.lerp_(weight.grad, 1 - momentum)
        ahead = torch.lerp(weight.grad, average, momentum).flatten(1)  # type: ignore[arg-type]
        step = 0.2 * math.sqrt(max(ahead.shape)) * learning_rate
        weight.mul_(1 - learning_rate * weight_decay)
        weight.sub_(_orthogonalised(ahead).view(weight.shape), alpha=step)


def _orthogonalised(matrix: Tensor) -> Tensor:
    """The nearest orthogonal matrix, roughly: five steps of a Newton-Schulz iteration with Jordan's coefficients."""
    if matrix.shape[0] > matrix.shape[1]:
        return _orthogonalised(matrix.T).T.contiguous()
    x: Tensor = matrix / (matrix.norm() + 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (2.0315 * gram @ gram - 4.7750 * gram) @ x
    return x


def build_optimizer(
    network: nn.Module, rule: Optimizer, *, learning_rate: float, weight_decay: float, momentum: float = 0.9
) -> torch.optim.Optimizer:
    """The optimiser of all weights of ``network``; two networks that compete want less ``momentum``.

    Biases and normalisation weights are not decayed: shrinking them regularises nothing. The first and the last layer,
    which meet pixels and not features, and what is narrow are not orthogonalised; they and the biases learn at a fifth
    of the rate, as what suits orthogonal steps makes AdamW diverge.
    """
    weights = [p for p in network.parameters() if p.ndim > 1]
    others: dict[str, Any] = {"params": [p for p in network.parameters() if p.ndim <= 1], "weight_decay": 0.0}
    decayed: dict[str, Any] = {"params": weights, "weight_decay": weight_decay}
    if rule is Optimizer.SGD:
        return torch.optim.SGD([decayed, others], lr=learning_rate, momentum=momentum, nesterov=True)
    if rule is Optimizer.ADAMW:
        return torch.optim.AdamW([decayed, others], lr=learning_rate, betas=(momentum, 0.999))
    # Averages of orthogonal steps may reach further back.
    inner = {"momentum": (1 + momentum) / 2, "weight_decay": weight_decay}
    turned = [p for p in weights[1:-1] if min(p.flatten(1).shape) >= _LEAST_RANK]
    ids = {id(p) for p in turned}
    ends = {"params": [p for p in weights if id(p) not in ids], "weight_decay": weight_decay}
    slow = {"lr": learning_rate / 5}
    groups: list[dict[str, Any]] = [{"params": turned} | inner, ends | slow, others | slow]
    return Muon(groups, lr=learning_rate, betas=(momentum, 0.999))


def cosine_optimizer(network: nn.Module, settings: SteppedSettings, *, momentum: float = 0.9) -> dict[str, Any]:
    """Lightning's word for an optimiser whose rate rises linearly in ``warmup`` of ``steps``, then falls along half a
    cosine to a thousandth (Loshchilov & Hutter 2017)."""
    steps, warmup = settings.steps, settings.warmup
    optimizer = build_optimizer(
        network,
        settings.optimizer,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        momentum=momentum,
    )

    def share(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        done = (step - warmup) / max(1, steps - warmup)
        return max(0.001, 0.5 * (1 + math.cos(math.pi * min(1.0, done))))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
