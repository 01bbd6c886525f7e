"""Whether texture suits a hole, or an object was cut, of which copies make debris."""

import numpy as np

from edgevision.runtime.tasks.restoration.texture.labelling import Labels
from edgevision.runtime.tasks.restoration.texture.level import Level
from edgevision.runtime.tasks.restoration.texture.windows import window_mean, window_sum

# How far around the hole, in pixels of the coarsest level, texture is looked at.
_RIM = 8
_LEAST_GRADIENT = 1e-6

# Both by logistic regression on 72 holes in photographs, judged by eye: of pairs of a hole for texture and one that it
# spoils, 91 % are put in that order. The second is where both errors are as likely.
_UNEVENNESS_POWER = 0.19
_MOST_SEAMS = 0.64


def copies_fit(level: Level, labels: Labels) -> bool:
    """Whether few seams are needed to copy what looks even around the hole, at the level that was labelled first.

    Where patches are alike, large parts are copied from one offset; where nothing fits, labels change all the time.
    Texture is much the same all along the rim; where objects are cut, strong edges stand beside areas without any.
    """
    return bool(seams_per_pixel(level, labels) * unevenness(level) ** _UNEVENNESS_POWER < _MOST_SEAMS)


def seams_per_pixel(level: Level, labels: Labels) -> float:
    """How many pairs of neighbours in the hole are copied from different offsets, for each of its pixels."""
    hole = level.hole
    down = (labels[1:] != labels[:-1]) & hole[1:] & hole[:-1]
    right = (labels[:, 1:] != labels[:, :-1]) & hole[:, 1:] & hole[:, :-1]
    return float(down.sum() + right.sum()) / float(hole.sum())


def unevenness(level: Level) -> float:
    """The arithmetic over the geometric mean of the gradients' energy (the structure tensor's trace) along the rim.

    1 where it is the same everywhere, and where there is no rim to look at.
    """
    hole = level.hole[:, :, None]
    rim = (window_sum(hole, _RIM) > 0) & (window_sum(hole, 1) == 0) & level.sources[:, :, None]
    down, right = np.gradient(np.pad(level.picture.mean(2), 1, mode="edge"))
    energy = window_mean((down**2 + right**2)[1:-1, 1:-1, None], 1)[rim] + np.float32(_LEAST_GRADIENT)
    return float(energy.mean() / np.exp(np.log(energy).mean())) if rim.any() else 1.0
