"""What trainings that a clock ends share: the clock, the graph of a step, Muon, averages and checkpoints."""

import copy
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.training.checkpoint import save_checkpoint

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
CUDA = DEVICE.type == "cuda"


class Clock:
    def __init__(self, seconds: float) -> None:
        self._begin, self._seconds = time.monotonic(), seconds

    def seconds(self) -> float:
        return time.monotonic() - self._begin

    def done(self) -> float:
        return self.seconds() / self._seconds


class Repeated:
    """``step`` run again and again, on CUDA as a graph: its kernels are so small that launching them takes the time."""

    def __init__(self, step: Callable[[], None], *, eager: bool = False) -> None:
        self._step, self._graph = step, None
        if not CUDA or eager:
            return
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(4):
                step()
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            step()
        torch.cuda.synchronize()

    def __call__(self) -> None:
        if self._graph is None:
            self._step()
        else:
            self._graph.replay()


class Average:
    """The moving average of a network's weights, whose decay rises to ``decay``."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay, self._count = decay, 0
        self.network = copy.deepcopy(network).requires_grad_(False)
        self._pairs = list(self.network.parameters()), list(network.parameters())

    @torch.no_grad()
    def update(self) -> None:
        self._count += 1
        share = 1 - min(self._decay, (1 + self._count) / (10 + self._count))
        torch._foreach_lerp_(self._pairs[0], [weight.detach() for weight in self._pairs[1]], share)


class Muon:
    """The product's Muon, all weights of a shape at once, with a rate that a captured graph reads anew."""

    def __init__(self, network: nn.Module) -> None:
        weights = [weight for weight in network.parameters() if weight.ndim > 1]
        turned = [weight for weight in weights[1:-1] if min(weight.flatten(1).shape) >= 16]
        ids = {id(weight) for weight in turned}
        self._groups: dict[tuple[int, ...], list[Tensor]] = {}
        for weight in turned:
            self._groups.setdefault(tuple(weight.flatten(1).shape), []).append(weight)
        self._momenta = {shape: torch.zeros(len(g), *shape, device=DEVICE) for shape, g in self._groups.items()}
        self._rate = torch.zeros((), device=DEVICE)
        others = [weight for weight in network.parameters() if id(weight) not in ids]
        capturable = {"fused": True, "capturable": True} if CUDA else {}
        self._inner_rate = torch.zeros((), device=DEVICE)
        self._inner = torch.optim.AdamW(others, lr=self._inner_rate if CUDA else 0.0, weight_decay=0.0, **capturable)

    def set_rate(self, value: float) -> None:
        self._rate.fill_(value)
        self._inner_rate.fill_(value / 5)
        if not CUDA:
            self._inner.param_groups[0]["lr"] = value / 5

    @torch.no_grad()
    def step(self) -> None:
        for shape, weights in self._groups.items():
            gradients = torch.stack([weight.grad.flatten(1) for weight in weights])
            momentum = self._momenta[shape]
            momentum.lerp_(gradients, 0.05)
            x = torch.lerp(gradients, momentum, 0.95)
            tall = shape[0] > shape[1]
            x = x.mT if tall else x
            x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
            for _ in range(5):
                gram = x @ x.mT
                x = 3.4445 * x + (2.0315 * gram @ gram - 4.7750 * gram) @ x
            x = x.mT if tall else x
            x = x * (self._rate * (0.2 * math.sqrt(max(shape))))
            for weight, step in zip(weights, x.unbind(), strict=True):
                weight.sub_(step.reshape(weight.shape))
        self._inner.step()


def cosine(rate: float, done: float, steps: int) -> float:
    return rate * min(1.0, (steps + 1) / 300) * max(0.001, 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


def descend(loss: Tensor, optimizer: torch.optim.Optimizer, network: nn.Module) -> None:
    """One update of ``network``, by a gradient whose norm is 1 at most."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()


def autocast() -> torch.autocast:
    # Casts that are kept would not be made again when the graph is replayed.
    return torch.autocast(DEVICE.type, torch.bfloat16, cache_enabled=False)


def keep(path: Path, network: nn.Module, metadata: ModelMetadata, model: str, options: Mapping[str, Any]) -> None:
    """The product's checkpoint, whole or not at all, and none that is not finite."""
    network = copy.deepcopy(network).cpu().float().eval().to(memory_format=torch.contiguous_format)
    if all(bool(torch.isfinite(weight).all()) for weight in network.parameters()):
        save_checkpoint(path, network, metadata, model=model, options=options)
