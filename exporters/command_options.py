"""The options of ``export`` and ``verify``, in groups, and what each group means to those who do the work."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import typer

from edgevision.cli.numbers import real_number
from edgevision.cli.options import (
    OUTPUT_PANEL,
    ForceOption,
    HolesOption,
    JsonOption,
    NoiseOption,
    QuietOption,
    SigmaOption,
)
from edgevision.cli.output import echo
from edgevision.cli.values import json_object, parse_shape
from edgevision.core.errors import InputError
from edgevision.core.extras import requires_extra
from edgevision.core.printable import shortened
from edgevision.core.regular_files import read_text_file
from edgevision.data.hole_kinds import HoleKind
from edgevision.data.noise_kinds import NoiseKind
from edgevision.exporters.output_files import check_output_files, output_file
from edgevision.modelfiles.metadata import Color, Precision, Resample, Resize
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.modelfiles.task_registry import task_names
from edgevision.runtime.tasks.classification.spec import Activation
from edgevision.runtime.tasks.restoration.spec import Prediction

_COMPARISON_PANEL = "Comparison with the original"

DataOption = Annotated[
    Path | None,
    typer.Option(
        help="Folder or zip of pictures to compare on.",
        show_default="seeded samples",
        rich_help_panel=_COMPARISON_PANEL,
    ),
]


@dataclass(frozen=True, kw_only=True)
class CheckpointOptions:
    """How a checkpoint is read."""

    panel: ClassVar[str] = "Foreign checkpoints"

    arch: Annotated[
        str | None, typer.Option(help="The network of a foreign checkpoint, as package.module:callable.")
    ] = None
    arch_kwargs: Annotated[str, typer.Option("--arch-kwargs", help="Keywords for --arch, as a JSON object.")] = "{}"
    weights: Annotated[
        str | None,
        typer.Option("--weights", help="Where they are in a checkpoint of several, keys joined by dots: ema.module"),
    ] = None
    trust_pickle: Annotated[
        bool,
        typer.Option(
            "--trust-pickle",
            help="Let the checkpoint run code, as pickled objects and TorchScript do; only for files you made.",
        ),
    ] = False

    def arguments(self) -> dict[str, Any]:
        """As :func:`read_checkpoint` takes them."""
        return {
            "arch": self.arch,
            "arch_options": json_object(self.arch_kwargs, "--arch-kwargs"),
            "weights": self.weights,
            "trust_pickle": self.trust_pickle,
        }


@dataclass(frozen=True, kw_only=True)
class ComparisonOptions:
    """What a model is compared with, and on what."""

    panel: ClassVar[str] = _COMPARISON_PANEL

    against: Annotated[
        Path | None,
        typer.Option("--against", help="The checkpoint or ONNX model it was made from.", show_default="of a site none"),
    ] = None
    data: DataOption = None
    input_shape: Annotated[
        str | None, typer.Option(help="Size of the seeded samples, as 1x3x64x64, for a model that takes any.")
    ] = None
    samples: Annotated[int, typer.Option(min=1, max=100_000, help="How many inputs to compare on.")] = 256


@dataclass(frozen=True, kw_only=True)
class DescriptionOptions:
    """What a foreign model does not say itself."""

    panel: ClassVar[str] = "What a foreign model does not say itself"

    input_shape: Annotated[
        str | None, typer.Option(help="1x3x224x224 (batch, channels, height, width); foreign checkpoints need it.")
    ] = None
    task: Annotated[
        str | None,
        typer.Option(
            metavar="TASK", autocompletion=task_names, help=f"What the model is for: {', '.join(task_names())}."
        ),
    ] = None
    name: Annotated[str | None, typer.Option(help="The model's name.", show_default="the checkpoint's")] = None
    labels: Annotated[
        str | None, typer.Option(help="Class names in output order: a text file, one a line, or a,b,c.")
    ] = None
    activation: Annotated[
        Activation | None, typer.Option(help="What a classifier ends in.", show_default="found out from its scores")
    ] = None
    head: Annotated[
        str | None,
        typer.Option(
            help="A detector's head: a layout's name, or a JSON object or a file that holds one.",
            show_default="found out from its outputs",
        ),
    ] = None
    color: Annotated[Color | None, typer.Option(help="Order of the channels.")] = None
    value_range: Annotated[
        str | None, typer.Option(help="LOW,HIGH that 0 and 255 become before mean and std.", show_default="0,1")
    ] = None
    mean: Annotated[str | None, typer.Option(help="Subtracted from each channel, as 0.485,0.456,0.406.")] = None
    std: Annotated[str | None, typer.Option(help="Divides each channel, as 0.229,0.224,0.225.")] = None
    resize: Annotated[Resize | None, typer.Option(help="How pictures get the network's size.")] = None
    resample: Annotated[Resample | None, typer.Option(help="Filter of that resizing.")] = None
    predicts: Annotated[
        Prediction | None, typer.Option(help="What a restoration network's output is.", show_default="the image")
    ] = None
    output_range: Annotated[
        str | None,
        typer.Option(help="LOW,HIGH that are black and white in a restored image.", show_default="as in the input"),
    ] = None
    licence: Annotated[str | None, typer.Option(help="Licence of the weights.")] = None
    data_licence: Annotated[str | None, typer.Option(help="Licence of the data that they were learned from.")] = None
    metadata: Annotated[
        str, typer.Option(help="Any other metadata fields, as a JSON object or a file that holds one.")
    ] = "{}"

    def shape(self) -> tuple[int, ...] | None:
        """That of the input."""
        return parse_shape(self.input_shape) if self.input_shape else None

    def fields(self) -> dict[str, Any]:
        """As in the JSON of :class:`ModelMetadata`."""
        with requires_extra("export"):
            from edgevision.exporters.sources.describe import current_form
        fields = current_form(_metadata_document(self.metadata))
        image = {
            "color": self.color,
            "value_range": _numbers(self.value_range, "--value-range"),
            "mean": _numbers(self.mean, "--mean"),
            "std": _numbers(self.std, "--std"),
            "resize": self.resize,
            "resample": self.resample,
        }
        fields |= _given({"task": self.task, "name": self.name, "licence": self.licence})
        spec = {
            "labels": _labels(self.labels),
            "activation": self.activation,
            **_head(self.head),
            "predicts": self.predicts,
            "output_range": _numbers(self.output_range, "--output-range"),
        }
        provenance = {"data_licence": self.data_licence}
        for part, options in (("image", image), ("spec", spec), ("provenance", provenance)):
            if _given(options) and isinstance(fields.get(part, {}), dict):
                fields[part] = fields.get(part, {}) | _given(options)
        return fields


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """What is written, and what is said of it."""

    panel: ClassVar[str] = OUTPUT_PANEL

    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Model file.", show_default="beside the checkpoint")
    ] = None
    model_format: Annotated[
        Literal["onnx", "openvino", "tflite", "ncnn", "rknn"], typer.Option("--format", help="The kind of model file.")
    ] = "onnx"
    fp16: Annotated[bool, typer.Option("--fp16", help="Half precision; inputs and outputs stay float32.")] = False
    int8: Annotated[
        bool, typer.Option("--int8", help="The fastest form within the quality budget, int8 where that pays.")
    ] = False
    static: Annotated[
        str | None, typer.Option(help="The only shape the model is to take, as 1x3x256x256: NPUs need it fixed.")
    ] = None
    retime: Annotated[
        bool,
        typer.Option(
            "--retime", help="Time what --keep-candidates kept of an exported model again and write the best; no more."
        ),
    ] = False
    html: Annotated[
        Path | None, typer.Option(help="With --int8: a page with the verdict, and why, layer by layer.")
    ] = None
    force: ForceOption = False
    as_json: JsonOption = False
    quiet: QuietOption = False

    @property
    def precision(self) -> Precision:
        """The one that is asked for."""
        return Precision.INT8 if self.int8 else Precision.FP16 if self.fp16 else Precision.FP32

    def check_files(self, checkpoint: Path, *, keep_candidates: bool) -> None:
        """Refuse what would be written over."""
        model_format = ModelFormat(self.model_format)
        model = output_file(checkpoint, self.output, model_format, self.precision)
        check_output_files(model, model_format, int8=self.int8, keep_candidates=keep_candidates, force=self.force)

    def static_shape(self) -> tuple[int, ...] | None:
        """The only one that the model is to take."""
        return parse_shape(self.static) if self.static else None

    def show_progress(self, what: str) -> None:
        """Tell a person what is going on."""
        if not self.quiet and not self.as_json:
            echo(f"{what} ...", err=True)


@dataclass(frozen=True, kw_only=True)
class DamageOptions:
    """What is done to pictures that are then restored."""

    noise: NoiseOption = NoiseKind.WHITE
    sigma: SigmaOption = 25.0
    holes: HolesOption = HoleKind.STROKES


def _head(text: str | None) -> dict[str, Any]:
    """The name of a layout, or all that is to be said of a head."""
    if text is None:
        return {}
    if text.lstrip().startswith("{"):
        return {"head": json_object(text, "--head")}
    if _is_file(text):
        return {"head": json_object(read_text_file(Path(text), "the head"), "--head")}
    return {"layout": text}


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
        raise InputError(
            "--labels must be a file or names joined by commas, a single one with a comma behind it; there is no file"
            f" {text!r}"
        )
    return [label.strip() for label in text.removesuffix(",").split(",")]


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
