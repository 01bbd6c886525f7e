"""The verb ``edgevision web``."""

from pathlib import Path
from typing import Annotated

import typer

from edgevision.cli.options import OUTPUT_PANEL, ForceOption, JsonOption, QuietOption
from edgevision.cli.output import echo, print_json
from edgevision.core.printable import one_line
from edgevision.modelfiles.licences import licences_line
from edgevision.modelfiles.model_file import read_metadata
from edgevision.runtime.model_options import models_argument


def web(
    models: Annotated[list[Path], models_argument("ONNX model files, or names of those that ship, as inpaint.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the site.", rich_help_panel=OUTPUT_PANEL)
    ] = Path("site"),
    runtime: Annotated[
        Path | None,
        typer.Option(
            help="Folder or .tgz of npm's onnxruntime-web, where there is no network.", show_default="fetched from npm"
        ),
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a folder of static files that runs models in the browser of whoever opens it, without a server's help.

    Any web server can offer the folder; pictures never leave the visitor's device, and after the first visit it works
    without a network. On the first visit the page compares what the browser computes with what was computed here.
    edgevision verify does the same in a Chromium without a window. Of an int8 model and the one that it was made from
    that one is in the page which a Chromium here computes faster.

    Examples:
        edgevision web inpaint -o site
        edgevision web classify detect -o site --force
        edgevision web detector.onnx detector.int8.onnx -o site
    """
    from edgevision.runtime.web.forms import build_fastest_site

    if not (as_json or quiet):
        for model in models:
            echo(licences_line(read_metadata(model)), err=True)
    report = build_fastest_site(models, output, runtime=runtime, force=force)
    if as_json:
        print_json(report.to_dict())
        return
    if quiet:
        return
    echo(f"{one_line(output)}: {', '.join(report.models)}; {report.files} files, {report.bytes / 1e6:.1f} MB")
    for form in report.forms:
        time = "wrong there" if form.milliseconds is None else f"{form.milliseconds:.1f} ms a sample in WebAssembly"
        echo(f"{one_line(form.model)} ({form.precision}): {time}{', shipped' if form.shipped else ''}")
    echo(f"open it: python -m http.server --directory {one_line(output)}")
    echo(f"prove it: edgevision verify {one_line(output)}")
