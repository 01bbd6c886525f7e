"""The network that ``--arch package.module:callable`` names."""

import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from torch import nn

from edgevision.errors import InputError


def build_network(arch: str, options: Mapping[str, Any]) -> nn.Module:
    build = _import_callable(arch)
    try:
        network = build(**options)
    except Exception as error:  # somebody else's code
        raise InputError(f"--arch {arch} called with {dict(options)} fails: {type(error).__name__}: {error}") from error
    if not isinstance(network, nn.Module):
        raise InputError(f"--arch {arch} gives {type(network).__name__}, not a torch.nn.Module")
    return network


def _import_callable(arch: str) -> Callable[..., Any]:
    module, _, name = arch.partition(":")
    if not module or not name:
        raise InputError(f"--arch is package.module:callable, as edgevision.models:resnet20, not {arch!r}")
    if os.getcwd() not in sys.path:  # noqa: PTH109 - compared as text
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
    try:
        found = import_module(module)
    except Exception as error:  # somebody else's code
        raise InputError(f"--arch {arch}: {module!r} cannot be imported: {type(error).__name__}: {error}") from error
    build = getattr(found, name, None)
    if not callable(build):
        raise InputError(f"--arch {arch}: {module!r} has no callable {name!r}")
    return build  # type: ignore[no-any-return]
