"""The verbs ``edgevision run inpaint``, ``denoise``, ``upscale`` and ``brighten``."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import numpy as np
import typer

from edgevision.cli.numbers import positive_number
from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import DEVICE_PANEL, OUTPUT_PANEL
from edgevision.cli.output import echo, end_with_failures, print_json
from edgevision.cli.values import parse_size
from edgevision.core.errors import InputError, OutputError
from edgevision.core.printable import one_line, shortened
from edgevision.core.progress import track
from edgevision.imaging.pictures import Picture
from edgevision.runtime.engine_facts import engine_facts
from edgevision.runtime.files.batch import failure_message, overlapped
from edgevision.runtime.files.inputs import PictureInput, expand_inputs
from edgevision.runtime.files.outputs import PictureJob, make_folders, plan_outputs
from edgevision.runtime.load import load
from edgevision.runtime.remote.on_boards import on_boards
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.streams.frame import Frame
from edgevision.runtime.tasks.restoration.curves import SteadyCurves
from edgevision.runtime.tasks.restoration.masks import mask_from_alpha, match_masks, read_mask, split_off_mask
from edgevision.runtime.tasks.restoration.side_by_side import side_by_side
from edgevision.runtime.tasks.restoration.spec import HoleFill, RestorationKind
from edgevision.runtime.tasks.run_options import announce
from edgevision.runtime.tasks.stream_options import StreamOptions, asks_for_stream

_LARGE_PICTURES_PANEL = "Large pictures"
_MASK_PANEL = "Mask"
_HOLES_PANEL = "Large holes"

_LARGEST_TILE = 2**16

InputsArgument = Annotated[list[str], typer.Argument(metavar="INPUT", help="Files, folders, globs, or - for stdin.")]
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
CompareOption = Annotated[
    Path | None,
    typer.Option(
        help="Also write before (mask) and after side by side; a folder for several.", rich_help_panel=OUTPUT_PANEL
    ),
]
StrengthOption = Annotated[
    float,
    typer.Option(min=0, max=1, help="From 0, the picture as it is, to 1.", rich_help_panel=OUTPUT_PANEL),
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Skip pictures whose result exists.", rich_help_panel=OUTPUT_PANEL)
]


@dataclass(frozen=True, kw_only=True)
class _Options(StreamOptions):
    """What all four verbs take, beside their own."""

    output: OutputOption = None
    tile: TileOption = "auto"
    memory: MemoryOption = "256MB"
    quality: QualityOption = 95
    compare: CompareOption = None
    resume: ResumeOption = False


@on_boards("run inpaint", "edgevision.runtime.tasks.restoration.board_files:inpaint_files")
@option_groups
def inpaint(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT... MASK", help="Pictures, and last the mask (white is filled) or a folder of masks."
        ),
    ],
    invert_mask: Annotated[
        bool, typer.Option("--invert-mask", help="Fill what is black in the mask.", rich_help_panel=_MASK_PANEL)
    ] = False,
    from_alpha: Annotated[
        bool,
        typer.Option(
            "--mask-from-alpha",
            help="Fill what is transparent; no MASK is given then.",
            rich_help_panel=_MASK_PANEL,
        ),
    ] = False,
    fill: Annotated[
        HoleFill,
        typer.Option(
            help="Holes of more than some 60 pixels: texture copied from around them, smooth colours, or auto, which"
            " is texture where copies fit.",
            rich_help_panel=_HOLES_PANEL,
        ),
    ] = HoleFill.AUTO,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Of texture: another draws another.", rich_help_panel=_HOLES_PANEL)
    ] = 0,
    *,
    options: _Options,
) -> None:
    """Fill what a mask marks from its surroundings; every other pixel stays as it is.

    Objects that a large hole cuts are not completed: texture repeats what is around it, and smooth fills are fog.

    Examples:
        edgevision run inpaint photo.jpg mask.png
        edgevision run inpaint photos/ masks/ -o whole/ --resume
    """
    pictures, masks_path = split_off_mask(inputs, from_alpha=from_alpha)
    find = match_masks(masks_path) if masks_path is not None else None
    masks = [] if masks_path in (None, "-") else [mask.source for mask in expand_inputs([str(masks_path)])]

    def read_own_mask(picture: PictureInput, content: Picture) -> np.ndarray:
        mask = mask_from_alpha(content) if find is None else read_mask(find(picture), content.height, content.width)
        return ~mask if invert_mask else mask

    _run(
        RestorationKind.INPAINT,
        pictures,
        options,
        name_suffix="inpainted",
        read_own_mask=read_own_mask,
        how={"opaque": from_alpha, "fill": fill, "seed": seed},
        protected=[path for path in masks if isinstance(path, Path)],
    )


@on_boards("run denoise", "edgevision.runtime.tasks.restoration.board_files:denoise_files")
@option_groups
def denoise(
    inputs: InputsArgument,
    strength: StrengthOption = 1,
    *,
    options: _Options,
) -> None:
    """Remove noise of any strength from gray and colour pictures: of cameras, JPEG files and impulses.

    Fine texture under heavy noise becomes smooth; --strength keeps some of both. Of noise that is white,
    --model denoise_white leaves less.

    Examples:
        edgevision run denoise photo.jpg
        edgevision run denoise photos/ -o clean/ --quality 90 --resume
    """
    _run(RestorationKind.DENOISE, inputs, options, name_suffix="denoised", how={"strength": strength})


@on_boards("run upscale", "edgevision.runtime.tasks.restoration.board_files:upscale_files")
@option_groups
def upscale(
    inputs: InputsArgument,
    scale: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=4,
            help="2 or 4, of the models that ship; a --model has its own.",
            show_default="2",
            rich_help_panel=DEVICE_PANEL,
        ),
    ] = None,
    *,
    options: _Options,
) -> None:
    """Enlarge pictures two or four times, with finer detail than interpolation gives.

    Noise and the blocks of JPEG files are enlarged with the rest: denoise first.

    Examples:
        edgevision run upscale photo.jpg --scale 4 -o large.png --compare before-after.png
    """
    if options.model is not None and scale is not None:
        raise InputError("--scale chooses among the models that ship; a --model has its own scale")
    shipped = options.model is None
    options = replace(options, model=options.model or shipped_model(RestorationKind.UPSCALE, scale))
    _run(RestorationKind.UPSCALE, inputs, options, name_suffix=f"x{scale or 2}" if shipped else "upscaled")


@on_boards("run brighten", "edgevision.runtime.tasks.restoration.board_files:brighten_files")
@option_groups
def brighten(
    inputs: InputsArgument,
    strength: StrengthOption = 1,
    smooth: Annotated[
        float,
        typer.Option(
            min=0,
            max=0.99,
            help="Of videos: the share of the frames before, against flicker.",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = 0.8,
    always: Annotated[
        bool,
        typer.Option(
            "--always",
            help="Also pictures that the model takes for well exposed, as dark ones with lamps in them.",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = False,
    *,
    options: _Options,
) -> None:
    """Light up dark pictures.

    The model that ships leaves alone what is exposed well, and some of what is dark around bright lights, unless
    --always says that it is dark.

    Examples:
        edgevision run brighten photos/ -o bright/ --device auto
        edgevision run brighten night.jpg --always --strength 0.7
    """
    how = {"strength": strength, "always": always}
    _run(RestorationKind.BRIGHTEN, inputs, options, name_suffix="brightened", how=how, smooth=smooth)


def _run(
    task: str,
    inputs: list[str],
    options: _Options,
    *,
    name_suffix: str,
    read_own_mask: Callable[[PictureInput, Picture], np.ndarray] | None = None,
    how: Mapping[str, Any] = MappingProxyType({}),
    protected: Sequence[Path] = (),
    smooth: float = 0,
) -> None:
    limits = {"tile": parse_tile(options.tile), "memory": parse_size(options.memory, "--memory")}
    if asks_for_stream(inputs, options.output, options):
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
    pictures = expand_inputs(inputs)
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
    with load(
        options.model or shipped_model(task),
        options.device,
        threads=options.threads,
        allow_fallback=options.allow_fallback,
        task=task,
        **limits,
    ) as restore:
        make_folders(planned)

        def read(job: PictureJob) -> tuple[PictureJob, Picture, Any]:
            picture = Picture.read(job.picture.source)
            return job, picture, read_own_mask(job.picture, picture) if read_own_mask else None

        def process(content: tuple[PictureJob, Picture, Any]) -> tuple[Picture, Picture | None, Any]:
            job, picture, mask = content
            masked = {} if mask is None else {"mask": mask}
            result: Picture = restore(picture, **masked, **how, in_place=job.compare is None)
            return result, *((picture, mask) if job.compare is not None else (None, None))

        def write(job: PictureJob, content: tuple[Picture, Picture | None, Any]) -> None:
            result, before, mask = content
            if job.compare is not None and before is not None:
                side_by_side(before, result, mask).save(job.compare, force=options.force or options.resume)
            try:
                result.save(job.target, quality=options.quality, force=options.force)
            except OutputError:
                # Another process that resumes the same work may have been faster.
                if not (options.resume and job.target.exists()):
                    raise

        announce(restore, options)
        results = overlapped(planned, read, process, write, at_once=restore.at_once)
        for job, error in track(results, len(planned), f"{task}", quiet=options.quiet or options.as_json):
            if error is not None:
                failures.append((job.picture.name, failure_message(job.picture.name, error)))
                continue
            done.append((job.picture.name, str(job.target)))
            if not options.as_json:
                echo(one_line(job.target))
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


def _run_on_streams(
    task: str,
    inputs: list[str],
    options: _Options,
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
    steady = [SteadyCurves(smooth) for _ in inputs]

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
