"""Loading weights into the network they belong to, through the network's own hooks."""

import inspect
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from edgevision.core.errors import CheckpointError
from edgevision.exporters.checkpoints.choice import choose_weights
from edgevision.exporters.checkpoints.contents import Contents
from edgevision.exporters.checkpoints.names import is_of_training, left_out, listed
from edgevision.exporters.checkpoints.weight_sets import Expected, WeightSet, other_readings


def load_weights(network: nn.Module, contents: Contents, *, arch: str, file: str, wanted: str | None) -> list[str]:
    """Load the weights of ``network`` out of what a checkpoint holds; remarks on what was chosen and left out.

    What :meth:`torch.nn.Module.load_state_dict` takes is taken, hooks and all. ``wanted`` is the path of the weights.

    Raises:
        CheckpointError: there are none, more than one, or they do not fit; ``network`` is spoiled then.
        InputError: nothing lies at ``wanted``.
    """
    expected = Expected.by(network)
    choice = choose_weights(contents, expected, arch=arch, file=file, wanted=wanted)
    notes, result = list(choice.notes), _load(network, expected, choice.weights)
    if result.missing and choice.last is not None:
        trained = [name for name in result.missing if expected.parameters.get(name)]
        if trained:
            raise CheckpointError(
                f"the averages at {choice.weights.path!r} in {file} lack {len(trained)} trained weights of {arch}"
                f" ({listed(trained)}); --weights {choice.last.path} takes the last weights"
            )
        notes.append(f"{len(result.missing)} that the averages lack taken from the last ({listed(result.missing)})")
        completed = _load(network, expected, choice.last)
        # Again, since what only the last hold may share its memory with what was averaged.
        result = _load(network, expected, choice.weights).after(completed)
    if result.misfits:
        # A network may know better what its weights are called in checkpoints.
        others = (_load(network, expected, reading) for reading in other_readings(contents, choice.weights))
        result = next((other for other in others if not other.misfits), result)
    if result.misfits:
        raise CheckpointError(f"the weights in {file} do not fit {arch}: {result.misfits}")
    return [*notes, *left_out(result.surplus), *_cast(network, choice.weights)]


@dataclass(frozen=True)
class _Result:
    """What does not fit by its names, its shapes and its types, and the ``surplus`` that a network can do without."""

    missing: list[str]
    unknown: list[str]
    reshaped: list[str]
    retyped: list[str]
    surplus: list[str]
    failure: str = ""

    def after(self, first: "_Result") -> "_Result":
        """Where other weights were loaded before."""
        return _Result(
            [name for name in self.missing if name in first.missing],
            [*self.unknown, *first.unknown],
            [*self.reshaped, *first.reshaped],
            [*self.retyped, *first.retyped],
            self.surplus,
            self.failure or first.failure,
        )

    @property
    def misfits(self) -> str:
        """All that is wrong, for one sentence; empty where nothing is."""
        kinds = {
            "missing": self.missing,
            "surplus": self.unknown,
            "of another shape": self.reshaped,
            "of another type": self.retyped,
        }
        found = [f"{len(names)} {what} ({listed(names)})" for what, names in kinds.items() if names]
        return "; ".join([self.failure] if self.failure else found)


def _load(network: nn.Module, expected: Expected, weights: WeightSet) -> _Result:
    state: OrderedDict[str, Any] = OrderedDict(weights.tensors)
    # Where the hooks of layers look for the version that wrote their weights.
    state._metadata = OrderedDict(weights.versions)  # type: ignore[attr-defined]
    keys: list[Any] = []
    others = {name: value.clone() for name, value in _values(network).items() if name not in weights.tensors}
    # A network that overrides load_state_dict() need not return what does not fit.
    handle = network.register_load_state_dict_post_hook(lambda _, found: keys.append(found))  # type: ignore[no-untyped-call]
    reshaped, failure = [], ""
    try:
        _call_loading(network, state)
    except RuntimeError as error:
        # PyTorch's first line is a heading.
        said = [line.strip() for line in str(error).splitlines()]
        reshaped = _reshaped(expected, weights) or said[1:] or said or [type(error).__name__]
    except Exception as error:  # somebody else's code
        failure = f"its load_state_dict() fails with {type(error).__name__}: {error}"
    finally:
        handle.remove()
    if keys:
        missing, unexpected = list(keys[-1].missing_keys), list(keys[-1].unexpected_keys)
    else:  # it copies by itself, perhaps only what it knows
        values = _values(network)
        missing = [name for name, value in others.items() if torch.equal(values[name], value)]
        unexpected = [] if others else [name for name in weights.tensors if name not in expected.shapes]
        reshaped = reshaped or _reshaped(expected, weights)
    # Counters of training steps, which old checkpoints lack and inference does not read.
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    given = _sharing(network, set(expected.shapes) - set(missing))
    # What a network makes by itself was saved by earlier versions of it; mmcv keeps the last weights beside averages.
    made = {name for name, _ in network.named_buffers()}
    made |= {f"ema_{name.replace('.', '_')}" for name in expected.parameters}
    surplus = [name for name in unexpected if name in made or is_of_training(name)]
    return _Result(
        missing=[name for name in missing if name not in given],
        unknown=[name for name in unexpected if name not in surplus],
        reshaped=reshaped,
        retyped=_retyped(network, weights),
        surplus=surplus,
        failure=failure,
    )


def _values(network: nn.Module) -> dict[str, Tensor]:
    state = network.state_dict()
    return {name: value for name, value in state.items() if isinstance(value, Tensor) and not is_lazy(value)}


def _call_loading(network: nn.Module, state: Mapping[str, Any]) -> None:
    takes = inspect.signature(network.load_state_dict).parameters.values()
    lenient = any(one.name == "strict" or one.kind is one.VAR_KEYWORD for one in takes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.load_state_dict(state, **({"strict": False} if lenient else {}))


def _sharing(network: nn.Module, names: set[str]) -> set[str]:
    """All names of those tensors: of shared ones safetensors keep one."""
    called: dict[int, list[str]] = defaultdict(list)
    for name, value in network.state_dict(keep_vars=True).items():
        called[id(value)].append(name)
    return {name for same in called.values() if names.intersection(same) for name in same}


def _reshaped(expected: Expected, weights: WeightSet) -> list[str]:
    return [
        f"{name} is {tuple(tensor.shape)}, not {expected.shapes[name]}"
        for name, tensor in weights.tensors.items()
        if name in expected.shapes and not expected.fits(name, tensor)
    ]


def _retyped(network: nn.Module, weights: WeightSet) -> list[str]:
    """Parameters whose values are the codes of a quantisation, or complex: PyTorch would take them as they are."""
    return [
        f"{name} is {_type(tensor)}"
        for name, parameter in network.named_parameters()
        if isinstance(tensor := weights.tensors.get(name), Tensor)
        and parameter.is_floating_point()
        and not tensor.is_floating_point()
    ]


def _cast(network: nn.Module, weights: WeightSet) -> list[str]:
    """A remark where the values were rounded or widened."""
    parameters = dict(network.named_parameters())
    pairs = [(tensor, parameters[name]) for name, tensor in weights.tensors.items() if name in parameters]
    types = {_type(tensor): _type(parameter) for tensor, parameter in pairs if tensor.dtype != parameter.dtype}
    return [f"weights are {stored} in the checkpoint, {used} in the network" for stored, used in types.items()]


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
