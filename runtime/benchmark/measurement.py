"""Measuring models on this machine: all combinations of models, devices, threads and batches in one run."""

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import numpy as np

import edgevision
from edgevision.core.errors import EdgevisionError, InputError
from edgevision.core.machine import Machine, peak_memory_mb
from edgevision.modelfiles.denormals import denormal_share
from edgevision.modelfiles.model_file import read_metadata
from edgevision.modelfiles.signature_policy import verified_where_required
from edgevision.runtime.benchmark.end_to_end import described, measure_end_to_end, read_pictures
from edgevision.runtime.benchmark.parallel_streams import measure_streams
from edgevision.runtime.benchmark.report import BenchmarkReport, Latency, Samples, SubjectReport
from edgevision.runtime.benchmark.settings import Settings
from edgevision.runtime.benchmark.statistics import percentile
from edgevision.runtime.benchmark.subject import Subject, distinct_names, load_subject
from edgevision.runtime.benchmark.timing import Clock, InterleavedTimer, TimedRuns
from edgevision.runtime.devices.opening import cpu_engines
from edgevision.runtime.shipped_models import resolve_model
from edgevision.runtime.telemetry.sampler import Telemetry

_log = logging.getLogger(__name__)

_Path = str | os.PathLike[str]

# A block of inferences is long enough that what the subject before left in caches and threads is a small part of it.
_BLOCK_MS = 50.0
_ROUNDS = 40
_REWARM_MS = 5.0
# A slow subject is not given up to the inference that is not timed before each of its blocks.
_FEWEST_IN_A_BLOCK = 4
# Before so many rounds a narrow interval is an accident.
_FEWEST_ROUNDS = 10


def benchmark(
    model: _Path | Sequence[_Path],
    device: str | Sequence[str] | None = "cpu",
    *,
    allow_fallback: bool = False,
    threads: int | Sequence[int] | None = None,
    batch: int | Sequence[int] = 1,
    shape: tuple[int, ...] | None = None,
    seconds: float = 5.0,
    runs: int = 100,
    warmup: float = 3.0,
    precision: float | None = None,
    streams: int | None = None,
    end_to_end: bool = False,
    profile: bool = False,
    pictures: Sequence[Path | bytes] = (),
    seed: int = 0,
) -> BenchmarkReport:
    """Measure the inference of one or several models on random inputs, and the board beside it.

    A model is a file, or the name of one that ships, as for :func:`edgevision.load`.
    Where several are given, all combinations are interleaved: see :class:`Settings` for what the arguments mean.
    Without a ``device`` that is the CPU in every engine that is installed.

        report = edgevision.benchmark("model.onnx", threads=[1, 4], seconds=2)
        for subject in report.subjects:
            print(subject.label, subject.latency.p50_ms)

    Raises:
        ModelFileError, DeviceError: as :func:`edgevision.load`.
        InputError: an input's shape cannot be known, or the numbers make no sense.
    """
    if device is not None and not device:
        raise InputError("no device to measure on was named; cpu is one")
    settings = Settings(
        devices=(device,) if isinstance(device, str) else tuple(device or ()),
        allow_fallback=allow_fallback,
        threads=() if threads is None else (threads,) if isinstance(threads, int) else tuple(threads),
        batches=(batch,) if isinstance(batch, int) else tuple(batch),
        shape=shape,
        seconds=seconds,
        runs=runs,
        warmup=warmup,
        precision=precision,
        streams=streams,
        end_to_end=end_to_end,
        profile=profile,
        seed=seed,
    )
    models = [model] if isinstance(model, str | os.PathLike) else model
    return measure([resolve_model(one) for one in models], settings, pictures)


def measure(models: Sequence[Path], settings: Settings, pictures: Sequence[Path | bytes] = ()) -> BenchmarkReport:
    """What :func:`benchmark` does, with everything that is to be measured in one record."""
    settings.check()
    models = [verified_where_required(one) for one in models]
    if not models:
        raise InputError("no model to measure was named")
    encoded: list[bytes] = []
    if settings.end_to_end:
        # What would end the run is found before it has taken its time.
        encoded = read_pictures(pictures)
        for path in models:
            described(path, read_metadata(path))
    load_average = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    with ExitStack() as stack:
        subjects: list[Subject] = []
        most_memory = None
        for (path, name), device, threads, batch in _combinations(models, settings):
            _log.info("loading %s on %s and warming up", name, device)
            try:
                subject = load_subject(path, device, threads, batch, settings, name=name)
            except EdgevisionError as error:
                # Nobody asked for the second engine.
                if settings.devices or all(known.path != path for known in subjects):
                    raise
                _log.warning("%s is not measured on %s: %s", name, device, error)
                continue
            stack.enter_context(subject.engine)
            subjects.append(subject)
            # Each subject's own peak starts anew.
            most_memory = max(filter(None, (most_memory, peak_memory_mb())), default=None)
        _log.info("measuring %s", _announcement(subjects, settings))
        start = time.perf_counter()
        with Telemetry() as telemetry:
            timer = time_interleaved(subjects, settings)
            # One inference after another is all that power is asked about.
            alone = telemetry.report().mean_power_w if len(subjects) == 1 else None
            clock = _compared_by(subjects)
            reports = [_subject_report(one, timer.timed[one], clock, telemetry.started, alone) for one in subjects]
            for index, subject in enumerate(subjects[1:], start=1):
                speedup = timer.ratio(subject, over=subjects[0])
                reports[index] = reports[index].updated(speedup=speedup, ratio=speedup.inverse())
            for index, subject in enumerate(subjects):
                reports[index] = _with_extras(reports[index], subject, settings, encoded)
        seconds = time.perf_counter() - start
        if settings.profile:
            from edgevision.runtime.benchmark.operators import profile

            _log.info("profiling the operators")
            reports = [r.updated(operators=profile(s)) for r, s in zip(reports, subjects, strict=True)]
    return BenchmarkReport(
        version=edgevision.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=Machine.this(),
        load_average=load_average,
        settings=settings,
        board=telemetry.report(),
        rounds=timer.rounds,
        seconds=seconds,
        peak_memory_mb=most_memory,
        subjects=tuple(reports),
    )


