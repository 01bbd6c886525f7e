"""Networks that draw random numbers: a model file cannot repeat what they answer, and neither can they."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from edgevision.errors import InputError

# The share of the largest answer by which two runs may differ: sums of several threads come in any order.
_SAME = 1e-4


@torch.inference_mode()
def check_repeatable(network: nn.Module, examples: Sequence[Tensor]) -> None:
    """Raise :class:`InputError` where two runs of ``network`` on the same ``examples`` differ, naming what draws.

    Errors of the network are left to who needs its answers.
    """
    try:
        with _names_of_modules(network) as within, _Draws(within) as draws:
            first = _answers(network, examples)
        second = _answers(network, examples)
    except Exception:  # somebody else's code
        return
    if len(first) != len(second) or not all(map(_same, first, second)):
        raise InputError(not_repeatable("network", draws.found))


def not_repeatable(what: str, draws: Sequence[str]) -> str:
    """The sentence that says so."""
    found = f"draws random numbers ({', '.join(draws[:3])})" if draws else "draws random numbers, or keeps a state"
    return (
        f"the {what} {found}: two runs on the same input differ, so no model file can be compared with it; leave that"
        " out in evaluation mode (dropout with training=self.training), or make the numbers a constant or an input"
    )


class _Draws(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the operators that draw, and in which layer."""

    def __init__(self, within: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[str] = []
        self._within = within

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if torch.Tag.nondeterministic_seeded in func.tags and not _is_off(func, args, kwargs or {}):
            name = func.name().removeprefix("aten::").split(".")[0].strip("_")
            place = f" in {self._within[-1]!r}" if self._within and self._within[-1] else ""
            if name + place not in self.found:
                self.found.append(name + place)
        return func(*args, **(kwargs or {}))


def _is_off(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    """Whether it is a dropout that does nothing, as in evaluation mode."""
    schema = func._schema.arguments
    given = {argument.name: argument.default_value for argument in schema if argument.has_default_value()}
    given |= dict(zip((argument.name for argument in schema), args, strict=False)) | kwargs
    share = given.get("p", given.get("dropout_p", 1))
    return given.get("train", given.get("training", True)) is False or share == 0


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


def _same(a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape:
        return False
    a, b = a.double().nan_to_num(), b.double().nan_to_num()
    return bool((a - b).abs().max() <= _SAME * a.abs().max()) if a.numel() else True
