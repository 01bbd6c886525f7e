"""What a verb does with pictures, said so that any process can do its share of it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, Self

from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engine_facts import EngineDescription

Done = tuple[Any, Exception | None, Any]
"""A job, as a picture, with what made it fail, if anything, and what the verb has to say of it."""


class PictureWork(Protocol):
    """The work of one verb; it is pickled for other processes."""

    @property
    def batch(self) -> int:
        """Pictures that the network takes at once, which stay together, since results may differ by a bit else."""
        ...

    def open(self) -> AbstractContextManager[Any]:
        """The pipeline, kept open for many pictures; whatever is wrong with the model or an option is said here."""
        ...

    def each(self, pipeline: Any, jobs: Sequence[Any], *, again: bool) -> Iterator[Done]:
        """Do the jobs and write their files; yields them in order.

        ``again``: a process that died had them, and what it wrote may be there already.
        """
        ...


@dataclass(frozen=True)
class PipelineDescription:
    """Of a pipeline in another process, what is said of it; ``engine`` is ``None`` where it keeps none open."""

    metadata: ModelMetadata
    engine: EngineDescription | None

    @classmethod
    def of(cls, pipeline: Any) -> Self:
        return cls(pipeline.metadata, None if pipeline.engine is None else EngineDescription.of(pipeline.engine))


@dataclass(frozen=True)
class OpenedWork:
    """What does the work: the ``pipeline``, or its description, what does jobs and yields them in order, and how many
    ``workers`` do so."""

    pipeline: Any
    each: Callable[[Sequence[Any]], Iterator[Done]]
    workers: int = 1


@contextmanager
def in_this_process(work: PictureWork) -> Iterator[OpenedWork]:
    """Do the work here."""
    with work.open() as pipeline:
        yield OpenedWork(pipeline, lambda jobs: work.each(pipeline, jobs, again=False))
