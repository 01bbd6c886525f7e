"""The zip that PyTorch writes checkpoints into, opened so that nothing in it is believed before it is checked."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

# PyTorch stores its members as they are; some tools pack them again, and what packs better than this is no weights.
_PACKED_AT_MOST = 4
_ALLOWANCE = 16 << 20
# The index of a million-parameter checkpoint is some kilobytes; a parsed entry takes ten times what it has in the file.
_LARGEST_INDEX = 16 << 20
_LONGEST_COMMENT = 0xFFFF


class CheckpointArchive:
    """An open archive; ``names`` are without the folder that PyTorch puts around everything.

    Raises:
        ValueError: it is damaged, or unpacks to far more than the file holds.
    """

    def __init__(self, file: BinaryIO) -> None:
        with _damage_named():
            file_size = file.seek(0, io.SEEK_END)
            _check_index(file, file_size)
            self._archive = zipfile.ZipFile(file)
        members = self._archive.infolist()
        unpacked, packed = sum(m.file_size for m in members), sum(m.compress_size for m in members)
        # The others are unpacked without a bound, and no tool writes checkpoints with them.
        if any(m.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for m in members):
            raise ValueError("its zip is packed in another way than those of PyTorch")
        if packed > file_size:
            raise ValueError("its members lie over each other")
        if unpacked > _PACKED_AT_MOST * file_size + _ALLOWANCE:
            raise ValueError(f"it unpacks to {unpacked} bytes, too much for a file of {file_size}")
        # torch.serialization.set_crc32_options(False) leaves the checksums out.
        if not any(member.CRC for member in members):
            for member in members:
                del member.CRC
        first = members[0].filename.partition("/")[0] + "/" if members else ""
        folder = first if all(member.filename.startswith(first) for member in members) else ""
        self._members = {member.filename.removeprefix(folder): member for member in members}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._members)

    def size(self, name: str) -> int:
        """How many bytes a member has; ``ValueError`` where there is none of that name."""
        return self._member(name).file_size

    def read(self, name: str) -> bytes:
        """All of a member."""
        content = bytearray(self.size(name))
        self.read_into(name, memoryview(content))
        return bytes(content)

    def read_into(self, name: str, target: memoryview) -> None:
        """The first bytes of a member, as many as ``target`` has; ``ValueError`` where there are fewer."""
        with _damage_named(), self._archive.open(self._member(name)) as member:
            done = 0
            while done < len(target) and (count := member.readinto(target[done:])):  # type: ignore[attr-defined]
                done += count
        if done < len(target):
            raise ValueError(f"its member {name!r:.80} is too short")

    def _member(self, name: str) -> zipfile.ZipInfo:
        if name not in self._members:
            raise ValueError(f"it lacks {name!r:.80}")
        return self._members[name]


@contextmanager
def open_archive(path: Path) -> Iterator[CheckpointArchive]:
    """The archive at ``path``, closed at the end of the block."""
    with path.open("rb") as file:
        yield CheckpointArchive(file)


def is_archive(path: Path) -> bool:
    """Whether the file is a zip, as PyTorch has written checkpoints since 1.6, or begins like one."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04" or zipfile.is_zipfile(file)


def _check_index(file: BinaryIO, file_size: int) -> None:
    """APPNOTE.TXT, 4.3.14 to 4.3.16: the end of the archive says how long its index is, before it is read."""
    file.seek(max(0, file_size - _LONGEST_COMMENT - 22))
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    size = int.from_bytes(tail[end + 12 : end + 16], "little")
    wide = tail.rfind(b"PK\x06\x06", 0, end)
    if size == 0xFFFFFFFF and wide >= 0:
        size = int.from_bytes(tail[wide + 40 : wide + 48], "little")
    if end >= 0 and size > _LARGEST_INDEX:
        raise ValueError(f"its index of members has {size} bytes")


@contextmanager
def _damage_named() -> Iterator[None]:
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OSError,
        struct.error,
    ) as error:
        raise ValueError(f"its zip is damaged: {error}") from error
