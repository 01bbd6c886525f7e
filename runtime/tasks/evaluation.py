"""What every evaluation takes and gives, whatever the task."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from edgevision.core.errors import DatasetError, InputError
from edgevision.core.progress import track
from edgevision.core.records import Record, record
from edgevision.data.datasets import ImageDataset
from edgevision.data.hole_kinds import HoleKind
from edgevision.data.noise_kinds import NoiseKind
from edgevision.runtime.files.batch import each_done

Job = TypeVar("Job")
Measured = TypeVar("Measured")

Failed = Callable[[Any, Exception], None]
Spread = Callable[[Sequence[Any], Callable[[Any], Any], Failed], Iterator[tuple[Any, Any]]]
"""Does as :func:`measure_each`, elsewhere."""

_spread: ContextVar[Spread | None] = ContextVar("spread", default=None)


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """How to evaluate; each task takes what is for it.

    Attributes:
        noise: what is added to pictures to denoise.
        sigma: how much of it, of 255; JPEG and impulse noise draw their own strength, mixed noise up to that.
        holes: what the holes look like that are to be filled.
        held_out: only the tenth of the pictures that training leaves out, or of what they show.
        jitter: by what share of their sides boxes of things are moved, grown and shrunk at random, whose points are to
            be found.
        samples: how many pictures a generator draws.
        judge: the classifier in whose features drawn pictures are seen, or the half of a codec that decompresses;
            ``None`` for the one that ships.
        seed: of everything that is drawn.
        threads: CPU threads of the judge.
        quiet: no progress.
    """

    noise: NoiseKind = NoiseKind.WHITE
    sigma: float = 25.0
    holes: HoleKind = HoleKind.STROKES
    held_out: bool = False
    jitter: float = 0.0
    samples: int = 2000
    judge: Path | None = None
    seed: int = 0
    threads: int | None = None
    quiet: bool = False


@record
class QualityReport(Record):
    """What an evaluation finds; a task adds its figures.

    Attributes:
        images: how many pictures the figures are means over.
        failures: what could not be used, by name, and why.
    """

    images: int
    failures: Mapping[str, str] = field(default_factory=dict)

    def headline(self) -> str:
        """The figures that count, in one line."""
        raise NotImplementedError

    def table(self) -> str:
        """All figures, as text for a terminal."""
        return self.headline()


def measure_each(
    jobs: Sequence[Job],
    measure: Callable[[Job], Measured],
    failed: Callable[[Job, Exception], None],
    *,
    quiet: bool,
    in_order: bool = False,
) -> Iterator[tuple[Job, Measured]]:
    """Measure one picture after the other, with progress, as :func:`.each_done`; or wherever they are :func:`spread`.

    ``measure`` depends on the job alone, unless it has to be called ``in_order``.

    Raises:
        InputError: those of which it has to be were spread.
    """
    spread_over = _spread.get()
    if spread_over is None:
        yield from each_done(track(jobs, len(jobs), "evaluating", quiet=quiet), measure, failed)
        return
    if in_order:
        raise InputError(
            "the damage of each picture is drawn after that of the one before, so that they are measured by one"
            " process; leave out --ray"
        )
    yield from track(spread_over(jobs, measure, failed), len(jobs), "evaluating", quiet=quiet)


@contextmanager
def spread(over: Spread) -> Iterator[None]:
    """Have what is measured in the block measured elsewhere."""
    token = _spread.set(over)
    try:
        yield
    finally:
        _spread.reset(token)


def none_left(count: int, failures: Mapping[str, str]) -> DatasetError:
    """The error where every one of ``count`` pictures failed; the first failure stands for all."""
    first = next(iter(failures.values()), "there are none")
    return DatasetError(f"not one of the {count} pictures could be used: {first}")


def worst_names(pictures: Mapping[str, float], most: int = 5) -> list[str]:
    """The names of the worst of ``pictures``, by their figures in percent; none of them is perfect."""
    worst = sorted((name for name in pictures if pictures[name] < 100), key=lambda name: pictures[name])
    return worst[:most]


def worst_pictures(pictures: Mapping[str, float]) -> str:
    """A line that names the worst of ``pictures``, by their figures in percent."""
    worst = ", ".join(f"{name} {pictures[name]:.1f} %" for name in worst_names(pictures))
    return f"worst pictures: {worst or 'none'}"


def picture_name(data: ImageDataset, index: int) -> str:
    """What a picture is called in reports; data that is not made of files has numbers only."""
    names: Sequence[str] = getattr(data, "names", ())
    return names[index] if names else f"picture {index}"
