"""Gradient-domain blending by the membrane between two pictures ("Poisson Image Editing", Pérez et al. 2003).

What has the gradients of one picture and meets another one at a seam is the first picture plus the harmonic function
that is their difference at the seam: a membrane stretched over it (Farbman et al. 2009). The Laplace equation is solved
from coarse to fine, each level from the guess of the one before (cascadic multigrid, Bornemann & Deuflhard 1996).
"""

import numpy as np
from numpy.typing import NDArray

from edgevision.imaging.hole_filling import double, halve_known
from edgevision.imaging.samples import Array

# Sweeps at the finest level; each coarser one, of a quarter of the pixels, has twice as many.
_SWEEPS = 12
_MOST_SWEEPS = 200


def harmonic_fill(values: Array, known: NDArray[np.bool_]) -> Array:
    """``values`` where they are ``known``, and between them the harmonic function that meets them.

    Args:
        values: float32 (H, W, C).
        known: bool (H, W), true where the values are given.

    Returns:
        float32 (H, W, C). At the edges of the array no value is asked for: the function is level there. All is 0 where
        nothing is known.
    """
    if not known.any():
        return np.zeros_like(values)
    return _fill(values, known.astype(np.float32)[:, :, None], _SWEEPS)


def _fill(values: Array, known: Array, sweeps: int) -> Array:
    height, width = values.shape[:2]
    if known.all() or (height, width) == (1, 1):
        return values
    coarse, coarse_known = halve_known(values, known)
    guess = _fill(coarse, (coarse_known > 0).astype(np.float32), min(2 * sweeps, _MOST_SWEEPS))
    filled = double(guess, height, width)
    np.copyto(filled, values, where=known > 0)
    return _relaxed(filled, known[:, :, 0] == 0, sweeps)


def _relaxed(values: Array, unknown: NDArray[np.bool_], sweeps: int) -> Array:
    """Each unknown value the mean of its four neighbours, in turn on the two colours of a chessboard."""
    height, width = unknown.shape
    rows, columns = np.nonzero(unknown)
    top, bottom = max(int(rows.min()) - 1, 0), min(int(rows.max()) + 2, height)
    left, right = max(int(columns.min()) - 1, 0), min(int(columns.max()) + 2, width)
    part, free = values[top:bottom, left:right], unknown[top:bottom, left:right]
    black = np.add.outer(np.arange(part.shape[0]), np.arange(part.shape[1])) % 2 == 0
    colours = [(free & black)[:, :, None], (free & ~black)[:, :, None]]
    framed = np.empty((part.shape[0] + 2, part.shape[1] + 2, part.shape[2]), np.float32)
    framed[1:-1, 1:-1] = part
    for _ in range(sweeps):
        for colour in colours:
            framed[0], framed[-1] = framed[1], framed[-2]
            framed[:, 0], framed[:, -1] = framed[:, 1], framed[:, -2]
            mean = framed[:-2, 1:-1] + framed[2:, 1:-1]
            mean += framed[1:-1, :-2]
            mean += framed[1:-1, 2:]
            mean *= np.float32(0.25)
            np.copyto(framed[1:-1, 1:-1], mean, where=colour)
    values[top:bottom, left:right] = framed[1:-1, 1:-1]
    return values
