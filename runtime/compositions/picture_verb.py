"""What the verbs share that make a picture of each picture, with several models."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from edgevision.cli.options import OUTPUT_PANEL
from edgevision.cli.output import echo, end_with_failures, print_json, write_bytes
from edgevision.core.errors import InputError
from edgevision.core.printable import one_line
from edgevision.core.progress import track
from edgevision.core.regular_files import real_path
from edgevision.data.datasets import masks_among
from edgevision.imaging.picture_formats import PNG
from edgevision.imaging.pictures import Picture
from edgevision.runtime.compositions.composite import Composite
from edgevision.runtime.engine_facts import engine_facts, headline
from edgevision.runtime.files.batch import failure_message, overlapped
from edgevision.runtime.files.inputs import PictureInput, expand_inputs
from edgevision.runtime.files.outputs import PictureJob, make_folders, plan_outputs
from edgevision.runtime.tasks.run_options import VerbOptions

_log = logging.getLogger(__name__)

Models = TypeVar("Models", bound=Composite)

STANDARD_OUTPUT = Path("-")
"""The target of a result that is written there."""


@dataclass(frozen=True, kw_only=True)
class PictureVerbOptions(VerbOptions):
    """Where pictures go, and how they are written."""

    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="File whose ending sets the format, folder that mirrors the inputs, or - for standard output.",
            show_default="beside the picture; of standard input standard output",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = None
    quality: Annotated[
        int, typer.Option(min=1, max=100, help="Of JPEG and WebP files.", rich_help_panel=OUTPUT_PANEL)
    ] = 95
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip pictures whose result exists.", rich_help_panel=OUTPUT_PANEL)
    ] = False


def make_pictures(
    name: str,
    inputs: list[str],
    options: PictureVerbOptions,
    open_models: Callable[[], Models],
    make: Callable[[Models, PictureInput, Picture], Picture],
    *,
    suffix: str,
    transparent: bool = False,
    protected: Sequence[Path] = (),
) -> None:
    """Run the verb ``name``: every input is decoded once, and what is made of it is written.

    Args:
        name, inputs, options: of the verb.
        open_models: opens what is kept open for all pictures.
        make: the result for one picture.
        suffix: of the name of a result beside its picture.
        transparent: whether results are, so that they are written in a format that can hold it.
        protected: files that no result may take the place of.
    """
    pictures, jobs = plan_pictures(
        expand_inputs(inputs),
        options.output,
        suffix=suffix,
        transparent=transparent,
        protected=protected,
        force=options.force,
        resume=options.resume,
    )
    if options.as_json and any(map(_is_standard_output, jobs)):
        raise InputError("--json has standard output for itself; name a file for the picture with -o")
    if not jobs and not options.as_json:
        return
    failures: list[tuple[str, str]] = []
    done: list[tuple[str, str]] = []
    started = time.monotonic()
    with open_models() as models:
        if not options.quiet and not options.as_json:
            for pipeline in models.pipelines.values():
                echo(headline(pipeline.metadata.name, pipeline.engine), err=True)
        make_folders([job for job in jobs if not _is_standard_output(job)])
        running = overlapped(
            jobs,
            lambda job: (job.picture, Picture.read(job.picture.source)),
            lambda content: make(models, *content),
            lambda job, result: _write(job, result, options),
        )
        for job, error in track(running, len(jobs), name, quiet=options.quiet or options.as_json):
            if error is not None:
                failures.append((job.picture.name, failure_message(job.picture.name, error)))
                continue
            done.append((job.picture.name, job.place))
            if not options.as_json and not _is_standard_output(job):
                echo(one_line(job.place))
        if options.as_json:
            print_json(
                {
                    "models": {
                        what: {"name": pipeline.metadata.name, **engine_facts(pipeline.engine)}
                        for what, pipeline in models.pipelines.items()
                    },
                    "seconds": round(time.monotonic() - started, 3),
                    "results": [{"input": source, "output": target} for source, target in done],
                    "skipped": len(pictures) - len(jobs),
                    "failures": [{"input": source, "error": message} for source, message in failures],
                }
            )
    end_with_failures(failures, len(jobs))


def _without_masks(pictures: list[PictureInput], protected: Sequence[Path]) -> list[PictureInput]:
    """Without what is no picture of its own among those found in folders: masks, and what else is named."""
    found = {picture.name: Path(picture.name).parts for picture in pictures if picture.found}
    masks = set(masks_among(found).values())
    own = {real_path(path) for path in protected}
    kept = [
        picture
        for picture in pictures
        if not picture.found or (picture.name not in masks and real_path(Path(picture.name)) not in own)
    ]
    if len(kept) < len(pictures):
        left_out = len(pictures) - len(kept)
        _log.warning("%d of %d pictures are left out: they are masks of others", left_out, len(pictures))
    if not kept:
        raise InputError("the folder holds no pictures but masks, and what else is named")
    return kept


def plan_pictures(
    pictures: list[PictureInput],
    output: str | None,
    *,
    suffix: str,
    transparent: bool,
    protected: Sequence[Path],
    force: bool,
    resume: bool,
) -> tuple[list[PictureInput], list[PictureJob]]:
    """The pictures that are none but masks, and where the results go that are wanted and not there yet."""
    pictures = _without_masks(pictures, protected)
    piped = output is None and len(pictures) == 1 and isinstance(pictures[0].place, bytes)
    if output == str(STANDARD_OUTPUT) or piped:
        if len(pictures) > 1:
            raise InputError(f"standard output takes one picture, not {len(pictures)}; name a folder with -o")
        return pictures, [PictureJob(pictures[0], STANDARD_OUTPUT)]
    jobs = plan_outputs(
        pictures,
        output,
        name_suffix=suffix,
        protected=protected,
        force=force,
        resume=resume,
        transparent=transparent,
    )
    return pictures, jobs


def _write(job: PictureJob, result: Picture, options: PictureVerbOptions) -> None:
    if _is_standard_output(job):
        write_bytes(result.encode(PNG, name=job.picture.name))
    else:
        with job.writing() as here:
            result.save(here.target, quality=options.quality, force=options.force)


def _is_standard_output(job: PictureJob) -> bool:
    return job.target == STANDARD_OUTPUT
