"""Masks that people made of pictures: the class of each pixel, a number for each thing, or what is foreground."""

from enum import StrEnum
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import DatasetError, ImageError
from edgevision.data.datasets import CLASS_LISTS, ImageFolder
from edgevision.imaging.images import read_image

VOID = -1
"""The class of a pixel that belongs to none, and is left out of every score and of training."""

_LOOKED_AT = 8
_NO_CLASS = 255
_VOID_NAMES = ("void", "ignore", "ignored", "unlabeled", "unlabelled")


class MaskKind(StrEnum):
    """What the numbers in masks mean."""

    CLASSES = "classes"
    """Class indices. 255, those that ``classes.txt`` does not name, and what it calls void are of no class."""
    THINGS = "things"
    """Numbers of things in 16 bits, 0 is none."""
    FOREGROUND = "foreground"
    """0 is background, 255 foreground."""


class MaskedFolder:
    """The masks of the pictures of a folder, :attr:`.ImageFolder.masks`.

    Attributes:
        kind: what their numbers mean, as their files tell: 16 bits are numbers of things, only 0 and 255 foreground.
        class_names: by the index that :meth:`class_map` gives; a file ``classes.txt`` names them, a line each, which
            may begin with the index.
        named: whether such a file names them; else the foreground and things are of a class that nobody has named.
        names: the pictures that have a mask.
    """

    def __init__(self, folder: ImageFolder) -> None:
        """Look at the first few.

        Raises:
            DatasetError: there are none, or what is there is no mask.
        """
        self.folder = folder
        self.names = tuple(name for name in folder.names if name in folder.masks)
        if not self.names:
            raise DatasetError(
                f"{str(folder.path)!r} has no masks to compare with: NAME.png beside each NAME.jpg, or masks/NAME.png"
                " for images/NAME.jpg or .png"
            )
        first = [self._read(name) for name in self.names[:: max(1, len(self.names) // _LOOKED_AT)]]
        values = np.unique(np.concatenate([np.unique(mask) for mask in first]))
        named = self._named_classes()
        self.named = bool(named)
        self._void = [_NO_CLASS, *(index for index, name in enumerate(named) if name.lower() in _VOID_NAMES)]
        while named and len(named) - 1 in self._void:
            named = named[:-1]
        if first[0].dtype == np.uint16:
            self.kind = MaskKind.THINGS
            self.class_names: tuple[str, ...] = named or ("background", "thing")
        elif len(named) <= 2 and set(values.tolist()) <= {0, _NO_CLASS}:
            self.kind = MaskKind.FOREGROUND
            self.class_names = named if len(named) == 2 else ("background", *(named or ("foreground",)))
        else:
            self.kind = MaskKind.CLASSES
            most = max((int(value) for value in values if value != _NO_CLASS), default=0)
            self.class_names = named or tuple(f"class {index}" for index in range(most + 1))

    def __len__(self) -> int:
        return len(self.names)

    def class_map(self, name: str, size: tuple[int, int] | None = None) -> NDArray[np.int64]:
        """The class of each pixel (H, W) of the picture of that name, :data:`VOID` where it is of none.

        Raises:
            DatasetError: the mask cannot be read, or is of another ``size`` than that (height, width) of the picture.
        """
        mask = self._sized(name, size)
        if self.kind is MaskKind.THINGS:
            return (mask > 0).astype(np.int64)
        if self.kind is MaskKind.FOREGROUND:
            return (mask > _NO_CLASS // 2).astype(np.int64)
        mask[(mask >= len(self.class_names)) | np.isin(mask, self._void)] = VOID
        return mask

    def instance_map(self, name: str, size: tuple[int, int] | None = None) -> NDArray[np.int64]:
        """The number of the thing at each pixel (H, W) of the picture of that name, 0 where there is none.

        Raises:
            DatasetError: as :meth:`class_map`, or its numbers are none of things.
        """
        if self.kind is not MaskKind.THINGS:
            raise DatasetError(
                f"the masks in {str(self.folder.path)!r} are of {self.kind}, not of things, which have numbers of 16"
                " bits"
            )
        return self._sized(name, size)

    def _sized(self, name: str, size: tuple[int, int] | None) -> NDArray[np.int64]:
        mask = self._read(name)
        if size is not None and size != mask.shape:
            raise DatasetError(
                f"the mask {self.folder.masks[name]!r} is {mask.shape[1]}x{mask.shape[0]} and its picture"
                f" {size[1]}x{size[0]}; they have to be of one size"
            )
        return mask.astype(np.int64)

    def _read(self, name: str) -> NDArray[np.uint8] | NDArray[np.uint16]:
        path = self.folder.masks[name]
        try:
            image = read_image(self.folder.read(path), name=repr(path), remark=lambda sentence: None)
        except ImageError as error:
            raise DatasetError(f"the mask {path!r} in {str(self.folder.path)!r}: {error}") from error
        if image.mode == "1":
            image = image.convert("L")
        if image.mode not in ("L", "P", "I;16"):
            raise DatasetError(
                f"the mask {path!r} is {image.mode}; masks are PNG with a palette or gray, whose numbers are classes or"
                " things"
            )
        return np.asarray(image)

    def _named_classes(self) -> tuple[str, ...]:
        for path in self.folder.other_files:
            if PurePosixPath(path).name in CLASS_LISTS:
                text = self.folder.read(path).decode("utf-8", "replace")
                lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
                if all(words[0].rstrip(":") == str(index) and words[1:] for index, words in enumerate(lines)):
                    return tuple(words[1].strip() for words in lines)
                return tuple(" ".join(words).strip() for words in lines)
        return ()
