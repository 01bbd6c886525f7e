"""One figure for how much worse a form of a model is than the float model, on data it was not calibrated with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edgevision.core.records import record
from edgevision.data.datasets import ImageDataset
from edgevision.imaging.pictures import Picture
from edgevision.metrics.figures import sqnr_db
from edgevision.runtime.engines.batching import run_batched
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.evaluation import picture_name
from edgevision.runtime.tasks.loss_bound import BoundedLoss, jackknife_bound
from edgevision.runtime.tasks.samples import Batch

_EXAMPLES, _SIDE = 6, 256

# As many as the largest networks take at once without the memory of the machine coming into it.
_BATCH = 32


@record
class Quality(BoundedLoss):
    """``figures`` by name: top1 and agreement in percent, psnr and sqnr in dB; and what of them was lost."""

    figures: Mapping[str, float]


@dataclass(frozen=True)
class Example:
    """What a form of a model makes of one of the inputs that it is judged on, for people to look at.

    Attributes:
        name: of the input.
        picture: gives uint8 (height, width, 1 or 3): what the model made, or what it was to name.
        answer: what it says, where it answers in words; ``expected`` is what is right, as far as that is known.
    """

    name: str
    picture: Callable[[], NDArray[np.uint8]]
    answer: str | None = None
    expected: str | None = None


class QualityMeasure(Protocol):
    """Compares a form of a model with the float model.

    Attributes:
        metric: the figure that counts, and ``unit`` that of the loss.
        budget: the most a loss may be by default.
    """

    metric: str
    unit: str
    budget: float

    def __call__(self, engine: Engine) -> Quality:
        """Judge the model on ``engine``."""
        ...


@runtime_checkable
class WithNotes(Protocol):
    """A measure of which something is to be known: ``notes`` are sentences for whoever reads its figures."""

    notes: tuple[str, ...]


@runtime_checkable
class WithExamples(Protocol):
    """A measure of which people can see what it judges."""

    def examples(self, engine: Engine) -> Sequence[Example]:
        """What the model on ``engine`` makes of inputs, the same ones in the same order for every form.

        Those are all where it answers in words, and a few where it makes pictures.
        """
        ...


def drawn_examples(data: ImageDataset, drawn: Callable[[int], Picture]) -> list[Example]:
    """The first pictures of ``data`` with what is found in them, ``drawn`` by their index, as small as on a page."""

    def pixels(index: int) -> NDArray[np.uint8]:
        picture = drawn(index).to_pillow().convert("RGB")
        picture.thumbnail((_SIDE, _SIDE))
        return np.asarray(picture)

    return [
        Example(picture_name(data, index), partial(np.asarray, pixels(index)))
        for index in range(min(_EXAMPLES, len(data)))
    ]


class OutputQuality:
    """SQNR in dB of the worst output against the float model's, for which a loss is its negative."""

    metric = "sqnr"
    unit = "dB"
    budget = -30.0

    def __init__(self, reference: Engine, inputs: Batch) -> None:
        self._inputs = inputs
        self._reference = output_values(reference, inputs)

    def __call__(self, engine: Engine) -> Quality:
        found = output_values(engine, self._inputs)
        powers = [_powers(reference, other) for reference, other in zip(self._reference, found, strict=True)]
        worst = min(sqnr_db(r, f) for r, f in zip(self._reference, found, strict=True))

        def loss_without(left_out: NDArray[np.bool_]) -> float:
            return -min(_sqnr_db(signal[~left_out].sum(), noise[~left_out].sum()) for signal, noise in powers)

        samples = len(self._inputs[0])
        alike = all(len(signal) == samples for signal, _ in powers)
        bound = jackknife_bound(samples, loss_without) if alike else None
        return Quality(figures={"sqnr": worst}, loss=-worst, bound=bound)


def output_values(engine: Engine, inputs: Sequence[NDArray[Any]]) -> list[NDArray[np.float64]]:
    """All outputs for ``inputs``, in float64."""
    return [np.asarray(output, np.float64) for output in run_batched(engine, inputs, most=_BATCH)]


def _powers(reference: NDArray[np.float64], found: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The signal and the noise of each sample: summed squares of the one and of the differences."""
    axes = tuple(range(1, reference.ndim))
    return np.sum(reference**2, axis=axes), np.sum((reference - found) ** 2, axis=axes)


def _sqnr_db(signal: float, noise: float) -> float:
    return 10 * float(np.log10(signal / noise)) if signal > 0 and noise > 0 else float("inf")
