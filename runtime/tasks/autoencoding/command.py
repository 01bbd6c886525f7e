"""The verbs ``edgevision run reconstruct`` and ``encode``."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import OUTPUT_PANEL
from edgevision.core.atomic_files import check_writable
from edgevision.core.errors import InputError, OutputError
from edgevision.runtime.files.batch import ABOUT_ONE_FILE, failure_message
from edgevision.runtime.files.inputs import expand_inputs
from edgevision.runtime.files.outputs import PictureJob, plan_outputs
from edgevision.runtime.model_options import model_option
from edgevision.runtime.remote.on_boards import on_boards
from edgevision.runtime.tasks.autoencoding.result import save_array
from edgevision.runtime.tasks.autoencoding.task import ENCODE, RECONSTRUCT
from edgevision.runtime.tasks.run_options import RunOptions, announce, open_pipeline, report_written
from edgevision.runtime.tasks.written_results import write_each


@dataclass(frozen=True, kw_only=True)
class _Options(RunOptions):
    """What every such verb takes, where no model ships."""

    model: Annotated[
        Path | None,
        model_option(
            "Model file (.onnx, .xml, .tflite, .param, .rknn) of an autoencoder; none ships: edgevision train vae makes"
            " one to export."
        ),
    ] = None


@on_boards("run reconstruct", "edgevision.runtime.tasks.autoencoding.board_files:reconstruct_files")
@option_groups
def reconstruct(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="Files, folders, globs, or - for stdin.")],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="File, or folder that mirrors the inputs.",
            show_default="beside the picture, in its own format",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = None,
    *,
    options: _Options,
) -> None:
    """Squeeze pictures through the code of an autoencoder, at the size that it was trained for.

    Examples:
        edgevision run reconstruct photos/ --model vae.onnx -o seen/
    """
    pictures = expand_inputs(inputs)
    jobs = plan_outputs(pictures, output, name_suffix="reconstructed", force=options.force)
    with _autoencoder(RECONSTRUCT.name, options) as restore:

        def reconstruct_one(job: PictureJob) -> None:
            restore(job.picture.source).save(job.target, force=options.force)

        write_each(restore, jobs, reconstruct_one, options)


@on_boards("run encode", "edgevision.runtime.tasks.autoencoding.board_files:encode_files")
@option_groups
def encode(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="Files, folders, globs, or - for stdin.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="NumPy file (.npy) of all codes, float32 (N, size).", rich_help_panel=OUTPUT_PANEL
        ),
    ],
    *,
    options: _Options,
) -> None:
    """Write the codes that an autoencoder's encoder gives for pictures, in their order.

    Examples:
        edgevision run encode photos/ --model encoder.onnx -o codes.npy
    """
    pictures = expand_inputs(inputs)
    check_codes(output, force=options.force)
    started = time.monotonic()
    with _autoencoder(ENCODE.name, options) as encoder:
        announce(encoder, options)
        # All or none: a row that is missing would shift the others.
        codes = [_encoded(encoder, picture.name, picture.source) for picture in pictures]
        save_array(np.stack(codes), output, force=options.force)
        report_written(encoder, [output], time.monotonic() - started, options, count=len(codes))


def _encoded(encoder: Any, name: str, source: Any) -> Any:
    try:
        return encoder(source)
    except ABOUT_ONE_FILE as error:
        raise InputError(failure_message(name, error)) from error


def _autoencoder(task: str, options: _Options) -> Any:
    if options.model is None:
        raise InputError(f"no model ships for {task}; train one with edgevision train vae, export it, name it: --model")
    return open_pipeline(task, options)


def check_codes(target: Path, *, force: bool) -> None:
    """Refuse a file of codes that could not be written, before anything is encoded."""
    if target.suffix != ".npy":
        raise OutputError(f"codes are written as .npy, not {target.name!r}")
    check_writable(target, force=force)
