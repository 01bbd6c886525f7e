"""A checkpoint from anywhere as a network that can be called."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from edgevision.core.errors import CheckpointError, InputError
from edgevision.core.regular_files import sha256
from edgevision.exporters.checkpoint_names import is_index
from edgevision.exporters.checkpoints.contents import Contents
from edgevision.exporters.checkpoints.files import FileKind, read_file
from edgevision.exporters.checkpoints.float32 import in_float32
from edgevision.exporters.checkpoints.modules import choose_module
from edgevision.exporters.checkpoints.network import build_network
from edgevision.exporters.checkpoints.shards import read_shards, shards_of
from edgevision.exporters.checkpoints.weights import load_weights
from edgevision.modelfiles.metadata import METADATA_KEY, ModelMetadata
from edgevision.models import build_model

_PROGRAMS = (FileKind.TORCHSCRIPT, FileKind.EXPORTED_PROGRAM)


@dataclass(frozen=True)
class Checkpoint:
    """A network of float32 in evaluation mode on the CPU, and where it came from.

    ``metadata`` is ``None`` for a foreign checkpoint; ``notes`` say what was chosen, stripped or cast while reading.
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
    weights: str | None = None,
    trust_pickle: bool = False,
) -> Checkpoint:
    """Read the project's own checkpoints, bare or nested state dicts, ``.safetensors``, TorchScript and ``.pt2``.

    ``arch`` is ``package.module:callable``, called with ``arch_options``; it makes the network that bare weights lack.
    The current folder can be imported from. ``weights`` is where they lie, keys joined by dots, for a checkpoint that
    holds several; without it averages over training are preferred. Of weights in several files ``path`` is the index.
    ``trust_pickle`` lets the file run its code, as ``torch.load`` once did; without it programs are refused.

    Raises:
        CheckpointError: missing, damaged, unsafe, or not fitting the network.
        InputError: ``arch`` cannot be imported or called, or there is nothing at ``weights``.
        MissingExtraError: the file needs a package that is not installed.
    """
    if is_index(path):
        shards = shards_of(path)
        content: Any = read_shards(shards, lambda shard: read_file(shard, trust_pickle=trust_pickle)[0])
        digest, kind = sha256(path, *shards), FileKind.WEIGHTS
    else:
        content, kind = read_file(path, trust_pickle=trust_pickle)
        digest = sha256(path)
    file = repr(str(path))
    if kind in _PROGRAMS:
        if weights is not None:
            raise InputError(f"{file} is {kind}, which holds one network: --weights {weights} means nothing for it")
        return _foreign(content, digest, [f"read as {kind}"])
    if arch is None and isinstance(content, Mapping) and isinstance(content.get(METADATA_KEY), str):
        return _own(content, digest, file)
    contents = Contents.of(content)
    if arch is not None:
        network = build_network(arch, arch_options or {})
        notes = load_weights(network, contents, arch=arch, file=file, wanted=weights)
        return _foreign(network, digest, notes)
    found = choose_module(contents, file=file, wanted=weights)
    if found is None:
        raise CheckpointError(_bare(contents, file))
    network, notes = found
    return _foreign(network, digest, notes)


def _foreign(network: nn.Module, digest: str, notes: list[str]) -> Checkpoint:
    return Checkpoint(_evaluated(network), digest, notes=(*notes, *in_float32(network)))


def _own(content: Mapping[str, Any], digest: str, file: str) -> Checkpoint:
    metadata = ModelMetadata.from_json(content[METADATA_KEY], file)
    try:
        model, options = content["model"], json.loads(content["options"])
        network = build_model(model, **options)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{file} carries edgevision metadata but not what builds its network: {type(error).__name__} {error}"
        ) from error
    load_weights(network, Contents.of(content.get("state_dict")), arch=model, file=file, wanted=None)
    return Checkpoint(_evaluated(network), digest, metadata)


def _bare(contents: Contents, file: str) -> str:
    """What to do with weights without a network, or that there are none."""
    group = max(contents.groups, key=lambda group: len(group.tensors), default=None)
    if group is None:
        return f"{file} holds no weights where trainers put them; it holds {contents.held}"
    shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in list(group.tensors.items())[:2])
    return (
        f"{file} holds bare weights ({len(group.tensors)} tensors: {shapes} ...);"
        " name the network they belong to with --arch package.module:callable"
    )


def _evaluated(network: nn.Module) -> nn.Module:
    with suppress(NotImplementedError):  # exported programs are fixed in the mode they were exported in
        network.eval()
    return network
