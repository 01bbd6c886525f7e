"""How far a picture is from a painting in style, and from a photograph in what it shows; in numpy.

The style of a picture is how its patches are distributed (Elnekave & Weiss 2022): at several scales, patches of 7x7
pixels are looked at through random filters, and of what each filter answers, wherever it lies, the quantiles are kept.
Two pictures are alike where all of these are (the sliced Wasserstein distance). It takes no trained network.
"""

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgevision.imaging.samples import LUMA_WEIGHTS, luma_of

Array = NDArray[np.float32]

SCALES = 4
"""At full size, and each next at half of it."""

PATCH = 7

CONTENT_SCALES = (2, 3)
"""Where lightness says what a picture shows, strokes being finer than that."""

LEAST_CONTRAST = 0.05
"""Standard deviation of lightness below which a surface is even."""

LEAST_VARIANCE = 1e-4
"""Of what a filter answers, below which a surface is even."""

BLUR = np.array([1, 3, 3, 1], np.float32) / 8
"""What is halved is blurred by this in both directions."""

_WINDOW = np.outer(*2 * [np.hanning(PATCH + 2)[1:-1]])

_FILTERS = 16
_QUANTILES = 16

_ACROSS = 64
"""At about so many places in both directions filters are applied."""


def patch_filters(count: int) -> Array:
    """The first ``count`` random filters, float32 (count, 3, 7, 7), of norm 1.

    By turns they are for colours, for strokes of light and dark, for patches as they are, and for patches without their
    mean colour, which would outshine all else.
    """
    # RandomState's stream is the same in every release of numpy.
    draw = np.random.RandomState(0)
    filters = np.empty((count, 3, PATCH, PATCH))
    for number in range(count):
        kind = number % 4
        if kind == 0:
            weights = draw.standard_normal((3, 1, 1)) * _WINDOW
        elif kind == 1:
            weights = LUMA_WEIGHTS[:, None, None] * _wave(*draw.uniform(0, 1, 3))
        else:
            weights = _smoothed(draw.standard_normal((3, PATCH + 2, PATCH + 2)))
        if kind % 2:
            weights = weights - weights.mean(axis=(1, 2), keepdims=True)
        filters[number] = weights / np.sqrt(np.square(weights).sum())
    return filters.astype(np.float32)


def filter_weights(count: int) -> Array:
    """How much each of :func:`patch_filters` counts, float32 (count,): strokes more, whose answers differ less."""
    return np.resize(np.array([1, 3, 1, 3], np.float32), count)


def filter_step(side: int) -> int:
    """How far filters are apart on a picture of which the longer side is ``side``."""
    return max(1, side // _ACROSS)


def patch_quantiles(rgb: Array) -> Array:
    """The style of a picture (H, W, 3) in 0..1: float32 (scales, filters, quantiles)."""
    filters = patch_filters(_FILTERS).transpose(2, 3, 1, 0).reshape(-1, _FILTERS)
    places = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    return np.stack(
        [np.quantile(_patches(level) @ filters, places, axis=0).T.astype(np.float32) for level in _halved(rgb, SCALES)]
    )


def style_distance(found: Array, wanted: Array) -> float:
    """Of :func:`patch_quantiles`: mean squared difference, in the variances of both; 0 is the same style."""
    variance = wanted.var(axis=2) + found.var(axis=2) + LEAST_VARIANCE
    error = np.square(found - wanted).mean(axis=2) / variance
    return float((error * filter_weights(error.shape[1])).mean())


def content_distance(rgb: Array, expected: Array) -> float:
    """Mean squared difference in lightness of two (H, W, 1 or 3), blurred and freed of brightness and contrast.

    It is 2 where they have nothing to do with each other, and 4 of a picture and its negative.
    """
    errors = [
        np.square(_evened(one) - _evened(other)).mean()
        for scale, (one, other) in enumerate(
            zip(_halved(luma_of(rgb), SCALES), _halved(luma_of(expected), SCALES), strict=True)
        )
        if scale in CONTENT_SCALES
    ]
    return float(np.mean(errors))


def _evened(luma: Array) -> Array:
    evened: Array = (luma - luma.mean()) / max(float(luma.std()), LEAST_CONTRAST)
    return evened


def _halved(values: Array, count: int) -> Iterator[Array]:
    """(H, W) or (H, W, C) at ``count`` sizes."""
    yield values
    for _ in range(count - 1):
        for axis in (0, 1):
            values = _halved_along(values, axis)
        yield values


def _halved_along(values: Array, axis: int) -> Array:
    side = values.shape[axis]
    if side < 2:
        return values
    padded = np.pad(values, [(1, 1) if each == axis else (0, 0) for each in range(values.ndim)], mode="reflect")
    padded = np.moveaxis(padded, axis, 0)
    halved: Array = sum(weight * padded[start : start + side - 1 : 2] for start, weight in enumerate(BLUR))
    return np.moveaxis(halved, 0, axis)


def _wave(turn: float, frequency: float, phase: float) -> NDArray[np.float64]:
    """A wave within the window, of 3 to 9 pixels, in any direction; all three of 0..1."""
    down, across = np.mgrid[:PATCH, :PATCH] - PATCH // 2
    place = across * np.cos(np.pi * turn) + down * np.sin(np.pi * turn)
    wave: NDArray[np.float64] = _WINDOW * np.cos(2 * np.pi * (place / (3 + 6 * frequency) + phase))
    return wave


def _smoothed(noise: NDArray[np.float64]) -> NDArray[np.float64]:
    """The middle of (3, H, W), blurred: of white noise little would be seen but the finest grain."""
    for axis in (1, 2):
        parts = [np.moveaxis(noise, axis, 0)[start : noise.shape[axis] - 2 + start] for start in range(3)]
        noise = np.moveaxis(parts[0] / 4 + parts[1] / 2 + parts[2] / 4, 0, axis)
    return noise


def _patches(rgb: Array) -> Array:
    """Patches (places, 7 * 7 * 3) of a picture, which is continued where it is smaller than one."""
    lacking = [max(0, PATCH - side) for side in rgb.shape[:2]]
    rgb = np.pad(rgb, [*((0, each) for each in lacking), (0, 0)], mode="edge")
    step = filter_step(max(rgb.shape[:2]))
    windows = sliding_window_view(rgb, (PATCH, PATCH), axis=(0, 1))[::step, ::step]
    return windows.transpose(0, 1, 3, 4, 2).reshape(-1, PATCH * PATCH * 3)
