"""A thing takes on the light of the picture that it is put into: gradient-domain blending with a seam around it.

The seam lies just outside the thing, where both pictures show a background. What the new one has more or less of there
is stretched over the thing as a membrane (:mod:`edgevision.imaging.membrane`), so that its own gradients stay. Poisson
blending takes all of that difference, which turns a person from a white studio black in a forest; here a difference
counts less the larger it is, as between backgrounds that have nothing in common but the word.
"""

import numpy as np

from edgevision.imaging.guided_filter import box_mean
from edgevision.imaging.mask_growing import grow
from edgevision.imaging.membrane import harmonic_fill
from edgevision.imaging.samples import Array

# A difference of this much, of 1 in each sample, counts half: by Geman and McClure's estimator, no shift is larger than
# half of it. That of a thing itself from its new surroundings is little of light, and more of what it is.
_HALF_TRUST = 0.35
_HALF_TRUST_IN_THING = 0.15
# The width of the seam, and of the windows over which differences along it are averaged, as texture and what happens to
# be behind a hand is no light; of the root of the picture's area.
_SEAM = 0.03
_SMOOTH = 0.1
# What is less of a thing than this is none of it.
_FAINT = 0.02


def light_difference(colours: Array, old: Array | None, new: Array, alpha: Array) -> Array:
    """What is to be added to the colours of a thing so that they are in the light of ``new``.

    Args:
        colours: float32 (h, w, C), those of the thing, continued to where it is transparent.
        old: the picture that the thing is from, at the same pixels; ``None`` where nobody has it: then the thing
            itself is compared with what comes to be around it.
        new: the picture that it is put into.
        alpha: float32 (h, w), how much of each pixel is of the thing.

    Returns:
        float32 (h, w, C); all 0 where the thing leaves nothing to be seen of its surroundings.
    """
    height, width = alpha.shape
    thing = grow(alpha > _FAINT, 1)
    radius = max(2, round(_SEAM * (height * width) ** 0.5))
    seam = grow(thing, radius) & ~thing
    if not seam.any():
        return np.zeros_like(colours)
    weights = seam[:, :, None].astype(np.float32)
    width_of_means = max(2, round(_SMOOTH * (height * width) ** 0.5))
    difference = new - (colours if old is None else old)
    total = np.maximum(box_mean(weights, width_of_means), 1e-6)
    difference = (box_mean(difference * weights, width_of_means) / total).astype(np.float32)
    squared = (difference * difference).mean(axis=2, keepdims=True)
    half_trust = _HALF_TRUST_IN_THING if old is None else _HALF_TRUST
    difference /= 1 + squared / np.float32(half_trust**2)
    return harmonic_fill(difference, seam)
