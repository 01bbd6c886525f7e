"""One thing cut out of a picture for a network that looks at one thing at a time, and the way back."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels; x1 of the picture's left edge is 0."""


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A rectangle of a picture, in its pixels, which may reach out of it, be turned, and be seen in a mirror.

    Attributes:
        center: x, y.
        size: width, height.
        angle: how far it is turned clockwise, in degrees.
        mirrored: left is right.
    """

    center: tuple[float, float]
    size: tuple[float, float]
    angle: float = 0.0
    mirrored: bool = False

    @classmethod
    def of_box(cls, box: Box, aspect: float, margin: float) -> Self:
        """Round a box, its shorter side made longer until width / height is ``aspect``, and grown by ``margin``.

        A margin of 0.25 makes both sides 1.25 times as long.

        Raises:
            ValueError: the box has no area, or is not finite.
        """
        x1, y1, x2, y2 = box
        if not all(map(math.isfinite, box)) or x2 <= x1 or y2 <= y1:
            raise ValueError(f"a box is x1, y1, x2, y2 with x1 < x2 and y1 < y2, not {', '.join(map(_short, box))}")
        width = max(x2 - x1, (y2 - y1) * aspect) * (1 + margin)
        return cls(center=((x1 + x2) / 2, (y1 + y2) / 2), size=(width, width / aspect))

    @property
    def corner_box(self) -> Box:
        """The rectangle, not turned."""
        (x, y), (width, height) = self.center, self.size
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2

    def _matrix(self) -> NDArray[np.float64]:
        """From (x, y) in -0.5..0.5 of the crop to pixels of the picture, seen from the centre."""
        cosine, sine = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        width = -self.size[0] if self.mirrored else self.size[0]
        return np.array([[cosine * width, -sine * self.size[1]], [sine * width, cosine * self.size[1]]])

    def to_picture(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where points (..., 2), in shares of the crop's sides, are in the picture's pixels."""
        points: NDArray[np.float64] = (shares - 0.5) @ self._matrix().T + np.array(self.center)
        return points

    def to_shares(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where points (..., 2) in the picture's pixels are, in shares of the crop's sides."""
        shares: NDArray[np.float64] = (points - np.array(self.center)) @ np.linalg.inv(self._matrix()).T + 0.5
        return shares

    def cut_out(self, image: Image.Image, size: tuple[int, int], *, fill: int = 0) -> Image.Image:
        """The rectangle as a picture of ``size`` (height, width); outside of ``image`` it is ``fill``, of 255.

        ``image`` is RGB or gray. It is shrunk by a whole number first where it is large, so that no detail is passed
        over.
        """
        height, width = size
        factor = max(1, int(min(self.size[0] / width, self.size[1] / height)))
        seen = self._seen(image, factor)
        if seen is None:
            return Image.new(image.mode, (width, height), (fill,) * len(image.getbands()))
        left, top = seen[:2]
        if factor > 1:
            image = image.reduce(factor, seen)
        else:
            left = top = 0
        along = self._matrix() / np.array([width, height]) / factor
        corner = (self.to_picture(np.zeros(2)) - np.array([left, top])) / factor
        numbers = (*along[0], corner[0], *along[1], corner[1])
        return image.transform(
            (width, height),
            Image.Transform.AFFINE,
            numbers,
            Image.Resampling.BILINEAR,
            fillcolor=(fill,) * len(image.getbands()),
        )

    def _seen(self, image: Image.Image, step: int) -> tuple[int, int, int, int] | None:
        """The part of the picture under the crop, some whole steps wide, or ``None`` where that is nothing."""
        corners = self.to_picture(np.array([[0, 0], [1, 0], [0, 1], [1, 1]], float))
        low, high = corners.min(axis=0) - 2 * step, corners.max(axis=0) + 2 * step
        left, top = (int(max(0, math.floor(start))) for start in low)
        right, bottom = (int(min(end, math.ceil(stop))) for end, stop in zip(image.size, high, strict=True))
        return (left, top, right, bottom) if left < right and top < bottom else None


def jittered(box: Box, jitter: float, generator: np.random.Generator) -> Box:
    """A box whose centre moved by up to ``jitter`` of its sides and which grew or shrank by up to as much."""
    x1, y1, x2, y2 = box
    sides = np.array([x2 - x1, y2 - y1])
    center = np.array([x1 + x2, y1 + y2]) / 2 + generator.uniform(-jitter, jitter, 2) * sides
    half = sides / 2 * (1 + generator.uniform(-jitter, jitter))
    (left, top), (right, bottom) = center - half, center + half
    return float(left), float(top), float(right), float(bottom)


def _short(value: float) -> str:
    return f"{value:g}"
