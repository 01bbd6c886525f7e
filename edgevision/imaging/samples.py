"""Samples of any depth: as floats and back, in other colour spaces, and as luma."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.imaging.tiling import row_strips

Array = NDArray[np.float32]

Samples = NDArray[Any]
"""uint8, uint16, or float32 in 0..1 (noise may exceed it), of shape (H, W, 1) for gray or (H, W, 3) for RGB."""

# ITU-R BT.601, full range, as in JPEG.
_TO_YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
_TO_RGB = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]], np.float32)

LUMA_WEIGHTS: Array = _TO_YCBCR[0]
"""Of red, green and blue, float32 (3,)."""


def as_float(samples: Samples) -> Array:
    """float32 in 0..1; floats are handed back as they are."""
    if samples.dtype == np.float32:
        return samples
    scaled: Array = samples.astype(np.float32) / np.float32(np.iinfo(samples.dtype).max)
    return scaled


def white(dtype: np.dtype[Any]) -> int:
    """The sample that stands for white: 255, 65535, or 1 in floats."""
    return 1 if dtype == np.float32 else int(np.iinfo(dtype).max)


def store(floats: Array, target: Samples) -> None:
    """Clip ``floats`` to 0..1 and round them into ``target``, of the same shape; ``floats`` is used up."""
    if target.dtype == np.float32:
        np.clip(floats, 0, 1, out=target)
        return
    maximum = white(target.dtype)
    floats *= maximum
    np.rint(floats, out=floats)
    np.clip(floats, 0, maximum, out=floats)
    target[...] = floats


def in_8_bits(samples: Samples) -> NDArray[np.uint8]:
    """uint8, rounded; samples of 8 bits are handed back as they are."""
    if samples.dtype == np.uint8:
        return samples
    result = np.empty(samples.shape, np.uint8)
    factor = np.float32(255 / white(samples.dtype))
    for rows in row_strips(*samples.shape[:2]):
        result[rows] = (samples[rows] * factor).round()
    return result


def luma_of(samples: Samples) -> Array:
    """The luma (H, W) of a gray or RGB picture, float32 in 0..1."""
    return as_float(samples)[:, :, 0] if samples.shape[2] == 1 else to_ycbcr(samples)[:, :, 0]


def to_ycbcr(samples: Samples) -> Array:
    """float32 (H, W, 3) in 0..1 of RGB, chroma around 0.5."""
    if samples.dtype == np.uint8:
        # Rounded to 8 bits as Pillow does it: networks were trained on such files.
        return as_float(np.asarray(Image.fromarray(samples).convert("YCbCr")))
    converted = as_float(samples) @ _TO_YCBCR.T
    converted[:, :, 1:] += 0.5
    return converted


def to_rgb(ycbcr: Array) -> Array:
    """RGB of ``ycbcr`` (H, W, 3), which is used up: it may be a tile that was enlarged, of which copies cost."""
    for rows in row_strips(*ycbcr.shape[:2]):
        centred = ycbcr[rows]
        centred[:, :, 1:] -= np.float32(0.5)
        ycbcr[rows] = centred @ _TO_RGB.T
    return ycbcr
