"""Clips in class folders, in a folder or a zip: ``[split/]class/clip``, a clip being a folder, a GIF or a video."""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import DatasetError, ImageError, InputError
from edgevision.data.datasets import ClassFolders, LabelledData, is_hidden, numbered
from edgevision.imaging.images import to_array
from edgevision.imaging.picture_formats import IMAGE_SUFFIXES
from edgevision.imaging.preprocessing import sample
from edgevision.modelfiles.metadata import ImageSpec
from edgevision.runtime.streams.addresses import VIDEO_SUFFIXES
from edgevision.runtime.streams.opening import open_source
from edgevision.runtime.streams.source import Excerpt

_CLIP_SUFFIXES = VIDEO_SUFFIXES | {".gif"}
"""Files that are a clip by themselves; a .webp among others is taken for one of its frames."""


class ClipDataset(LabelledData, Protocol):
    """Clips by index."""

    def frames(self, index: int) -> Iterator[NDArray[np.uint8]]:
        """Decode a clip, frame by frame: uint8 (H, W, 3) or gray (H, W); :class:`ImageError` where it is damaged."""
        ...


class ClipFolder(ClassFolders):
    """The clips of one split of a folder or zip."""

    def __init__(self, path: str | os.PathLike[str], splits: Sequence[str] = ()) -> None:
        """Open the first of ``splits`` that exists; without any, all of an undivided data set.

        Raises:
            DatasetError: no such file, not a zip, no clips, or none of the splits.
        """
        super().__init__(path)
        parts: dict[str, tuple[str, ...]] = {}
        self._pictures: dict[str, list[str]] = {}
        for name in self._files.names():
            file = PurePosixPath(name)
            if is_hidden(file):
                continue
            if file.suffix.lower() in _CLIP_SUFFIXES:
                parts[name] = file.parts
            elif file.suffix.lower() in IMAGE_SUFFIXES and len(file.parts) > 1:
                clip = str(file.parent)
                parts[clip] = file.parts[:-1]
                self._pictures.setdefault(clip, []).append(name)
        if not parts:
            files = ", ".join(sorted(_CLIP_SUFFIXES))
            raise DatasetError(f"{str(path)!r} holds no clips: each is a folder of frames, or a file ({files})")
        for names in self._pictures.values():
            names.sort(key=numbered)
        self._divide(parts, splits)

    def frames(self, index: int) -> Iterator[NDArray[np.uint8]]:
        """Decode a clip, frame by frame, uint8 (H, W, 3), RGB.

        Raises:
            ImageError: it is damaged, cannot be read, or has no frames.
            MissingExtraError: it is a video, and PyAV is not installed.
        """
        name = self.names[index]
        if name in self._pictures:
            for picture in self._pictures[name]:
                yield to_array(self.picture(picture))
            return
        with TemporaryDirectory() as folder:
            # A video is read here and there, so that what is packed has to be a file first.
            file = Path(folder) / f"clip{PurePosixPath(name).suffix}"
            file.write_bytes(self.read(name))
            try:
                with open_source(str(file), Excerpt()) as source:
                    for frame in source.frames():
                        yield frame.pixels
            except InputError as error:
                raise ImageError(f"{name!r} in {str(self.path)!r}: {error}".replace(str(file), name)) from error


def clip_frames(source: Any) -> Iterator[Any]:
    """The frames of one clip: of an array (T, H, W[, C]) or a list of pictures these, of a path what it holds.

    Raises:
        InputError: the path is no video, animation or folder of pictures, or is damaged.
        MissingExtraError: it is a video, and PyAV is not installed.
    """
    if not isinstance(source, str | os.PathLike):
        yield from source
        return
    with open_source(os.fspath(source), Excerpt()) as opened:
        for frame in opened.frames():
            yield frame.pixels


def sampled_clip(frames: Iterable[Any], spec: ImageSpec, *, every: int, name: str) -> NDArray[np.uint8]:
    """Every ``every``-th frame as the network looks at it, not normalised: uint8 (T, height, width, channels).

    Raises:
        ImageError: the clip, which is called ``name``, has none.
    """
    resized = [sample(frame, spec) for frame in islice(frames, None, None, every)]
    if not resized:
        raise ImageError(f"{name} has no frames")
    return np.stack(resized)
