"""An evaluation whose pictures are measured by the workers of a cluster, and whose figures are made here.

A worker begins the same evaluation, of the same data by the same model, up to where it would measure the first picture:
there it waits for those that it is given. So nothing of a task has to be said twice, and the figures come from the same
measurements, added in the same order, as those of one process.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any, NoReturn

from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.cluster.picture_work import Done, OpenedWork
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.files.batch import ABOUT_ONE_FILE, each_attempted
from edgevision.runtime.load import load
from edgevision.runtime.tasks.evaluation import EvaluationOptions, Failed, Spread, spread


@dataclass(frozen=True, kw_only=True)
class EvaluationWork:
    """What an evaluation measures, said so that any process can do its share of it; a job is what one call is about."""

    model: Any
    device: str
    threads: int
    allow_fallback: bool
    data: Any
    splits: tuple[str, ...]
    options: EvaluationOptions
    batch: int = 1

    @contextmanager
    def open(self) -> Iterator["_Measuring"]:
        """The model and the data, and the evaluation as far as its first measurement."""
        with load(self.model, self.device, threads=self.threads, allow_fallback=self.allow_fallback) as pipeline:
            task = find_task(pipeline.metadata.task)
            folder = task.open_data(self.data, self.splits)
            quiet = replace(self.options, quiet=True)
            measuring = _Measuring(pipeline, lambda: task.evaluate(pipeline, folder, quiet))
            try:
                yield measuring
            finally:
                measuring.end()

    def each(self, pipeline: "_Measuring", jobs: Sequence[Any], *, again: bool) -> Iterator[Done]:
        """Measure; nothing is written, so that it may be done again."""
        return pipeline.measured(jobs)


def spread_over(working: OpenedWork) -> Spread:
    """What measures on the workers of a cluster that do :class:`EvaluationWork`."""

    def over(jobs: Sequence[Any], measure: Callable[[Any], Any], failed: Failed) -> Iterator[tuple[Any, Any]]:
        for job, error, result in working.each(list(jobs)):
            if error is None:
                yield job, result
            elif isinstance(error, ABOUT_ONE_FILE):
                failed(job, error)
            else:
                raise error

    return over


class _End(BaseException):
    """Leaves an evaluation that waits for more to measure."""


class _Measuring:
    """An evaluation in a thread of its own, which waits where it would measure."""

    def __init__(self, pipeline: Any, evaluate: Callable[[], Any]) -> None:
        self.metadata = pipeline.metadata
        self.engine: Engine = pipeline.engine
        self._given: SimpleQueue[Sequence[Any] | None] = SimpleQueue()
        self._measured: SimpleQueue[list[Done] | BaseException] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(evaluate,), daemon=True)
        self._thread.start()

    def measured(self, jobs: Sequence[Any]) -> Iterator[Done]:
        """The jobs with what became of them."""
        self._given.put(jobs)
        answer = self._measured.get()
        if isinstance(answer, BaseException):
            raise answer
        yield from answer

    def end(self) -> None:
        """Leave the evaluation."""
        self._given.put(None)
        self._thread.join()

    def _run(self, evaluate: Callable[[], Any]) -> None:
        try:
            with spread(self._serve):
                evaluate()
        except _End:
            pass
        except Exception as error:  # said where it was asked for
            self._measured.put(error)

    def _serve(self, jobs: Sequence[Any], measure: Callable[[Any], Any], failed: Failed) -> NoReturn:
        while (given := self._given.get()) is not None:
            self._measured.put(list(each_attempted(given, measure)))
        raise _End
