"""The verbs ``edgevision export`` and ``edgevision verify``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from edgevision.cli.numbers import real_number, shortened
from edgevision.cli.options import (
    DeviceOption,
    ForceOption,
    HolesOption,
    JsonOption,
    QuietOption,
    SeedOption,
    SigmaOption,
    ThreadsOption,
)
from edgevision.cli.output import echo, print_json
from edgevision.cli.values import json_object, parse_shape
from edgevision.core.atomic_files import check_writable
from edgevision.core.errors import InputError
from edgevision.core.extras import requires_extra
from edgevision.core.printable import one_line, shown
from edgevision.core.regular_files import read_text_file
from edgevision.data.hole_kinds import HoleKind
from edgevision.modelfiles.metadata import Color, Precision, Resample, Resize
from edgevision.modelfiles.model_file import require_metadata
from edgevision.modelfiles.task_registry import task_names
from edgevision.runtime.commands.model_options import ModelArgument
from edgevision.runtime.tasks.classification.spec import Activation
from edgevision.runtime.tasks.restoration.spec import Prediction

if TYPE_CHECKING:
    from edgevision.exporters.parity import ParityReport
    from edgevision.exporters.report import ExportReport

ArchOption = Annotated[
    str | None, typer.Option(help="The network of a foreign checkpoint, as package.module:callable.")
]
WeightsOption = Annotated[
    str | None,
    typer.Option("--weights", help="Where they are in a checkpoint of several, keys joined by dots: ema.module"),
]
ArchOptionsOption = Annotated[str, typer.Option("--arch-kwargs", help="Keywords for --arch, as a JSON object.")]
TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust-pickle",
        help="Let the checkpoint run code, as pickled objects and TorchScript do; only for files you made.",
    ),
]
DataOption = Annotated[
    Path | None, typer.Option(help="Folder or zip of pictures to compare on, instead of the seeded sampler.")
]


def export(
    checkpoint: Annotated[Path, typer.Argument(help="Made by edgevision train, or anyone's with --arch.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Model file; by default beside the checkpoint.")
    ] = None,
    model_format: Annotated[
        Literal["onnx", "openvino"], typer.Option("--format", help="The kind of model file.")
    ] = "onnx",
    fp16: Annotated[bool, typer.Option("--fp16", help="Half precision; inputs and outputs stay float32.")] = False,
    part: Annotated[
        Literal["both", "encoder", "decoder", "features"],
        typer.Option(help="Encoder or decoder of an autoencoder; features: a classifier that shows them, too."),
    ] = "both",
    arch: ArchOption = None,
    arch_kwargs: ArchOptionsOption = "{}",
    weights: WeightsOption = None,
    input_shape: Annotated[
        str | None, typer.Option(help="1x3x224x224 (batch, channels, height, width); foreign checkpoints need it.")
    ] = None,
    static: Annotated[
        str | None, typer.Option(help="The only shape the model is to take, as 1x3x256x256: NPUs need it fixed.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(metavar="TASK", help=f"What the model is for: {', '.join(task_names())}.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The model's name; by default the checkpoint's.")] = None,
    labels: Annotated[
        str | None, typer.Option(help="Class names in output order: a text file, one a line, or a,b,c.")
    ] = None,
    activation: Annotated[
        Activation | None, typer.Option(help="What a classifier ends in; by default found out from its scores.")
    ] = None,
    color: Annotated[Color | None, typer.Option(help="Order of the channels.")] = None,
    value_range: Annotated[
        str | None, typer.Option(help="LOW,HIGH that 0 and 255 become before mean and std; by default 0,1.")
    ] = None,
    mean: Annotated[str | None, typer.Option(help="Subtracted from each channel, as 0.485,0.456,0.406.")] = None,
    std: Annotated[str | None, typer.Option(help="Divides each channel, as 0.229,0.224,0.225.")] = None,
    resize: Annotated[Resize | None, typer.Option(help="How pictures get the network's size.")] = None,
    resample: Annotated[Resample | None, typer.Option(help="Filter of that resizing.")] = None,
    predicts: Annotated[
        Prediction | None, typer.Option(help="What a restoration network's output is; by default the image.")
    ] = None,
    output_range: Annotated[
        str | None,
        typer.Option(help="LOW,HIGH that are black and white in a restored image; by default as in the input."),
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the weights.")] = None,
    metadata: Annotated[
        str, typer.Option(help="Any other metadata fields, as a JSON object or a file that holds one.")
    ] = "{}",
    data: DataOption = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="The fastest form within the quality budget, int8 where that pays.")
    ] = False,
    calibration: Annotated[
        Path | None,
        typer.Option(help="With --int8: real pictures (folder, zip) or inputs (.npz); generators need none."),
    ] = None,
    target: Annotated[
        str, typer.Option(help="With --int8: the device, as auto (this CPU), x86-avx2, pi5, orin-nano, qualcomm-htp.")
    ] = "auto",
    preset: Annotated[
        Literal["quick", "default", "thorough"], typer.Option(help="With --int8: how long to search.")
    ] = "default",
    prefer: Annotated[
        Literal["speed", "size", "int8"],
        typer.Option(help="With --int8: what to write where int8 does not pay in time."),
    ] = "speed",
    max_drop: Annotated[
        float | None,
        typer.Option(help="With --int8: largest loss, by default 0.3 points, 0.1 dB, or what leaves 30 dB of SQNR."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="With --int8: a page with the verdict and all candidates.")] = None,
    sigma: SigmaOption = 25.0,
    holes: HolesOption = HoleKind.STROKES,
    threads: ThreadsOption = None,
    trust_pickle: TrustOption = False,
    seed: SeedOption = 0,
    force: ForceOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Turn a PyTorch checkpoint or an ONNX model into one self-describing file, and prove that it computes the same.

    With --int8 it is quantised as far as that makes it faster on the target and keeps its quality, both measured; where
    int8 does not pay the fastest float form is written. NAME.report.json beside the model says how it was made and what
    was measured.

    Examples:
        edgevision export classifier.pt -o classifier.onnx
        edgevision export classifier.pt --format openvino --fp16
        edgevision export denoise.pt --int8 --calibration photos/ --max-drop 0.05 --html verdict.html
        edgevision export resnet20.th --arch edgevision.models:resnet20 --input-shape 1x3x32x32 --task classify
    """
    if int8 and fp16:
        raise InputError("--int8 and --fp16 exclude each other")
    if html is not None:
        if not int8:
            raise InputError("--html shows what --int8 tried: give both")
        check_writable(html, force=force)
    with requires_extra("export"):
        from edgevision.exporters.describe import current_form

    fields = current_form(_metadata_document(metadata))
    image = {
        "color": color,
        "value_range": _numbers(value_range, "--value-range"),
        "mean": _numbers(mean, "--mean"),
        "std": _numbers(std, "--std"),
        "resize": resize,
        "resample": resample,
    }
    fields |= _given({"task": task, "name": name, "licence": licence})
    if _given(image) and isinstance(fields.get("image", {}), dict):
        fields["image"] = fields.get("image", {}) | _given(image)
    own = {
        "labels": _labels(labels),
        "activation": activation,
        "predicts": predicts,
        "output_range": _numbers(output_range, "--output-range"),
    }
    if _given(own) and isinstance(fields.get("spec", {}), dict):
        fields["spec"] = fields.get("spec", {}) | _given(own)
    with requires_extra("export"):
        from edgevision.exporters.export import export as run_export
        from edgevision.exporters.quantization.page import write_page
        from edgevision.exporters.quantization.settings import Preference, Preset, QuantizationSettings
        from edgevision.exporters.quantization.table import verdict_table
        from edgevision.exporters.report import report_path
        from edgevision.runtime.tasks.evaluation import EvaluationOptions

    def say(what: str) -> None:
        if not quiet and not as_json:
            echo(f"{what} ...", err=True)

    say(f"exporting {one_line(checkpoint.name)}")
    settings = QuantizationSettings(
        calibration=calibration,
        data=data,
        target=target,
        preset=Preset(preset),
        prefer=Preference(prefer),
        max_drop=max_drop,
        evaluation=EvaluationOptions(sigma=sigma, holes=holes, seed=seed),
        threads=threads,
        seed=seed,
    )
    report = run_export(
        checkpoint,
        output,
        format=model_format,
        precision=Precision.INT8 if int8 else Precision.FP16 if fp16 else Precision.FP32,
        part=part,
        arch=arch,
        arch_options=json_object(arch_kwargs, "--arch-kwargs"),
        weights=weights,
        input_shape=parse_shape(input_shape) if input_shape else None,
        static=parse_shape(static) if static else None,
        metadata=fields,
        data=data,
        trust_pickle=trust_pickle,
        force=force,
        int8=settings,
        say=say,
        seed=seed,
    )
    path = (output or checkpoint).parent / report.model
    if html is not None and report.quantization is not None:
        write_page(html, report.model, report.quantization, force=force)
    if as_json:
        print_json(report.to_dict())
    else:
        echo(_export_table(shown(report), path, report_path(path)))
        if report.quantization is not None:
            echo(verdict_table(report.quantization))


