"""The verbs ``edgevision run compress`` and ``decompress``."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import OUTPUT_PANEL
from edgevision.cli.output import echo
from edgevision.core.printable import one_line
from edgevision.imaging.pictures import Picture
from edgevision.runtime.files.inputs import PictureInput, expand_inputs
from edgevision.runtime.files.outputs import PictureJob, plan_outputs
from edgevision.runtime.remote.on_boards import on_boards
from edgevision.runtime.tasks.compression.compressor import Compressor, check_suffix
from edgevision.runtime.tasks.compression.decompressor import Decompressor
from edgevision.runtime.tasks.compression.evc_file import SUFFIX
from edgevision.runtime.tasks.compression.other_half import open_other_half
from edgevision.runtime.tasks.compression.spec import CodecHalf
from edgevision.runtime.tasks.picture_options import CompareOption, InputsArgument, ResumeOption
from edgevision.runtime.tasks.run_options import RunOptions, open_pipeline
from edgevision.runtime.tasks.side_by_side import side_by_side
from edgevision.runtime.tasks.written_results import write_each


@dataclass(frozen=True, kw_only=True)
class CodecOptions(RunOptions):
    """What both verbs take."""

    resume: ResumeOption = False


def compression_jobs(
    inputs: list[PictureInput], output: str | None, *, compare: Path | None, force: bool, resume: bool
) -> list[PictureJob]:
    """Where the file of each picture goes."""
    return plan_outputs(
        inputs,
        output,
        name_suffix="compressed",
        compare=compare,
        force=force,
        resume=resume,
        ending=SUFFIX,
        check_name=check_suffix,
    )


def decompression_jobs(
    inputs: list[PictureInput], output: str | None, *, force: bool, resume: bool
) -> list[PictureJob]:
    """Where the picture of each file goes."""
    return plan_outputs(inputs, output, name_suffix="decompressed", force=force, resume=resume, ending=".png")


@on_boards("run compress", "edgevision.runtime.tasks.compression.board_files:compress_files")
@option_groups
def compress(
    inputs: InputsArgument,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="File (.evc), or folder that mirrors the inputs.",
            show_default="beside the picture, as NAME-compressed.evc",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=255,
            help="From 1, the smallest files; the codec that ships has 3.",
            show_default="the middle one",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = None,
    compare: CompareOption = None,
    judge: Annotated[
        Path | None,
        typer.Option(
            help="The half that decompresses, for --compare.",
            show_default="the one that ships",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = None,
    *,
    options: CodecOptions,
) -> None:
    """Write photographs in fewer bytes than JPEG; run decompress reads them, on any device and engine.

    Text and drawings lose more than in a PNG or WebP of the size, and even areas get a faint pattern.

    Examples:
        edgevision run compress photo.jpg -o photo.evc --compare before-after.png
        edgevision run compress photos/ -o small/ --quality 1 --resume
    """
    pictures = expand_inputs(inputs)
    jobs = compression_jobs(pictures, output, compare=compare, force=options.force, resume=options.resume)
    with _half(CodecHalf.COMPRESS, options) as compressor, ExitStack() as opened:
        assert isinstance(compressor, Compressor)
        quality = compressor.chosen_quality(quality)
        decompressor: Decompressor | None = None
        if compare is not None:
            decompressor = opened.enter_context(open_other_half(compressor, judge, options.threads))

        def compress_one(job: PictureJob) -> None:
            picture = Picture.read(job.picture.source)
            compressed = compressor(picture, quality=quality)
            if decompressor is not None and job.compare is not None:
                compared = side_by_side(picture, decompressor(compressed))
                compared.save(job.compare, force=options.force or options.resume)
            compressed.save(job.target, force=options.force)
            if not options.quiet:
                size, bits = len(compressed.content), compressed.bits_per_pixel
                echo(f"{one_line(job.picture.name)}: {size:,} bytes, {bits:.3f} bits a pixel", err=True)

        write_each(compressor, jobs, compress_one, options, skipped=len(pictures) - len(jobs))


@on_boards("run decompress", "edgevision.runtime.tasks.compression.board_files:decompress_files")
@option_groups
def decompress(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="Files (.evc), folders, globs, or - for stdin.")],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="File whose ending sets the format, or folder that mirrors the inputs.",
            show_default="beside the file, as NAME-decompressed.png",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = None,
    *,
    options: CodecOptions,
) -> None:
    """Read what run compress wrote, with the same model as it.

    What compressing lost does not come back: even areas have a faint pattern, fine texture and small letters are gone.

    Examples:
        edgevision run decompress photo.evc -o photo.png
        edgevision run decompress small/ -o whole/ --resume
    """
    files = expand_inputs(inputs, [SUFFIX])
    jobs = decompression_jobs(files, output, force=options.force, resume=options.resume)
    with _half(CodecHalf.DECOMPRESS, options) as decompressor:
        assert isinstance(decompressor, Decompressor)

        def decompress_one(job: PictureJob) -> None:
            decompressor(job.picture.source).save(job.target, force=options.force)

        write_each(decompressor, jobs, decompress_one, options, skipped=len(files) - len(jobs))


def _half(task: str, options: RunOptions) -> Compressor | Decompressor:
    half: Compressor | Decompressor = open_pipeline(task, options)
    return half
