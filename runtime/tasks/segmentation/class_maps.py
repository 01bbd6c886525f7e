"""The class of each pixel of a picture, of a network's maps."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.tasks.segmentation.maps import Array, MapPlacement
from edgevision.runtime.tasks.segmentation.spec import MapField


def class_map(maps: Mapping[MapField, Array], place: MapPlacement, threshold: float) -> tuple[NDArray[np.int32], Array]:
    """The class and how sure the network is of it (0..1, where it gives probabilities), at the pixels that are seen.

    Maps are brought to the picture's pixels before they are compared, so that borders are smooth.
    """
    if MapField.SCORES in maps:
        return _highest(maps[MapField.SCORES], place)
    if MapField.CLASS in maps:
        classes = np.rint(place.to_picture(maps[MapField.CLASS][0], smooth=False)).astype(np.int32)
        return classes, np.ones(classes.shape, np.float32)
    foreground = place.to_picture(maps[MapField.FOREGROUND][0])
    inside = foreground >= threshold
    return inside.astype(np.int32), np.clip(np.where(inside, foreground, 1 - foreground), 0, 1)


def _highest(scores: Array, place: MapPlacement) -> tuple[NDArray[np.int32], Array]:
    # One map of the picture's size at a time: of many classes all would take much memory.
    best = place.to_picture(scores[0]).copy()
    classes = np.zeros(best.shape, np.int32)
    for index in range(1, len(scores)):
        values = place.to_picture(scores[index])
        higher = values > best
        classes[higher] = index
        np.maximum(best, values, out=best)
    return classes, np.clip(best, 0, 1)
