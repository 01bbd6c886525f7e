"""Texture in the large holes of a picture that the network has filled smoothly."""

import numpy as np

from edgevision.imaging.samples import Samples, as_float, store
from edgevision.runtime.tasks.restoration.texture.large_holes import large_holes
from edgevision.runtime.tasks.restoration.texture.synthesis import synthesise
from edgevision.runtime.tasks.restoration.texture.windows import Mask

# Texture is sought as far around a hole as its longer side is long, but at least so many pixels.
_LEAST_MARGIN = 96


def fill_with_texture(samples: Samples, holes: Mask, sources: Mask, seed: int, *, always: bool) -> None:
    """Copy texture into the large holes of ``samples`` (H, W, C), in place.

    Args:
        samples: uint8, uint16 or float32 in 0..1, filled smoothly.
        holes: bool (H, W), where they were filled.
        sources: bool (H, W), what may be copied.
        seed: the same gives the same samples.
        always: also where copies do not fit.
    """
    height, width = holes.shape
    for (rows, columns), hole in large_holes(holes):
        margin = max(*hole.shape, _LEAST_MARGIN)
        top, left = max(rows.start - margin, 0), max(columns.start - margin, 0)
        around = np.s_[top : min(rows.stop + margin, height), left : min(columns.stop + margin, width)]
        here = np.zeros(holes[around].shape, np.bool_)
        here[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = hole
        colours = synthesise(as_float(samples[around]), here, sources[around], seed, always=always)
        if colours is None:
            continue
        rounded = np.empty(colours.shape, samples.dtype)
        store(colours, rounded)
        samples[around][here] = rounded
