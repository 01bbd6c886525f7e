"""What a generator draws: pictures of one size."""

import os
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.numpy_protocol import requested_array
from edgevision.imaging.contact_sheet import contact_sheet
from edgevision.imaging.picture_sources import ArrayColor
from edgevision.imaging.pictures import Picture


class GeneratedPictures(Sequence[Picture]):
    """A sequence of pictures of one size; ``numpy.asarray`` gives their samples, uint8 (N, H, W, 1 or 3).

    Attributes:
        pixels: uint8 (N, H, W, 1) in gray or (N, H, W, 3) in RGB.
        array_color: the order of channels in arrays made of them.
    """

    def __init__(self, pixels: NDArray[np.uint8], *, array_color: ArrayColor = "rgb") -> None:
        self.pixels = pixels
        self.array_color = array_color

    @classmethod
    def joined(cls, batches: "Sequence[GeneratedPictures]") -> "GeneratedPictures":
        """All pictures of ``batches``, which are of one size."""
        return cls(np.concatenate([batch.pixels for batch in batches]), array_color=batches[0].array_color)

    @property
    def height(self) -> int:
        """Of each picture, in pixels."""
        return int(self.pixels.shape[1])

    @property
    def width(self) -> int:
        """Of each picture, in pixels."""
        return int(self.pixels.shape[2])

    def enlarged(self, zoom: int) -> "GeneratedPictures":
        """The pictures with sides ``zoom`` times as long, by bicubic interpolation."""
        if zoom == 1:
            return self
        size = self.width * zoom, self.height * zoom
        gray = self.pixels.shape[3] == 1
        pictures = [Image.fromarray(pixels[:, :, 0] if gray else pixels) for pixels in self.pixels]
        large = np.stack([np.asarray(picture.resize(size, Image.Resampling.BICUBIC)) for picture in pictures])
        return GeneratedPictures(large[..., None] if gray else large, array_color=self.array_color)

    def sheet(self, columns: int | None = None, captions: Sequence[str] = ()) -> Picture:
        """All pictures on one, in rows of ``columns``, by default as square as possible; ``captions`` under them."""
        return Picture(contact_sheet(self.pixels, columns, captions), array_color=self.array_color)

    def to_pillow(self) -> Image.Image:
        """The :meth:`sheet` for Pillow."""
        return self.sheet().to_pillow()

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        columns: int | None = None,
        captions: Sequence[str] = (),
        force: bool = True,
    ) -> None:
        """Write the :meth:`sheet`; raises as :meth:`Picture.save`."""
        self.sheet(columns, captions).save(path, force=force)

    def to_dict(self) -> dict[str, Any]:
        """How many there are, and what a picture says of itself."""
        return {"count": len(self), **self[0].to_dict()}

    def to_rows(self) -> list[dict[str, Any]]:
        """A row for each picture."""
        return [picture.to_dict() for picture in self]

    def compare(self, reference: "GeneratedPictures") -> dict[str, float]:
        """Means over the pictures of what :meth:`Picture.compare` says.

        Raises:
            ValueError: they are of another number or size.
        """
        if self.pixels.shape != reference.pixels.shape:
            raise ValueError(f"only as many pictures of one size can be compared, not {self!r} and {reference!r}")
        figures = [ours.compare(theirs) for ours, theirs in zip(self, reference, strict=True)]
        return {name: float(np.mean([figure[name] for figure in figures])) for name in figures[0]}

    def __len__(self) -> int:
        return len(self.pixels)

    @overload
    def __getitem__(self, index: int) -> Picture: ...

    @overload
    def __getitem__(self, index: slice) -> "GeneratedPictures": ...

    def __getitem__(self, index: int | slice) -> "Picture | GeneratedPictures":
        if isinstance(index, slice):
            return GeneratedPictures(self.pixels[index], array_color=self.array_color)
        return Picture(self.pixels[index], array_color=self.array_color)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        bgr = self.array_color == "bgr" and self.pixels.shape[3] == 3
        array = np.ascontiguousarray(self.pixels[..., ::-1]) if bgr else self.pixels
        return requested_array(array, dtype, copy, shared=not bgr)

    def __repr__(self) -> str:
        return f"GeneratedPictures({len(self)} of width={self.width}, height={self.height})"

    def _repr_png_(self) -> bytes:
        return self.sheet()._repr_png_()
