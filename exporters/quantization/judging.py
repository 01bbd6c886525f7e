"""How much worse a quantised model is, by what its task is about, on data that it was not calibrated with."""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.errors import DatasetError
from edgevision.core.records import Record, record
from edgevision.exporters.samples import Batch
from edgevision.metrics.class_scores import class_scores, probabilities
from edgevision.metrics.figures import sqnr_db
from edgevision.modelfiles.metadata import ClassificationSpec, ModelMetadata
from edgevision.runtime.engines.batching import run_batched
from edgevision.runtime.engines.engine import Array, Closeable, Engine
from edgevision.runtime.files.batch import each_done, failure_message
from edgevision.runtime.load import build_pipeline
from edgevision.runtime.tasks.restoration.evaluation import Damage, RestorationReport, evaluate_restorer

# As many as the largest networks take at once without the memory of the machine coming into it.
_BATCH = 32


@record
class Quality(Record):
    """``figures`` by name: top1 and agreement in percent, psnr and sqnr in dB. ``loss`` is what the budget bounds."""

    figures: Mapping[str, float]
    loss: float


class Judge(Protocol):
    """Compares a model with the float model that it was made with.

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


class ClassifierJudge:
    """Top-1 accuracy where the classes are known, in points; agreement with the float model anyway.

    Without classes the loss is what accuracy would be lost if the float model's probabilities were true: its
    probability of its own answer, less that of the quantised model's.
    """

    unit = "points"
    budget = 0.3

    def __init__(
        self,
        reference: Engine,
        inputs: Batch,
        expected: NDArray[np.int64] | None,
        classification: ClassificationSpec | None = None,
    ) -> None:
        self._inputs, self._expected = inputs, expected
        self._spec = classification or ClassificationSpec()
        self._reference = self._scores(reference)
        self.metric = "agreement" if expected is None else "top1"

    def __call__(self, engine: Engine) -> Quality:
        scores = self._scores(engine)
        theirs, ours = self._reference.argmax(-1), scores.argmax(-1)
        figures = {"agreement": 100 * float(np.mean(theirs == ours)), "sqnr": sqnr_db(self._reference, scores)}
        if self._expected is not None:
            figures["top1"] = 100 * float(np.mean(ours == self._expected))
            loss = 100 * float(np.mean(theirs == self._expected)) - figures["top1"]
        else:
            rows = np.arange(len(ours))
            probable = probabilities(self._reference.astype(np.float32), self._spec)
            loss = 100 * float(np.mean(probable[rows, theirs] - probable[rows, ours]))
        return Quality(figures=figures, loss=loss)

    def _scores(self, engine: Engine) -> NDArray[np.float64]:
        scores: NDArray[np.float64] = class_scores(_outputs(engine, self._inputs)[0], len(self._inputs[0]), self._spec)
        return scores


class RestorationJudge:
    """PSNR in dB of pictures damaged and restored by the task's own pipeline; for upscaling that of the luma."""

    unit = "dB"
    budget = 0.1

    def __init__(self, reference: Engine, metadata: ModelMetadata, pictures: Any, damage: Damage) -> None:
        self._metadata, self._pictures, self._damage = metadata, pictures, damage
        first = self._report(reference)
        self.metric = "psnr_y" if "psnr_y" in first.figures else "psnr"
        self._reference = first.figures[self.metric]
        self._failures = first.failures.keys()

    def __call__(self, engine: Engine) -> Quality:
        try:
            report = self._report(engine)
        except DatasetError:  # not one picture was restored
            report = None
        # A mean without those that it cannot do would make a model look better than it is.
        if report is None or report.failures.keys() - self._failures:
            return Quality(figures={self.metric: math.nan}, loss=math.inf)
        return Quality(figures=report.figures, loss=self._reference - report.figures[self.metric])

    def _report(self, engine: Engine) -> RestorationReport:
        # The pipeline is not closed: that would close the engine, which is the caller's.
        restorer = build_pipeline(engine, self._metadata)
        return evaluate_restorer(restorer, self._pictures, self._damage, quiet=True)


class OutputJudge:
    """SQNR in dB of the worst output against the float model's, for which a loss is its negative."""

    metric = "sqnr"
    unit = "dB"
    budget = -30.0

    def __init__(self, reference: Engine, inputs: Batch) -> None:
        self._inputs = inputs
        self._reference = _outputs(reference, inputs)

    def __call__(self, engine: Engine) -> Quality:
        found = _outputs(engine, self._inputs)
        worst = min(sqnr_db(r, f) for r, f in zip(self._reference, found, strict=True))
        return Quality(figures={"sqnr": worst}, loss=-worst)


class Recorder(Closeable):
    """An engine that keeps what it is given: what a pipeline makes of pictures is what a network is calibrated on."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name, self.device, self.provider = engine.name, engine.device, engine.provider
        self.assignment = engine.assignment
        self.inputs, self.outputs = engine.inputs, engine.outputs
        self.batches: list[tuple[Array, ...]] = []

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        self.batches.append(tuple(np.array(feeds[spec.name]) for spec in self.inputs))
        return self._engine.run(feeds)

    def close(self) -> None:
        """The engine is the caller's."""


class Pictures:
    """Pictures in memory, with the names and classes they have in ``data``, the middle cut out where they are large.

    Attributes:
        failures: what could not be read, and why.
    """

    def __init__(
        self,
        data: Any,
        indices: Sequence[int],
        side: int | None = None,
        check: Callable[[Image.Image], object] = lambda image: None,
    ) -> None:
        """Read those of ``data``; one for which ``check`` raises is a failure too."""
        self.failures: dict[str, str] = {}

        def read(index: int) -> Image.Image:
            image: Image.Image = data.image(index)
            check(image)
            return image if side is None else _middle(image, side)

        def failed(index: int, error: Exception) -> None:
            self.failures[data.names[index]] = failure_message(data.names[index], error)

        done = list(each_done(indices, read, failed))
        kept = [index for index, _ in done]
        self._images = [image for _, image in done]
        self.names = tuple(data.names[index] for index in kept)
        self.class_names = data.class_names
        self.labels = data.labels[kept]

    def __len__(self) -> int:
        return len(self._images)

    def every(self, step: int, start: int) -> "Pictures":
        """Each ``step``-th of them, from ``start`` on."""
        share = copy.copy(self)
        places = slice(start, None, step)
        share._images, share.names, share.labels = self._images[places], self.names[places], self.labels[places]
        return share

    def image(self, index: int) -> Image.Image:
        return self._images[index]


def _middle(image: Image.Image, side: int) -> Image.Image:
    width, height = image.size
    left, top = max(0, (width - side) // 2), max(0, (height - side) // 2)
    return image.crop((left, top, min(width, left + side), min(height, top + side)))


def _outputs(engine: Engine, inputs: Batch) -> list[NDArray[np.float64]]:
    return [np.asarray(output, np.float64) for output in run_batched(engine, inputs, most=_BATCH)]
