"""Networks that were pickled whole, alone or inside a training checkpoint."""

import inspect

from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from edgevision.core.errors import CheckpointError, InputError
from edgevision.exporters.checkpoints.contents import Contents, below
from edgevision.exporters.checkpoints.names import is_of_training

_WRAPPERS = (DataParallel, DistributedDataParallel, AveragedModel)


def choose_module(contents: Contents, *, file: str, wanted: str | None) -> tuple[nn.Module, list[str]] | None:
    """The network among the pickled modules, and remarks on it; ``None`` where there are only bare weights.

    It is the one at the path ``wanted``, or else an average over training, or else the only one.

    Raises:
        CheckpointError: there are several of which none is to be preferred.
        InputError: nothing lies at ``wanted``.
    """
    networks = {
        path: module
        for path, module in contents.modules.items()
        if not is_of_training(path) and any(True for _ in module.parameters())
    }
    if wanted is not None:
        if not contents.within(wanted).groups:
            raise InputError(f"{file} has nothing at --weights {wanted}; it holds {contents.held}")
        networks = {path: module for path, module in networks.items() if below(path, wanted)}
    if not networks:
        return None
    averages = [path for path in networks if contents.is_average(path)]
    first, *others = averages or list(networks)
    if others:
        names = ", ".join(map(repr, (first, *others)[:6]))
        raise CheckpointError(f"{file} holds several networks: {names}; choose with --weights, as --weights {first}")
    notes = [f"network taken from {first!r}" if first else "read as a pickled module"]
    last = [path for path in networks if path not in averages]
    if averages and last:
        notes.append(f"it is the average over training; the last weights are at {last[0]!r}")
    return _modernised(_unwrapped(networks[first])), notes


def _unwrapped(network: nn.Module) -> nn.Module:
    while isinstance(network, _WRAPPERS) or hasattr(network, "_orig_mod"):
        inner = network._orig_mod if hasattr(network, "_orig_mod") else network.module
        assert isinstance(inner, nn.Module)
        network = inner
    return network


def _modernised(network: nn.Module) -> nn.Module:
    """With the options that layers of PyTorch have learnt since it was pickled, as they are by default."""
    for layer in network.modules():
        kind = type(layer)
        if kind.__module__.startswith("torch.nn."):
            options = inspect.signature(kind.__init__).parameters
            for name in set(getattr(kind, "__constants__", ())) & options.keys():
                if not hasattr(layer, name) and options[name].default is not inspect.Parameter.empty:
                    setattr(layer, name, options[name].default)
    return network
