"""Quantisation-aware training: a quantised graph learns to give what the float model gives; no labels are needed."""

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import onnx_ir
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from edgevision.exporters.onnx_to_torch.onnx_module import OnnxModule
from edgevision.exporters.passes.ir import Array
from edgevision.exporters.quantization.fake_quantization import FakeQuantization
from edgevision.exporters.quantization.qdq import Plan, Quantizer
from edgevision.exporters.quantization.time_budget import TimeBudget
from edgevision.runtime.tasks.samples import Batch

# Floating-point operations of one step, forwards.
_WORK = 4e9
_MOST_SAMPLES = 32
# Pictures of any size are learned on in parts of this side.
_CROP = 64


def timed_steps(count: int, time_budget: TimeBudget) -> Iterator[float]:
    """Steps for :func:`finetune`: ``count`` of them, fewer where the time of the stage is over before."""
    whole = time_budget.seconds_left
    for step in range(count):
        if time_budget.late():
            time_budget.left_out.append(f"{count - step} of {count} steps of finetuning")
            return
        yield max(step / count, 1 - time_budget.seconds_left / whole)


def finetune(
    quantizer: Quantizer, plan: Plan, batches: Sequence[Batch], *, steps: Iterable[float], seed: int
) -> Quantizer:
    """``quantizer`` with scales, biases and ranges that suit ``plan``, after training on ``batches``.

    The squared difference of all outputs from the float model's is brought down by Adam (Kingma and Ba 2015), its rate
    falling as a half cosine.

    Args:
        steps: of the training, each being how much of it is over, from 0 to 1; they may end early.
        seed: of what is drawn from ``batches``.
    """
    teacher, student = OnnxModule(quantizer.model), FakeQuantization(quantizer, plan)
    draw = _Samples(quantizer.model, batches, seed)
    optimizer = torch.optim.Adam(student.parameter_groups(), betas=(0.9, 0.99))
    rates = [group["lr"] for group in optimizer.param_groups]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        teacher(*draw(1))
    count = min(_MOST_SAMPLES, max(1, int(_WORK / max(1, counter.get_total_flops()))))
    for over in steps:
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * (1 + math.cos(math.pi * over)) / 2
        inputs = draw(count)
        with torch.no_grad():
            wanted = teacher(*inputs)
        optimizer.zero_grad()
        torch.autograd.backward(_difference(student(*inputs), wanted))
        optimizer.step()
    return student.learned()


def _difference(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """The noise of each output as a share of its power, together."""
    shares = [
        (one - other).square().mean() / other.square().mean().clamp(min=1e-12)
        for one, other in zip(found, wanted, strict=True)
    ]
    return torch.stack(shares).sum()


class _Samples:
    """Draws inputs of ``model`` from ``batches``; parts of them where the model takes pictures of any size."""

    def __init__(self, model: onnx_ir.Model, batches: Sequence[Batch], seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._samples = [arrays for batch in batches for arrays in zip(*batch, strict=True)]
        shapes = [value.shape for value in model.graph.inputs if not value.is_initializer()]
        self._crops = all(
            shape is not None and len(shape) == 4 and not any(isinstance(side, int) for side in shape[2:])
            for shape in shapes
        )

    def __call__(self, count: int) -> list[Tensor]:
        """``count`` samples, by input."""
        chosen = [self._samples[place] for place in self._random.integers(len(self._samples), size=count)]
        if self._crops:
            chosen = [self._cropped(arrays) for arrays in chosen]
        return [torch.from_numpy(np.stack(arrays)) for arrays in zip(*chosen, strict=True)]

    def _cropped(self, arrays: Sequence[Array]) -> list[Array]:
        sides = [min(side, _CROP) for side in arrays[0].shape[1:]]
        top, left = (
            int(self._random.integers(whole - side + 1)) for whole, side in zip(arrays[0].shape[1:], sides, strict=True)
        )
        return [array[:, top : top + sides[0], left : left + sides[1]] for array in arrays]
