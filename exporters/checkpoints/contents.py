"""What a checkpoint holds, flat: every tensor by its dotted path, whatever dicts, lists and modules it lies in."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from edgevision.exporters.checkpoints.names import says_average

# Deeper than any trainer nests; paths of a nest of thousands would be as long as it is deep.
_DEPTH = 32
_HOLDERS = (Mapping, list, tuple, nn.Module)


@dataclass(frozen=True)
class TensorGroup:
    """The tensors that lie directly in one dict, module or list of a checkpoint.

    Attributes:
        path: of the group, keys and indices joined by dots; empty for the checkpoint itself.
        tensors: by their names, or by their indices if ``ordered``; also the ``_extra_state`` of layers, of any type.
        versions: of the layers by their names, which hooks of :meth:`torch.nn.Module.load_state_dict` ask for.
        ordered: whether it is a list, as of a network's parameters in their order.
    """

    path: str
    tensors: dict[str, Any]
    versions: Mapping[str, Any] = field(default_factory=dict)
    ordered: bool = False

    def paths(self) -> Iterator[tuple[str, str]]:
        """The names, and the whole path of each."""
        return ((name, join(self.path, name)) for name in self.tensors)


@dataclass(frozen=True)
class Contents:
    """All groups of tensors and all modules of a checkpoint, the outer before the inner.

    ``held`` says for an error what it is. ``averages`` and ``last`` are paths of averaged and of last weights, whatever
    their names say.
    """

    groups: tuple[TensorGroup, ...]
    modules: dict[str, nn.Module]
    held: str
    averages: frozenset[str] = frozenset()
    last: frozenset[str] = frozenset()

    @classmethod
    def of(cls, content: Any) -> "Contents":
        """Look through ``content``; what holds itself or is held twice is looked through once."""
        groups, modules = [], {}
        held = ", ".join(map(repr, content)) or "nothing" if isinstance(content, Mapping) else type(content).__name__
        waiting: deque[tuple[str, Any, int]] = deque([("", content, 0)])
        seen = set()
        while waiting:
            path, value, depth = waiting.popleft()
            if id(value) in seen or depth > _DEPTH or not isinstance(value, _HOLDERS):
                continue
            seen.add(id(value))
            if isinstance(value, nn.Module):
                modules[path] = value
                value = _state(value)
            group = _group(path, value)
            if group.tensors:
                groups.append(group)
            items = value.items() if isinstance(value, Mapping) else enumerate(value)
            waiting.extend((join(path, str(key)), inner, depth + 1) for key, inner in items)
        averages, last = _averages(content, groups)
        return cls(tuple(groups), modules, f"{held:.120}", frozenset(averages), frozenset(last))

    def within(self, path: str) -> "Contents":
        """What lies at ``path`` and below it; the paths stay what they were."""
        groups = []
        for group in self.groups:
            tensors = {name: group.tensors[name] for name, place in group.paths() if below(place, path)}
            if tensors:
                groups.append(replace(group, tensors=tensors))
        return replace(self, groups=tuple(groups))

    def tensors(self) -> Iterator[tuple[str, Any]]:
        """Every tensor with its path."""
        for group in self.groups:
            for name, path in group.paths():
                yield path, group.tensors[name]

    def is_average(self, path: str) -> bool:
        """Whether the weights at ``path`` are averages over training."""
        if any(below(path, outer) for outer in self.last):
            return False
        return any(below(path, outer) for outer in self.averages) or says_average(path)


def _averages(content: Any, groups: list[TensorGroup]) -> tuple[set[str], set[str]]:
    """Paths of averages that are not called so, and of last weights that are."""
    # torch.optim.swa_utils.AveragedModel counts beside the module that it holds.
    counters = (path.rpartition(".") for group in groups for _, path in group.paths() if path.endswith("n_averaged"))
    counted = {join(path, "module") for path, _, _ in counters}
    if not isinstance(content, Mapping) or "state_dict" not in content:
        return counted, set()
    # These save averages where one looks for the weights, so that they are deployed.
    made_by = content.get("meta")
    if "current_model_state" in content:  # Lightning's WeightAveraging
        return counted | {"state_dict"}, {"current_model_state"}
    if "ema_state_dict" in content and isinstance(made_by, Mapping) and "mmengine_version" in made_by:
        return counted | {"state_dict"}, {"ema_state_dict"}
    return counted, set()


def join(path: str, name: str) -> str:
    """The path of ``name`` in what lies at ``path``."""
    return f"{path}.{name}" if path else name


def below(path: str, outer: str) -> bool:
    """Whether ``path`` is ``outer`` or lies in it."""
    return not outer or path == outer or path.startswith(f"{outer}.")


def _state(module: nn.Module) -> Mapping[str, Any]:
    try:
        return module.state_dict()
    except Exception:  # somebody else's code, pickled long ago
        return {}


def _group(path: str, value: Any) -> TensorGroup:
    ordered = not isinstance(value, Mapping)
    items = enumerate(value) if ordered else value.items()
    tensors = {str(k): v for k, v in items if _is_weight(v) or (not ordered and str(k).endswith("_extra_state"))}
    versions = getattr(value, "_metadata", None)
    return TensorGroup(path, tensors, versions if isinstance(versions, Mapping) else {}, ordered)


def _is_weight(value: Any) -> bool:
    # What a lazy layer holds before its first input has no shape, and no values either.
    return isinstance(value, Tensor) and not is_lazy(value)
