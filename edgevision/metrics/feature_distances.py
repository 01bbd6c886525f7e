"""How far apart two clouds of feature vectors lie, and how far each reaches into the other.

Points are (N, D) of any float type, one a row.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float64]

_NEIGHBOUR = 3
# So many rows of distances at once: ten thousand points then take 20 MB, not 800.
_ROWS = 256


def frechet_distance(first: ArrayLike, second: ArrayLike) -> float:
    """Between the normal distributions of the clouds' means and covariances (Dowson and Landau 1982, equation 4).

    ``|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))``, with covariances over N - 1. Each cloud needs two points, and more
    than D for the figure to mean something.
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    shift = one.mean(axis=0) - other.mean(axis=0)
    covariance, other_covariance = (np.atleast_2d(np.cov(points, rowvar=False)) for points in (one, other))
    # C1 C2 is not symmetric, but has the eigenvalues of the symmetric C1^(1/2) C2 C1^(1/2).
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ other_covariance @ root).clip(0)).sum()
    distance = shift @ shift + np.trace(covariance) + np.trace(other_covariance) - 2 * cross
    return max(0.0, float(distance))


def share_within(points: ArrayLike, reference: ArrayLike, neighbour: int = _NEIGHBOUR) -> float:
    """The share of ``points`` that lie within the manifold of ``reference``: Kynkäänniemi et al. 2019, equation 1.

    That is the union of balls around the references, each of which reaches to its ``neighbour``-th nearest other one;
    with fewer others, to the farthest. The points being samples and the references pictures, it is the samples'
    precision, and the other way round their recall.
    """
    inside, centres = np.asarray(points, np.float64), np.asarray(reference, np.float64)
    # Near the origin the squares below lose least.
    middle = centres.mean(axis=0)
    inside, centres = inside - middle, centres - middle
    nearest = min(neighbour, len(centres) - 1)
    # The nearest of all is the reference itself.
    radii = np.concatenate([np.partition(d, nearest, axis=1)[:, nearest] for d in _distances(centres, centres)])
    # Points that coincide are a rounding error apart.
    radii += 1e-12 * np.einsum("nd,nd->n", centres, centres).max()
    return float(np.mean(np.concatenate([(d <= radii).any(axis=1) for d in _distances(inside, centres)])))


def spread(points: ArrayLike) -> float:
    """The root of the mean squared distance of the points from their mean."""
    return float(np.sqrt(np.asarray(points, np.float64).var(axis=0).sum()))


def _distances(points: Points, reference: Points) -> Iterator[Points]:
    """Squared distances, some rows at a time."""
    squares = np.einsum("nd,nd->n", reference, reference)
    for start in range(0, len(points), _ROWS):
        rows = points[start : start + _ROWS]
        products = rows @ reference.T
        yield np.einsum("nd,nd->n", rows, rows)[:, None] + squares - 2 * products
