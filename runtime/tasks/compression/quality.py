"""How much worse a form of a codec's half is than the float model."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from edgevision.imaging.pictures import Picture
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.files.batch import each_done, failure_message
from edgevision.runtime.tasks.compression.compressor import CompressedPicture, Compressor
from edgevision.runtime.tasks.compression.decompressor import Decompressor
from edgevision.runtime.tasks.compression.evaluation import restored_figures
from edgevision.runtime.tasks.compression.other_half import open_codec
from edgevision.runtime.tasks.evaluation import EvaluationOptions, none_left, picture_name
from edgevision.runtime.tasks.paired_quality import Figures, mean_figures, paired_quality
from edgevision.runtime.tasks.quality import Quality

# What a codec of one quality gains by twice the bits: of two neighbours among three it is somewhat less.
_DB_A_DOUBLING = 3.0
# So many pictures in every quality tell what bits buy.
_ON_THE_CURVE = 2


class CodecQuality:
    """PSNR in dB at as many bits as the float model takes, of pictures whose qualities go by turns.

    What a form takes more bits is a loss too: what the float model gains in PSNR with as many more, from quality to
    quality. A half that decompresses is given the files of the float model each time, so that only PSNR is left. The
    other half of the codec is the judge of :func:`.evaluate_codec`.
    """

    metric = "psnr"
    unit = "dB"
    budget = 0.1

    def __init__(self, reference: Engine, metadata: ModelMetadata, pictures: Any, options: EvaluationOptions) -> None:
        """Judge on those of ``pictures`` that the float model, on the engine ``reference``, can do.

        Raises:
            DatasetError: it can do none.
            InputError, ModelFileError: see :func:`.open_other_half`.
        """
        self._metadata, self._pictures, self._options = metadata, pictures, options
        self._files: dict[int, CompressedPicture] = {}
        failures: dict[str, str] = {}
        curves: list[list[Figures]] = []

        def failed(index: int, error: Exception) -> None:
            name = picture_name(pictures, index)
            failures[name] = failure_message(name, error)

        with self._codec(reference) as (compressor, decompressor):
            # A half that compresses sees each picture once, all its qualities or one.
            on_the_curve = _ON_THE_CURVE if compressor.engine is reference else 0

            def measure(index: int) -> Figures:
                picture, turn = self._turn(index, compressor)
                if len(curves) < on_the_curve:
                    files = compressor.every_quality(picture)
                    curves.append([restored_figures(decompressor, file, picture) for file in files])
                    return curves[-1][turn - 1]
                file = compressor(picture, quality=turn)
                if decompressor.engine is reference:
                    self._files[index] = file
                return restored_figures(decompressor, file, picture)

            self._float = dict(each_done(range(len(pictures)), measure, failed))
        if not self._float:
            raise none_left(len(pictures), failures)
        self._slope = _db_a_doubling(curves) if curves else 0.0

    def __call__(self, engine: Engine) -> Quality:
        with self._codec(engine) as (compressor, decompressor):

            def measure(index: int) -> Figures:
                picture, turn = self._turn(index, compressor)
                file = self._files.get(index) or compressor(picture, quality=turn)
                return restored_figures(decompressor, file, picture)

            after = dict(each_done(self._float, measure, lambda index, error: None))
        quality = paired_quality(self.metric, self._float, after, self._loss)
        if not math.isfinite(quality.loss):
            return quality
        at_equal_bits = mean_figures([*self._float.values()])[self.metric] - quality.loss
        return quality.updated(figures={**quality.figures, self.metric: at_equal_bits})

    def _codec(self, engine: Engine) -> AbstractContextManager[tuple[Compressor, Decompressor]]:
        # The pipeline is not closed: that would close the engine, which is the caller's.
        half = find_task(self._metadata.task).pipeline(engine, self._metadata)
        return open_codec(half, self._options.judge, self._options.threads)

    def _turn(self, index: int, compressor: Compressor) -> tuple[Picture, int]:
        return Picture.read(self._pictures.image(index)), index % compressor.qualities + 1

    def _loss(self, before: Figures, after: Figures) -> float:
        more = math.log2(after["bits_per_pixel"] / before["bits_per_pixel"])
        return before["psnr"] - after["psnr"] + self._slope * more


def _db_a_doubling(curves: Sequence[Sequence[Figures]]) -> float:
    """What bits buy from the first quality to the last of pictures."""
    first, last = (mean_figures([curve[end] for curve in curves]) for end in (0, -1))
    doublings = math.log2(last["bits_per_pixel"] / first["bits_per_pixel"])
    return (last["psnr"] - first["psnr"]) / doublings if doublings > 0 else _DB_A_DOUBLING
