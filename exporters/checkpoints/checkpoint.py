"""A checkpoint from anywhere as a network that can be called."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from edgevision.errors import CheckpointError
from edgevision.exporters.checkpoints.files import FileKind, read_file
from edgevision.exporters.checkpoints.network import build_network
from edgevision.exporters.checkpoints.weights import find_weights, load_weights
from edgevision.files import sha256
from edgevision.metadata import METADATA_KEY, ModelMetadata
from edgevision.models import build_model


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
    The current folder can be imported from. ``trust_pickle`` lets the file run its code, as ``torch.load`` once did;
    without it a TorchScript program is refused.

    Raises:
        CheckpointError: missing, damaged, unsafe, or not fitting the network.
        InputError: ``arch`` cannot be imported or called.
        MissingExtraError: the file needs a package that is not installed.
    """
    content, kind = read_file(path, trust_pickle=trust_pickle)
    digest = sha256(path)
    if isinstance(content, nn.Module):
        known = kind if kind in (FileKind.TORCHSCRIPT, FileKind.EXPORTED_PROGRAM) else "a pickled module"
        return Checkpoint(_evaluated(content), digest, notes=(f"read as {known}",))
    if isinstance(content, Mapping) and isinstance(content.get(METADATA_KEY), str) and arch is None:
        return _own_checkpoint(path, content, digest)
    weights, notes = find_weights(path, content)
    if arch is None:
        shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in list(weights.items())[:2])
        raise CheckpointError(
            f"{str(path)!r} holds bare weights ({len(weights)} tensors: {shapes} ...);"
            " name the network they belong to with --arch package.module:callable"
        )
    network = build_network(arch, arch_options or {})
    notes += load_weights(path, network, weights, arch)
    return Checkpoint(_evaluated(network), digest, notes=tuple(notes))


def _own_checkpoint(path: Path, content: Mapping[str, Any], digest: str) -> Checkpoint:
    metadata = ModelMetadata.from_json(content[METADATA_KEY], repr(str(path)))
    try:
        model, options = content["model"], json.loads(content["options"])
        network = build_model(model, **options)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{str(path)!r} carries edgevision metadata but not what builds its network: {type(error).__name__} {error}"
        ) from error
    weights, _ = find_weights(path, content)
    load_weights(path, network, weights, model)
    return Checkpoint(_evaluated(network), digest, metadata)


def _evaluated(network: nn.Module) -> nn.Module:
    with suppress(NotImplementedError):  # exported programs are fixed in the mode they were exported in
        network.eval()
    return network
