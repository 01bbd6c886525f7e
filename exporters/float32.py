"""Networks of another precision, computed in float32: what edge devices compute in, and what holds every bfloat16."""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.autocast_mode import autocast
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

_SHORTER = frozenset({torch.float16, torch.bfloat16})
_OTHERS = _SHORTER | {torch.float64}
_CASTS = frozenset({Tensor.half, Tensor.bfloat16, Tensor.double})


def in_float32(network: nn.Module) -> list[str]:
    """Turn a network whose weights are of another precision into one of float32, and remark so; others stay.

    It computes in float32 also where it casts what it computes with. Complex numbers stay what they are.
    """
    found = _names(value.dtype for value in (*network.parameters(), *network.buffers()))
    if not found:
        return []
    network.float()
    _compute_in_float32(network)
    return [f"the network is of {found}: exported, and compared, in float32"]


@torch.inference_mode()
def cast_in_float32(network: nn.Module, examples: Sequence[Tensor]) -> list[str]:
    """The same for a network of float32 that computes in half precision, or answers in another than its own.

    What it does on ``examples`` tells; on an error nothing is done.
    """
    watch = _Watch()
    try:
        with watch:
            outputs = network(*examples)
    except Exception:  # somebody else's code; who needs the outputs has the words for it
        return []
    answers = {value.dtype for value in tree_leaves(outputs) if isinstance(value, Tensor)}
    found = _names(watch.types & _SHORTER | answers)
    if not found or _is_in_float32(network):
        return []
    _compute_in_float32(network)
    return [f"the network computes in {found}: exported, and compared, in float32"]


def _names(types: Iterable[torch.dtype]) -> str:
    return " and ".join(sorted(str(kind).removeprefix("torch.") for kind in _OTHERS.intersection(types)))


def _compute_in_float32(network: nn.Module) -> None:
    if isinstance(network, torch.jit.ScriptModule):
        return  # its program cannot be changed
    forward = network.forward

    @functools.wraps(forward)
    def run(*args: Any, **kwargs: Any) -> Any:
        with _Float32(), _without_autocast():
            return forward(*args, **kwargs)

    network.forward = run
    run.is_in_float32 = True  # type: ignore[attr-defined]


def _is_in_float32(network: nn.Module) -> bool:
    return hasattr(network.forward, "is_in_float32")


@contextmanager
def _without_autocast() -> Iterator[None]:
    """``torch.autocast`` does nothing: the exporter would record that it was entered, whatever was computed within."""
    methods = autocast.__enter__, autocast.__exit__
    autocast.__enter__, autocast.__exit__ = lambda self: self, lambda *_: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        autocast.__enter__, autocast.__exit__ = methods  # type: ignore[method-assign]


class _Float32(TorchFunctionMode):
    """Every cast to another floating type is one to float32."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in _CASTS:
            func = Tensor.float
        result = func(*map(_cast, args), **{key: _cast(value) for key, value in (kwargs or {}).items()})
        # What was cast by the name of a type, or computed with an array of numpy's.
        return result.float() if isinstance(result, Tensor) and result.dtype in _OTHERS else result


class _Watch(TorchFunctionMode):
    """Collects the types of all results."""

    def __init__(self) -> None:
        super().__init__()
        self.types: set[torch.dtype] = set()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.types |= {value.dtype for value in tree_leaves(result) if isinstance(value, Tensor)}
        return result


def _cast(value: Any) -> Any:
    return torch.float32 if isinstance(value, torch.dtype) and value in _OTHERS else value
