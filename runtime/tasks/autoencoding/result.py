"""What an autoencoder makes of a picture: its code, and the picture again."""

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.atomic_files import atomic_file
from edgevision.core.errors import OutputError
from edgevision.core.numpy_protocol import requested_array
from edgevision.imaging.pictures import Picture
from edgevision.metrics.figures import sqnr_db


@dataclass(frozen=True, eq=False, repr=False)
class Code:
    """The code of one picture; ``numpy.asarray`` gives its values.

    Attributes:
        values: float32 (size,).
    """

    values: NDArray[np.float32]

    def to_dict(self) -> dict[str, Any]:
        """The values, as a list."""
        return {"code": self.values.tolist()}

    def to_rows(self) -> list[dict[str, Any]]:
        """One row, with a column for each value."""
        return [{f"code {index}": value for index, value in enumerate(self.values.tolist())}]

    def save(self, path: str | os.PathLike[str], *, force: bool = True) -> None:
        """Write the values as a NumPy file (.npy); raises as :meth:`Picture.save`."""
        save_array(self.values, path, force=force)

    def compare(self, reference: "Code") -> dict[str, float]:
        """``sqnr`` in dB; :class:`ValueError` where they are of different sizes."""
        if self.values.shape != reference.values.shape:
            raise ValueError(f"only codes of one size can be compared, not {self!r} and {reference!r}")
        return {"sqnr": sqnr_db(reference.values, self.values)}

    def __len__(self) -> int:
        return len(self.values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return requested_array(self.values, dtype, copy, shared=True)

    def __repr__(self) -> str:
        return f"Code({len(self.values)} values)"


def save_array(values: NDArray[np.float32], path: str | os.PathLike[str], *, force: bool = True) -> None:
    """Write codes, (size,) or (N, size), as a NumPy file.

    Raises:
        OutputError: the name does not end in .npy, or the folder cannot be written, or without ``force`` the file
            exists.
        DiskFullError: no space left; an earlier file is untouched.
    """
    target = Path(path)
    if target.suffix != ".npy":
        raise OutputError(f"codes are written as .npy, not {target.name!r}")
    # Into memory first: numpy writes to files in a way that does not say why it failed.
    file = io.BytesIO()
    np.save(file, values)
    with atomic_file(target, force=force) as temporary:
        temporary.write_bytes(file.getvalue())


@dataclass(frozen=True, eq=False, repr=False)
class Reconstruction:
    """A picture at the network's size, and the code that it was made from; ``numpy.asarray`` gives the picture's.

    Attributes:
        picture: the reconstruction.
        code: what it was made from.
    """

    picture: Picture
    code: Code

    def to_dict(self) -> dict[str, Any]:
        """What the picture and the code say."""
        return self.picture.to_dict() | self.code.to_dict()

    def to_rows(self) -> list[dict[str, Any]]:
        """One row."""
        return [self.picture.to_dict() | self.code.to_rows()[0]]

    def save(self, path: str | os.PathLike[str], *, force: bool = True) -> None:
        """Write the picture; raises as :meth:`Picture.save`."""
        self.picture.save(path, force=force)

    def to_pillow(self) -> Image.Image:
        """The picture for Pillow."""
        return self.picture.to_pillow()

    def compare(self, reference: "Reconstruction") -> dict[str, float]:
        """The figures of the pictures and of the codes; raises as those."""
        return self.picture.compare(reference.picture) | self.code.compare(reference.code)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.picture.__array__(dtype, copy)

    def __repr__(self) -> str:
        return f"Reconstruction({self.picture!r}, {self.code!r})"

    def _repr_png_(self) -> bytes:
        return self.picture._repr_png_()
