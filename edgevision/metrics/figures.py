"""Figures of merit in numpy, for the device side and the exporters alike."""

from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgevision.core.records import Record, record

_Float = TypeVar("_Float", np.float32, np.float64)


def sqnr_db(reference: ArrayLike, actual: ArrayLike) -> float:
    """Signal to noise ratio ``10 log10(sum r^2 / sum (r - a)^2)`` in dB; infinity where both are equal."""
    r = np.asarray(reference, np.float64)
    noise = float(np.sum((r - np.asarray(actual, np.float64)) ** 2))
    signal = float(np.sum(r**2))
    if noise == 0:
        return float("inf")
    return 10 * float(np.log10(signal / noise)) if signal > 0 else float("-inf")


def psnr_db(reference: ArrayLike, actual: ArrayLike) -> float:
    """Peak signal to noise ratio in dB of values in 0..1, over all of them; infinity where both are equal."""
    error = float(np.mean((np.asarray(reference, np.float64) - np.asarray(actual, np.float64)) ** 2))
    return float("inf") if error == 0 else -10 * float(np.log10(error))


def colorfulness(rgb: NDArray[np.float32]) -> float:
    """How colourful (H, W, 3) in 0..1 is: 0 gray, 15 slightly, 82 highly (Hasler & Süsstrunk 2003, equation 18)."""
    red, green, blue = (np.asarray(rgb, np.float64)[:, :, channel] * 255 for channel in range(3))
    opponents = np.stack([red - green, (red + green) / 2 - blue])
    deviation, mean = opponents.std(axis=(1, 2)), opponents.mean(axis=(1, 2))
    return float(np.hypot(*deviation) + 0.3 * np.hypot(*mean))


def ssim(reference: NDArray[np.float32], actual: NDArray[np.float32]) -> float:
    """Structural similarity of two (H, W) planes in 0..1: Wang et al. 2004, equation 13, mean over the plane.

    Gaussian window of 11 pixels and standard deviation 1.5, only where it lies inside; planes with a smaller side get
    a window of that side.
    """
    size = min(11, *reference.shape)
    place = np.arange(size) - (size - 1) / 2
    window = np.exp(-(place**2) / (2 * 1.5**2))
    window /= window.sum()
    x, y = np.asarray(reference, np.float64), np.asarray(actual, np.float64)
    mean_x, mean_y = _filtered(x, window), _filtered(y, window)
    variance_x = _filtered(x * x, window) - mean_x**2
    variance_y = _filtered(y * y, window) - mean_y**2
    covariance = _filtered(x * y, window) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    similarity /= (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return float(similarity.mean())


def _filtered(plane: NDArray[np.float64], window: NDArray[np.float64]) -> NDArray[np.float64]:
    """``plane`` convolved with the separable window, where that lies inside."""
    height, width = (side - len(window) + 1 for side in plane.shape)
    rows = sum(weight * plane[i : i + height] for i, weight in enumerate(window))
    filtered: NDArray[np.float64] = sum(weight * rows[:, i : i + width] for i, weight in enumerate(window))
    return filtered


def softmax(logits: NDArray[_Float], axis: int = -1) -> NDArray[_Float]:
    """Probabilities along an axis, computed without overflow."""
    exponentials: NDArray[_Float] = np.exp(logits - logits.max(axis=axis, keepdims=True))
    exponentials /= exponentials.sum(axis=axis, keepdims=True)
    return exponentials


def confusion_matrix(expected: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Counts, shape (classes, classes): row the expected class, column the predicted one.

    Raises:
        ValueError: a class outside 0..classes - 1.
    """
    rows, columns = np.asarray(expected, np.int64), np.asarray(predicted, np.int64)
    for values in (rows, columns):
        if values.size and not (values.min() >= 0 and values.max() < classes):
            raise ValueError(f"classes must lie in 0..{classes - 1}, not in {values.min()}..{values.max()}")
    flat = rows * classes + columns
    return np.bincount(flat, minlength=classes * classes).reshape(classes, classes)


def class_overlaps(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intersection over union of each class, from a confusion matrix; NaN for one that is neither there nor found.

    The matrix may have further columns, for what was taken for none of the classes.
    """
    shared = np.diag(confusion).astype(float)
    union = confusion.sum(axis=1) + confusion[:, : len(confusion)].sum(axis=0) - shared
    ratio: NDArray[np.float64] = np.divide(shared, union, out=np.full(len(shared), np.nan), where=union > 0)
    return ratio


@record
class ClassScore(Record):
    """How one class fared, as fractions of 1; ``support`` is the number of its pictures."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


def precision_recall_f1(matrix: NDArray[np.int64], labels: tuple[str, ...]) -> tuple[ClassScore, ...]:
    """Precision, recall and F1 of every class of a confusion matrix; a figure whose divisor is 0 counts as 0."""
    hits = matrix.diagonal().astype(float)
    expected, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    precision = np.divide(hits, predicted, out=np.zeros_like(hits), where=predicted > 0)
    recall = np.divide(hits, expected, out=np.zeros_like(hits), where=expected > 0)
    both = expected + predicted
    f1 = np.divide(2 * hits, both, out=np.zeros_like(hits), where=both > 0)
    return tuple(
        ClassScore(label=label, precision=float(p), recall=float(r), f1=float(f), support=int(n))
        for label, p, r, f, n in zip(labels, precision, recall, f1, expected, strict=True)
    )
