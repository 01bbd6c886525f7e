"""Finding the weights in what a checkpoint holds, and loading them into the network they belong to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from edgevision.errors import CheckpointError

# Where trainers put the weights, the ones to prefer first: an average over training is what one deploys.
_WEIGHT_KEYS = (
    "params_ema",
    "ema_state_dict",
    "model_ema",
    "ema",
    "state_dict",
    "model_state_dict",
    "model",
    "params",
    "net",
    "network",
    "generator",
    "weights",
)


def find_weights(path: Path, content: Any) -> tuple[dict[str, Tensor], list[str]]:
    """The innermost dict of tensors under the names trainers use, and how it was reached."""
    notes = []
    while isinstance(content, Mapping):
        tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
        key = next((key for key in _WEIGHT_KEYS if isinstance(content.get(key), Mapping | nn.Module)), None)
        if key is None:
            nested = [k for k, v in content.items() if isinstance(v, Mapping) and _holds_tensors(v)]
            if tensors or len(nested) != 1:
                break
            key = nested[0]
        notes.append(f"weights taken from {key!r}")
        content = content[key].state_dict() if isinstance(content[key], nn.Module) else content[key]
    else:
        tensors = {}
    if not tensors:
        held = ", ".join(map(repr, content)) if isinstance(content, Mapping) else type(content).__name__
        raise CheckpointError(f"{str(path)!r} holds no weights where trainers put them; it holds {held:.120}")
    return tensors, notes


def _holds_tensors(content: Mapping[Any, Any]) -> bool:
    return any(isinstance(value, Tensor) for value in content.values())


def load_weights(path: Path, network: nn.Module, weights: Mapping[str, Tensor], arch: str) -> list[str]:
    expected = network.state_dict()
    prefix = _prefix(weights, expected)
    named = {name.removeprefix(prefix): tensor for name, tensor in weights.items()}
    # Counters of training steps that old checkpoints lack; inference does not read them.
    missing = [name for name in expected if name not in named and not name.endswith("num_batches_tracked")]
    surplus = [name for name in named if name not in expected]
    reshaped = [
        f"{name} is {tuple(named[name].shape)}, not {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in named and named[name].shape != tensor.shape
    ]
    if missing or surplus or reshaped:
        problems = [
            f"{len(names)} {what} ({', '.join(names[:2])}{' ...' if len(names) > 2 else ''})"
            for what, names in (("missing", missing), ("surplus", surplus), ("of another shape", reshaped))
            if names
        ]
        raise CheckpointError(f"the weights in {str(path)!r} do not fit {arch}: {'; '.join(problems)}")
    network.load_state_dict({name: tensor for name, tensor in named.items() if name in expected}, strict=False)
    return [f"prefix {prefix!r} stripped from the names"] if prefix else []


def _prefix(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    """The common prefix of wrappers (``module.`` of DataParallel, ``_orig_mod.`` of compile) that the network lacks."""
    prefix = ""
    while not any(name.removeprefix(prefix) in expected for name in weights):
        heads = {name.removeprefix(prefix).split(".")[0] for name in weights}
        if len(heads) != 1 or any("." not in name.removeprefix(prefix) for name in weights):
            return ""
        prefix += heads.pop() + "."
    return prefix