def verify(
    model: ModelArgument,
    against: Annotated[Path, typer.Option("--against", help="The checkpoint or ONNX model it was made from.")],
    arch: ArchOption = None,
    arch_kwargs: ArchOptionsOption = "{}",
    weights: WeightsOption = None,
    data: DataOption = None,
    input_shape: Annotated[
        str | None, typer.Option(help="Size of the seeded samples, as 1x3x64x64, for a model that takes any.")
    ] = None,
    sigma: SigmaOption = 25.0,
    holes: HolesOption = HoleKind.STROKES,
    samples: Annotated[int, typer.Option(min=1, max=100_000, help="How many inputs to compare on.")] = 256,
    device: DeviceOption = "cpu",
    trust_pickle: TrustOption = False,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Check that a model computes what its origin does; with --data, compare their accuracy or quality too.

    Examples:
        edgevision verify classifier.onnx --against classifier.pt --data photos.zip
    """
    with requires_extra("export"):
        from edgevision.exporters.verify import verify as run_verify
        from edgevision.runtime.tasks.evaluation import EvaluationOptions
    report = run_verify(
        model,
        against,
        arch=arch,
        arch_options=json_object(arch_kwargs, "--arch-kwargs"),
        weights=weights,
        input_shape=parse_shape(input_shape) if input_shape else None,
        data=data,
        evaluation=EvaluationOptions(sigma=sigma, holes=holes, seed=seed),
        device=device,
        samples=samples,
        trust_pickle=trust_pickle,
        seed=seed,
        quiet=quiet or as_json,
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
    report.parity.check(require_metadata(model).precision)


def _metadata_document(text: str) -> dict[str, Any]:
    if text.lstrip().startswith("{"):
        return json_object(text, "--metadata")
    if not _is_file(text):
        raise InputError(f"--metadata must be a JSON object or a file that holds one, not {text!r}")
    return json_object(read_text_file(Path(text), "the metadata"), "--metadata")


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if value is not None}


def _labels(text: str | None) -> list[str] | None:
    if text is None:
        return None
    if _is_file(text):
        lines = read_text_file(Path(text), "the labels").split("\n")
        labels = [line.strip() for line in lines if line.strip()]
        if not labels:
            raise InputError(f"the labels {text!r} are empty; write one a line")
        return labels
    if "," not in text:
        raise InputError(f"--labels must be a file or names joined by commas; there is no file {text!r}")
    return [label.strip() for label in text.split(",")]


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # no name of a file: too long, or with a null in it
        return False


def _numbers(text: str | None, option: str) -> list[float] | None:
    if text is None:
        return None
    try:
        return [real_number(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"{option} must be finite numbers joined by commas, not {shortened(text)}") from error


def _export_table(report: "ExportReport", path: Path, report_file: Path) -> str:
    lines = [
        f"{one_line(path)}  {report.format}, {report.precision}, {(report.size_bytes or 0) / 1e6:.2f} MB,"
        f" {report.seconds:.0f} s",
        *(f"note: {note}" for note in report.notes),
        f"free sides: {', '.join(report.dynamic) or 'none'}",
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
    return "\n".join(lines)
