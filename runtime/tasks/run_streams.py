"""``edgevision run`` on videos and cameras: what every verb does that answers pictures, frame by frame."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from edgevision.cli.output import echo
from edgevision.core.errors import InputError, OutputError, PartialFailureError
from edgevision.core.printable import exact_json, one_line
from edgevision.imaging.images import to_array
from edgevision.imaging.pictures import Picture
from edgevision.runtime.streams.addresses import SERVED, is_live
from edgevision.runtime.streams.frame import Frame, Pixels, StreamFacts
from edgevision.runtime.streams.opening import open_output, open_source
from edgevision.runtime.streams.output import FrameOutput
from edgevision.runtime.streams.pump import Answered, Flow, pump
from edgevision.runtime.streams.source import FrameSource
from edgevision.runtime.tasks.run_options import announce, open_pipeline
from edgevision.runtime.tasks.stream_options import StreamOptions, excerpt_of

_SECONDS_BETWEEN_LINES = 10.0


class FrameVerb(NamedTuple):
    """How a verb answers frames.

    Attributes:
        task: whose model is loaded.
        answer: from the pipeline and frames, each of another source, to as many results.
        line: what is printed of a result; ``None`` where the result is a picture.
        limits: options of the pipeline.
        suffix: how the result of a video is called that lies beside it; ``None`` where nothing is written unasked.
        check: refuses a pipeline that does not fit the options, before the first frame.
        classes: those that are asked for, which are counted also where there are none.
    """

    task: str
    answer: Callable[[Any, list[Frame]], Sequence[Any]]
    line: Callable[[Any], str] | None = None
    limits: Mapping[str, Any] = {}
    suffix: str | None = None
    check: Callable[[Any], None] | None = None
    classes: Sequence[str] = ()


def run_streams(verb: FrameVerb, inputs: Sequence[str], output: str | None, options: StreamOptions) -> None:
    """Answer every frame, print, and write what was asked for.

    Raises:
        InputError, OutputError: nothing could be done.
        PartialFailureError: a source ended early; what came before is written.
    """
    excerpt = excerpt_of(options)
    with ExitStack() as opened:
        # A camera that is not there is said before where its frames should go.
        sources = [
            opened.enter_context(open_source(name, excerpt, index=index, retry=options.retry))
            for index, name in enumerate(inputs)
        ]
        targets = planned_targets(inputs, output, verb.suffix, count_only=options.count_only)
        pipeline = opened.enter_context(open_pipeline(verb.task, options, **verb.limits))
        if verb.check is not None:
            verb.check(pipeline)
        announce(pipeline, options)
        outputs = [
            _opened_output(target, source.facts, options, whole=excerpt.is_whole)
            for target, source in zip(targets, sources, strict=True)
        ]
        teller = _Teller(verb, sources, outputs, options)
        flow = Flow(frames=[])
        try:
            try:
                pump(sources, lambda frames: verb.answer(pipeline, frames), teller.deliver, flow)
            finally:
                for made in outputs:
                    if made is not None:
                        made.close()
        except KeyboardInterrupt:
            # The only way that a camera ends: what was counted is not to be lost.
            teller.end(flow, targets)
            raise
        except OutputError as error:
            if teller.done <= 1:
                raise
            teller.end(flow, targets)
            raise PartialFailureError(f"{error}; the frames before it are kept") from error
        teller.end(flow, targets)
    _end(sources, flow)


def planned_targets(
    inputs: Sequence[str], output: str | None, suffix: str | None, *, count_only: bool
) -> list[str | None]:
    """Where the frames of each source go; ``None`` for nowhere.

    Raises:
        InputError: a place has to be named.
        OutputError: several sources would go to one place, or onto one of the inputs.
    """
    if count_only and output is not None:
        raise InputError(f"--count-only writes nothing, so -o {output!r} has no meaning beside it")
    if count_only or (output is None and suffix is None):
        return [None] * len(inputs)
    if output is None:
        if any(is_live(name) or Path(name).is_dir() for name in inputs):
            raise InputError("name the video for the results with -o, as -o out.mp4, or http://127.0.0.1:8080 to watch")
        paths = [Path(name) for name in inputs]
        targets = [str(path.with_name(f"{path.stem}-{suffix}{path.suffix}")) for path in paths]
    elif len(inputs) == 1:
        targets = [output]
    elif output.startswith(SERVED) or Path(output.rstrip("/")).suffix:
        raise OutputError(f"{output!r} is one place for {len(inputs)} sources; -o DIR/ gets a video of each")
    else:
        Path(output).mkdir(parents=True, exist_ok=True)
        targets = [str(Path(output) / _video_name(name, index)) for index, name in enumerate(inputs)]
    for index, target in enumerate(targets):
        if target in targets[:index]:
            raise OutputError(f"two sources would both be written to {target!r}; give them to calls of their own")
        if any(Path(target).resolve() == Path(name).resolve() for name in inputs):
            raise OutputError(f"{target!r} is an input, which is never overwritten; choose another -o")
    return list(targets)


def _video_name(name: str, index: int) -> str:
    path = Path(name)
    if is_live(name) or path.is_dir():
        return f"source-{index}.mp4"
    return path.name


def _opened_output(
    target: str | None, facts: StreamFacts, options: StreamOptions, *, whole: bool
) -> FrameOutput | None:
    if target is None:
        return None
    if not whole:
        # Sound goes with all of a video's frames at their own times.
        facts = StreamFacts(facts.rate, facts.time_base, facts.frames, facts.seconds, facts.coding)
    made = open_output(target, facts, codec=options.codec, force=options.force)
    address = getattr(made, "address", None)
    if address is not None and not options.quiet:
        echo(f"watch at {address}", err=True)
    return made


@dataclass
class _Count:
    """How often a class was there, and in how many frames."""

    things: int = 0
    frames: int = 0


@dataclass
class _Teller:
    """Prints and writes each answer; it is called in one thread."""

    verb: FrameVerb
    sources: Sequence[FrameSource]
    outputs: Sequence[FrameOutput | None]
    options: StreamOptions
    began: float = field(default_factory=time.monotonic)
    counts: dict[str, _Count] = field(default_factory=dict)
    done: int = 0
    first: dict[int, Fraction] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._said = self.began
        self.counts.update((label, _Count()) for label in self.verb.classes)

    def deliver(self, answered: Answered) -> None:
        """Take one."""
        frame, answer = answered.frame, answered.answer
        self.done += 1
        # What is cut out of a video begins at its own beginning.
        start = self.first.setdefault(frame.source, frame.time if self.options.start else Fraction(0))
        made = self.outputs[frame.source]
        if made is not None:
            made.write(shown(answer, frame.pixels), frame.time - start)
        self._count(answer)
        if self.options.count_only:
            self._progress()
        elif self.options.as_json:
            echo(exact_json(self._document(answered)))
        elif self.verb.line is not None:
            name = f"{one_line(self.sources[frame.source].name)}  " if len(self.sources) > 1 else ""
            echo(f"{name}{frame.number}  {float(frame.time):.3f} s  {self.verb.line(answer)}")
        else:
            self._progress()

    def _document(self, answered: Answered) -> dict[str, Any]:
        frame = answered.frame
        answer = answered.answer
        return {
            "source": self.sources[frame.source].name,
            "frame": frame.number,
            "time": round(float(frame.time), 6),
            "latency_ms": round(1e3 * (answered.done - frame.arrived), 3),
            **({} if isinstance(answer, Picture) else answer.to_dict()),
        }

    def _count(self, answer: Any) -> None:
        if isinstance(answer, Picture):
            return
        for label, number in Counter(labels_of(answer)).items():
            count = self.counts.setdefault(label, _Count())
            count.things, count.frames = count.things + number, count.frames + 1

    def _progress(self) -> None:
        now = time.monotonic()
        if self.options.quiet or now - self._said < _SECONDS_BETWEEN_LINES:
            return
        self._said = now
        known = [excerpt_of(self.options).frames_of(source.facts) for source in self.sources]
        of = f" of {sum(frames for frames in known if frames)}" if all(known) else ""
        echo(f"{self.done}{of} frames, {self.done / (now - self.began):.1f} a second", err=True)

    def end(self, flow: Flow, targets: Sequence[str | None]) -> None:
        """Say how it went."""
        facts = [self._facts(index, flow) for index in range(len(self.sources))]
        counts = {label: {"things": count.things, "frames": count.frames} for label, count in self.counts.items()}
        if self.options.as_json:
            echo(exact_json({"end": True, "seconds": round(flow.seconds, 3), "sources": facts, "counts": counts}))
            return
        for target, frames in zip(targets, flow.frames, strict=True):
            if target is not None and frames and not target.startswith(SERVED):
                echo(one_line(target))
        if self.options.count_only:
            for label, count in sorted(self.counts.items(), key=lambda pair: -pair[1].things):
                echo(f"{one_line(label)}  {count.things} in {count.frames} frames")
            if not self.counts and self.verb.line is not None:
                echo("nothing  0 in 0 frames")
        if not self.options.quiet:
            for index, fact in enumerate(facts):
                echo(_sentence(one_line(self.sources[index].name), fact, flow.seconds), err=True)

    def _facts(self, index: int, flow: Flow) -> dict[str, Any]:
        source = self.sources[index]
        away = {"breaks": getattr(source, "breaks", 0), "gone_seconds": round(getattr(source, "gone", 0.0), 3)}
        return {
            "source": source.name,
            "frames": flow.frames[index],
            "dropped": flow.dropped[index],
            **(away if source.live else {}),
            "error": str(flow.failures[index]) if index in flow.failures else None,
        }


def _sentence(name: str, facts: Mapping[str, Any], seconds: float) -> str:
    rate = f", {facts['frames'] / seconds:.1f} a second" if seconds > 0 else ""
    dropped = f", {facts['dropped']} gave way to newer ones" if facts["dropped"] else ""
    away = f", away {facts['breaks']} times for {facts['gone_seconds']:.1f} s" if facts.get("breaks") else ""
    return f"{name}: {facts['frames']} frames in {seconds:.1f} s{rate}{dropped}{away}"


def shown(answer: Any, pixels: Pixels) -> Pixels:
    """The picture for an answer, uint8 (H, W, 3): the answer itself, or the frame with the answer drawn in."""
    picture: Picture = answer if isinstance(answer, Picture) else answer.draw(pixels)
    if picture.alpha is None and picture.pixels.shape[2] == 3 and picture.pixels.dtype == pixels.dtype:
        return picture.pixels
    return to_array(picture.in_8_bits().to_pillow())


def labels_of(answer: Any) -> list[str]:
    """What was seen, a label for each thing."""
    names = getattr(answer, "names", None)
    return list(names) if names is not None else [str(answer.label)]


def _end(sources: Sequence[FrameSource], flow: Flow) -> None:
    """Raise what ended a source early, or before its first frame."""
    if not flow.failures:
        empty = [one_line(source.name) for source, frames in zip(sources, flow.frames, strict=True) if not frames]
        if empty:
            raise InputError(f"{', '.join(empty)}: there is no frame, or none from --start to --end")
        return
    first = next(iter(flow.failures.values()))
    if not any(flow.frames) or not isinstance(first, InputError):
        raise first
    names = ", ".join(one_line(sources[index].name) for index in flow.failures)
    raise PartialFailureError(f"not all of {names} could be read: {first}")
