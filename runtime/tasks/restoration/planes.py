"""Between a picture's samples and a restoration network's tensors: colour spaces, ranges, gray and 16 bits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.imaging.preprocessing import scale_and_offset
from edgevision.imaging.tiling import row_strips
from edgevision.modelfiles.metadata import Color, ImageSpec

Array = NDArray[np.float32]
Samples = NDArray[Any]
"""uint8, uint16, or float32 in 0..1 (noise may exceed it), of shape (H, W, 1) for gray or (H, W, 3) for RGB."""

# ITU-R BT.601, full range, as in JPEG.
_TO_YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
_TO_RGB = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]], np.float32)


class Planes:
    """How a tile becomes the network's input, and its output a tile again, for one :class:`ImageSpec`.

    A gray picture in a colour network is repeated and averaged; a colour picture in a gray network goes through it
    channel by channel, as a batch of three. A network for luma leaves the chroma to interpolation.
    """

    def __init__(self, spec: ImageSpec, output_range: tuple[float, float] | None = None) -> None:
        """Black and white are ``output_range`` in the network's output, or what they are in its input."""
        self._color = spec.color
        scale, offset = scale_and_offset(spec)
        # The preprocessor's factors are for samples of 0..255.
        self._scale, self._offset = scale * 255, offset
        self._back, self._shift = 1 / self._scale, -self._offset / self._scale
        if output_range is not None:
            low, high = output_range
            self._back, self._shift = np.full_like(scale, 1 / (high - low)), np.full_like(scale, -low / (high - low))

    def to_tensor(self, samples: Samples) -> Array:
        """float32 (N, C, H, W) in the network's range; N is 3 for a colour picture in a gray network, else 1."""
        colored = self._network_colors(samples)
        planes = colored.transpose(2, 0, 1)
        if self._color is Color.GRAY and len(planes) == 3:
            channels: Array = planes[:, None] * self._scale + self._offset
            return channels
        return np.ascontiguousarray(planes[None] * self._scale + self._offset)

    def channels(self, samples: Samples) -> int:
        """How many channels :meth:`from_tensor` gives for ``samples``."""
        return samples.shape[2] if self._color is Color.GRAY else self._color.channels

    def from_tensor(self, tensor: Array) -> Array:
        """float32 (H, W, C) in 0..1 in the network's own colours."""
        restored: Array = (tensor * self._back).astype(np.float32, copy=False)
        restored += self._shift
        planes: Array = restored[:, 0] if len(restored) == 3 else restored[0]
        return planes.transpose(1, 2, 0)

    def assemble(self, restored: Array, samples: Samples) -> Array:
        """The picture (H, W, 1 or 3) in gray or RGB of :meth:`from_tensor`'s answer for ``samples``."""
        gray = samples.shape[2] == 1
        if self._color is Color.BGR:
            restored = restored[:, :, ::-1]
        elif self._color is Color.LUMA and not gray:
            height, width = restored.shape[:2]
            luma, restored = restored, np.empty((height, width, 3), np.float32)
            restored[:, :, :1] = luma
            for number, plane in enumerate(_ycbcr(samples).transpose(2, 0, 1)[1:], 1):
                restored[:, :, number] = _enlarged(plane, height, width)
            restored = _rgb(restored)
        elif self._color is Color.YCBCR:
            restored = restored[:, :, :1] if gray else _rgb(restored)
        if gray and restored.shape[2] == 3:
            restored = restored.mean(axis=2, keepdims=True)
        return restored

    def luma(self, restored: Array) -> Array:
        """The luma (H, W) of :meth:`from_tensor`'s answer."""
        if restored.shape[2] == 1 or self._color is Color.YCBCR:
            return restored[:, :, 0]
        luma: Array = (restored[:, :, ::-1] if self._color is Color.BGR else restored) @ _TO_YCBCR[0]
        return luma

    def _network_colors(self, samples: Samples) -> Array:
        gray = samples.shape[2] == 1
        if self._color is Color.GRAY or (gray and self._color is Color.LUMA):
            return unit(samples)
        if self._color is Color.LUMA:
            return _ycbcr(samples)[:, :, :1]
        if gray:
            repeated = np.repeat(unit(samples), 3, axis=2)
            if self._color is Color.YCBCR:
                repeated[:, :, 1:] = 0.5
            return repeated
        if self._color is Color.YCBCR:
            return _ycbcr(samples)
        return unit(samples[:, :, ::-1] if self._color is Color.BGR else samples)


def unit(samples: Samples) -> Array:
    """Samples of any depth as float32 in 0..1."""
    if samples.dtype == np.float32:
        return samples
    scaled: Array = samples.astype(np.float32) / np.float32(np.iinfo(samples.dtype).max)
    return scaled


def luma_of(samples: Samples) -> Array:
    """The luma (H, W) of a gray or RGB picture, float32 in 0..1."""
    return unit(samples)[:, :, 0] if samples.shape[2] == 1 else _ycbcr(samples)[:, :, 0]


def _ycbcr(samples: Samples) -> Array:
    """float32 (H, W, 3) in 0..1, chroma around 0.5."""
    if samples.dtype == np.uint8:
        # Rounded to 8 bits as Pillow does it: networks were trained on such files.
        return unit(np.asarray(Image.fromarray(samples).convert("YCbCr")))
    converted = unit(samples) @ _TO_YCBCR.T
    converted[:, :, 1:] += 0.5
    return converted


def _rgb(ycbcr: Array) -> Array:
    """Of ``ycbcr`` (H, W, 3), which is used up: it may be a tile that was enlarged, of which copies cost."""
    for rows in row_strips(*ycbcr.shape[:2]):
        centred = ycbcr[rows]
        centred[:, :, 1:] -= np.float32(0.5)
        ycbcr[rows] = centred @ _TO_RGB.T
    return ycbcr


def _enlarged(plane: Array, height: int, width: int) -> Array:
    image = Image.fromarray(np.ascontiguousarray(plane))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
