"""From a picture to the tensor the network was trained on: the one way used in training, export and on the device."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.imaging.images import read_image, to_array
from edgevision.imaging.picture_sources import ImageSource
from edgevision.modelfiles.metadata import ImageSpec, Resample, Resize

_FILTERS = {
    Resample.NEAREST: Image.Resampling.NEAREST,
    Resample.BILINEAR: Image.Resampling.BILINEAR,
    Resample.BICUBIC: Image.Resampling.BICUBIC,
    Resample.LANCZOS: Image.Resampling.LANCZOS,
}


class Preprocessor:
    """An :class:`ImageSpec` made ready to be applied to many pictures."""

    def __init__(self, spec: ImageSpec) -> None:
        self._spec = spec
        self._scale, self._offset = scale_and_offset(spec)

    def __call__(self, source: ImageSource) -> NDArray[np.float32]:
        """Decode, resize and normalise one picture: float32 (channels, height, width) in the network's own range."""
        return self.normalise(sample(source, self._spec))

    def normalise(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (height, width, channels) to float32 (channels, height, width) by the spec's formula."""
        tensor = np.multiply(pixels.transpose(2, 0, 1), self._scale, dtype=np.float32, order="C")
        tensor += self._offset
        return tensor


def sample(source: ImageSource, spec: ImageSpec) -> NDArray[np.uint8]:
    """Decode and resize one picture: uint8 (height, width, channels), what augmentation in training starts from."""
    return to_array(resize(read_image(source), spec), spec.color)


def scale_and_offset(spec: ImageSpec) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The normalisation as one multiplication and one addition, each float32 (channels, 1, 1)."""
    low, high = spec.value_range
    deviation = np.array(spec.std or (1.0,) * spec.color.channels)
    centre = np.array(spec.mean or (0.0,) * spec.color.channels)
    scale = (high - low) / 255 / deviation
    offset = (low - centre) / deviation
    return scale.astype(np.float32)[:, None, None], offset.astype(np.float32)[:, None, None]


def resize(image: Image.Image, spec: ImageSpec) -> Image.Image:
    """Bring the picture to ``spec.size`` in the way of ``spec.resize``; a picture of that size is left alone."""
    if spec.size is None or image.size == (spec.size[1], spec.size[0]):
        return image
    # Palettes cannot be interpolated, and transparency must be on white before the padding is added in black.
    if image.mode not in ("RGB", "L") or image.has_transparency_data:
        image = Image.fromarray(to_array(image))
    height, width = spec.size
    resample = _FILTERS[spec.resample]
    if spec.resize is Resize.STRETCH:
        return image.resize((width, height), resample)
    fit = max if spec.resize is Resize.CROP else min
    scale = fit(width / image.width, height / image.height)
    scaled = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if spec.resize is Resize.CROP:
        # Resampling only the part that stays is faster, and exact where the scaled size would be rounded.
        # Rounding must not put it a hair outside the picture.
        left = max(0.0, (image.width - width / scale) / 2)
        top = max(0.0, (image.height - height / scale) / 2)
        box = (left, top, min(left + width / scale, image.width), min(top + height / scale, image.height))
        return image.resize((width, height), resample, box=box)
    canvas = Image.new(image.mode, (width, height))
    canvas.paste(image.resize(scaled, resample), ((width - scaled[0]) // 2, (height - scaled[1]) // 2))
    return canvas
