"""Networks of another precision, computed in float32: what edge devices compute in, and what holds every bfloat16."""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.autocast_mode import autocast
from torch.fx import GraphModule
from torch.fx.node import map_aggregate
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from edgevision.core.errors import CheckpointError
from edgevision.exporters.checkpoints.exported_graph import ExportedNetwork
from edgevision.exporters.quiet import quiet_torch

_OTHERS = frozenset({torch.float16, torch.bfloat16, torch.float64})
_CASTS = frozenset({Tensor.half, Tensor.bfloat16, Tensor.double})
_CANNOT = (
    "the TorchScript program is of {}, and a program cannot be changed: trace the network after its .float(), or give"
    " its state_dict() with --arch"
)


def in_float32(network: nn.Module) -> list[str]:
    """Turn a network whose weights are of another precision into one of float32, and remark so; others stay.

    It computes in float32 also where it casts what it computes with. Complex numbers stay what they are.
    """
    found = _names(value.dtype for value in (*network.parameters(), *network.buffers()))
    if not found or isinstance(network, torch.jit.ScriptModule):
        return []
    network.float()
    _compute_in_float32(network)
    return [f"the network is of {found}: exported, and compared, in float32"]


@torch.inference_mode()
def cast_in_float32(network: nn.Module, examples: Sequence[Tensor]) -> list[str]:
    """The same for a network of float32 that computes in another precision by itself; what needs float64 keeps it.

    What it does on ``examples`` tells; on an error nothing is done.

    Raises:
        CheckpointError: it answers in complex numbers, or is a TorchScript program of another precision, which cannot
            be changed.
    """
    if isinstance(network, torch.jit.ScriptModule):
        _check_program(network, examples)
        return []
    watch = _Watch()
    try:
        with quiet_torch(), watch:
            outputs = network(*examples)
    except Exception:  # somebody else's code; who needs the outputs has the words for it
        return []
    answers = [value for value in tree_leaves(outputs) if isinstance(value, Tensor)]
    if any(answer.is_complex() for answer in answers):
        raise CheckpointError(
            "the network answers in complex numbers, which no model file holds: let it give their parts, as"
            " torch.view_as_real() does"
        )
    found = _names(watch.types | {answer.dtype for answer in answers})
    if not found or hasattr(network.forward, "is_in_float32"):
        return []
    forward = network.forward
    _compute_in_float32(network)
    if found == "float64" and not all(map(_close, answers, tree_leaves(network(*examples)))):
        network.forward = forward
        return []
    return [f"the network computes in {found}: exported, and compared, in float32"]


def _close(exact: Tensor, rounded: Tensor) -> bool:
    return bool((exact - rounded).abs().max() <= 1e-3 * exact.abs().max()) if exact.numel() else True


def _check_program(network: nn.Module, examples: Sequence[Tensor]) -> None:
    types = {value.dtype for value in (*network.parameters(), *network.buffers())}
    try:
        types |= {value.dtype for value in tree_leaves(network(*examples)) if isinstance(value, Tensor)}
    except Exception as error:  # the program's
        if not _OTHERS & types:
            return  # who needs the outputs has the words for it
        raise CheckpointError(_CANNOT.format(_names(types))) from error
    # Engines compute what a program casts to float16, and little of the others.
    if found := _names(types - {torch.float16}):
        raise CheckpointError(_CANNOT.format(found))


def _names(types: Iterable[torch.dtype]) -> str:
    return " and ".join(sorted(str(kind).removeprefix("torch.") for kind in _OTHERS.intersection(types)))


def _compute_in_float32(network: nn.Module) -> None:
    # Their operators are called below what a mode of functions sees.
    if isinstance(network, ExportedNetwork):
        network.replace_types(dict.fromkeys(_OTHERS, torch.float32))
    for module in network.modules():
        if isinstance(module, GraphModule):
            for node in module.graph.nodes:
                node.args, node.kwargs = map_aggregate(node.args, _cast), map_aggregate(node.kwargs, _cast)
            module.recompile()
    forward = network.forward

    @functools.wraps(forward)
    def run(*args: Any, **kwargs: Any) -> Any:
        with _Float32(), _without_autocast():
            return forward(*args, **kwargs)

    # Exporters bind its arguments, and a signature that the method was given has ``self`` in it.
    run.__signature__ = inspect.signature(forward)  # type: ignore[attr-defined]
    run.is_in_float32 = True  # type: ignore[attr-defined]
    network.forward = run


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
