"""What users give as pictures: files, bytes, Pillow images and arrays, one or several."""

import io
import os
from collections.abc import Iterable, Iterator
from typing import Any, Literal, Protocol, TypeVar, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.imaging.samples import Samples

ArrayColor = Literal["rgb", "bgr"]
"""The order of channels in arrays: ``bgr`` is that of OpenCV."""


@runtime_checkable
class HasPicture(Protocol):
    """What can be handed to Pillow, as a :class:`~edgevision.imaging.pictures.Picture`."""

    def to_pillow(self) -> Image.Image:
        """The picture in one of Pillow's modes."""
        ...


ImageSource = str | os.PathLike[str] | bytes | Image.Image | NDArray[Any] | HasPicture
"""A path, an encoded file's bytes, a Pillow picture, a result that is a picture, or an array.

An array is (H, W) or (H, W, 1) for gray, (H, W, 3) for colours, or with alpha as the last channel (H, W, 2) or
(H, W, 4); of uint8, uint16, or floats in 0..1.
"""


Source = TypeVar("Source", bound=ImageSource)

ImageSources = list[Source] | tuple[Source, ...] | Iterator[Source]
"""Several pictures, for which a pipeline gives a list; as an array they are (N, H, W, C)."""

Batch = np.ndarray[tuple[int, int, int, int], np.dtype[Any]]
"""Pictures (N, H, W, C) of one size."""


def split_pictures(images: Any, color: ArrayColor = "rgb") -> tuple[list[ImageSource], bool]:
    """The pictures one by one, and whether there are several: an iterable of them, or an array (N, H, W, C).

    Arrays are in ``color``, and come out in RGB; nothing is decoded.

    Raises:
        TypeError, ValueError: something else, or channels that do not come last.
    """
    if isinstance(images, str | bytes | os.PathLike | Image.Image):
        return [images], False
    if isinstance(images, bytearray | memoryview | io.IOBase):  # which are iterable, too
        given = "read()" if isinstance(images, io.IOBase) else "bytes(...)"
        raise TypeError(f"an image is a path, bytes or an array, not {type(images).__name__}; give its {given}")
    if isinstance(images, np.ndarray):
        if images.ndim == 4:
            _check_channels_last(images)
            return [_in_rgb(image, color) for image in images], True
        return [_in_rgb(images, color)], False
    if isinstance(images, Iterable):
        return [_in_rgb(image, color) if isinstance(image, np.ndarray) else image for image in images], True
    return [images], False


def check_array_color(color: str) -> ArrayColor:
    """``color`` itself; :class:`ValueError` where it is none that arrays have."""
    for known in get_args(ArrayColor):
        if color == known:
            return known  # type: ignore[no-any-return]
    raise ValueError(f"color is the order of channels in arrays, 'rgb' or 'bgr', not {color!r}")


def array_samples(array: NDArray[Any]) -> tuple[Samples, Samples | None]:
    """The pixels (H, W, 1 or 3) and the alpha (H, W) of an array of :data:`ImageSource` in RGB, without a copy.

    Both are uint8, uint16 or float32.

    Raises:
        TypeError: another dtype.
        ValueError: another shape, or floats outside 0..1.
    """
    # Files may hold the other order of bytes, and of what is masked the values are seen.
    array = np.asarray(array, array.dtype.newbyteorder("="))
    if array.dtype.kind != "f" and array.dtype not in (np.uint8, np.uint16):
        raise TypeError(
            f"an image array must be uint8, uint16 or floats in 0..1, not {array.dtype}; convert it, as with"
            " array.astype(numpy.uint8)"
        )
    _check_channels_last(array)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 2, 3, 4)):
        raise ValueError(f"an image array must be (H, W), (H, W, 3) or (H, W, 4), not {array.shape}")
    if 0 in array.shape:
        raise ValueError(f"an image array must not be empty, not {array.shape}")
    if array.dtype.kind == "f":
        array = _checked_floats(array)
    if array.ndim == 2:
        return array[:, :, None], None
    channels = 1 if array.shape[2] < 3 else 3
    return array[:, :, :channels], array[:, :, channels] if array.shape[2] > channels else None


def interleaved(pixels: Samples, alpha: Samples | None, color: ArrayColor) -> NDArray[Any]:
    """What :func:`array_samples` takes, in ``color``: (H, W) for gray, the alpha last; a view where it can be one."""
    if pixels.shape[2] == 1:
        return pixels[:, :, 0] if alpha is None else np.dstack([pixels, alpha])
    whole = pixels if alpha is None else np.dstack([pixels, alpha])
    # OpenCV draws into an array only where it lies in memory as it reads.
    return np.ascontiguousarray(_in_rgb(whole, color))


def _in_rgb(array: NDArray[Any], color: ArrayColor) -> NDArray[Any]:
    """The array with its colours in RGB, or of RGB in ``color``, which is the same exchange."""
    if color == "rgb" or array.ndim != 3 or array.shape[2] not in (3, 4):
        return array
    return array[:, :, ::-1] if array.shape[2] == 3 else array[:, :, [2, 1, 0, 3]]


def _check_channels_last(array: NDArray[Any]) -> None:
    """Refuse what looks like (C, H, W) or (N, C, H, W), as networks and PyTorch have it."""
    if array.ndim not in (3, 4) or array.shape[-1] in (1, 2, 3, 4) or array.shape[-3] not in (1, 3, 4):
        return
    order, axes = ("(H, W, C)", "1, 2, 0") if array.ndim == 3 else ("(N, H, W, C)", "0, 2, 3, 1")
    raise ValueError(
        f"an image array must have its channels last, {order}, and in {array.shape} they come first; give"
        f" array.transpose({axes})"
    )


def _checked_floats(array: NDArray[Any]) -> Samples:
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"an image array of floats must lie in 0..1, not in {low:g}..{high:g}; divide it by its white, as 255, and"
            " clip it: numpy.clip(array / 255, 0, 1)"
        )
    return array.astype(np.float32, copy=False)
