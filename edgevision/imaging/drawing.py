"""Marks on a picture that a person reads: boxes, names, points and tinted areas, at any size of the picture."""

import colorsys
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from edgevision.imaging.tiling import row_strips

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels."""

_MOST_TEXT = 1 / 3
"""The part of a picture that labels may hide together: letters cannot be as small as a picture."""

# Colours that are told apart with any kind of colour vision (Okabe & Ito 2008), black left out.
_COLORS = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)

_INDICES = 3 * len(_COLORS)
"""Of colours that differ."""


def class_color(index: int) -> tuple[int, int, int]:
    """RGB of a class, always the same; behind the first seven their lighter and darker kin."""
    color = _COLORS[index % len(_COLORS)]
    turn = index // len(_COLORS) % 3
    if turn == 0:
        return color
    hue, lightness, saturation = colorsys.rgb_to_hls(*(value / 255 for value in color))
    lightness = lightness + (1 - lightness) * 0.5 if turn == 1 else lightness * 0.55
    red, green, blue = (round(255 * value) for value in colorsys.hls_to_rgb(hue, lightness, saturation))
    return red, green, blue


def indices_apart(ids: NDArray[Any], count: int) -> list[int]:
    """An index of :func:`class_color` for each of the areas 1 .. ``count`` of ``ids`` (H, W), in their order.

    Each takes the next one, but none that an area has which it touches.
    """
    pairs = {pair for one, other in ((ids[1:], ids[:-1]), (ids[:, 1:], ids[:, :-1])) for pair in _touching(one, other)}
    touched: dict[int, set[int]] = {}
    for low, high in pairs:
        touched.setdefault(high, set()).add(low)
    chosen: list[int] = []
    for number in range(1, count + 1):
        taken = {chosen[low - 1] for low in touched.get(number, ())}
        turn = (number - 1) % _INDICES
        chosen.append(next((index for index in (*range(turn, _INDICES), *range(turn)) if index not in taken), turn))
    return chosen


def _touching(one: NDArray[Any], other: NDArray[Any]) -> set[tuple[int, int]]:
    """The pairs of different numbers above 0 at the same places of two maps, the lower number first."""
    beside = (one != other) & (one > 0) & (other > 0)
    pairs = np.unique(np.sort(np.stack([one[beside], other[beside]]), axis=0), axis=1)
    return {(low, high) for low, high in pairs.T.tolist()}


class Marker:
    """Draws on a copy of an RGB picture; the width of lines and the size of letters follow from the picture's size.

    Letters are smaller where the things that are marked are: ``thing`` is the side of a usual one, in pixels. Lines and
    dots are where marks stand close: ``room`` is how far a usual one is from the next.
    """

    def __init__(self, image: Image.Image, thing: float | None = None, room: float | None = None) -> None:
        self.image = image.convert("RGB")
        if self.image is image:
            self.image = image.copy()
        side = min(image.size)
        self.line = max(1, round(side / 240 if room is None else min(side / 240, room / 7)))
        largest = side / 32 if thing is None else min(side / 32, thing / 2.5)
        self._letters = max(9, round(largest))
        self._draw = ImageDraw.Draw(self.image)
        self._taken: list[Box] = []
        self._is_full = False

    def box(self, box: Box, color: tuple[int, int, int]) -> None:
        """A frame; where it reaches beyond the picture only what is inside is seen."""
        x1, y1, x2, y2 = _ordered(box)
        self._draw.rectangle((x1, y1, x2, y2), outline=color, width=self.line)

    def label(self, box: Box, text: str, color: tuple[int, int, int]) -> None:
        """``text`` at the box: above, or where no other text stands yet; none once a third of the picture is text."""
        if self._is_full:
            return
        font = _font(self._letters)
        left, top, right, bottom = self._draw.textbbox((0, 0), text, font=font)
        width, height = right - left + 2 * self.line + 2, bottom - top + 2 * self.line + 2
        place = self._free_place(_ordered(box), width, height)
        whole = (0, 0, self.image.width, self.image.height)
        text_area = _shared([*self._taken, place], [whole]).sum()
        if text_area > _MOST_TEXT * whole[2] * whole[3]:
            self._is_full = True
            return
        self._taken.append(place)
        self._draw.rectangle(place, fill=color)
        ink = (0, 0, 0) if _luma(color) > 110 else (255, 255, 255)
        self._draw.text((place[0] + self.line + 1 - left, place[1] + self.line + 1 - top), text, fill=ink, font=font)

    def points(self, points: Iterable[Sequence[float]], color: tuple[int, int, int]) -> None:
        """A dot for each (x, y)."""
        radius = self.line * 1.5
        for x, y, *_ in points:
            self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)

    def line_between(self, one: Sequence[float], other: Sequence[float], color: tuple[int, int, int]) -> None:
        """A straight line from (x, y) to (x, y)."""
        self._draw.line((one[0], one[1], other[0], other[1]), fill=color, width=self.line)

    def areas(self, ids: NDArray[Any], colors: Sequence[tuple[int, int, int]], strength: float = 0.45) -> None:
        """Tint and outline what is marked by ``ids`` (H, W): 0 nothing, number n the area of ``colors[n - 1]``."""
        table = np.zeros((len(colors) + 1, 3), np.float32)
        table[1:] = np.array(colors, np.float32).reshape(-1, 3)
        inner = _inner_border(ids, max(1, self.line // 2 + self.line % 2))
        pixels = np.array(self.image)
        for rows in row_strips(*ids.shape):  # all of a large picture in float32 would take many times its memory
            own = pixels[rows].astype(np.float32)
            weights = np.where(inner[rows], np.float32(1), np.float32(strength)) * (ids[rows] > 0)
            own += (table[ids[rows]] - own) * weights[:, :, None]
            pixels[rows] = np.rint(own)
        self.image = Image.fromarray(pixels)
        self._draw = ImageDraw.Draw(self.image)

    def _free_place(self, box: Box, width: float, height: float) -> Box:
        """Of the places at a box the first that is inside the picture and free, else that which hides least."""
        x1, y1, x2, y2 = box
        corners = [
            (x1, y1 - height),
            (x1, y2),
            (x1, y1),
            (x2 - width, y1 - height),
            (x2 - width, y2),
            (x2, y1),
            (x1 - width, y1),
            (x2 - width, y2 - height),
        ]
        places = [self._inside((x, y, x + width, y + height)) for x, y in corners]
        # Moved into the picture, a place may lie elsewhere than at its corner; that is still at the box.
        return places[int(_shared(places, self._taken).sum(axis=1).argmin())]

    def _inside(self, place: Box) -> Box:
        width, height = place[2] - place[0], place[3] - place[1]
        x = min(max(place[0], 0), max(self.image.width - width - 1, 0))
        y = min(max(place[1], 0), max(self.image.height - height - 1, 0))
        return (x, y, x + width, y + height)


def with_legend(image: Image.Image, entries: Sequence[tuple[str, tuple[int, int, int]]]) -> Image.Image:
    """``image`` (RGB) with a strip below that says what each colour is, wrapped at the picture's width.

    Where a single entry is wider than the picture, white at its right makes room for it.
    """
    if not entries:
        return image
    size = max(10, round(min(image.size) / 32))
    font, gap = _font(size), size // 2
    measure = ImageDraw.Draw(image)
    row = size + gap
    widths = [size + gap + round(measure.textlength(text, font=font)) for text, _ in entries]
    whole_width = max(image.width, max(widths) + 2 * gap)
    places, x, y = [], gap, gap
    for width in widths:
        if x > gap and x + width + gap > whole_width:
            x, y = gap, y + row
        places.append((x, y))
        x += width + 2 * gap
    whole = Image.new("RGB", (whole_width, image.height + y + row), (255, 255, 255))
    whole.paste(image, (0, 0))
    draw = ImageDraw.Draw(whole)
    for (text, color), (x, y) in zip(entries, places, strict=True):
        top = image.height + y
        draw.rectangle((x, top, x + size - 1, top + size - 1), fill=color, outline=(0, 0, 0))
        draw.text((x + size + gap, top + size // 2), text, fill=(0, 0, 0), font=font, anchor="lm")
    return whole


def _inner_border(ids: NDArray[Any], width: int) -> NDArray[np.bool_]:
    """The pixels at most ``width`` from one of another number, straight up, down or sideways."""
    border = np.zeros(ids.shape, bool)
    for step in range(1, width + 1):
        down, across = ids[step:] != ids[:-step], ids[:, step:] != ids[:, :-step]
        border[step:] |= down
        border[:-step] |= down
        border[:, step:] |= across
        border[:, :-step] |= across
    return border


@lru_cache(maxsize=4)  # it is unpacked anew each time
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    try:
        return ImageFont.load_default(size)
    except ImportError:  # a Pillow without FreeType has one size only
        return ImageFont.load_default()


def _ordered(box: Box) -> Box:
    x1, y1, x2, y2 = box
    return (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))


def _shared(some: Sequence[Box], others: Sequence[Box]) -> NDArray[np.float64]:
    """The area that each of ``some`` has in common with each of ``others``, (N, M)."""
    one, other = (np.array(boxes, float).reshape(-1, 4) for boxes in (some, others))
    sides = np.minimum(one[:, None, 2:], other[:, 2:]) - np.maximum(one[:, None, :2], other[:, :2])
    area: NDArray[np.float64] = np.maximum(sides, 0).prod(axis=2)
    return area


def _luma(color: tuple[int, int, int]) -> float:
    return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]
