"""Weights in several files beside an index that says which file holds which, as ``model.safetensors.index.json``."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

from edgevision.core.errors import CheckpointError
from edgevision.core.regular_files import real_path

# An index takes some hundred bytes for each tensor.
_MOST_BYTES = 64 << 20


def shards_of(index: Path) -> dict[Path, list[str]]:
    """The files that ``index`` names, and of which weights each.

    Raises:
        CheckpointError: it is no index, or names a file that is missing or outside of its folder.
    """
    shards: dict[Path, list[str]] = {}
    for name, file in _weight_map(index).items():
        shards.setdefault(index.parent / file, []).append(name)
    for shard in shards:
        try:
            beside, there = _is_beside(shard, index), shard.is_file()
        except (OSError, ValueError):  # a name too long, or with a zero in it
            beside = there = False
        if not beside:
            raise CheckpointError(f"{str(index)!r} names {str(shard)[:200]!r}, which cannot be a file of its folder")
        if not there:
            raise CheckpointError(
                f"{str(index)!r} names {shard.name!r}, which is not beside it: put all its files there"
            )
    return shards


def read_shards(shards: Mapping[Path, list[str]], read: Callable[[Path], Any]) -> dict[str, Any]:
    """The weights of all files together, each of which ``read`` reads.

    Raises:
        CheckpointError: a file lacks what it should hold.
    """
    weights: dict[str, Any] = {}
    for shard, names in shards.items():
        content = read(shard)
        lost = [name for name in names if not isinstance(content, Mapping) or name not in content]
        if lost:
            raise CheckpointError(f"{str(shard)!r} lacks {len(lost)} weights that its index names ({lost[0]!r} ...)")
        weights |= {name: content[name] for name in names}
    return weights


def _weight_map(index: Path) -> dict[str, str]:
    try:
        with index.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        document = json.loads(data) if len(data) <= _MOST_BYTES else None
    except OSError as error:
        raise CheckpointError(f"the checkpoint {str(index)!r} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{str(index)!r} is no index of weights: {error}") from error
    found = document.get("weight_map") if isinstance(document, dict) else None
    if not isinstance(found, dict) or not found or not all(isinstance(file, str) for file in found.values()):
        raise CheckpointError(f"{str(index)!r} is no index of weights: it has no 'weight_map' of names and files")
    return found


def _is_beside(shard: Path, index: Path) -> bool:
    # What a name means on Windows, it may mean anywhere.
    name = PureWindowsPath(shard.relative_to(index.parent)) if shard.is_relative_to(index.parent) else None
    if name is None or name.anchor or ".." in name.parts:
        return False
    # In the cache of Hugging Face's hub both index and shards are links into one folder.
    folders = real_path(index.parent), real_path(index).parent
    return any(real_path(shard).is_relative_to(folder) for folder in folders)
