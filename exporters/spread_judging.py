"""Candidates judged by the workers of a cluster, some at once, before the search asks what they are worth.

Only quality is judged there: it depends on nothing but the candidate. Time is taken in this process, when no worker has
anything to do, so that a cluster on this machine disturbs it little.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import onnx

from edgevision.core.errors import EdgevisionError, InputError
from edgevision.exporters.model_writing import ModelOpener
from edgevision.exporters.quantization.engine_settings import EngineSettings
from edgevision.exporters.quantization.trials import Candidate
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.runtime.cluster.picture_work import Done, OpenedWork
from edgevision.runtime.cluster.ray_workers import RayRequest, ray_cluster, ray_workers
from edgevision.runtime.tasks.quality import Quality, QualityMeasure


@dataclass(frozen=True)
class _Judge:
    """What a worker keeps open; no engine, as each candidate has its own."""

    metadata: ModelMetadata
    open_model: ModelOpener
    engine: None = None


@dataclass(frozen=True)
class JudgingWork:
    """Judging by ``measure``; a job is a model as bytes, and what it is run in."""

    measure: QualityMeasure
    format: ModelFormat
    metadata: ModelMetadata
    threads: int | None
    batch: int = 1

    @contextmanager
    def open(self) -> Iterator[_Judge]:
        """Where candidates are opened."""
        with ModelOpener(self.format, self.metadata, self.threads) as open_model:
            yield _Judge(self.metadata, open_model)

    def each(self, judge: _Judge, jobs: Sequence[tuple[bytes, EngineSettings]], *, again: bool) -> Iterator[Done]:
        """Judge them; nothing is written, so that it may be done again."""
        for job in jobs:
            model, settings = job
            try:
                with judge.open_model(onnx.ModelProto.FromString(model), settings) as engine:
                    yield job, None, self.measure(engine)
            except EdgevisionError as error:
                yield job, error.with_traceback(None), None


@dataclass
class SpreadJudging:
    """The workers, from when it is known what they judge by, and what they found so far."""

    request: RayRequest
    format: ModelFormat
    metadata: ModelMetadata
    threads: int | None
    _stack: ExitStack = field(default_factory=ExitStack, init=False)
    _working: OpenedWork | None = field(default=None, init=False)
    _found: dict[str, Quality | EdgevisionError] = field(default_factory=dict, init=False)

    def __enter__(self) -> "SpreadJudging":
        """Join the cluster, before there is anything to judge; raises as :func:`.ray_cluster`."""
        self._stack.enter_context(ray_cluster(self.request))
        return self

    def __exit__(self, *of_an_error: object) -> None:
        self._stack.close()

    def begin(self, measure: QualityMeasure) -> None:
        """Start the workers.

        Raises:
            InputError: what is judged by cannot be told to other processes.
            MissingExtraError, DeviceError, EngineCrashError: as :func:`.ray_workers`.
        """
        work = JudgingWork(measure, self.format, self.metadata, self.threads)
        try:
            self._working = self._stack.enter_context(ray_workers(work, self.request))
        except TypeError as error:  # of pickle, by way of Ray
            raise InputError(
                f"what this model is judged by stays in one process ({error:.80}); leave out --ray"
            ) from error

    @property
    def at_once(self) -> int:
        """How many candidates are judged in the time of one."""
        return 1 if self._working is None else self._working.workers

    def ahead(self, candidates: Iterable[Candidate]) -> None:
        """Judge those that are not yet, all at once."""
        assert self._working is not None
        jobs = {_key(model, settings): (model.SerializeToString(), settings) for model, settings in candidates}
        new = {key: job for key, job in jobs.items() if key not in self._found}
        for key, (_, error, quality) in zip(new, self._working.each(list(new.values())), strict=True):
            if error is not None and not isinstance(error, EdgevisionError):
                raise error
            self._found[key] = quality if error is None else error

    def found(self, model: onnx.ModelProto, settings: EngineSettings) -> Quality | None:
        """The quality of a candidate that was judged ahead; raises what the engine did."""
        found = self._found.get(_key(model, settings))
        if isinstance(found, EdgevisionError):
            raise found
        return found


def _key(model: onnx.ModelProto, settings: EngineSettings) -> str:
    return f"{settings.title} {hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()}"
