"""Pictures in class folders, in a folder or a zip: ``[split/]class/picture.jpg`` (the ImageFolder layout)."""

import copy
import logging
import os
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.errors import DatasetError, ImageError
from edgevision.core.folder_search import files_below
from edgevision.core.regular_files import LARGEST_IN_MEMORY, read_regular
from edgevision.imaging.images import read_image
from edgevision.imaging.picture_formats import IMAGE_SUFFIXES

_log = logging.getLogger(__name__)

CLASS_LISTS = ("classes.txt", "obj.names", "labels.txt")
"""Files that name the classes of annotations, one a line."""

_MASK_FOLDERS = ("masks", "mask", "labels", "annotations")

_AT_A_TIME = 4096
_ENCRYPTED = 1

_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


class LabelledData(Protocol):
    """What is there by index. ``labels`` is int64 (len,), an index into ``class_names``, or -1 without classes."""

    class_names: tuple[str, ...]
    labels: NDArray[np.int64]

    def __len__(self) -> int: ...


class ImageDataset(LabelledData, Protocol):
    """Pictures by index."""

    def image(self, index: int) -> Image.Image:
        """Decode one picture; :class:`ImageError` where it is damaged."""
        ...


class ClassFolders:
    """What lies in class folders in one split of a folder or zip, sorted by name; what it is, a subclass says.

    Attributes:
        split: "train", "val", "test", or "" where the data is not divided.
        splits: all that the data holds.
        names: the path of each inside the data.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open the folder or zip; :class:`DatasetError` where there is none, or not a zip."""
        self.path = Path(path)
        self._remarked = False
        self._files: _Folder | _Zip = _open(self.path)

    def another_split(self, splits: Sequence[str]) -> Self:
        """The first of ``splits`` that exists in the same data, which is not listed again."""
        other = copy.copy(self)
        other._take(splits)
        return other

    def _divide(self, parts: Mapping[str, Sequence[str]], splits: Sequence[str]) -> None:
        """Sort into splits and classes what is there, by name and split into folders, and take one of ``splits``."""
        depth = _wrapping_folders(list(parts.values()))
        self._parts = {name: part[depth:] for name, part in parts.items()}
        tops = {part[0] for part in self._parts.values()}
        divided = all(top.lower() in _SPLITS for top in tops) and all(len(part) > 1 for part in self._parts.values())
        self.splits = tuple(sorted({_SPLITS[top.lower()] for top in tops})) if divided else ()
        self._take(splits)

    def _take(self, splits: Sequence[str]) -> None:
        self.split = self._choose(splits)
        parts = self._parts
        if self.splits:
            parts = {n: part[1:] for n, part in parts.items() if _SPLITS[part[0].lower()] == self.split}
        self.names = tuple(sorted(parts))
        classes = {name: part[0] if len(part) > 1 else "" for name, part in parts.items()}
        folders = sorted(set(classes.values()))
        # What lies beside class folders would be a class without a name: then nothing is taken for a class.
        self.class_names: tuple[str, ...] = () if "" in folders else tuple(folders)
        index = {name: i for i, name in enumerate(self.class_names)}
        self.labels = np.array([index.get(classes[name], -1) for name in self.names], np.int64)

    def __len__(self) -> int:
        return len(self.names)

    def picture(self, name: str) -> Image.Image:
        """Decode a picture by its path inside the data; :class:`ImageError` with its name where that cannot be."""
        try:
            return read_image(self._files.read(name), remark=lambda sentence: self._remark(name, sentence))
        except ImageError as error:
            raise ImageError(f"{name!r} in {str(self.path)!r}: {error}") from error

    def read(self, name: str) -> bytes:
        """The bytes of a file by its path inside the data; :class:`DatasetError` where it cannot be read."""
        try:
            return self._files.read(name)
        except ImageError as error:
            raise DatasetError(f"{name!r} in {str(self.path)!r}: {error}") from error

    def _remark(self, name: str, sentence: str) -> None:
        """Warn of the first of such pictures: of thousands, read in every epoch, each would be too much."""
        if not self._remarked:
            self._remarked = True
            _log.warning("%r in %r: %s; other pictures of this kind are not named", name, str(self.path), sentence)

    def _choose(self, wanted: Sequence[str]) -> str:
        if not self.splits:
            return ""
        for split in wanted or ("test", "val", "train"):
            if split in self.splits:
                return split
        raise DatasetError(f"{str(self.path)!r} has no split {'/'.join(wanted)!r}; it has {', '.join(self.splits)}")


