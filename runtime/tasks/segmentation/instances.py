"""Things told apart in a network's maps."""

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.tasks.segmentation.clustering import clusters
from edgevision.runtime.tasks.segmentation.maps import Array, MapPlacement, Maps
from edgevision.runtime.tasks.segmentation.spec import MapField, SegmentationHead
from edgevision.runtime.tasks.segmentation.watershed import hills


def find_things(
    head: SegmentationHead, maps: Maps, place: MapPlacement, threshold: float
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float32]]:
    """The number of the thing, from 1, at the pixels that are seen, and of each thing its class and its score.

    They are told apart at the network's own pixels, for which the figures of the watershed are; their outer border is
    that of the foreground at the picture's pixels, so that it is smooth.
    """
    foreground, classes = _foreground(head, maps)
    left, top, right, bottom = place.box(foreground.shape)
    inside = foreground >= threshold
    # What lies in the padding is no thing.
    padding = np.ones(inside.shape, bool)
    padding[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))] = False
    labels = _told_apart(head, maps, foreground, inside & ~padding)
    count = int(labels.max(initial=0))
    areas = np.maximum(np.bincount(labels.ravel(), minlength=count + 1)[1:], 1)
    scores = np.bincount(labels.ravel(), foreground.ravel(), count + 1)[1:] / areas
    ids = place.to_picture(_grown(labels), smooth=False) * (place.to_picture(foreground) >= threshold)
    return ids, _majority(labels, classes, count), np.clip(scores, 0, 1).astype(np.float32)


def _told_apart(head: SegmentationHead, maps: Maps, foreground: Array, inside: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The number of the thing, from 1, at each pixel that is ``inside``; 0 elsewhere."""
    if head.clustering is not None:
        return clusters(maps[MapField.EMBEDDING], foreground, inside, head.clustering)
    assert head.watershed is not None
    landscape = maps[MapField.DISTANCE][0] if MapField.DISTANCE in maps else foreground
    if MapField.BOUNDARY in maps:
        landscape = landscape - maps[MapField.BOUNDARY][0]
    return hills(landscape, inside, head.watershed)


def _foreground(head: SegmentationHead, maps: Maps) -> tuple[Array, NDArray[np.int64]]:
    """How sure it is that each pixel belongs to a thing, and the class it then is of."""
    if MapField.SCORES not in maps:
        if MapField.FOREGROUND in maps:
            foreground = maps[MapField.FOREGROUND][0]
            return foreground, np.ones(foreground.shape, np.int64)
        classes = np.rint(maps[MapField.CLASS][0]).astype(np.int64)
        return (classes != head.background_class).astype(np.float32), classes
    scores = maps[MapField.SCORES].copy()
    if MapField.FOREGROUND in maps:
        foreground = maps[MapField.FOREGROUND][0]
        scores[0] = -np.inf
    else:
        assert head.background_class is not None
        foreground = 1 - scores[head.background_class]
        scores[head.background_class] = -np.inf
    return foreground, scores.argmax(axis=0)


def _majority(labels: NDArray[np.int32], classes: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The class that most pixels of each thing are of."""
    most = int(classes.max(initial=0)) + 1
    votes = np.bincount(labels.ravel() * most + classes.ravel(), minlength=(count + 1) * most)
    chosen: NDArray[np.int64] = votes.reshape(-1, most)[1:].argmax(axis=1)
    return chosen


def _grown(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Each thing one pixel larger where there is none: smoothed, its border reaches beyond its own pixels."""
    framed = np.pad(labels, 1)
    grown = labels.copy()
    height, width = labels.shape
    for y, x in ((0, 1), (2, 1), (1, 0), (1, 2), (0, 0), (0, 2), (2, 0), (2, 2)):
        np.copyto(grown, framed[y : y + height, x : x + width], where=grown == 0)
    return grown
