"""From a frame's arrival to its answer: a model measured on a camera or a video, as ``run`` meets them."""

import logging
import math
import os
import time
from array import array
from collections.abc import Generator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np

import edgevision
from edgevision.core.errors import InputError
from edgevision.core.machine import Machine
from edgevision.core.process_memory import resident_mb
from edgevision.imaging.pictures import Picture
from edgevision.modelfiles.model_file import model_hash, read_metadata
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.benchmark.end_to_end import described
from edgevision.runtime.benchmark.report import Latency
from edgevision.runtime.benchmark.settings import Settings
from edgevision.runtime.benchmark.stream_report import (
    STAGES,
    FrameSamples,
    Moment,
    StreamReport,
    memory_slope,
    stage_times,
)
from edgevision.runtime.benchmark.timing import WarmUp, warm_up
from edgevision.runtime.benchmark.watched_engine import PipelineStages, WatchedEngine
from edgevision.runtime.load import load
from edgevision.runtime.streams.frame import Frame
from edgevision.runtime.streams.opening import open_output, open_source
from edgevision.runtime.streams.output import FrameOutput
from edgevision.runtime.streams.pump import Answered, Flow, pump
from edgevision.runtime.streams.source import Excerpt, FrameSource
from edgevision.runtime.tasks.run_streams import shown
from edgevision.runtime.telemetry.sampler import Telemetry

_log = logging.getLogger(__name__)

_SECONDS_BETWEEN_MOMENTS = 0.5
_NOTE = 2 + len(STAGES) + 1


def measure_stream(path: Path, source_name: str, settings: Settings, *, encode: bool = True) -> StreamReport:
    """Answer the frames of a source for ``settings.seconds``, or to its end, and take the time of each stage.

    The first frame is answered over and over until the steady state, and neither counts nor what came meanwhile.
    With ``encode`` each answer is drawn into its frame and stored as video, which is thrown away.

    Raises:
        ModelFileError, DeviceError: as :func:`edgevision.load`.
        InputError: the source cannot be opened, or has too few frames, or the model takes no pictures.
        MissingExtraError: PyAV is not installed.
    """
    metadata = described(path, read_metadata(path), "--stream")
    task = find_task(metadata.task)
    if not task.takes_pictures:
        raise InputError(f"{path.name!r} is for {task.name}, which takes no pictures, so no frames either")
    load_average = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    device, threads = next(iter(settings.devices), "cpu"), next(iter(settings.threads), None)
    with ExitStack() as stack:
        source = stack.enter_context(open_source(source_name, Excerpt(), retry=settings.seconds))
        pipeline = stack.enter_context(load(path, device, threads=threads, allow_fallback=settings.allow_fallback))
        engine = pipeline.engine
        output = None
        if encode:
            video = Path(stack.enter_context(TemporaryDirectory())) / "answers.mp4"
            output = open_output(str(video), source.facts, codec=None, force=True)
            stack.callback(output.close)
        _log.info("measuring %s on %s for %.3g s", path.name, source_name, settings.seconds)
        with Telemetry() as telemetry:
            run = _Run(source, pipeline, task.stages(pipeline).answer, output, settings)
            run.go()
    failure = run.flow.failures.get(0)
    if not run.count:
        raise failure or InputError(f"{source_name!r} has no frames left behind the warm-up; --warmup 0 needs fewest")
    to_board_time = time.perf_counter() - time.monotonic() - telemetry.started
    samples, moments = run.samples(to_board_time), run.moments(to_board_time)
    first, last = moments[0], moments[-1]
    seconds, dropped = last.time_s - first.time_s, last.dropped - first.dropped
    return StreamReport(
        version=edgevision.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=Machine.this(),
        load_average=load_average,
        board=telemetry.report(),
        source=source_name,
        live=source.live,
        size=run.size,
        name=path.name,
        sha256=model_hash(path),
        precision=metadata.precision,
        engine=engine.name,
        device=engine.device,
        provider=engine.provider,
        assignment=engine.assignment,
        threads=threads,
        warmup=run.warmup,
        seconds=seconds,
        frames=last.frames,
        dropped=dropped,
        fps=last.frames / seconds,
        source_fps=(last.frames + dropped) / seconds,
        breaks=getattr(source, "breaks", 0),
        gone_s=getattr(source, "gone", 0.0),
        error=None if failure is None else str(failure),
        latency=Latency.of(samples.latency_ms),
        stages=stage_times(samples),
        memory_slope=memory_slope(moments),
        moments=moments,
        samples=samples,
    )


