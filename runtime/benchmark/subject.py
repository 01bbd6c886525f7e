"""One model on one device with so many threads and pictures at once, loaded and ready to be measured."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edgevision.core.errors import InputError
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.model_facts import read_facts
from edgevision.modelfiles.model_file import model_hash, read_metadata
from edgevision.runtime.benchmark.memory import MemoryUse, MemoryWatch
from edgevision.runtime.benchmark.random_inputs import input_shapes, random_inputs
from edgevision.runtime.benchmark.settings import Settings
from edgevision.runtime.benchmark.timing import WarmUp, warm_up
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.engine import Array, Engine


@dataclass(frozen=True, eq=False)
class Subject:
    """A loaded model; ``fixed`` are the shapes that the engine was told to be loaded for."""

    path: Path
    name: str
    device: str
    allow_fallback: bool
    threads: int | None
    sha256: str
    metadata: ModelMetadata | None
    engine: Engine
    fixed: dict[str, tuple[int, ...]] | None
    inputs: dict[str, Array]
    load_ms: float
    first_ms: float
    warmup: WarmUp
    memory: MemoryUse | None

    @property
    def batch(self) -> int:
        """Pictures an inference, which the model itself may fix."""
        first = self.inputs[self.engine.inputs[0].name]
        return first.shape[0] if first.ndim else 1

    @property
    def seconds_each(self) -> float:
        """How long an inference took in the warm-up, in the mean; without one, the first."""
        return self.warmup.seconds / self.warmup.runs if self.warmup.runs else self.first_ms / 1e3

    @property
    def infer(self) -> Callable[[], list[Array]]:
        """One inference, as it is timed: with nothing of ours between the clock and the engine."""
        return partial(self.engine.run, self.inputs)

    def reopen(self, threads: int | None) -> Engine:
        """The same model on the same device once more, with so many threads."""
        return open_engine(
            self.path, self.device, threads=threads, allow_fallback=self.allow_fallback, shapes=self.fixed
        )


def load_subject(
    path: Path, device: str, threads: int | None, batch: int, settings: Settings, *, name: str = ""
) -> Subject:
    """Load a model, run it once, and warm it up; ``name`` is what it is called, its file's name where none is given.

    Raises:
        ModelFileError, DeviceError: as :func:`edgevision.load`.
        InputError: the input's shape cannot be known, or does not suit the model.
    """
    metadata = read_metadata(path)
    # Reading all of the file also brings it into the system's cache: loading is timed without the disk.
    sha256 = model_hash(path)
    fixed = None
    if settings.shape is not None:
        fixed = input_shapes(read_facts(path).inputs, metadata, batch=batch, shape=settings.shape)
    memory = MemoryWatch()
    start = time.perf_counter_ns()
    engine = open_engine(path, device, threads=threads, allow_fallback=settings.allow_fallback, shapes=fixed)
    try:
        loaded = time.perf_counter_ns()
        shapes = fixed or input_shapes(engine.inputs, metadata, batch=batch, shape=None)
        inputs = random_inputs(engine.inputs, metadata, shapes, settings.seed)
        before = time.perf_counter_ns()
        try:
            engine.run(inputs)
        except ValueError as error:
            raise InputError(f"{error}; --shape gives another input size") from error
        after = time.perf_counter_ns()
        warmed = warm_up(partial(engine.run, inputs), seconds=settings.warmup)
    except BaseException:
        engine.close()
        raise
    return Subject(
        path=path,
        name=name or path.name,
        device=device,
        allow_fallback=settings.allow_fallback,
        threads=threads,
        sha256=sha256,
        metadata=metadata,
        engine=engine,
        fixed=fixed,
        inputs=inputs,
        load_ms=(loaded - start) / 1e6,
        first_ms=(after - before) / 1e6,
        warmup=warmed,
        memory=memory.seen(),
    )


def distinct_names(models: Sequence[Path]) -> list[str]:
    """Each file's name, behind as many of its folders as tell files apart; one that is there again has its number."""
    places = [path.absolute().parts for path in models]
    names: list[str] = []
    for number, parts in enumerate(places):
        others = {other for other in places if other != parts}
        length = next(n for n in range(1, len(parts) + 1) if all(other[-n:] != parts[-n:] for other in others))
        before = places[:number].count(parts)
        names.append("/".join(parts[-length:]) + (f" #{before + 1}" if before else ""))
    return names
