"""Reading the files PyTorch and its neighbours write into Python objects, without running code they carry."""

import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgevision.errors import CheckpointError
from edgevision.extras import brought_by


def load_pickle(path: Path, *, trust_pickle: bool) -> Any:
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


def is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def load_torchscript(path: Path) -> nn.Module:
    try:
        with warnings.catch_warnings():
            # That torch gives TorchScript up is nothing that whoever has such a file can change.
            warnings.simplefilter("ignore", DeprecationWarning)
            module: nn.Module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise _damaged(path, error) from error
    return module


def load_exported_program(path: Path) -> nn.Module:
    try:
        return torch.export.load(path).module()
    except Exception as error:
        raise _damaged(path, error) from error


def load_safetensors(path: Path) -> dict[str, Tensor]:
    with brought_by("export"):
        from safetensors.torch import load_file
    try:
        return load_file(path)
    except Exception as error:  # SafetensorError is not part of the package's public names
        raise _damaged(path, error) from error