class _EndsInTime:
    """The frames of a source up to a moment; see :class:`.source.FrameSource`."""

    def __init__(self, source: FrameSource) -> None:
        self.name, self.live, self.facts = source.name, source.live, source.facts
        self._source = source
        self.end = math.inf

    def frames(self) -> Generator[Frame, None, None]:
        """Those that come before ``end``, on :func:`time.monotonic`'s clock."""
        for frame in self._source.frames():
            if time.monotonic() >= self.end:
                return
            yield frame

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Run:
    """The frames of one source through one pipeline, with a note of each.

    Attributes:
        warmup: before anything counted.
        size: of the first frame, (width, height).
        count: how many frames counted.
    """

    def __init__(
        self, source: FrameSource, pipeline: Any, answer: Any, output: FrameOutput | None, settings: Settings
    ) -> None:
        self._source, self._answer, self._output, self._settings = _EndsInTime(source), answer, output, settings
        self._engine = pipeline.engine = WatchedEngine(pipeline.engine)
        self._began = math.inf
        self._done = 0.0
        self._answered = 0
        self._notes = array("d")
        """For each frame its number, arrival, stages in ms, and encoding: nothing that grows faster."""
        self._moments: list[tuple[float, int, int, float | None]] = []
        self.flow = Flow(frames=[])
        self.size = (0, 0)
        self.warmup = WarmUp(runs=0, seconds=0.0, steady=False)

    @property
    def count(self) -> int:
        return len(self._notes) // _NOTE

    def go(self) -> None:
        """Answer frames until it is over."""
        pump([self._source], self._answer_frames, self._deliver, self.flow)
        if self._answered:
            self._moment(self._done)

    def _answer_frames(self, frames: list[Frame]) -> list[tuple[Any, PipelineStages | None]]:
        picture = Picture(frames[0].pixels)
        if self._began == math.inf:
            self._warm_up(picture)
            return [(None, None)]
        start = time.perf_counter_ns()
        answer = self._answer(picture)
        stages = self._engine.stages(start, time.perf_counter_ns())
        self._answered += 1
        self._done = time.monotonic()
        if self._done - self._moments[-1][0] >= _SECONDS_BETWEEN_MOMENTS:
            self._moment(self._done)
        # What came before has waited for the warm-up.
        return [(answer, stages if frames[0].arrived >= self._began else None)]

    def _warm_up(self, picture: Picture) -> None:
        self.size = picture.width, picture.height
        self._answer(picture)
        self.warmup = warm_up(lambda: self._answer(picture), seconds=self._settings.warmup)
        self._engine.stages(0, 0)
        self._began = time.monotonic()
        self._source.end = self._began + self._settings.seconds
        self._moment(self._began)

    def _moment(self, now: float) -> None:
        resident = resident_mb()
        if resident is not None:
            resident -= len(self._notes) * self._notes.itemsize / 2**20
        self._moments.append((now, self._answered, self.flow.dropped[0], resident))

    def _deliver(self, answered: Answered) -> None:
        """Draw and encode, as ``run`` does it, beside the next answer."""
        frame, (answer, stages) = answered.frame, answered.answer
        start = time.perf_counter_ns()
        if self._output is not None and (isinstance(answer, Picture) or hasattr(answer, "draw")):
            self._output.write(shown(answer, frame.pixels), frame.time)
        if stages is not None:
            wait = answered.begun - frame.arrived - frame.decode_seconds
            own = (frame.number, frame.arrived, 1e3 * frame.decode_seconds, 1e3 * wait)
            encode = time.perf_counter_ns() - start
            self._notes.extend([*own, *(nanoseconds / 1e6 for nanoseconds in (*stages, encode))])

    def samples(self, to_board_time: float) -> FrameSamples:
        """Of each frame that counts, how long it was where."""
        table = np.array(self._notes).reshape(-1, _NOTE).round(6)
        names = STAGES if self._output is None else (*STAGES, "encode")
        return FrameSamples(
            number=tuple(table[:, 0].astype(int).tolist()),
            arrived_s=tuple((table[:, 1] + to_board_time).round(6).tolist()),
            stages_ms={name: tuple(column) for name, column in zip(names, table[:, 2:].T.tolist(), strict=False)},
        )

    def moments(self, to_board_time: float) -> tuple[Moment, ...]:
        """How far it was, over time."""
        return tuple(
            Moment(time_s=round(when + to_board_time, 6), frames=frames, dropped=dropped, resident_mb=memory)
            for when, frames, dropped, memory in self._moments
        )
