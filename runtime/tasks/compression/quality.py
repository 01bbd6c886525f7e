"""How much worse a form of a codec's half is than the float model."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from edgevision.core.errors import DatasetError
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.compression.evaluation import CompressionReport, Figures, evaluate_codec
from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.runtime.tasks.loss_bound import paired_bound
from edgevision.runtime.tasks.quality import Quality

# What a codec of one quality gains by twice the bits: of two neighbours among three it is somewhat less.
_DB_A_DOUBLING = 3.0


class CodecQuality:
    """PSNR in dB at as many bits as the float model takes, the mean of all qualities.

    What a form takes more bits is a loss too: what the float model gains in PSNR with as many more, from quality to
    quality. The other half of the codec is the judge of :func:`.evaluate_codec`.
    """

    metric = "psnr"
    unit = "dB"
    budget = 0.1

    def __init__(self, reference: Engine, metadata: ModelMetadata, pictures: Any, options: EvaluationOptions) -> None:
        self._metadata, self._pictures, self._options = metadata, pictures, replace(options, quiet=True)
        self._float = self._report(reference)
        self._slope = _db_a_doubling(self._float)

    def __call__(self, engine: Engine) -> Quality:
        try:
            report = self._report(engine)
        except DatasetError:  # not one picture came back
            report = None
        # A mean without those that it cannot do would make a model look better than it is.
        if report is None or report.failures.keys() - self._float.failures.keys():
            return Quality(figures={self.metric: math.nan}, loss=math.inf)
        losses = [
            float(np.mean([self._loss(*pair) for pair in zip(before.qualities, after.qualities, strict=True)]))
            for before, after in zip(self._float.pictures, report.pictures, strict=True)
        ]
        loss = float(np.mean(losses))
        figures = {
            self.metric: _mean(self._float, "psnr") - loss,
            "bits_per_pixel": _mean(report, "bits_per_pixel"),
        }
        return Quality(figures=figures, loss=loss, bound=paired_bound(losses))

    def _loss(self, before: Figures, after: Figures) -> float:
        more = math.log2(after["bits_per_pixel"] / before["bits_per_pixel"])
        return before["psnr"] - after["psnr"] + self._slope * more

    def _report(self, engine: Engine) -> CompressionReport:
        # The pipeline is not closed: that would close the engine, which is the caller's.
        half = find_task(self._metadata.task).pipeline(engine, self._metadata)
        return evaluate_codec(half, self._pictures, self._options)


def _db_a_doubling(report: CompressionReport) -> float:
    first, last = report.qualities[0], report.qualities[-1]
    doublings = math.log2(last["bits_per_pixel"] / first["bits_per_pixel"])
    return (last["psnr"] - first["psnr"]) / doublings if doublings > 0 else _DB_A_DOUBLING


def _mean(report: CompressionReport, figure: str) -> float:
    return float(np.mean([one[figure] for one in report.qualities]))
