"""The verb ``edgevision bench``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import (
    DEVICES,
    OUTPUT_PANEL,
    THREADS,
    FallbackOption,
    ForceOption,
    JsonOption,
    QuietOption,
    SeedOption,
)
from edgevision.cli.output import echo, print_json
from edgevision.cli.values import parse_shape, parse_share
from edgevision.core.atomic_files import check_all_writable
from edgevision.core.errors import InputError
from edgevision.runtime.benchmark.settings import Settings
from edgevision.runtime.model_options import ModelsArgument
from edgevision.runtime.remote.on_boards import on_boards

_MEASUREMENT_PANEL = "Measurement"


@dataclass(frozen=True, kw_only=True)
class _Measurement:
    panel: ClassVar[str] = _MEASUREMENT_PANEL

    shape: Annotated[str | None, typer.Option(help="Full input shape to load the model for, e.g. 1x3x224x224.")] = None
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=86400,
            help="How long to measure each.",
            show_default="5; --stream: 30; --precision: 60 at most",
        ),
    ] = None
    runs: Annotated[
        int, typer.Option(min=1, max=10_000_000, help="How many inferences of each at least, without --precision.")
    ] = 100
    precision: Annotated[
        str | None, typer.Option(help="End when each median's 95 % interval is narrower than this, e.g. 2%.")
    ] = None
    warmup: Annotated[
        float, typer.Option(min=0, max=86400, help="Seconds at most until the steady state, before measuring.")
    ] = 3.0
    streams: Annotated[int | None, typer.Option(min=1, max=1024, help="Also the throughput of so many at once.")] = None
    end_to_end: Annotated[bool, typer.Option("--end-to-end", help="Also from the picture to the answer.")] = False
    picture: Annotated[
        list[Path] | None, typer.Option(help="A picture for --end-to-end.", show_default="a synthetic one")
    ] = None
    profile: Annotated[bool, typer.Option("--profile", help="Also the time of each operator.")] = False
    stream: Annotated[
        str | None, typer.Option(help="Measure from the arrival of a video's or camera's frames to the answers.")
    ] = None
    encode: Annotated[
        bool, typer.Option("--encode/--no-encode", help="With --stream, draw and encode the answers, as run -o does.")
    ] = True
    seed: SeedOption = 0


@dataclass(frozen=True, kw_only=True)
class _Output:
    panel: ClassVar[str] = OUTPUT_PANEL

    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the report here (.json).")] = None
    csv: Annotated[Path | None, typer.Option(help="Write every sample here.")] = None
    html: Annotated[Path | None, typer.Option(help="Write a page with plots here.")] = None
    strict: Annotated[bool, typer.Option("--strict", help="Fail when the board's state makes it doubtful.")] = False
    force: ForceOption = False
    as_json: JsonOption = False
    quiet: QuietOption = False


@on_boards(
    "bench",
    "edgevision.runtime.commands.bench_on_boards:bench_files",
    dispatch="edgevision.runtime.commands.bench_on_boards:bench_on_boards",
)
@option_groups
def bench(
    models: ModelsArgument,
    device: Annotated[list[str] | None, DEVICES] = None,
    allow_fallback: FallbackOption = False,
    threads: Annotated[list[int] | None, THREADS] = None,
    batch: Annotated[
        list[int],
        typer.Option("--batch", min=1, max=4096, help="Pictures an inference.", rich_help_panel=_MEASUREMENT_PANEL),
    ] = [1],  # noqa: B006
    *,
    measurement: _Measurement,
    files: _Output,
) -> None:
    """Measure models, here or --on boards: inference alone, every sample kept, the board's state beside it.

    --device, --threads and --batch may be repeated: all combinations are interleaved in one run. Without --device the
    engines that are installed are measured beside each other on the CPU.

    Examples:
        edgevision bench classify --seconds 1
        edgevision bench fp32.onnx int8.onnx --threads 1 --threads 4 --precision 2%
        edgevision bench model.onnx --on pi@raspberrypi.local --html report.html
        edgevision bench detector.onnx --stream rtsp://door --seconds 300 --html camera.html
    """
    check_all_writable([path for path in (files.output, files.csv, files.html) if path is not None], force=files.force)
    seconds = 5.0 if measurement.precision is None else 60.0
    if measurement.stream is not None:
        seconds = 30.0
    settings = Settings(
        devices=tuple(device or ()),
        allow_fallback=allow_fallback,
        threads=tuple(threads or ()),
        batches=tuple(batch),
        shape=None if measurement.shape is None else parse_shape(measurement.shape),
        seconds=seconds if measurement.seconds is None else measurement.seconds,
        runs=measurement.runs,
        warmup=measurement.warmup,
        precision=None if measurement.precision is None else parse_share(measurement.precision, "--precision"),
        streams=measurement.streams,
        end_to_end=measurement.end_to_end or bool(measurement.picture),
        profile=measurement.profile,
        seed=measurement.seed,
    )
    settings.check()
    if measurement.stream is not None:
        _bench_stream(models, settings, measurement.stream, files, encode=measurement.encode)
        return
    if not measurement.encode:
        raise InputError("--no-encode is about the frames of a --stream, and none is given")
    from edgevision.runtime.benchmark.measurement import measure
    from edgevision.runtime.benchmark.report_files import refuse_unreliable, write_files

    report = measure(models, settings, measurement.picture or ())
    # First, as what reads the terminal's text may have gone away.
    write_files(report, output=files.output, csv=files.csv, html=files.html, force=files.force)
    if files.as_json:
        print_json(report.to_dict())
    else:
        from edgevision.runtime.benchmark.table import report_text

        echo(report_text(report))
    if files.strict:
        refuse_unreliable(report)


def _bench_stream(models: Sequence[Path], settings: Settings, source: str, files: _Output, *, encode: bool) -> None:
    for what, several in (("model", models), ("--device", settings.devices), ("--threads", settings.threads)):
        if len(several) > 1:
            raise InputError(f"--stream measures with one {what}, of which {len(several)} are given: call it for each")
    for option, usual, value in (
        ("--batch", (1,), settings.batches),
        ("--shape", None, settings.shape),
        ("--precision", None, settings.precision),
        ("--streams", None, settings.streams),
        ("--end-to-end", False, settings.end_to_end),
        ("--profile", False, settings.profile),
    ):
        if value != usual:
            raise InputError(f"{option} is about inference alone; leave it out beside --stream")
    from edgevision.runtime.benchmark.report_files import refuse_unreliable, write_stream_files
    from edgevision.runtime.benchmark.stream_latency import measure_stream
    from edgevision.runtime.benchmark.stream_report import stream_text

    report = measure_stream(models[0], source, settings, encode=encode)
    write_stream_files(report, output=files.output, csv=files.csv, html=files.html, force=files.force)
    if files.as_json:
        print_json(report.to_dict())
    else:
        echo(stream_text(report))
    if files.strict:
        refuse_unreliable(report)
