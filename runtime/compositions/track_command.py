"""The verb ``edgevision run track``."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, Any, ClassVar, TextIO

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import OUTPUT_PANEL
from edgevision.cli.output import echo
from edgevision.core.atomic_files import atomic_file, check_writable
from edgevision.core.errors import InputError
from edgevision.core.printable import one_line
from edgevision.runtime.compositions.follower import Follower
from edgevision.runtime.load import load
from edgevision.runtime.streams.frame import Frame
from edgevision.runtime.tasks.detection.task import DETECT
from edgevision.runtime.tasks.pipeline import check_classes
from edgevision.runtime.tasks.result_files import save_text
from edgevision.runtime.tasks.run_streams import FrameVerb, run_streams
from edgevision.runtime.tasks.stream_options import StreamOptions
from edgevision.runtime.tracking.appearance import Describe, color_histograms, embeddings_of
from edgevision.runtime.tracking.counting import LineCount, ZoneCount, count_rows, parsed_points
from edgevision.runtime.tracking.mot_files import mot_lines
from edgevision.runtime.tracking.result import Tracks
from edgevision.runtime.tracking.tracker import TrackerSettings

_USUAL = TrackerSettings()
_COUNTS_PANEL = "Counts"


@dataclass(frozen=True, kw_only=True)
class _Options(StreamOptions):
    """What is followed, what is counted and what is written."""

    panel: ClassVar[str] = "Tracks"

    classes: Annotated[list[str], typer.Option("--class", help="Follow only this class; repeatable.")] = ()  # type: ignore[assignment]  # a tuple stands for no list, which could be changed
    sure: Annotated[float, typer.Option("--sure", min=0, max=1, help="From this score on a box may begin a track.")] = (
        _USUAL.begin
    )
    unsure: Annotated[
        float, typer.Option("--unsure", min=0, max=1, help="From this score on it may go on with one.")
    ] = _USUAL.low
    patience: Annotated[
        int, typer.Option("--patience", min=0, max=100_000, help="Frames for which what is hidden is remembered.")
    ] = _USUAL.patience
    appearance: Annotated[
        str | None,
        typer.Option(
            "--appearance",
            metavar="histogram|MODEL",
            help="Know things by their looks, too: colours, or a model.",
        ),
    ] = None
    trail: Annotated[
        int, typer.Option("--trail", min=0, max=10_000, help="Frames for which the way behind a thing is drawn.")
    ] = 25
    lines: Annotated[
        list[str],
        typer.Option("--line", help="Count who crosses x1,y1,x2,y2; repeatable.", rich_help_panel=_COUNTS_PANEL),
    ] = ()  # type: ignore[assignment]
    zones: Annotated[
        list[str],
        typer.Option(
            "--zone", help="Count who is inside x1,y1,x2,y2,x3,y3,...; repeatable.", rich_help_panel=_COUNTS_PANEL
        ),
    ] = ()  # type: ignore[assignment]
    counts: Annotated[
        Path | None,
        typer.Option("--counts", help="CSV or JSON for the counts by the minute.", rich_help_panel=_COUNTS_PANEL),
    ] = None
    mot: Annotated[
        Path | None, typer.Option("--mot", help="File for all boxes as MOT lines.", rich_help_panel=OUTPUT_PANEL)
    ] = None
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="Video with boxes, ids and trails, a folder/ of frames, or http://127.0.0.1:PORT.",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = None


@option_groups
def track(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A video, a folder of frames, or a camera.")],
    *,
    options: _Options,
) -> None:
    """Follow things through a video or a camera, each with an id that stays, and count them.

    Any detection model will do (--model); what looks alike and hides for long may come back as another.

    Examples:
        edgevision run track street.mp4 --model detector.onnx -o followed.mp4 --line 0,200,640,200
        edgevision run track camera:0 --model detector.onnx --zone 0,0,320,0,320,240,0,240 --counts today.csv
    """
    if options.sure < options.unsure:
        raise InputError(f"--sure {options.sure:g} lies below --unsure {options.unsure:g}; it may be the same or more")
    lines = [_line(text) for text in options.lines]
    zones = [ZoneCount(parsed_points("--zone", text, 3)) for text in options.zones]
    if options.counts is not None and not lines and not zones:
        raise InputError("--counts holds what crosses a --line or is inside a --zone, and neither is given")
    settings = replace(
        _USUAL,
        high=min(_USUAL.high, options.sure),
        low=options.unsure,
        begin=options.sure,
        patience=options.patience,
    )
    with ExitStack() as opened:
        followed = _Followed(settings, options, lines, zones, _appearance(options, opened))
        _follow(source, options, followed, lines, zones)


def _appearance(options: _Options, opened: ExitStack) -> Describe | None:
    """What says how things look; a model is open as long as ``opened``."""
    if options.appearance is None:
        return None
    if options.appearance == "histogram":
        return color_histograms
    if not Path(options.appearance).exists():
        raise InputError(f"--appearance is histogram or a model file, and {options.appearance!r} is not there")
    model = load(options.appearance, options.device, threads=options.threads, allow_fallback=options.allow_fallback)
    return embeddings_of(opened.enter_context(model))


def _follow(
    source: str, options: _Options, followed: "_Followed", lines: Sequence[LineCount], zones: Sequence[ZoneCount]
) -> None:
    with _written(options.mot, followed, force=options.force) as mot, _counted(options, lines, zones, followed):
        followed.mot = mot
        limits = {"min_score": options.unsure}
        verb = FrameVerb(DETECT.name, followed.answer, line=_named, limits=limits, check=followed.begin)
        run_streams(verb, [source], options.output, options)


def _line(text: str) -> LineCount:
    one, other = parsed_points("--line", text, 2, 2)
    if one == other:
        raise InputError(f"--line is from one point to another, and {text!r} is twice the same")
    return LineCount((one, other))


class _Followed:
    """The state between frames."""

    def __init__(
        self,
        settings: TrackerSettings,
        options: _Options,
        lines: Sequence[LineCount],
        zones: Sequence[ZoneCount],
        appearance: Describe | None,
    ) -> None:
        self._settings, self._options, self._lines, self._zones = settings, options, lines, zones
        self._appearance = appearance
        self._follower: Follower | None = None
        self._last: int | None = None
        """The number of the frame that was seen last; ``None`` before the first."""
        self.mot: TextIO | None = None

    @property
    def has_begun(self) -> bool:
        """Whether there was a frame."""
        return self._last is not None

    def begin(self, detector: Any) -> None:
        """Take the detector whose boxes are followed; :class:`InputError` where it does not know a class."""
        options = self._options
        check_classes(detector, options.classes)
        self._follower = Follower(
            detector,
            settings=self._settings,
            classes=options.classes,
            trail=options.trail,
            appearance=self._appearance,
        )

    def answer(self, detector: Any, frames: list[Frame]) -> list[Tracks]:
        """The tracks of one frame of the one source."""
        (frame,) = frames
        assert self._follower is not None
        steps = 1 if self._last is None else frame.number - self._last
        self._last = frame.number
        tracks = self._follower(frame.pixels, steps)
        for line in self._lines:
            line.see(tracks, float(frame.time))
        for zone in self._zones:
            zone.see(tracks, float(frame.time))
        if self.mot is not None:
            self.mot.write(mot_lines(frame.number + 1, tracks))
        return [tracks]


def _named(tracks: Tracks) -> str:
    names = zip(tracks.names, tracks.ids.tolist(), strict=True)
    return ", ".join(f"{one_line(name)} {number}" for name, number in names) or "nothing"


@contextmanager
def _written(path: Path | None, followed: _Followed, *, force: bool) -> Iterator[TextIO | None]:
    """A file to add lines to, which gets its name at the end, however that comes."""
    if path is None:
        yield None
        return
    check_writable(path, force=force)
    # A camera may be followed for days: the lines are kept on the disk.
    with TemporaryFile("w+", encoding="utf-8") as lines:
        try:
            yield lines
        finally:
            if followed.has_begun:  # what never began takes no earlier file's place
                lines.seek(0)
                with atomic_file(path, force=force) as temporary, temporary.open("w", encoding="utf-8") as file:
                    shutil.copyfileobj(lines, file)


@contextmanager
def _counted(
    options: _Options, lines: Sequence[LineCount], zones: Sequence[ZoneCount], followed: _Followed
) -> Iterator[None]:
    """Say and write the counts at the end, however that comes, if there was a frame."""
    if options.counts is not None:
        check_writable(options.counts, force=options.force)
    try:
        yield
    finally:
        if followed.has_begun and not options.as_json:
            for index, line in enumerate(lines, start=1):
                echo(f"line {index}: {line.left} to the left, {line.right} to the right")
            for index, zone in enumerate(zones, start=1):
                echo(f"zone {index}: {zone.visitors} were inside")
        if followed.has_begun and options.counts is not None:
            rows = count_rows(lines, zones)
            document: Mapping[str, Any] = {"minutes": rows}
            save_text(options.counts, dict(document), rows, force=options.force)
