"""Reading the files PyTorch and its neighbours write into Python objects, without running code they carry.

What a file is, its content says: a TorchScript program that is called weights.pth or net.safetensors is one all the
same.
"""

from enum import StrEnum
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edgevision.core.errors import CheckpointError
from edgevision.core.extras import requires_extra
from edgevision.exporters.checkpoints.exported_program import is_exported_program, read_exported_program
from edgevision.exporters.checkpoints.pickled import read_legacy, read_zip
from edgevision.exporters.checkpoints.tensors import TrustNeededError, UnsupportedTensorError
from edgevision.exporters.quiet import quiet_torch
from edgevision.modelfiles.checkpoint_archive import is_archive, open_archive
from edgevision.modelfiles.nesting import check_nesting


class FileKind(StrEnum):
    """What a checkpoint is, by its content; the value is what it is called."""

    WEIGHTS = "a checkpoint"
    LEGACY = "a checkpoint of before PyTorch 1.6"
    SAFETENSORS = "safetensors"
    TORCHSCRIPT = "TorchScript"
    EXPORTED_PROGRAM = "an exported program"


def read_file(path: Path, *, trust_pickle: bool = False) -> tuple[Any, FileKind]:
    """What ``path`` holds, tensors on the CPU, and what kind of file it is.

    Without ``trust_pickle`` nothing in the file is run and memory is in proportion to its size; with it PyTorch reads
    the file as it would by itself. The containers in what is returned come to an end.

    Raises:
        CheckpointError: missing, damaged, or of a kind that has to be trusted.
        MissingExtraError: the file needs a package that is not installed.
    """
    if not path.is_file():
        raise CheckpointError(f"the checkpoint {str(path)!r} {_absent(path)}")
    try:
        kind = _kind(path)
        if kind is FileKind.SAFETENSORS:
            content: Any = _load_safetensors(path)
        elif trust_pickle:
            content = _load_trusted(path, kind)
        elif kind is FileKind.TORCHSCRIPT:
            raise TrustNeededError(f"is {kind}, a program, which can read and overwrite files of yours when it is run")
        else:
            content = _read_untrusted(path, kind)
        check_nesting(content)
    except TrustNeededError as error:
        raise CheckpointError(
            f"{str(path)!r} {error}. --trust-pickle allows that; use it only for files you made yourself"
        ) from error
    except UnsupportedTensorError as error:
        raise CheckpointError(
            f"{str(path)!r} holds {error}, which cannot be exported; save an ordinary tensor in its place"
        ) from error
    except MemoryError as error:
        raise CheckpointError(f"{str(path)!r} takes more memory than there is here") from error
    except (ValueError, RuntimeError) as error:  # PyTorch's own word for what cannot be is RuntimeError
        raise _damaged(path, error) from error
    except OSError as error:
        raise CheckpointError(f"the checkpoint {str(path)!r} cannot be read: {error.strerror or error}") from error
    return content, kind


def _absent(path: Path) -> str:
    if not path.is_dir():
        return "is not a regular file" if path.exists() else "does not exist"
    found = sorted(file.name for file in path.glob("*.index.json"))
    return f"is a folder; give the file in it, {found[0]!r}" if found else "is a folder"


def _kind(path: Path) -> FileKind:
    if not is_archive(path):
        return FileKind.SAFETENSORS if _begins_like_safetensors(path) else FileKind.LEGACY
    with open_archive(path) as archive:
        names = archive.names
        if "constants.pkl" in names or any(name.startswith("code/") for name in names):
            return FileKind.TORCHSCRIPT
        if is_exported_program(names):
            return FileKind.EXPORTED_PROGRAM
        if "data.pkl" in names:
            return FileKind.WEIGHTS
    raise ValueError("its zip holds no checkpoint of PyTorch")


def _begins_like_safetensors(path: Path) -> bool:
    """Eight bytes of length and then a JSON object, as in https://github.com/huggingface/safetensors#format."""
    with path.open("rb") as file:
        length, start = int.from_bytes(file.read(8), "little"), file.read(1)
    return start == b"{" and length <= path.stat().st_size - 8


def _read_untrusted(path: Path, kind: FileKind) -> Any:
    if kind is FileKind.LEGACY:
        return read_legacy(path)
    with open_archive(path) as archive:
        if kind is FileKind.EXPORTED_PROGRAM:
            return read_exported_program(archive, path.stat().st_size)
        return read_zip(archive, path.stat().st_size)


def _load_trusted(path: Path, kind: FileKind) -> Any:
    with quiet_torch():
        try:
            if kind is FileKind.TORCHSCRIPT:
                return torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
            if kind is FileKind.EXPORTED_PROGRAM:
                return torch.export.load(path).module()
            return torch.load(path, map_location="cpu", weights_only=False)
        except MemoryError:
            raise
        except (AttributeError, ModuleNotFoundError) as error:
            raise CheckpointError(
                f"{str(path)!r} is a pickled object whose code is missing here: {error}; put the folder of that code"
                " on PYTHONPATH, or save its state_dict() instead"
            ) from error
        except (Exception, SystemExit) as error:  # the file's own code, or a damaged file: EOFError, KeyError ...
            raise ValueError((str(error).strip().splitlines() or [type(error).__name__])[0]) from error


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    with requires_extra("export"):
        from safetensors.torch import load_file
    try:
        return load_file(path)
    except Exception as error:  # SafetensorError is not part of the package's public names
        raise ValueError(str(error)) from error


def _damaged(path: Path, error: Exception) -> CheckpointError:
    kind = "is cut off or damaged" if is_archive(path) else "is not a PyTorch checkpoint, or is cut off"
    reason = (str(error).splitlines() or [""])[0]
    # A KeyError's only word is the byte it stumbled over.
    explained = f" ({reason:.120})" if any(letter.isalpha() for letter in reason) else ""
    return CheckpointError(f"{str(path)!r} {kind}{explained}")
