"""A hole filled with the texture around it, coarse to fine."""

import numpy as np

from edgevision.runtime.tasks.restoration.texture.blending import correction
from edgevision.runtime.tasks.restoration.texture.fit import copies_fit
from edgevision.runtime.tasks.restoration.texture.labelling import label_coarsely, refine_labels
from edgevision.runtime.tasks.restoration.texture.level import Level
from edgevision.runtime.tasks.restoration.texture.patch_offsets import dominant_offsets, patch_offsets
from edgevision.runtime.tasks.restoration.texture.windows import Array, Mask

# At the coarsest level; the square of the offsets times the pixels is what belief propagation takes.
_OFFSETS = 40
_COARSE_PIXELS = 2500

# The smooth fill decides the colours of what is larger than this share of the hole's side.
_GUIDED = 1 / 16


def synthesise(picture: Array, hole: Mask, sources: Mask, seed: int, *, always: bool) -> Array | None:
    """The colours of the hole with texture, which the smooth fill guides.

    Args:
        picture: float32 (H, W, C) in 0..1, smoothly filled.
        hole: bool (H, W).
        sources: bool (H, W), what may be copied.
        seed: of the search for patches that are alike.
        always: also where copies do not fit.

    Returns:
        float32 (N, C) around 0..1, row by row; ``None`` where nothing can be copied, or copies do not fit.
    """
    levels = [Level.of(picture, hole, sources)]
    while levels[-1].hole.sum() > _COARSE_PIXELS:
        levels.append(levels[-1].halved())
    coarse = levels[-1]
    found = patch_offsets(coarse.picture, coarse.sources, np.random.default_rng(seed))
    offsets = dominant_offsets(found, coarse.hole, coarse.sources, _OFFSETS)
    if not len(offsets):
        return None
    labels = label_coarsely(coarse, offsets)
    if not (always or copies_fit(coarse, labels)):
        return None
    for level in reversed(levels[:-1]):
        height, width = level.hole.shape
        labels = np.repeat(np.repeat(labels, 2, 0), 2, 1)[:height, :width]
        offsets = 2 * offsets
        refine_labels(level, labels, offsets)
    finest = levels[0]
    rows, columns = np.nonzero(hole)
    down, right = offsets[labels[rows, columns]].T
    # What nothing reaches keeps the smooth fill.
    reached = finest.may_copy(rows + down, columns + right)
    rows, columns, down, right = rows[reached], columns[reached], down[reached], right[reached]
    copied = picture.copy()
    copied[rows, columns] = picture[rows + down, columns + right]
    guided = max(1.0, _GUIDED * float(np.sqrt(hole.sum())))
    colours: Array = copied[hole] + correction(finest, labels, offsets, copied, guided**-2)
    return colours
