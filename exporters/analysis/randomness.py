"""Networks that draw random numbers: no model file can repeat what they answer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import onnx
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from edgevision.core.errors import InputError
from edgevision.exporters.passes.walk import every_node_of
from edgevision.exporters.quiet import quiet_torch
from edgevision.runtime.engines.batching import run_batched
from edgevision.runtime.engines.engine import Engine

# The share of the largest answer by which two runs may differ: sums of several threads come in any order.
_SAME = 1e-4

_DRAWING = {
    "Bernoulli",
    "Dropout",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
}


@torch.inference_mode()
def check_repeatable(network: nn.Module, examples: Sequence[Tensor]) -> None:
    """Raise :class:`InputError` where what ``network`` answers on ``examples`` depends on numbers that it draws.

    The error names what draws. Two runs differ then, or would with other numbers than those of a fixed seed. Errors of
    the network are left to who needs its answers.
    """
    try:
        with quiet_torch(), _names_of_modules(network) as within, _Draws(within) as draws:
            first = _answers(network, examples)
        same = _same(first, _answers(network, examples))
        if same and draws.found:
            with _OtherDraws():  # type: ignore[no-untyped-call]
                same = _same(first, _answers(network, examples))
    except Exception:  # somebody else's code
        return
    if not same:
        found = (
            f"draws random numbers ({', '.join(draws.found[:3])})" if draws.found else "gives another answer each time"
        )
        raise InputError(
            f"the network {found}, which no model file can repeat: leave that out for inference (dropout with"
            " training=self.training), or make the numbers a constant or an input"
        )


def check_model_repeatable(model: onnx.ModelProto, engine: Engine, examples: Sequence[Tensor]) -> None:
    """The same for an ONNX model that ``engine`` runs."""
    draws = sorted({node.op_type for node in every_node_of(model)} & _DRAWING)
    if draws:
        batch = [example.numpy() for example in examples]
        first, second = ([torch.from_numpy(output) for output in run_batched(engine, batch)] for _ in range(2))
        if not _same(first, second):
            raise InputError(
                f"the model draws random numbers ({', '.join(draws)}), so that nothing can be compared with it; leave"
                " that out for inference, or make the numbers a constant or an input"
            )


def _draws(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    """Whether an operator draws random numbers; a dropout that is off does not."""
    if torch.Tag.nondeterministic_seeded not in func.tags:
        return False
    schema = func._schema.arguments
    given = {argument.name: argument.default_value for argument in schema if argument.has_default_value()}
    given |= dict(zip((argument.name for argument in schema), args, strict=False)) | kwargs
    share = given.get("p", given.get("dropout_p", 1))
    return given.get("train", given.get("training", True)) is not False and share != 0


class _OtherDraws(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Draws every number twice, so that those of a fixed seed become others."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if _draws(func, args, kwargs or {}):
            func(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


class _Draws(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the operators that draw, and in which layer."""

    def __init__(self, within: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[str] = []
        self._within = within

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if _draws(func, args, kwargs or {}):
            name = func.name().removeprefix("aten::").split(".")[0].strip("_")
            place = f" in {self._within[-1]!r}" if self._within and self._within[-1] else ""
            if name + place not in self.found:
                self.found.append(name + place)
        return func(*args, **(kwargs or {}))


@contextmanager
def _names_of_modules(network: nn.Module) -> Iterator[list[str]]:
    """The names of the modules whose ``forward`` is being run, the innermost last."""
    names = {id(module): name for name, module in network.named_modules()}
    within: list[str] = []
    handles = [
        register_module_forward_pre_hook(lambda module, _: within.append(names.get(id(module), ""))),
        register_module_forward_hook(lambda *_: _leave(within), always_call=True),
    ]
    try:
        yield within
    finally:
        for handle in handles:
            handle.remove()


def _leave(within: list[str]) -> None:
    within.pop()


def _answers(network: nn.Module, examples: Sequence[Tensor]) -> list[Tensor]:
    outputs = network(*(example.clone() for example in examples))
    return [value.clone() for value in tree_leaves(outputs) if isinstance(value, Tensor)]


def _same(first: list[Tensor], second: list[Tensor]) -> bool:
    return len(first) == len(second) and all(map(_close, first, second))


def _close(a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape:
        return False
    a, b = a.double().nan_to_num(), b.double().nan_to_num()
    return bool((a - b).abs().max() <= _SAME * a.abs().max()) if a.numel() else True
