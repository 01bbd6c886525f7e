"""From a picture's samples to the tensors of a network that gives a picture, and back: colours, ranges, gray."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.imaging.preprocessing import scale_and_offset
from edgevision.imaging.samples import LUMA_WEIGHTS, Samples, as_float, to_rgb, to_ycbcr
from edgevision.modelfiles.metadata import Color, ImageSpec

Array = NDArray[np.float32]


class NetworkTensors:
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
        channels = colored.transpose(2, 0, 1)
        if self._color is Color.GRAY and len(channels) == 3:
            batch: Array = channels[:, None] * self._scale + self._offset
            return batch
        return np.ascontiguousarray(channels[None] * self._scale + self._offset)

    def channels(self, channels: int) -> int:
        """How many channels :meth:`from_tensor` gives for a picture of so many ``channels``."""
        return channels if self._color is Color.GRAY else self._color.channels

    def from_tensor(self, tensor: Array) -> Array:
        """float32 (H, W, C) in 0..1 in the network's own colours."""
        restored: Array = (tensor * self._back).astype(np.float32, copy=False)
        restored += self._shift
        channels: Array = restored[:, 0] if len(restored) == 3 else restored[0]
        return channels.transpose(1, 2, 0)

    def in_picture_colors(self, restored: Array, samples: Samples) -> Array:
        """The picture (H, W, 1 or 3) in gray or RGB of :meth:`from_tensor`'s answer for ``samples``."""
        gray = samples.shape[2] == 1
        if self._color is Color.BGR:
            restored = restored[:, :, ::-1]
        elif self._color is Color.LUMA and not gray:
            height, width = restored.shape[:2]
            luma, restored = restored, np.empty((height, width, 3), np.float32)
            restored[:, :, :1] = luma
            for number, chroma in enumerate(to_ycbcr(samples).transpose(2, 0, 1)[1:], 1):
                restored[:, :, number] = _enlarged(chroma, height, width)
            restored = to_rgb(restored)
        elif self._color is Color.YCBCR:
            restored = restored[:, :, :1] if gray else to_rgb(restored)
        if gray and restored.shape[2] == 3:
            restored = restored.mean(axis=2, keepdims=True)
        return restored

    def luma(self, restored: Array) -> Array:
        """The luma (H, W) of :meth:`from_tensor`'s answer."""
        if restored.shape[2] == 1 or self._color is Color.YCBCR:
            return restored[:, :, 0]
        luma: Array = (restored[:, :, ::-1] if self._color is Color.BGR else restored) @ LUMA_WEIGHTS
        return luma

    def _network_colors(self, samples: Samples) -> Array:
        gray = samples.shape[2] == 1
        if self._color is Color.GRAY or (gray and self._color is Color.LUMA):
            return as_float(samples)
        if self._color is Color.LUMA:
            return to_ycbcr(samples)[:, :, :1]
        if gray:
            repeated = np.repeat(as_float(samples), 3, axis=2)
            if self._color is Color.YCBCR:
                repeated[:, :, 1:] = 0.5
            return repeated
        if self._color is Color.YCBCR:
            return to_ycbcr(samples)
        return as_float(samples[:, :, ::-1] if self._color is Color.BGR else samples)


def _enlarged(channel: Array, height: int, width: int) -> Array:
    image = Image.fromarray(np.ascontiguousarray(channel))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
