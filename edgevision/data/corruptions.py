"""What happens to pictures on their way to a model, in five strengths (Hendrycks and Dietterich 2019).

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations", https://arxiv.org/abs/1903.12261. The
strengths are those of ImageNet-C, and of CIFAR-10-C for pictures whose shorter side is at most 64 pixels. Of the
paper's kinds of noise, blur, weather and digital damage these are the plainest; fog only takes contrast, evenly.
"""

import io
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from edgevision.data.degradations import add_noise

Array = NDArray[np.float32]

STRENGTHS = (1, 2, 3, 4, 5)

_SMALL = 64


class Corruption(StrEnum):
    """The kinds."""

    NOISE = "noise"
    BLUR = "blur"
    FOG = "fog"
    BRIGHTNESS = "brightness"
    JPEG = "jpeg"


class CorruptedPictures:
    """Data as it is, but for its pictures, each of which is corrupted, in the same way each time it is read."""

    def __init__(self, data: Any, kind: Corruption, strength: int, seed: int) -> None:
        self._data, self._kind, self._strength, self._seed = data, kind, strength, seed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)

    def __len__(self) -> int:
        return len(self._data)

    def image(self, index: int) -> Image.Image:
        """The picture, corrupted; raises as the data does."""
        return corrupted(
            self._data.image(index), self._kind, self._strength, np.random.default_rng([self._seed, index])
        )


def corrupted(picture: Image.Image, kind: Corruption, strength: int, generator: np.random.Generator) -> Image.Image:
    """``picture`` in RGB, or in L where it is gray, corrupted with a ``strength`` of 1 to 5."""
    plain = picture if picture.mode == "L" else picture.convert("RGB")
    amounts = _KINDS[kind]
    table = amounts.small if min(plain.size) <= _SMALL else amounts.large
    return amounts.apply(plain, table[STRENGTHS.index(strength)], generator)


def _noise(picture: Image.Image, sigma: float, generator: np.random.Generator) -> Image.Image:
    return _rounded(add_noise(_unit(picture), 255 * sigma, generator))


def _blur(picture: Image.Image, radius: float, generator: np.random.Generator) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(radius))


def _fog(picture: Image.Image, contrast: float, generator: np.random.Generator) -> Image.Image:
    pixels = _unit(picture)
    mean = pixels.mean(axis=(0, 1), keepdims=True)
    return _rounded((pixels - mean) * np.float32(contrast) + mean)


def _brightness(picture: Image.Image, added: float, generator: np.random.Generator) -> Image.Image:
    """The value of HSV is raised, which leaves hue and, where nothing clips, saturation."""
    pixels = _unit(picture)
    value = pixels.max(axis=-1, keepdims=True) if pixels.ndim == 3 else pixels
    raised = np.minimum(value + np.float32(added), 1)
    return _rounded(np.where(value > 0, pixels * (raised / np.maximum(value, 1e-6)), raised))


def _jpeg(picture: Image.Image, quality: float, generator: np.random.Generator) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=int(quality))
    with Image.open(buffer) as read:
        read.load()
        return read


def _unit(picture: Image.Image) -> Array:
    return np.asarray(picture, np.float32) / np.float32(255)


def _rounded(pixels: Array) -> Image.Image:
    return Image.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))


class _Amounts(NamedTuple):
    """How a kind is applied, and how much of it there is in each strength, for small pictures and for others."""

    apply: Callable[[Image.Image, float, np.random.Generator], Image.Image]
    small: tuple[float, ...]
    large: tuple[float, ...]


_KINDS: Mapping[Corruption, _Amounts] = {
    Corruption.NOISE: _Amounts(_noise, (0.04, 0.06, 0.08, 0.09, 0.10), (0.08, 0.12, 0.18, 0.26, 0.38)),
    Corruption.BLUR: _Amounts(_blur, (0.4, 0.6, 0.7, 0.8, 1.0), (1, 2, 3, 4, 6)),
    Corruption.FOG: _Amounts(_fog, (0.75, 0.5, 0.4, 0.3, 0.15), (0.4, 0.3, 0.2, 0.1, 0.05)),
    Corruption.BRIGHTNESS: _Amounts(_brightness, (0.05, 0.1, 0.15, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5)),
    Corruption.JPEG: _Amounts(_jpeg, (80, 65, 58, 50, 40), (25, 18, 15, 10, 7)),
}
