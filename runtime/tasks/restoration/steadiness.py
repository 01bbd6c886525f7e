"""What is made of a stream's frames, kept from flickering where the frames themselves stand still."""

import numpy as np

from edgevision.imaging.pictures import Picture
from edgevision.imaging.resampling import enlarged_rows
from edgevision.imaging.samples import Array, Samples, as_float, store
from edgevision.imaging.tiling import row_strips

_CELL = 4
"""Pixels a side of what is judged as one to have moved: noise tells nothing of a single pixel."""

_QUIET = 0.25
"""The share of the cells, those that change least, whose changes are taken for noise: so much stands still mostly."""

_FLAT = 0.1
"""The share of the cells, those with the least detail, whose detail is taken for noise."""

_LIGHTS = np.linspace(1 / 16, 15 / 16, 8, dtype=np.float32)
"""Noise depends on light, so that it is told of cells of about each of these by itself; in 0..1."""

_FEW = 32
"""Cells from which noise is not told."""

_STILL, _MOVED = 1.4, 2.0
"""Of what noise changes a cell by, up to where it stands still, and from where on it has moved."""

_LEAST_NOISE = 2 / 255
"""Standard deviation of what rounding, a codec or a denoiser make of nothing, where nobody sees it."""

_SPREAD = 5
"""How much stronger noise may be than its finest detail, of which little is left where it was smoothed."""

_GROWTH = 1.1
"""By how much noise may grow from frame to frame: at a cut everything changes, which is none."""


class Steadiness:
    """Draws what is made of one frame after the other towards what was made before; one for each stream.

    It remembers one frame and one result, however long the stream is.
    """

    def __init__(self, smooth: float) -> None:
        """``smooth`` is the share of what was before, 0 for none of it to just below 1."""
        self._smooth = np.float32(smooth)
        self._curves: tuple[Array, float] | None = None
        self._noise: Array = np.full(len(_LIGHTS), np.inf, np.float32)
        self._seen: Array | None = None
        self._made: Array | None = None

    def curves(self, maps: Array, protection: float, *, cut: float) -> tuple[Array, float]:
        """The curves to use in place of the next ones, of which ``cut`` is a mean change that only another scene makes.

        They are of a whole scene, whatever moves in it, and its light may change.
        """
        before = self._curves
        if before is not None and before[0].shape == maps.shape and np.abs(before[0] - maps).mean() <= cut:
            maps = maps + self._smooth * (before[0] - maps)
            protection += float(self._smooth) * (before[1] - protection)
        self._curves = maps, protection
        return maps, protection

    def picture(self, source: Samples, made: Picture) -> Picture:
        """The picture to show in place of the one ``made`` of ``source`` (H, W, C), the next frame.

        It is mixed with what was shown before where the source shows what it did before, but for noise; what moved is
        as it is made. The source is mixed alike before a change is looked for in it, so that nothing is mixed that
        differs from the frame by more than its noise, however slowly it moves.
        """
        seen, before = self._seen, self._made
        if seen is None or before is None or (seen.shape, before.shape) != (source.shape, made.pixels.shape):
            self._seen, self._made = (np.array(as_float(samples)) for samples in (source, made.pixels))
            return made
        changes = _changes(source, seen)
        light, noise = _noise_by_light(changes, source)
        self._noise = np.minimum(noise, np.float32(_GROWTH) * self._noise)
        share = self._smooth * _stillness(changes, np.interp(light, _LIGHTS, self._noise).astype(np.float32))
        _draw_towards(seen, source, share, _CELL)
        _draw_towards(before, made.pixels, share, _CELL * (made.height // len(source)))
        shown = np.empty_like(made.pixels)
        for rows in row_strips(made.height, made.width):
            store(before[rows].copy(), shown[rows])
        return made.with_pixels(shown, made.alpha)


def _changes(source: Samples, seen: Array) -> Array:
    """The root mean square of what changed in each cell, float32 (rows, columns) of cells."""
    height, width = seen.shape[:2]
    changes = np.empty((-(-height // _CELL), -(-width // _CELL)), np.float32)
    for cells in row_strips(len(changes), _CELL * width):
        rows = slice(_CELL * cells.start, _CELL * cells.stop)
        change = as_float(source[rows]) - seen[rows]
        changes[cells] = _cell_means(np.einsum("hwc,hwc->hw", change, change) / np.float32(seen.shape[2]))
    return np.sqrt(changes)


def _noise_by_light(changes: Array, source: Samples) -> tuple[Array, Array]:
    """The light of each cell, and by what noise changes cells of each of ``_LIGHTS``.

    That is as much as those change that change least, but no more than the finest detail allows: the difference of
    second derivatives (Immerkaer 1996), which leaves nothing of edges and ramps.
    """
    green = as_float(source[:, :, source.shape[2] // 2])
    light = _cell_means(green)
    curvature = np.zeros_like(green)
    curvature[1:-1, 1:-1] = np.diff(np.diff(green, 2, axis=0), 2, axis=1) / 6
    detail = np.sqrt(_cell_means(curvature * curvature))
    # What does not change at all, as black bars and what a codec skips, has no noise to learn from.
    noisy = changes > _LEAST_NOISE / 8
    nearest = np.rint(light * len(_LIGHTS) - 0.5).clip(0, len(_LIGHTS) - 1)
    known, told = [], []
    for place in range(len(_LIGHTS)):
        cells = noisy & (nearest == place)
        if np.count_nonzero(cells) > _FEW:
            most = max(_LEAST_NOISE, _SPREAD * float(np.quantile(detail[cells], _FLAT)))
            known.append(_LIGHTS[place])
            told.append(max(_LEAST_NOISE, min(most, float(np.quantile(changes[cells], _QUIET)))))
    noise = np.interp(_LIGHTS, known or [0.0], told or [_LEAST_NOISE])
    return light, noise.astype(np.float32)


def _cell_means(values: Array) -> Array:
    """The mean of (H, W) in each cell."""
    for axis in (0, 1):
        starts = np.arange(0, values.shape[axis], _CELL)
        sizes = np.diff(starts, append=values.shape[axis]).astype(np.float32)
        sums: Array = np.add.reduceat(values, starts, axis)
        values = sums / (sizes[:, None] if axis == 0 else sizes)
    return values


def _stillness(changes: Array, noise: Array) -> Array:
    """How much each cell stands still, 0..1: less than 1 where one beside it moves, too."""
    padded = np.pad(changes, 1, mode="edge")
    across = np.maximum(np.maximum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    nearby = np.maximum(np.maximum(across[:-2], across[1:-1]), across[2:])
    return ((_MOVED - nearby / noise) / (_MOVED - _STILL)).clip(0, 1).astype(np.float32)


def _draw_towards(before: Array, now: Samples, share: Array, cell: int) -> None:
    """Replace ``before`` by ``now`` but for its ``share``, of which each is that of ``cell`` pixels a side."""
    height, width = before.shape[:2]
    # The last cells may be cut by the border.
    size = share.shape[0] * cell, share.shape[1] * cell
    for rows in row_strips(height, width):
        given = as_float(now[rows])
        kept = enlarged_rows(share, size, rows)[:, :width, None]
        before[rows] = given + kept * (before[rows] - given)
