"""What the verbs share that make pictures of pictures: their options, and how they are carried out."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import numpy as np
import typer

from edgevision.cli.numbers import positive_number
from edgevision.cli.options import OUTPUT_PANEL
from edgevision.cli.output import echo, end_with_failures, print_json
from edgevision.cli.values import parse_size
from edgevision.core.errors import InputError, OutputError
from edgevision.core.printable import one_line, shortened
from edgevision.core.progress import track
from edgevision.imaging.pictures import Picture
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.cluster.picture_work import Done
from edgevision.runtime.engine_facts import engine_facts
from edgevision.runtime.files.batch import failure_message, overlapped
from edgevision.runtime.files.inputs import PictureInput
from edgevision.runtime.files.outputs import PictureJob, make_folders, plan_outputs
from edgevision.runtime.streams.frame import Frame
from edgevision.runtime.tasks.cluster_options import ClusterOptions, asks_for_frames, opened, pictures_of
from edgevision.runtime.tasks.picture_options import CompareOption, ResumeOption
from edgevision.runtime.tasks.restoration.steadiness import Steadiness
from edgevision.runtime.tasks.run_options import announce, open_pipeline
from edgevision.runtime.tasks.side_by_side import side_by_side

_LARGE_PICTURES_PANEL = "Large pictures"

_LARGEST_TILE = 2**16

OutputOption = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        help="File whose ending sets the format, or folder that mirrors the inputs.",
        show_default="beside the picture, in its own format",
        rich_help_panel=OUTPUT_PANEL,
    ),
]
TileOption = Annotated[
    str,
    typer.Option(
        help="Side of the tiles: auto (to fit --memory), pixels, or off.", rich_help_panel=_LARGE_PICTURES_PANEL
    ),
]
MemoryOption = Annotated[
    str,
    typer.Option(
        help="What the tiles in work may take, beside the picture, as 512MB or 1GB.",
        rich_help_panel=_LARGE_PICTURES_PANEL,
    ),
]
QualityOption = Annotated[
    int, typer.Option(min=1, max=100, help="Of JPEG and WebP files.", rich_help_panel=OUTPUT_PANEL)
]
SmoothOption = Annotated[
    float,
    typer.Option(
        min=0,
        max=0.99,
        help="Of videos: the share of the frames before where nothing moves, against flicker.",
        rich_help_panel=OUTPUT_PANEL,
    ),
]
StrengthOption = Annotated[
    float,
    typer.Option(min=0, max=1, help="From 0, the picture as it is, to 1.", rich_help_panel=OUTPUT_PANEL),
]


@dataclass(frozen=True, kw_only=True)
class PictureOptions(ClusterOptions):
    """What all these verbs take, beside their own."""

    output: OutputOption = None
    tile: TileOption = "auto"
    memory: MemoryOption = "256MB"
    quality: QualityOption = 95
    compare: CompareOption = None
    resume: ResumeOption = False


def run_on_pictures(
    task: str,
    inputs: list[str],
    options: PictureOptions,
    *,
    name_suffix: str,
    read_own_mask: Callable[[PictureInput, Picture], np.ndarray] | None = None,
    how: Mapping[str, Any] = MappingProxyType({}),
    check: Callable[[ModelMetadata], object] = lambda metadata: None,
    protected: Sequence[Path] = (),
    smooth: float = 0,
) -> None:
    """Carry out a verb of such a ``task`` on pictures, or on the frames of streams.

    Args:
        name_suffix: what names of results end in, where they lie beside the pictures.
        read_own_mask: gives the mask of a picture, if the pipeline takes one.
        how: what the pipeline is called with beside the picture.
        check: raises :class:`InputError` where the model cannot do that, before the first picture is read.
        protected: files that are read, and that no result may replace.
        smooth: the share of the frames before in what is made of a stream's, where they stand still.
    """
    limits = {"tile": parse_tile(options.tile), "memory": parse_size(options.memory, "--memory")}
    if asks_for_frames(inputs, options.output, options):
        _run_on_streams(
            task,
            inputs,
            options,
            name_suffix=name_suffix,
            limits=limits,
            read_own_mask=read_own_mask,
            how=how,
            smooth=smooth,
        )
        return
    pictures = pictures_of(inputs, options)
    planned = plan_outputs(
        pictures,
        options.output,
        name_suffix=name_suffix,
        compare=options.compare,
        protected=protected,
        force=options.force,
        resume=options.resume,
    )
    if not planned and not options.as_json:
        return
    failures: list[tuple[str, str]] = []
    done: list[tuple[str, str]] = []
    started = time.monotonic()
    work = _Restoration(task=task, options=options, limits=limits, read_own_mask=read_own_mask, how=dict(how))
    with opened(work, options) as restoring:
        restore = restoring.pipeline
        check(restore.metadata)
        make_folders(planned)
        announce(restore, options)
        results = restoring.each(planned)
        for job, error, _ in track(results, len(planned), f"{task}", quiet=options.quiet or options.as_json):
            if error is not None:
                failures.append((job.picture.name, failure_message(job.picture.name, error)))
                continue
            done.append((job.picture.name, job.place))
            if not options.as_json:
                echo(one_line(job.place))
        if options.as_json:
            print_json(
                {
                    "model": str(options.model or f"{task} (shipped)"),
                    "name": restore.metadata.name,
                    **engine_facts(restore.engine),
                    "seconds": round(time.monotonic() - started, 3),
                    "results": [{"input": name, "output": target} for name, target in done],
                    "skipped": len(pictures) - len(planned),
                    "failures": [{"input": name, "error": message} for name, message in failures],
                }
            )
    end_with_failures(failures, len(planned))


@dataclass(frozen=True, kw_only=True)
class _Restoration:
    """What is done with each picture, wherever."""

    task: str
    options: PictureOptions
    limits: dict[str, Any]
    read_own_mask: Callable[[PictureInput, Picture], np.ndarray] | None
    how: dict[str, Any]
    batch: int = field(default=1, init=False)

    def open(self) -> Any:
        return open_pipeline(self.task, self.options, **self.limits)

    def each(self, pipeline: Any, jobs: Sequence[PictureJob], *, again: bool) -> Iterator[Done]:
        options, read_own_mask = self.options, self.read_own_mask
        force = options.force or again

        def read(job: PictureJob) -> tuple[PictureJob, Picture, Any]:
            picture = Picture.read(job.picture.source)
            return job, picture, read_own_mask(job.picture, picture) if read_own_mask else None

        def process(content: tuple[PictureJob, Picture, Any]) -> tuple[Picture, Picture | None, Any]:
            job, picture, mask = content
            masked = {} if mask is None else {"mask": mask}
            result: Picture = pipeline(picture, **masked, **self.how, in_place=job.compare is None)
            return result, *((picture, mask) if job.compare is not None else (None, None))

        def write(job: PictureJob, content: tuple[Picture, Picture | None, Any]) -> None:
            result, before, mask = content
            if job.compare is not None and before is not None:
                side_by_side(before, result, mask).save(job.compare, force=force or options.resume)
            try:
                with job.writing() as here:
                    result.save(here.target, quality=options.quality, force=force)
            except OutputError:
                # Another process that resumes the same work may have been faster.
                if not (options.resume and job.target.exists()):
                    raise

        for job, error in overlapped(jobs, read, process, write, at_once=pipeline.at_once):
            yield job, error, None


def _run_on_streams(
    task: str,
    inputs: list[str],
    options: PictureOptions,
    *,
    name_suffix: str,
    limits: dict[str, Any],
    read_own_mask: Callable[[PictureInput, Picture], np.ndarray] | None,
    how: Mapping[str, Any],
    smooth: float,
) -> None:
    from edgevision.runtime.tasks.run_streams import FrameVerb, run_streams

    if options.compare is not None or options.resume:
        raise InputError("--compare and --resume are for pictures, not for videos and cameras")
    masks: dict[tuple[int, ...], np.ndarray] = {}
    steady = [Steadiness(smooth) for _ in inputs]

    def answer(restore: Any, frames: list[Frame]) -> list[Picture]:
        pictures = [Picture(frame.pixels) for frame in frames]
        if smooth:
            return [
                restore(picture, **how, steady=steady[frame.source])
                for frame, picture in zip(frames, pictures, strict=True)
            ]
        if read_own_mask is None:
            return list(restore(pictures, **how))
        # One mask for all frames of a size.
        for picture in pictures:
            if (size := picture.pixels.shape) not in masks:
                masks[size] = read_own_mask(PictureInput(inputs[0], Path(inputs[0])), picture)
        return [restore(picture, mask=masks[picture.pixels.shape], **how) for picture in pictures]

    verb = FrameVerb(task, answer, limits=limits, suffix=name_suffix)
    run_streams(verb, inputs, options.output, options)


def parse_tile(text: str) -> int | None:
    """``auto`` as ``None``, ``off`` as 0, or the number; :class:`InputError` otherwise."""
    if text in ("auto", "off"):
        return None if text == "auto" else 0
    try:
        return positive_number(text, _LARGEST_TILE)
    except ValueError:
        raise InputError(
            f"--tile is auto, off or a number of pixels up to {_LARGEST_TILE}, not {shortened(text)}"
        ) from None
