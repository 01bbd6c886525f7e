"""The two files that ``torch.save`` writes, a zip since PyTorch 1.6 and pickles one after the other before, as data."""

import mmap
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgevision.exporters.checkpoints.tensors import Storage, StorageClass, find_global
from edgevision.modelfiles.checkpoint_archive import CheckpointArchive
from edgevision.modelfiles.pickle_reader import PickleReader, memory_for

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001


def read_zip(archive: CheckpointArchive, file_size: int) -> Any:
    """What a checkpoint in a zip holds, tensors on the CPU.

    Raises:
        TrustNeededError: it names code.
        ValueError: it is damaged, or describes more than it holds.
    """
    check_byte_order(archive)
    storages = _Storages(lambda key, size: _read_member(archive, f"data/{key}", size))
    pickled = archive.read("data.pkl")
    return PickleReader(
        pickled, find_global=find_global, find_persistent=storages.find, memory=memory_for(file_size)
    ).read()


def check_byte_order(archive: CheckpointArchive) -> None:
    """Refuse numbers that were written the other way round; without a word they are as those of this machine."""
    if "byteorder" in archive.names and archive.read("byteorder") != sys.byteorder.encode():
        raise ValueError("its numbers have the byte order of another machine")


def read_legacy(path: Path) -> Any:
    """What a checkpoint of before PyTorch 1.6 holds; errors are those of :func:`read_zip`."""
    size = path.stat().st_size
    if size == 0:
        raise ValueError("it is empty")
    with path.open("rb") as file, closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as data:
        # The data come behind the pickle, so that what it describes is counted before anything is reserved.
        left = size

        def reserve(key: str, size: int) -> torch.Tensor:
            nonlocal left
            left -= size
            if left < 0:
                raise ValueError("it describes more data than the file holds")
            return torch.empty(size, dtype=torch.uint8)

        storages = _Storages(reserve)
        reader = PickleReader(data, find_global=find_global, find_persistent=storages.find, memory=memory_for(size))
        magic = reader.read()
        if magic != _LEGACY_MAGIC:
            raise ValueError("it has no magic number of PyTorch")
        if reader.read() != _LEGACY_PROTOCOL:
            raise ValueError("it is of another version of PyTorch's format")
        system = reader.read()
        if isinstance(system, dict) and system.get("little_endian") is not (sys.byteorder == "little"):
            raise ValueError("its numbers have the byte order of another machine")
        content = reader.read()
        keys = reader.read()
        if not isinstance(keys, list) or not all(isinstance(key, str | int) for key in keys):
            raise ValueError("it does not say in what order its data are")
        if sorted(map(str, keys)) != sorted(storages.found):
            raise ValueError("its data are not those that it describes")
        position = reader.position
        for key in map(str, keys):
            storage = storages.found[key]
            count = int.from_bytes(data[position : position + 8], "little")
            end = position + 8 + storage.data.numel()
            if count * storage.dtype.itemsize != storage.data.numel() or end > size:
                raise ValueError("its data are cut off")
            storage.data.numpy()[:] = np.frombuffer(data[position + 8 : end], np.uint8)
            position = end
        return content


class _Storages:
    """The storages that persistent ids name, each read once."""

    def __init__(self, read: Callable[[str, int], torch.Tensor]) -> None:
        self.found: dict[str, Storage] = {}
        self._read = read

    def find(self, identity: Any) -> Any:
        """``("storage", class, key, location, elements)``, of old also a part as ``(key, offset, elements)``."""
        if not isinstance(identity, tuple) or len(identity) < 2:
            raise ValueError("its pickle names what is no storage")
        kind, first, *others = identity
        if kind == "module":
            return first
        if kind != "storage" or not isinstance(first, StorageClass) or len(others) not in (3, 4):
            raise ValueError("its pickle names what is no storage")
        key, _, elements, *part = others
        if not isinstance(elements, int) or elements < 0 or not isinstance(key, str | int):
            raise ValueError("its pickle names a storage without a key or a size")
        name = str(key)
        if name not in self.found:
            self.found[name] = Storage(self._read(name, elements * first.dtype.itemsize), first.dtype)
        storage = Storage(self.found[name].data, first.dtype)
        if not part or part[0] is None:
            return storage
        if not isinstance(part[0], tuple) or not all(isinstance(number, int) for number in part[0][1:]):
            raise ValueError("its pickle names a part of a storage without a place")
        return storage.part(*part[0][1:])


def _read_member(archive: CheckpointArchive, name: str, size: int) -> torch.Tensor:
    if size == 0:
        return torch.empty(0, dtype=torch.uint8)
    if size > archive.size(name):
        raise ValueError(f"it describes more data than its member {name!r:.80} holds")
    data = torch.empty(size, dtype=torch.uint8)
    archive.read_into(name, data.numpy().data)
    return data