def _combinations(
    models: Sequence[Path], settings: Settings
) -> Iterator[tuple[tuple[Path, str], str, int | None, int]]:
    """(path, name), device, threads and batch of every subject."""
    for path, name in zip(models, distinct_names(models), strict=True):
        devices = settings.devices or cpu_engines(path)
        yield from product([(path, name)], devices, settings.threads or (None,), settings.batches)


def time_interleaved(subjects: Sequence[Subject], settings: Settings) -> InterleavedTimer[Subject]:
    """Time the inferences of all until ``settings`` are met."""
    timer = InterleavedTimer(
        {subject: subject.infer for subject in subjects},
        block_ms=min(_BLOCK_MS, 1000 * settings.seconds / _ROUNDS),
        fewest=_FEWEST_IN_A_BLOCK,
        rewarm_ms=_REWARM_MS,
        clock=_compared_by(subjects),
    )
    next_check = _FEWEST_ROUNDS
    while not all(_is_long_enough(timed, settings) for timed in timer.timed.values()):
        if settings.precision is not None and timer.rounds >= next_check:
            if all(_is_precise(timed, settings.precision) for timed in timer.timed.values()):
                return timer
            next_check = timer.rounds + max(1, timer.rounds // 5)
        timer.run_round()
    if settings.precision is not None:
        for subject, timed in timer.timed.items():
            if not _is_precise(timed, settings.precision):
                _log.warning(
                    "the median of %s was not known to %.3g %% after %g s",
                    subject.name,
                    100 * settings.precision,
                    settings.seconds,
                )
    return timer


def _compared_by(subjects: Sequence[Subject]) -> Clock:
    """What tells how many times as fast they are: one thing for all."""
    clocks = {Clock.of_inference(one.threads) if one.engine.device == "cpu" else Clock.WALL for one in subjects}
    return clocks.pop() if len(clocks) == 1 else Clock.WALL


def _is_long_enough(timed: TimedRuns, settings: Settings) -> bool:
    enough_runs = settings.precision is not None or len(timed.durations) >= settings.runs
    return enough_runs and timed.total_ns >= settings.seconds * 1e9


def _is_precise(timed: TimedRuns, precision: float) -> bool:
    return 2 * percentile(timed.milliseconds(), 0.5).relative_width < precision


def _announcement(subjects: Sequence[Subject], settings: Settings) -> str:
    what = f"{len(subjects)} subjects, interleaved," if len(subjects) > 1 else subjects[0].name
    runs = 0 if settings.precision is not None else settings.runs
    seconds = sum(max(settings.seconds, runs * subject.seconds_each) for subject in subjects)
    return f"{what} for about {seconds:.3g} s"


def _subject_report(
    subject: Subject, timed: TimedRuns, clock: Clock, started: float, power_w: float | None
) -> SubjectReport:
    samples = Samples(
        start_s=tuple(round(ns / 1e9 - started, 6) for ns in timed.starts),
        ms=tuple(round(ns / 1e6, 6) for ns in timed.durations),
        rounds=tuple(timed.rounds),
        cpu_ms=tuple(np.round(timed.round_means(), 6).tolist()) if clock is Clock.CPU else None,
    )
    latency = Latency.of(np.array(samples.ms))
    return SubjectReport(
        name=subject.name,
        sha256=subject.sha256,
        precision=subject.metadata.precision if subject.metadata else None,
        engine=subject.engine.name,
        device=subject.device if ":" in subject.device else subject.engine.device,
        provider=subject.engine.provider,
        assignment=subject.engine.assignment,
        threads=subject.threads,
        batch=subject.batch,
        shapes={name: tuple(array.shape) for name, array in subject.inputs.items()},
        load_ms=subject.load_ms,
        first_ms=subject.first_ms,
        warmup=subject.warmup,
        latency=latency,
        throughput=1000 * subject.batch / latency.mean_ms.value,
        memory=subject.memory,
        energy_mj=None if power_w is None else power_w * latency.mean_ms.value,
        denormal_share=denormal_share(subject.path),
        samples=samples,
    )


def _with_extras(
    report: SubjectReport, subject: Subject, settings: Settings, encoded: Sequence[bytes]
) -> SubjectReport:
    if settings.streams is not None:
        _log.info("measuring %d streams of %s", settings.streams, subject.name)
        report = report.updated(streams=measure_streams(subject, settings.streams, seconds=settings.seconds))
    if settings.end_to_end:
        _log.info("measuring %s from picture to answer", subject.name)
        report = report.updated(end_to_end=measure_end_to_end(subject, encoded, seconds=settings.seconds))
    return report
