"""The project's checkpoint: one ``.pt`` that ``torch.load(..., weights_only=True)`` reads and that explains itself.

{"edgevision": metadata JSON, "model": name in the registry, "options": its keywords, "state_dict": tensors}
"""

import json
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgevision.core.atomic_files import atomic_file
from edgevision.core.errors import CheckpointError, InputError
from edgevision.modelfiles.checkpoint_archive import open_archive
from edgevision.modelfiles.metadata import METADATA_KEY, ModelMetadata
from edgevision.models import build_model

_log = logging.getLogger(__name__)


def save_checkpoint(
    path: Path, network: nn.Module, metadata: ModelMetadata, *, model: str, options: Mapping[str, Any]
) -> None:
    """Write ``network``'s weights, on the CPU, with what is needed to build, run and trust it; replaces ``path``.

    Raises:
        OutputError, DiskFullError: it cannot be stored; an earlier file is untouched.
    """
    document = {
        METADATA_KEY: metadata.to_json(),
        "model": model,
        "options": json.dumps(dict(options)),
        "state_dict": {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()},
    }
    with atomic_file(path) as temporary, temporary.open("wb") as stream:
        # Into an open file: given a path, torch reports a full disk as a RuntimeError without a reason.
        try:
            torch.save(document, stream)
        except RuntimeError as error:
            # torch's own complaint about the unfinished archive hides the operating system's.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def read_saved(path: Path) -> Any:
    """What :func:`torch.save` put into a file, tensors on the CPU; nothing in it is run.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no such file, cut off, or a bit of it has changed.
    """
    with open_archive(path) as archive:
        for name in archive.names:
            archive.read(name)  # PyTorch itself does not look at the checksums
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a file of another kind ends in almost anything
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ValueError(f"{reason:.120}") from error


def load_trained(path: Path) -> tuple[nn.Module, ModelMetadata]:
    """The network that :func:`save_checkpoint` wrote, and what it says of itself.

    Raises:
        CheckpointError: missing, damaged, or not made by this project.
    """
    try:
        content = read_saved(path)
        network = build_model(content["model"], **json.loads(content["options"]))
        network.load_state_dict(content["state_dict"])
        return network, ModelMetadata.from_json(content[METADATA_KEY], repr(str(path)))
    except FileNotFoundError as error:
        raise CheckpointError(f"the checkpoint {str(path)!r} does not exist") from error
    except Exception as error:  # a file of another kind ends in almost anything
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{str(path)!r} is no checkpoint made by edgevision train: {reason:.120}") from error


def begin_with(network: nn.Module, path: Path) -> None:
    """Give ``network`` the weights of a checkpoint of the same network.

    Raises:
        CheckpointError: as :func:`load_trained`.
        InputError: it holds another network.
    """
    trained, metadata = load_trained(path)
    try:
        network.load_state_dict(trained.state_dict())
    except RuntimeError as error:
        raise InputError(f"--start-from {str(path)!r} holds another network, {metadata.name}") from error


def take_backbone(network: nn.Module, path: Path) -> None:
    """Give the layers of ``network`` that a checkpoint has too, by name and shape, its weights.

    Raises:
        CheckpointError: as :func:`load_trained`.
        InputError: it has no such layer.
    """
    trained, metadata = load_trained(path)
    own = network.state_dict()
    shared = {
        name: tensor for name, tensor in trained.state_dict().items() if name in own and own[name].shape == tensor.shape
    }
    taken, count = (sum(tensor.numel() for tensor in weights.values()) for weights in (shared, own))
    if not taken:
        raise InputError(f"--backbone {str(path)!r} has no layer of this network; it holds {metadata.name}")
    network.load_state_dict(shared, strict=False)
    _log.info("%s of %s weights begin as those of %s", f"{taken:,}", f"{count:,}", path.name)
