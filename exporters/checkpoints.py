"""Reading PyTorch checkpoints from anywhere as a network that can be called, without running code they carry."""

import hashlib
import json
import os
import pickle
import re
import sys
import warnings
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgevision.errors import CheckpointError, InputError
from edgevision.extras import brought_by
from edgevision.metadata import METADATA_KEY, ModelMetadata
from edgevision.models import build_model

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


@dataclass(frozen=True)
class Checkpoint:
    """A network in evaluation mode on the CPU, and where it came from.

    ``metadata`` is ``None`` for a foreign checkpoint; ``notes`` say what was chosen or stripped while reading.
    """

    network: nn.Module
    sha256: str
    metadata: ModelMetadata | None = None
    notes: tuple[str, ...] = ()


def read_checkpoint(
    path: Path,
    *,
    arch: str | None = None,
    arch_options: Mapping[str, Any] | None = None,
    trust_pickle: bool = False,
) -> Checkpoint:
    """Read the project's own checkpoints, bare or nested state dicts, ``.safetensors``, TorchScript and ``.pt2``.

    ``arch`` is ``package.module:callable``, called with ``arch_options``; it makes the network that bare weights lack.
    The current folder can be imported from. ``trust_pickle`` lets the file run its code, as ``torch.load`` once did.

    Raises:
        CheckpointError: missing, damaged, unsafe, or not fitting the network.
        InputError: ``arch`` cannot be imported or called.
        MissingExtraError: the file needs a package that is not installed.
    """
    if not path.is_file():
        raise CheckpointError(f"the checkpoint {str(path)!r} {'is a folder' if path.is_dir() else 'does not exist'}")
    try:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise CheckpointError(f"the checkpoint {str(path)!r} cannot be read: {error.strerror}") from error
    if path.suffix == ".pt2":
        return Checkpoint(_evaluated(_load_exported_program(path)), sha256, notes=("read as an exported program",))
    if path.suffix == ".safetensors":
        content: Any = _load_safetensors(path)
    elif _is_torchscript(path):
        return Checkpoint(_evaluated(_load_torchscript(path)), sha256, notes=("read as TorchScript",))
    else:
        content = _load_pickle(path, trust_pickle=trust_pickle)
    if isinstance(content, nn.Module):
        return Checkpoint(_evaluated(content), sha256, notes=("read as a pickled module",))
    if isinstance(content, Mapping) and isinstance(content.get(METADATA_KEY), str) and arch is None:
        return _own_checkpoint(path, content, sha256)
    weights, notes = _find_weights(path, content)
    if arch is None:
        shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in list(weights.items())[:2])
        raise CheckpointError(
            f"{str(path)!r} holds bare weights ({len(weights)} tensors: {shapes} ...);"
            " name the network they belong to with --arch package.module:callable"
        )
    network = _build(arch, arch_options or {})
    notes += _load_weights(path, network, weights, arch)
    return Checkpoint(_evaluated(network), sha256, notes=tuple(notes))


def _own_checkpoint(path: Path, content: Mapping[str, Any], sha256: str) -> Checkpoint:
    metadata = ModelMetadata.from_json(content[METADATA_KEY], repr(str(path)))
    try:
        model, options = content["model"], json.loads(content["options"])
        network = build_model(model, **options)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{str(path)!r} carries edgevision metadata but not what builds its network: {type(error).__name__} {error}"
        ) from error
    weights, _ = _find_weights(path, content)
    _load_weights(path, network, weights, model)
    return Checkpoint(_evaluated(network), sha256, metadata)


def _evaluated(network: nn.Module) -> nn.Module:
    with suppress(NotImplementedError):  # exported programs are fixed in the mode they were exported in
        network.eval()
    return network


# --- files ---


def _load_pickle(path: Path, *, trust_pickle: bool) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=not trust_pickle)
    except pickle.UnpicklingError as error:
        wanted = _forbidden_global(str(error))
        if wanted is None:
            raise _damaged(path, error) from error
        raise CheckpointError(
            f"{str(path)!r} is no plain file of weights: loading it would run {wanted}."
            " --trust-pickle allows that; use it only for files you made yourself"
        ) from error
    except MemoryError:
        raise
    except (AttributeError, ModuleNotFoundError) as error:
        raise CheckpointError(
            f"{str(path)!r} is a pickled object whose code is missing here: {error}; run where it can be imported,"
            " or save its state_dict() instead"
        ) from error
    except Exception as error:  # a damaged file raises RuntimeError, EOFError, KeyError, ValueError ...
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> CheckpointError:
    kind = "is cut off or damaged" if _starts_like_a_zip(path) else "is not a PyTorch checkpoint, or is cut off"
    # What torch found comes after its advice for files one trusts.
    found = str(error).rpartition("WeightsUnpickler error:")[2].strip()
    reason = (found.splitlines() or [""])[0]
    # A KeyError's only word is the byte it stumbled over.
    explained = f" ({reason:.80})" if any(letter.isalpha() for letter in reason) else ""
    return CheckpointError(f"{str(path)!r} {kind}{explained}")


def _starts_like_a_zip(path: Path) -> bool:
    """Whether the file starts like a zip, as torch has written checkpoints since 1.6."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _forbidden_global(message: str) -> str | None:
    """What a pickle asked for that plain weights never need, from torch's long explanation."""
    for pattern in (
        r"GLOBAL (\S+) was not an allowed global",
        r"(?i)unsupported (?:global|class):? (?:GLOBAL )?(\S+)",
        r"unrecognized function (.+?)(?:\n|$)",
    ):
        found = re.search(pattern, message)
        if found:
            return found[1].rstrip(".,")
    return None


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _load_torchscript(path: Path) -> nn.Module:
    try:
        with warnings.catch_warnings():
            # That torch gives TorchScript up is nothing that whoever has such a file can change.
            warnings.simplefilter("ignore", DeprecationWarning)
            module: nn.Module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise _damaged(path, error) from error
    return module


def _load_exported_program(path: Path) -> nn.Module:
    try:
        return torch.export.load(path).module()
    except Exception as error:
        raise _damaged(path, error) from error


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    with brought_by("export"):
        from safetensors.torch import load_file
    try:
        return load_file(path)
    except Exception as error:  # SafetensorError is not part of the package's public names
        raise _damaged(path, error) from error


# --- weights ---


def _find_weights(path: Path, content: Any) -> tuple[dict[str, Tensor], list[str]]:
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


def _load_weights(path: Path, network: nn.Module, weights: Mapping[str, Tensor], arch: str) -> list[str]:
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


# --- network ---


def _build(arch: str, options: Mapping[str, Any]) -> nn.Module:
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
