"""The verb ``edgevision diff``."""

from pathlib import Path
from typing import Annotated

import typer

from edgevision.cli.options import OUTPUT_PANEL, ForceOption, JsonOption, SeedOption
from edgevision.cli.output import echo, print_json
from edgevision.cli.values import parse_shape
from edgevision.core.atomic_files import check_writable
from edgevision.core.errors import InputError
from edgevision.core.extras import requires_extra
from edgevision.runtime.model_options import ModelsArgument


def diff(
    models: ModelsArgument,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder or zip of pictures, or an .npz with an array for each input.", show_default="seeded samples"
        ),
    ] = None,
    input_shape: Annotated[
        str | None, typer.Option(help="Size of the seeded samples, as 1x3x64x64, for a model that takes any.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, max=1000, help="How many inputs to compare on.")] = 8,
    seed: SeedOption = 0,
    html: Annotated[
        Path | None, typer.Option(help="A page with the graph and every layer.", rich_help_panel=OUTPUT_PANEL)
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Where two forms of one model part, layer by layer, and which layers it comes from.

    The first is taken for the right one, as the float model that the second was quantised from, or the file before it
    was cleaned. What a layer adds by itself is what it does wrong when it is given the first model's values. SQNR is
    the signal over the noise: 60 dB are rounding of float32, 40 dB usual for int8, under 20 dB little is left.

    Examples:
        edgevision diff float.onnx int8.onnx
        edgevision diff float.onnx int8.onnx --data photos/ --html diff.html
    """
    if len(models) != 2:
        raise InputError(f"two models are compared, not {len(models)}: edgevision diff float.onnx int8.onnx")
    if html is not None:
        check_writable(html, force=force)
    with requires_extra("export"):
        from edgevision.exporters.comparison.diff import diff as run_diff
        from edgevision.exporters.comparison.diff_page import write_page
        from edgevision.exporters.comparison.diff_text import diff_table
    found = run_diff(
        *models,
        data=data,
        input_shape=parse_shape(input_shape) if input_shape else None,
        samples=samples,
        seed=seed,
        histograms=html is not None,
    )
    if html is not None:
        write_page(html, found, force=force)
    if as_json:
        print_json(found.report.to_dict())
    else:
        echo(diff_table(found.report))
