"""The names of checkpoints' files, which their models are called after."""

from pathlib import Path

_INDEX_SUFFIX = ".index.json"


def is_index(path: Path) -> bool:
    """Whether the file has the name of an index of shards."""
    return path.name.lower().endswith(_INDEX_SUFFIX)


def stem(path: Path) -> str:
    """The name of a checkpoint without what it ends in: of ``model.safetensors.index.json`` that is ``model``."""
    return Path(path.name[: -len(_INDEX_SUFFIX)]).stem if is_index(path) else path.stem
