"""From a picture to the tensor the network was trained on: the one way used in training, export and on the device."""

from typing import NamedTuple

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
        tensor = pixels.transpose(2, 0, 1).astype(np.float32, order="C")
        tensor *= self._scale
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


class Placement(NamedTuple):
    """Where a picture lies in the network's input: its pixel edge x is at ``scale * x + offset`` there, each (x, y)."""

    scale: tuple[float, float]
    offset: tuple[float, float]


def placement(width: int, height: int, spec: ImageSpec) -> Placement:
    """Where :func:`resize` puts a picture of ``width`` x ``height`` pixels."""
    if spec.size is None:
        return Placement((1.0, 1.0), (0.0, 0.0))
    rows, columns = spec.size
    if spec.resize is Resize.STRETCH:
        return Placement((columns / width, rows / height), (0.0, 0.0))
    if spec.resize is Resize.CROP:
        scale = max(columns / width, rows / height) / spec.crop_share
        left, top = _crop_start(width, height, spec.size, scale)
        return Placement((scale, scale), (-left * scale, -top * scale))
    scaled = _padded_size(width, height, spec)
    left, top = (0, 0) if spec.pad_corner else ((columns - scaled[0]) // 2, (rows - scaled[1]) // 2)
    return Placement((scaled[0] / width, scaled[1] / height), (float(left), float(top)))


def resize(image: Image.Image, spec: ImageSpec) -> Image.Image:
    """Bring the picture to ``spec.size`` in the way of ``spec.resize``; one of that size, all of it taken, stays."""
    whole = spec.resize is not Resize.CROP or spec.crop_share == 1
    if spec.size is None or (image.size == (spec.size[1], spec.size[0]) and whole):
        return image
    # Palettes cannot be interpolated, and transparency must be on white before the padding is added.
    if image.mode not in ("RGB", "L") or image.has_transparency_data:
        image = Image.fromarray(to_array(image))
    height, width = spec.size
    if spec.resize is Resize.STRETCH:
        return _resampled(image, (width, height), spec.resample)
    if spec.resize is Resize.CROP:
        # Resampling only the part that stays is faster, and exact where the scaled size would be rounded.
        # Rounding must not put it a hair outside the picture.
        scale = max(width / image.width, height / image.height) / spec.crop_share
        left, top = _crop_start(image.width, image.height, spec.size, scale)
        box = (left, top, min(left + width / scale, image.width), min(top + height / scale, image.height))
        return _resampled(image, (width, height), spec.resample, box)
    canvas = Image.new(image.mode, (width, height), (spec.pad_value,) * len(image.getbands()))
    scaled = _resampled(image, _padded_size(image.width, image.height, spec), spec.resample)
    left, top = placement(image.width, image.height, spec).offset
    canvas.paste(scaled, (int(left), int(top)))
    return canvas


def _resampled(
    image: Image.Image, size: tuple[int, int], resample: Resample, box: tuple[float, float, float, float] | None = None
) -> Image.Image:
    """``image``, or the ``box`` of it, at ``size`` (width, height)."""
    left, top, right, bottom = box or (0, 0, *image.size)
    if resample is not Resample.LINEAR:
        return image.resize(size, _FILTERS[resample], box=box)
    if size[0] >= right - left and size[1] >= bottom - top:  # where nothing shrinks, Pillow's own filter is the same
        return image.resize(size, Image.Resampling.BILINEAR, box=box)
    if box is None and image.size == (2 * size[0], 2 * size[1]):  # the nearest four are those of 2x2
        return image.reduce(2)
    return image.transform(size, Image.Transform.EXTENT, (left, top, right, bottom), Image.Resampling.BILINEAR)


def _crop_start(width: int, height: int, size: tuple[int, int], scale: float) -> tuple[float, float]:
    """The upper left corner (x, y) of what :attr:`Resize.CROP` keeps, in the picture's own pixels."""
    return max(0.0, (width - size[1] / scale) / 2), max(0.0, (height - size[0] / scale) / 2)


def _padded_size(width: int, height: int, spec: ImageSpec) -> tuple[int, int]:
    """What a picture is scaled to before it is padded: (width, height)."""
    assert spec.size is not None
    scale = min(spec.size[1] / width, spec.size[0] / height)
    if not spec.scale_up:
        scale = min(scale, 1.0)
    return max(1, round(width * scale)), max(1, round(height * scale))
