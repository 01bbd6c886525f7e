"""The verbs ``edgevision run compress`` and ``decompress``."""

from typing import Annotated

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import OUTPUT_PANEL
from edgevision.cli.output import echo
from edgevision.core.printable import one_line
from edgevision.runtime.files.inputs import expand_inputs
from edgevision.runtime.files.outputs import PictureJob, plan_outputs
from edgevision.runtime.remote.on_boards import on_boards
from edgevision.runtime.tasks.compression.compressor import Compressor, check_suffix
from edgevision.runtime.tasks.compression.decompressor import Decompressor
from edgevision.runtime.tasks.compression.evc_file import SUFFIX
from edgevision.runtime.tasks.compression.spec import CodecHalf
from edgevision.runtime.tasks.run_options import RunOptions, open_pipeline
from edgevision.runtime.tasks.written_results import write_each


def compression_jobs(inputs: list[str], output: str | None, *, force: bool) -> list[PictureJob]:
    """Where the file of each picture goes."""
    pictures = expand_inputs(inputs)
    return plan_outputs(pictures, output, name_suffix="compressed", force=force, ending=SUFFIX, check_name=check_suffix)


def decompression_jobs(inputs: list[str], output: str | None, *, force: bool) -> list[PictureJob]:
    """Where the picture of each file goes."""
    files = expand_inputs(inputs, [SUFFIX])
    return plan_outputs(files, output, name_suffix="decompressed", force=force, ending=".png")


@on_boards("run compress", "edgevision.runtime.tasks.compression.board_files:compress_files")
@option_groups
def compress(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="Files, folders, globs, or - for stdin.")],
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
    *,
    options: RunOptions,
) -> None:
    """Write photographs in fewer bytes than JPEG; run decompress reads them, on any device and engine.

    Text and drawings lose more than in a PNG or WebP of the size, and even areas get a faint pattern.

    Examples:
        edgevision run compress photo.jpg -o photo.evc
        edgevision run compress photos/ -o small/ --quality 1
    """
    jobs = compression_jobs(inputs, output, force=options.force)
    with _half(CodecHalf.COMPRESS, options) as compressor:
        assert isinstance(compressor, Compressor)
        quality = compressor.chosen_quality(quality)

        def compress_one(job: PictureJob) -> None:
            compressed = compressor(job.picture.source, quality=quality)
            compressed.save(job.target, force=options.force)
            if not options.quiet:
                size, bits = len(compressed.content), compressed.bits_per_pixel
                echo(f"{one_line(job.picture.name)}: {size:,} bytes, {bits:.3f} bits a pixel", err=True)

        write_each(compressor, jobs, compress_one, options)


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
    options: RunOptions,
) -> None:
    """Read what run compress wrote.

    Examples:
        edgevision run decompress photo.evc -o photo.png
        edgevision run decompress small/ -o whole/
    """
    jobs = decompression_jobs(inputs, output, force=options.force)
    with _half(CodecHalf.DECOMPRESS, options) as decompressor:
        assert isinstance(decompressor, Decompressor)

        def decompress_one(job: PictureJob) -> None:
            decompressor(job.picture.source).save(job.target, force=options.force)

        write_each(decompressor, jobs, decompress_one, options)


def _half(task: str, options: RunOptions) -> Compressor | Decompressor:
    half: Compressor | Decompressor = open_pipeline(task, options)
    return half
