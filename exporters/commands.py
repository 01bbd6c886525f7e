"""The verbs ``edgevision export`` and ``edgevision verify``."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import OUTPUT_PANEL, DeviceOption, JsonOption, QuietOption, SeedOption
from edgevision.cli.output import echo, print_json
from edgevision.cli.values import parse_shape
from edgevision.core.atomic_files import check_writable
from edgevision.core.errors import CheckpointError, InputError
from edgevision.core.extras import requires_extra
from edgevision.core.machine import usable_cores
from edgevision.core.printable import one_line, shown
from edgevision.core.program_time import command_start
from edgevision.core.progress import StageProgress
from edgevision.exporters.command_options import (
    CheckpointOptions,
    ComparisonOptions,
    DamageOptions,
    DataOption,
    DescriptionOptions,
    OutputOptions,
)
from edgevision.exporters.quantization.options import QuantizationOptions
from edgevision.modelfiles.model_file import report_path, require_metadata
from edgevision.modelfiles.model_references import is_reference, library_reference
from edgevision.runtime.model_options import ModelArgument
from edgevision.runtime.tasks.cluster_options import RayOptions

if TYPE_CHECKING:
    from edgevision.exporters.parity import ParityReport
    from edgevision.exporters.report import ExportReport


@option_groups
def export(
    checkpoint: Annotated[
        Path, typer.Argument(help="Made by edgevision train, or anyone's with --arch; or its address.")
    ],
    part: Annotated[
        Literal["both", "encoder", "decoder", "features", "stream"],
        typer.Option(
            help="Encoder or decoder of an autoencoder; features: a classifier that shows them, too; stream: a network"
            " over frames that takes one at a time.",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = "both",
    data: DataOption = None,
    seed: SeedOption = 0,
    *,
    output: OutputOptions,
    quantization: QuantizationOptions,
    reading: CheckpointOptions,
    description: DescriptionOptions,
    damage: DamageOptions,
    workers: RayOptions,
) -> None:
    """Turn a PyTorch checkpoint or an ONNX model into one self-describing file, and prove that it computes the same.

    With --int8 it is quantised as far as that makes it faster on the target and keeps its quality, both measured; where
    int8 does not pay the fastest float form is written. NAME.report.json beside the model says how it was made and what
    was measured.

    Examples:
        edgevision export classifier.pt -o classifier.onnx
        edgevision export classifier.pt --format openvino --fp16
        edgevision export denoise.pt --int8 --calibration photos/ --max-drop 0.05 --html verdict.html
        edgevision export denoise.pt --int8 --calibration photos/ --ray local --threads 1
        edgevision export denoise.onnx --retime
        edgevision export resnet20.th --arch edgevision.models:resnet20 --input-shape 1x3x32x32 --task classify
    """
    start = command_start()
    if output.int8 and output.fp16:
        raise InputError("--int8 and --fp16 exclude each other")
    if output.html is not None:
        if not output.int8:
            raise InputError("--html shows what --int8 tried: give both")
        check_writable(output.html, force=output.force)
    if quantization.judge_by is not None and not output.int8:
        raise InputError("--judge-by says what --int8 is judged by: give both")
    workers.check_ray()
    if workers.ray is not None and (not output.int8 or output.retime):
        raise InputError("--ray is where candidates of --int8 are judged: give both, and leave out --retime")
    fields = description.fields()
    # What can be told at once is not said after the seconds that importing PyTorch takes.
    elsewhere = is_reference(checkpoint) or library_reference(checkpoint) is not None
    if not elsewhere and not checkpoint.exists():
        kind = "model" if checkpoint.suffix == ".onnx" else "checkpoint"
        raise CheckpointError(f"the {kind} {str(checkpoint)!r} does not exist")
    if not output.retime and (output.output is not None or not elsewhere):
        output.check_files(checkpoint, keep_candidates=quantization.keep_candidates)
    if output.retime:
        _retime(checkpoint, output)
        return
    # A worker judges with as many threads as this process would.
    with workers.joined("cpu", quantization.threads or usable_cores()) as ray:
        with requires_extra("export"):
            from edgevision.exporters.export import export as run_export
            from edgevision.exporters.quantization.settings import QuantizationSettings
            from edgevision.runtime.tasks.evaluation import EvaluationOptions
        output.show_progress(f"exporting {one_line(checkpoint.name)}")
        with StageProgress(quiet=output.quiet or output.as_json) as progress:
            report = run_export(
                checkpoint,
                output.output,
                format=output.model_format,
                precision=output.precision,
                part=part,
                input_shape=description.shape(),
                static=output.static_shape(),
                metadata=fields,
                data=data,
                force=output.force,
                int8=QuantizationSettings(
                    **vars(quantization),
                    data=data,
                    evaluation=EvaluationOptions(**vars(damage), judge=quantization.judge, seed=seed),
                    seed=seed,
                    ray=ray,
                ),
                show=progress,
                # What is started and imported for it takes seconds, which --budget holds, too.
                spent=time.monotonic() - start,
                seed=seed,
                html=output.html,
                **reading.arguments(),
            )
    beside = Path() if elsewhere else checkpoint.parent
    path = (beside if output.output is None else output.output.parent) / report.model
    if output.as_json:
        print_json(report.to_dict())
    else:
        echo(_export_table(shown(report), path, report_path(path)))
        if report.quantization is not None:
            from edgevision.exporters.quantization.table import verdict_table

            echo(verdict_table(report.quantization))


@option_groups
def verify(
    model: ModelArgument,
    device: DeviceOption = "cpu",
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    *,
    comparison: ComparisonOptions,
    reading: CheckpointOptions,
    damage: DamageOptions,
) -> None:
    """Check that a model computes what its origin does; with --data, compare their accuracy or quality too.

    Then other settings of its input are tried as well (colours, range, mean and std, resizing), and one that is wrong
    is named; it ends with 1. A folder that edgevision web wrote is opened in a Chromium without a window, and compared
    with what was computed where it was made.

    Examples:
        edgevision verify classifier.onnx --against classifier.pt --data photos.zip
        edgevision verify pages/site
    """
    if model.is_dir():
        _verify_site(model, as_json=as_json)
        return
    if comparison.against is None:
        raise InputError(f"--against names the checkpoint or ONNX model that {model.name!r} was made from")
    with requires_extra("export"):
        from edgevision.exporters.verify import verify as run_verify
        from edgevision.runtime.tasks.evaluation import EvaluationOptions
    report = run_verify(
        model,
        comparison.against,
        input_shape=parse_shape(comparison.input_shape) if comparison.input_shape else None,
        data=comparison.data,
        evaluation=EvaluationOptions(**vars(damage), seed=seed),
        device=device,
        samples=comparison.samples,
        seed=seed,
        quiet=quiet or as_json,
        **reading.arguments(),
    )
    if as_json:
        print_json(report.to_dict())
    else:
        report = shown(report)
        echo(f"{report.model} against {report.checkpoint}")
        for note in report.notes:
            echo(f"note: {note}")
        echo(_parity_table(report.parity))
        for who, quality in (("checkpoint", report.checkpoint_quality), ("model", report.model_quality)):
            if quality is not None:
                echo(f"{who:<10}  {quality.headline()}  ({quality.images} pictures)")
        if report.settings is not None:
            echo(f"settings    {report.settings.finding()}")
    report.parity.check(require_metadata(model).precision)
    if report.settings is not None:
        report.settings.check(report.model)


def _verify_site(site: Path, *, as_json: bool) -> None:
    """Prove a folder that ``edgevision web`` wrote."""
    from edgevision.runtime.web.verification import proof_text, verify_site

    proof = verify_site(site)
    if as_json:
        print_json(proof.to_dict())
    else:
        echo(proof_text(proof))
    proof.check()


def _retime(model: Path, output: OutputOptions) -> None:
    """Time the candidates of ``model`` again."""
    if output.int8 or output.fp16 or output.output is not None or output.html is not None:
        raise InputError("--retime writes the model that it is given: leave --int8, --fp16, --output and --html out")
    with requires_extra("export"):
        from edgevision.exporters.quantization.table import verdict_table
        from edgevision.exporters.retime import retime
    output.show_progress(f"timing the candidates of {one_line(model.name)} again")
    report = retime(model)
    assert report.quantization is not None
    if output.as_json:
        print_json(report.to_dict())
    else:
        echo(verdict_table(report.quantization))


def _export_table(report: "ExportReport", path: Path, report_file: Path) -> str:
    lines = [
        f"{one_line(path)}  {report.format}, {report.precision}, {(report.size_bytes or 0) / 1e6:.2f} MB,"
        f" {report.seconds:.0f} s",
        *(f"note: {note}" for note in report.notes),
        f"dynamic axes: {', '.join(report.dynamic) or 'none'}",
        _parity_table(report.parity),
        f"report: {one_line(report_file)}",
    ]
    return "\n".join(lines)


def _parity_table(parity: "ParityReport") -> str:
    lines = [f"compared with {parity.reference} on {parity.samples} inputs ({parity.source}), {parity.actual}:"]
    for output in parity.outputs:
        sqnr = "exact" if output.sqnr_db is None else f"SQNR {output.sqnr_db:.1f} dB"
        lines.append(
            f"  {output.name}: {sqnr}, largest error {output.max_abs_error:.2g}"
            f" ({100 * output.relative_error:.2g} % of the range)"
        )
    if parity.agreement is not None:
        lines.append(f"  same answer for {parity.agreement:.2f} % of them")
    if any(output.sqnr_db is not None for output in parity.outputs):
        lines.append("  (SQNR: signal over error; 20 dB is an error of a tenth, 40 of a hundredth)")
    return "\n".join(lines)
