"""Pictures with boxes, varied together: placed anew, put together from four, recoloured, laid over each other."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.training.settings import DetectionSettings

Pixels = NDArray[np.uint8]
Array = NDArray[np.float32]
Generator = np.random.Generator
Rectangle = tuple[int, int, int, int]
"""x1, y1, x2, y2."""

GRAY = 114
"""What lies where no picture does."""
_LEAST_SEEN = 0.2
"""Share of a box that has to be seen for it to be looked for; of less nobody can say what it is."""
_LEAST_SHRINKING = 0.7
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class BoxedPicture(NamedTuple):
    """A picture and what is in it.

    Attributes:
        pixels: uint8 (H, W, 3) RGB.
        boxes: float32 (M, 4) x1, y1, x2, y2 in pixels.
        labels: int64 (M,), the class; -1 for what is neither to be found nor not to be found.
        place: where in the pixels the picture lies, whose frame is the rest; ``None`` without one.
    """

    pixels: Pixels
    boxes: Array
    labels: NDArray[np.int64]
    place: Rectangle | None = None


def draw_example(
    pictures: Iterator[BoxedPicture],
    size: tuple[int, int],
    settings: DetectionSettings,
    generator: Generator,
    *,
    plain: bool,
) -> BoxedPicture:
    """An example (height, width) of ``size`` from the next of ``pictures``; ``plain``, it is of one only."""
    mosaic = not plain and generator.random() < settings.mosaic
    example = (
        _mosaic(pictures, size, settings, generator) if mosaic else _single(next(pictures), size, settings, generator)
    )
    if not plain and generator.random() < settings.mixup:
        example = overlaid(example, _single(next(pictures), size, settings, generator), float(generator.beta(8, 8)))
    return example._replace(pixels=recoloured(example.pixels, settings.colour, generator))


def _single(
    picture: BoxedPicture, size: tuple[int, int], settings: DetectionSettings, generator: Generator
) -> BoxedPicture:
    turned = mirrored(picture, settings, generator)
    place = (0, 0, size[1], size[0])
    matrix = drawn_matrix(turned.pixels.shape, place, place, settings, generator)
    if generator.random() < 0.5:
        matrix = without_cuts(matrix, turned.boxes, place)
    return warped(turned, matrix, place)


def _mosaic(
    pictures: Iterator[BoxedPicture], size: tuple[int, int], settings: DetectionSettings, generator: Generator
) -> BoxedPicture:
    """Four pictures that meet at a point in the middle half (Bochkovskiy et al. 2020)."""
    height, width = size
    x, y = (int(side * generator.uniform(0.25, 0.75)) for side in (width, height))
    canvas = np.full((height, width, 3), GRAY, np.uint8)
    boxes, labels = [], []
    for place in ((0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)):
        turned = mirrored(next(pictures), settings, generator)
        part = warped(
            turned, drawn_matrix(turned.pixels.shape, place, (0, 0, width, height), settings, generator), place
        )
        canvas[place[1] : place[3], place[0] : place[2]] = part.pixels
        boxes.append(part.boxes)
        labels.append(part.labels)
    return BoxedPicture(canvas, np.concatenate(boxes), np.concatenate(labels))


def mirrored(picture: BoxedPicture, settings: DetectionSettings, generator: Generator) -> BoxedPicture:
    """Perhaps the mirror image, and with ``turn`` by any number of quarter turns."""
    pixels, boxes = picture.pixels, picture.boxes
    if settings.flip and generator.random() < 0.5:
        pixels = pixels[:, ::-1]
        boxes = np.stack([pixels.shape[1] - boxes[:, 2], boxes[:, 1], pixels.shape[1] - boxes[:, 0], boxes[:, 3]], 1)
    for _ in range(int(generator.integers(4)) if settings.turn else 0):
        width = pixels.shape[1]
        pixels = np.rot90(pixels)
        # What was at (x, y) is at (y, width - x).
        boxes = np.stack([boxes[:, 1], width - boxes[:, 2], boxes[:, 3], width - boxes[:, 0]], axis=1)
    return picture._replace(pixels=np.ascontiguousarray(pixels), boxes=boxes)


def drawn_matrix(
    shape: tuple[int, ...], place: Rectangle, whole: Rectangle, settings: DetectionSettings, generator: Generator
) -> Array:
    """(2, 3) from a picture's pixels to the canvas: at a scale round that at which it would fit into the ``whole``.

    It covers the rectangle ``place`` as far as it reaches, somewhere.
    """
    height, width = shape[:2]
    least, greatest = np.log(settings.zoom)
    fitting = min((whole[2] - whole[0]) / width, (whole[3] - whole[1]) / height)
    scale = fitting * np.exp(generator.uniform(least, greatest))
    stretch = np.exp(generator.uniform(-0.1, 0.1))
    scales = np.array([scale * stretch, scale / stretch])
    sides = scales * (width, height)
    low, high = np.array(place[:2]), np.array(place[2:])
    middle = low + (high - low - sides) * generator.random(2) + sides / 2
    angle = np.deg2rad(generator.uniform(-settings.rotate, settings.rotate))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn * scales
    shift = middle - linear @ (width / 2, height / 2)
    return np.concatenate([linear, shift[:, None]], axis=1).astype(np.float32)


def without_cuts(matrix: Array, boxes: Array, place: Rectangle) -> Array:
    """``matrix`` at a smaller scale and shifted, so that no box that is seen in ``place`` is cut by its edges.

    Where that would take less than 0.7 of its scale, as where things are everywhere, it is left as it is.
    """
    window = np.array(place, np.float32)
    moved = moved_boxes(boxes, matrix)
    for _ in range(len(boxes)):
        shared = np.minimum(moved[:, 2:], window[2:]) - np.maximum(moved[:, :2], window[:2])
        seen = moved[(shared > 0).all(axis=1)]
        if not len(seen):
            break
        grown = np.concatenate([np.minimum(window[:2], seen[:, :2].min(0)), np.maximum(window[2:], seen[:, 2:].max(0))])
        if np.array_equal(grown, window):
            break
        window = grown
    low, sides = np.array(place[:2]), np.array(place[2:]) - place[:2]
    scale = float((sides / (window[2:] - window[:2])).min())
    if scale < _LEAST_SHRINKING:
        return matrix
    shift = low + (sides - scale * (window[2:] - window[:2])) / 2 - scale * window[:2]
    fitted = matrix * scale
    fitted[:, 2] += shift
    return fitted


def warped(picture: BoxedPicture, matrix: Array, place: Rectangle) -> BoxedPicture:
    """The part of the canvas in ``place``, with boxes in pixels of the canvas.

    A box of which too little is left to be told has the label -1; one of which nothing is left is gone.
    """
    width, height = place[2] - place[0], place[3] - place[1]
    back = np.linalg.inv(np.concatenate([matrix, [[0, 0, 1]]]).astype(np.float64))
    back = back[:2] @ np.array([[1, 0, place[0]], [0, 1, place[1]], [0, 0, 1]])
    pixels = Image.fromarray(picture.pixels).transform(
        (width, height),
        Image.Transform.AFFINE,
        tuple(back.ravel()),
        resample=Image.Resampling.BILINEAR,
        fillcolor=(GRAY, GRAY, GRAY),
    )
    moved = moved_boxes(picture.boxes, matrix)
    cut = np.clip(moved, np.tile(place[:2], 2), np.tile(place[2:], 2)).astype(np.float32)
    seen = (cut[:, 2:] - cut[:, :2]).prod(axis=1) / np.maximum((moved[:, 2:] - moved[:, :2]).prod(axis=1), 1e-9)
    labels = np.where((seen < _LEAST_SEEN) | ((cut[:, 2:] - cut[:, :2]) < 2).any(axis=1), -1, picture.labels)
    left = seen > 0
    return BoxedPicture(np.asarray(pixels), cut[left], labels[left])


def moved_boxes(boxes: Array, matrix: Array) -> Array:
    """(M, 4): what holds the corners of ``boxes`` after the affine ``matrix`` (2, 3)."""
    corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
    moved = corners @ matrix[:, :2].T + matrix[:, 2]
    return np.concatenate([moved.min(axis=1), moved.max(axis=1)], axis=1).astype(np.float32)


def recoloured(pixels: Pixels, strength: float, generator: Generator) -> Pixels:
    """Brightness, contrast, saturation and the balance of the colours changed by up to ``strength``."""
    if not strength:
        return pixels
    contrast, saturation = 1 + generator.uniform(-strength, strength, 2)
    brightness = 255 * generator.uniform(-strength, strength) / 2
    balance = 1 + generator.uniform(-strength, strength, 3) / 3
    colours = saturation * np.eye(3) + (1 - saturation) * _LUMA
    matrix = (contrast * balance[:, None] * colours).astype(np.float32)
    mean = pixels.reshape(-1, 3)[::97].mean(axis=0)
    shift = (contrast * -mean + mean + brightness).astype(np.float32)
    changed: Array = pixels.reshape(-1, 3).astype(np.float32) @ matrix.T + shift
    clipped: Pixels = changed.clip(0, 255).astype(np.uint8).reshape(pixels.shape)
    return clipped


def overlaid(first: BoxedPicture, second: BoxedPicture, share: float) -> BoxedPicture:
    """The weighted mean of two pictures, with the boxes of both (Zhang et al. 2019)."""
    mixed = share * first.pixels.astype(np.float32) + (1 - share) * second.pixels
    return BoxedPicture(
        mixed.astype(np.uint8),
        np.concatenate([first.boxes, second.boxes]),
        np.concatenate([first.labels, second.labels]),
    )