class ImageFolder(ClassFolders):
    """The pictures of one split of a folder or zip.

    Attributes:
        other_files: the paths of all files that are no pictures, of every split.
        masks: the path of the mask of each picture that has one, see :func:`masks_among`; masks are no pictures.
    """

    def __init__(self, path: str | os.PathLike[str], splits: Sequence[str] = ()) -> None:
        """Open the first of ``splits`` that exists; without any, all of an undivided data set.

        Raises:
            DatasetError: no such file, not a zip, no pictures, or none of the splits.
        """
        super().__init__(path)
        paths = {name: PurePosixPath(name) for name in self._files.names()}
        parts = {name: path.parts for name, path in paths.items() if _is_picture(path)}
        self.other_files = tuple(sorted(paths.keys() - parts.keys()))
        if not parts:
            raise DatasetError(f"{str(path)!r} holds no pictures ({', '.join(sorted(IMAGE_SUFFIXES))})")
        self.masks = masks_among(parts)
        self._divide({name: part for name, part in parts.items() if name not in set(self.masks.values())}, splits)

    def image(self, index: int) -> Image.Image:
        """Decode one picture; :class:`ImageError` with its name where it is damaged or cannot be read."""
        return self.picture(self.names[index])


def numbered(name: str) -> list[tuple[int, str]]:
    """What sorts names so that 10 comes after 9."""
    parts: list[str] = re.findall(r"\d+|\D+", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def masks_among(parts: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Of the paths of pictures, by name and split into folders, the mask of each that has one.

    It is ``NAME.png`` beside ``NAME.jpg``, where no PNG stands alone, or ``masks/NAME.png`` for ``images/NAME`` (or in
    ``labels`` or ``annotations``).
    """
    stems: dict[str, str] = {}
    for name in parts:
        stem, _, ending = name.rpartition(".")
        if ending.lower() != "png":
            stems[stem] = name
    drawn = [name for name in parts if name.rpartition(".")[2].lower() == "png"]
    if drawn and all(name.rpartition(".")[0] in stems for name in drawn):
        return {stems[name.rpartition(".")[0]]: name for name in drawn}
    pictures = {name.rpartition(".")[0]: name for name in parts}
    masks = {}
    for name in drawn:
        folders = parts[name]
        for place, folder in enumerate(folders[:-1]):
            if folder.lower() in _MASK_FOLDERS:
                twin = "/".join([*folders[:place], "images", *folders[place + 1 :]]).rpartition(".")[0]
                if twin in pictures:
                    masks[pictures[twin]] = name
    return masks


def split_called(word: str) -> str | None:
    """The split that a folder of that name is, or ``None``."""
    return _SPLITS.get(word.lower())


def is_held_out(name: str) -> bool:
    """Whether a picture of that file name belongs to the tenth that restoration networks are never trained on."""
    return zlib.crc32(name.rpartition("/")[2].encode()) % 10 == 0


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> list[str]:
        return [file.relative_to(self._root).as_posix() for file in files_below(self._root)]

    def read(self, name: str) -> bytes:
        try:
            return read_regular(self._root / name)
        except OSError as error:
            raise ImageError(f"it cannot be read: {error.strerror}") from error


class _Zip:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._archive: zipfile.ZipFile | None = None
        self._entries: dict[str, zipfile.ZipInfo] = {}
        self._process = 0

    def names(self) -> list[str]:
        # Not ZipInfo.is_dir(), which fails where there is no name.
        names = [_slashed(entry.filename) for entry in self._open().infolist() if entry.filename[-1:] not in ("", "/")]
        outside = [name for name in names if _leads_outside(name)]
        if outside:
            _log.warning(
                "%r: %d pictures are left out, as their paths lead outside the zip: %r",
                str(self._path),
                len(outside),
                outside[0],
            )
        return [name for name in names if not _leads_outside(name)]

    def read(self, name: str) -> bytes:
        archive = self._open()
        entry = self._entries.get(name)
        if entry is None:
            raise ImageError("it is there no longer")
        if entry.flag_bits & _ENCRYPTED:
            raise ImageError("it is encrypted; unpack the zip and give the folder")
        if entry.file_size > LARGEST_IN_MEMORY:
            raise ImageError(
                f"it would unpack to {entry.file_size >> 20} MB, and a picture in a zip may have"
                f" {LARGEST_IN_MEMORY >> 20} MB; unpack the zip and give the folder"
            )
        try:
            return _unpacked(archive, entry)
        # It may be cut off, encrypted, or compressed in a way this Python does not know; each decompressor has errors
        # of its own, and lies about places and sizes end in others again.
        except Exception as error:
            raise ImageError(f"it cannot be unpacked: {str(error) or type(error).__name__}") from error

    def _open(self) -> zipfile.ZipFile:
        # One archive a process: a data loader's forked workers would share, and fight over, one file position.
        if self._archive is None or self._process != os.getpid():
            try:
                self._archive = zipfile.ZipFile(self._path)
            # A damaged directory ends in almost anything: struct.error, NotImplementedError, OverflowError ...
            except Exception as error:
                raise DatasetError(
                    f"{str(self._path)!r} is neither a folder nor an intact zip: {str(error) or type(error).__name__}"
                ) from error
            self._process = os.getpid()
            self._entries = {_slashed(entry.filename): entry for entry in self._archive.infolist()}
        return self._archive

    def __getstate__(self) -> dict[str, object]:
        return {"_path": self._path, "_archive": None, "_entries": {}, "_process": 0}


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """The content of one member, of which hardly more is unpacked than ``file_size`` says, true or not."""
    if entry.compress_type != zipfile.ZIP_BZIP2:
        # What little is read at a time becomes a thousand times as much at most; a whole read would unpack it all.
        with archive.open(entry) as file:
            return b"".join(iter(partial(file.read, _AT_A_TIME), b""))
    # Of this kind 4 kB can become 4 GB, and zipfile would unpack as much as it has read.
    from bz2 import BZ2Decompressor

    packed = copy.copy(entry)
    packed.compress_type, packed.file_size = zipfile.ZIP_STORED, entry.compress_size
    del packed.CRC  # nobody knows that of what is packed
    content = BZ2Decompressor().decompress(archive.read(packed), entry.file_size)
    if zlib.crc32(content) != entry.CRC:
        raise zipfile.BadZipFile(f"Bad CRC-32 for file {entry.filename!r}")
    return content


def _slashed(name: str) -> str:
    """Some packers of Windows write its own separators."""
    return name.replace("\\", "/")


def _leads_outside(name: str) -> bool:
    # A root as any system reads it: what Windows takes for the name of a server has none of its own there.
    rooted = name.startswith("/") or PureWindowsPath(name).root != ""
    path = PurePosixPath(name)
    return path.suffix.lower() in IMAGE_SUFFIXES and (rooted or ".." in path.parts)


def _open(path: Path) -> _Folder | _Zip:
    if path.is_dir():
        return _Folder(path)
    if path.is_file():
        return _Zip(path)
    problem = "is neither a folder nor a file" if path.exists() else "does not exist"
    raise DatasetError(f"the data {str(path)!r} {problem}; give a folder or a zip of pictures in class folders")


def _is_picture(path: PurePosixPath) -> bool:
    return not is_hidden(path) and path.suffix.lower() in IMAGE_SUFFIXES


def is_hidden(path: PurePosixPath) -> bool:
    """Whether a file in data is none of them, but left there by a system."""
    return any(part.startswith((".", "__MACOSX")) for part in path.parts)


def _wrapping_folders(parts: Sequence[Sequence[str]]) -> int:
    """In how many folders archives are wrapped, as they often are: above class folders, the only entry of its level."""
    depth, shallowest = 0, min(map(len, parts))
    while (
        shallowest - depth > 2 and len({part[depth] for part in parts}) == 1 and parts[0][depth].lower() not in _SPLITS
    ):
        depth += 1
    return depth
