"""How long one inference takes, measured so that the figure can be repeated: every sample kept, warm-up apart."""

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from edgevision.errors import InputError
from edgevision.machine import Machine, peak_memory_mb
from edgevision.metadata import ModelMetadata, TensorSpec
from edgevision.modelfile import read_metadata
from edgevision.records import Record, record
from edgevision.runtime.devices import open_engine
from edgevision.runtime.engines.engine import Array, Engine

# Enough for the 99th percentile to rest on a sample of its own.
_FEWEST_SAMPLES = 100


@record
class LatencyReport(Record):
    """One measurement. Times are milliseconds, memory is MB of 2^20 bytes, ``throughput`` is pictures a second.

    ``load_ms`` is reading and preparing the model, ``first_ms`` the first inference, ``samples_ms`` every inference
    after the warm-up in order. Percentiles are of those samples; none is ever dropped.
    """

    model: str
    engine: str
    device: str
    provider: str
    threads: int | None
    shapes: Mapping[str, tuple[int, ...]]
    batch: int
    load_ms: float
    first_ms: float
    warmup_runs: int
    warmup_ms: float
    runs: int
    min_ms: float
    mean_ms: float
    std_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    throughput: float
    peak_memory_mb: float | None
    load_average: float | None
    created: str
    machine: Machine
    samples_ms: tuple[float, ...]


def benchmark(
    model: str | os.PathLike[str],
    device: str = "cpu",
    *,
    threads: int | None = None,
    batch: int = 1,
    shape: tuple[int, ...] | None = None,
    seconds: float = 5.0,
    warmup: float = 1.0,
    seed: int = 0,
) -> LatencyReport:
    """Measure inference alone (no decoding, no preprocessing) on random inputs of the model's range.

    Args:
        shape: the input's full shape for a model whose dynamic sides the metadata does not fix; it holds the batch.
        seconds: how long to measure; at least 100 inferences are.
        warmup: how long to run before.

    Raises:
        ModelFileError, DeviceError: as :func:`edgevision.load`.
        InputError: the shape cannot be known, or the numbers make no sense.
    """
    if batch < 1 or seconds <= 0 or warmup < 0:
        raise InputError(f"batch and seconds must be positive, warmup not negative: {batch}, {seconds}, {warmup}")
    path = Path(model)
    metadata = read_metadata(path)
    start = time.perf_counter_ns()
    with open_engine(path, device, threads=threads) as engine:
        load_ms = _ms_since(start)
        feeds = random_feeds(engine.inputs, metadata, batch=batch, shape=shape, seed=seed)
        start = time.perf_counter_ns()
        _run(engine, feeds)
        first_ms = _ms_since(start)
        start = time.perf_counter_ns()
        warmup_runs = len(_repeat(engine, feeds, warmup, fewest=1))
        warmup_ms = _ms_since(start)
        samples = _repeat(engine, feeds, seconds, fewest=_FEWEST_SAMPLES)
        p50, p90, p99 = np.percentile(samples, (50, 90, 99))
        actual_batch = feeds[engine.inputs[0].name].shape[0] if feeds[engine.inputs[0].name].ndim else 1
        return LatencyReport(
            model=path.name,
            engine=engine.name,
            device=engine.device,
            provider=engine.provider,
            threads=threads,
            shapes={name: tuple(feed.shape) for name, feed in feeds.items()},
            batch=actual_batch,
            load_ms=load_ms,
            first_ms=first_ms,
            warmup_runs=warmup_runs,
            warmup_ms=warmup_ms,
            runs=len(samples),
            min_ms=float(samples.min()),
            mean_ms=float(samples.mean()),
            std_ms=float(samples.std(ddof=1)),
            p50_ms=float(p50),
            p90_ms=float(p90),
            p99_ms=float(p99),
            max_ms=float(samples.max()),
            throughput=1000 * actual_batch / float(samples.mean()),
            peak_memory_mb=peak_memory_mb(),
            load_average=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            machine=Machine.this(),
            samples_ms=tuple(round(float(sample), 6) for sample in samples),
        )


def random_feeds(
    inputs: tuple[TensorSpec, ...],
    metadata: ModelMetadata | None,
    *,
    batch: int,
    shape: tuple[int, ...] | None,
    seed: int,
) -> dict[str, Array]:
    """Inputs drawn by numpy's ``default_rng(seed)``, uniform in the declared value range, or in 0..1 without one.

    Raises:
        InputError: a dynamic side is known neither from the metadata nor from ``shape``.
    """
    generator = np.random.default_rng(seed)
    declared = {spec.name: spec for spec in metadata.inputs} if metadata else {}
    feeds: dict[str, Array] = {}
    for position, spec in enumerate(inputs):
        sizes = shape if shape is not None and position == 0 else _sizes(spec, metadata, batch)
        low, high = (declared[spec.name].value_range if spec.name in declared else None) or (0.0, 1.0)
        dtype = np.dtype(spec.dtype)
        if dtype.kind == "f":
            feeds[spec.name] = generator.uniform(low, high, sizes).astype(dtype)
        else:
            feeds[spec.name] = generator.integers(int(low), int(high) + 1, sizes).astype(dtype)
    return feeds


def _sizes(spec: TensorSpec, metadata: ModelMetadata | None, batch: int) -> tuple[int, ...]:
    sizes = list(spec.shape)
    if sizes and isinstance(sizes[0], str):
        sizes[0] = batch
    elif sizes and batch != 1 and sizes[0] != batch:
        raise InputError(f"the model's batch is fixed at {sizes[0]}, it cannot run {batch}; leave --batch out")
    image = metadata.image if metadata else None
    if image is not None and image.size is not None and len(sizes) == 4:
        sizes[2:] = [
            known if isinstance(known, int) else side for known, side in zip(sizes[2:], image.size, strict=True)
        ]
    unknown = [size for size in sizes if isinstance(size, str)]
    if unknown:
        raise InputError(
            f"the model's input {spec.name!r} is {spec.shape}; give its size with --shape, e.g. 1x3x224x224"
        )
    return tuple(int(size) for size in sizes)


def _repeat(
    engine: Engine, feeds: Mapping[str, Array], seconds: float, *, fewest: int
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    samples: list[int] = []
    clock = time.perf_counter_ns
    end = clock() + int(seconds * 1e9)
    while True:
        start = clock()
        engine.run(feeds)
        done = clock()
        samples.append(done - start)
        if done >= end and len(samples) >= fewest:
            return np.array(samples) / 1e6


def _run(engine: Engine, feeds: Mapping[str, Array]) -> None:
    try:
        engine.run(feeds)
    except ValueError as error:
        raise InputError(f"{error}; --shape gives another input size") from error


def _ms_since(start: int) -> float:
    return (time.perf_counter_ns() - start) / 1e6
