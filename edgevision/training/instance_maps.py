"""From the numbers of instances to the maps that a network learns: where they are, and how far inside them."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Ids = NDArray[np.integer]
Map = NDArray[np.float32]


def normalised_distances(ids: Ids) -> Map:
    """For each pixel of an instance its distance to the nearest pixel of anything else, over the instance's greatest.

    A ridge of low values parts instances that touch, and each has one height of 1 whatever its size (as Naylor et al.
    2018 regress distances, and Schmidt et al. 2018 centre probabilities).

    Args:
        ids: integers (H, W), 0 for the background, one number for each instance.

    Returns:
        float32 (H, W) in 0..1, 0 for the background only. What lies outside of the picture is taken to be as inside.
    """
    boxes = ndimage.find_objects(ids)
    result = np.zeros(ids.shape, np.float32)
    for number, box in enumerate(boxes, start=1):
        if box is None:
            continue
        own = ids[box] == number
        # A border of background, but for the sides that the picture cuts.
        pads = [(int(part.start > 0), int(part.stop < size)) for part, size in zip(box, ids.shape, strict=True)]
        inside = np.pad(own, pads)
        if inside.all():  # nothing else is in the picture
            result[box] = 1
            continue
        distances = ndimage.distance_transform_edt(inside)
        cut = tuple(slice(before, before + size) for (before, _), size in zip(pads, own.shape, strict=True))
        result[box][own] = (distances[cut] / distances.max())[own]
    return result


def narrow_gaps(ids: Ids, width: float = 3.0) -> Map:
    """How near a background pixel is to two instances at once: exp(-(d1 + d2)^2 / (2 width^2)), float32 (H, W) in 0..1.

    Equation 2 of Ronneberger et al. 2015, also for pixels of instances beside another one: what parts neighbours is
    few pixels, and all that counts.
    """
    to_instance, (rows, columns) = ndimage.distance_transform_edt(ids == 0, return_indices=True)
    nearest = ids[rows, columns]
    # Where the nearest instance changes from pixel to pixel, two are equally near.
    edge = np.zeros(ids.shape, bool)
    edge[:, 1:] |= nearest[:, 1:] != nearest[:, :-1]
    edge[:, :-1] |= nearest[:, 1:] != nearest[:, :-1]
    edge[1:] |= nearest[1:] != nearest[:-1]
    edge[:-1] |= nearest[1:] != nearest[:-1]
    if not edge.any():
        return np.zeros(ids.shape, np.float32)
    to_edge = ndimage.distance_transform_edt(~edge)
    near: Map = np.exp(-((to_edge + to_instance) ** 2) / (2 * width**2)).astype(np.float32)
    return near
