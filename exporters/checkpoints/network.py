"""The network that ``--arch package.module:callable`` names."""

import logging
import sys
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import nn

from edgevision.core.errors import InputError
from edgevision.exporters.checkpoints.folder_modules import current_folder_searched, lies_in_current_folder

_log = logging.getLogger(__name__)


def build_network(arch: str, options: Mapping[str, Any]) -> nn.Module:
    # What its author has to say is shown, what PyTorch finds old-fashioned in it is not.
    with warnings.catch_warnings():
        if not _log.isEnabledFor(logging.DEBUG):
            warnings.filterwarnings("ignore", module=r"torch(\.|$)")
        return _built(arch, options)


def _built(arch: str, options: Mapping[str, Any]) -> nn.Module:
    build = _import_callable(arch)
    try:
        network = build(**options)
    except (Exception, SystemExit) as error:  # somebody else's code, and a script that parses its own options
        raise InputError(f"--arch {arch} called with {dict(options)} fails: {type(error).__name__}: {error}") from error
    if not isinstance(network, nn.Module):
        raise InputError(f"--arch {arch} gives {type(network).__name__}, not a torch.nn.Module")
    return network


def _import_callable(arch: str) -> Callable[..., Any]:
    module, _, name = arch.partition(":")
    if not module or not name:
        raise InputError(f"--arch is package.module:callable, as edgevision.models:resnet20, not {arch!r}")
    try:
        with current_folder_searched(module):
            found = import_module(module)
    except (Exception, SystemExit) as error:
        raise InputError(
            f"--arch {arch}: {module!r} cannot be imported: {type(error).__name__}: {error}{_hidden(module)}"
        ) from error
    build = getattr(found, name, None)
    if not callable(build):
        raise InputError(f"--arch {arch}: {module!r} has no callable {name!r}{_hidden(module)}")
    return build  # type: ignore[no-any-return]


def _hidden(module: str) -> str:
    """A remark where the user may have meant another module of that name."""
    top = module.partition(".")[0]
    file = getattr(sys.modules.get(top), "__file__", None)
    if not lies_in_current_folder(module) or file is None or Path(file).is_relative_to(Path.cwd()):
        return ""
    return f"; {top!r} is the installed {file}, which comes before that of this folder: rename yours"
