"""How much worse a form of a restoration network is than the float model."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from edgevision.core.errors import DatasetError
from edgevision.imaging.samples import Array
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.runtime.tasks.paired_quality import Figures, paired_quality
from edgevision.runtime.tasks.quality import Example, Quality
from edgevision.runtime.tasks.restoration.evaluation import RestorationReport, evaluate_restorer, judged_figure

# So many pictures tell whether a difference can be seen.
_EXAMPLES = 6


class RestorationQuality:
    """PSNR in dB of pictures damaged and restored by the task's own pipeline: that of :func:`.judged_figure`.

    Attributes:
        less_is_better: whether the figure is a distance.
    """

    unit = "dB"
    budget = 0.1
    less_is_better = False

    def __init__(self, reference: Engine, metadata: ModelMetadata, pictures: Any, options: EvaluationOptions) -> None:
        self._metadata, self._pictures, self._options = metadata, pictures, replace(options, quiet=True)
        before = self._report(reference)
        self.metric = judged_figure(before.figures)
        self._before = _by_name(before)

    def __call__(self, engine: Engine) -> Quality:
        try:
            after = _by_name(self._report(engine))
        except DatasetError:  # not one picture was restored
            after = {}
        return paired_quality(self.metric, self._before, after, self._loss)

    def _loss(self, before: Figures, after: Figures) -> float:
        lost = before[self.metric] - after[self.metric]
        return -lost if self.less_is_better else lost

    def examples(self, engine: Engine) -> Sequence[Example]:
        """The first pictures, restored."""
        restored: list[Example] = []

        def show(name: str, samples: Array) -> None:
            pixels = (255 * samples.clip(0, 1) + 0.5).astype(np.uint8)
            restored.append(Example(name, partial(np.asarray, pixels)))

        try:
            self._report(engine, _First(self._pictures, _EXAMPLES), show)
        except DatasetError:  # not one of them was restored
            return ()
        return restored

    _evaluate: ClassVar[Callable[..., RestorationReport]] = staticmethod(evaluate_restorer)

    def _report(
        self,
        engine: Engine,
        pictures: Any = None,
        show: Callable[[str, Array], None] = lambda name, restored: None,
    ) -> RestorationReport:
        # The pipeline is not closed: that would close the engine, which is the caller's.
        pipeline = find_task(self._metadata.task).pipeline(engine, self._metadata)
        return self._evaluate(pipeline, pictures or self._pictures, self._options, show=show)


def _by_name(report: RestorationReport) -> dict[str, Figures]:
    return {picture.name: picture.figures for picture in report.pictures}


class _First:
    """The first of some pictures; pairs stand next to each other."""

    def __init__(self, pictures: Any, count: int) -> None:
        self.names = tuple(pictures.names[:count])
        self.image = pictures.image

    def __len__(self) -> int:
        return len(self.names)
