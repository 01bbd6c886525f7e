"""The verb ``edgevision inspect``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from edgevision.cli.options import DEVICE_PANEL, OUTPUT_PANEL, JsonOption
from edgevision.cli.output import echo, print_json
from edgevision.core.errors import InputError
from edgevision.core.printable import abridged, exact_json, one_line
from edgevision.modelfiles.metadata import ModelMetadata, PrivacyBudget, Provenance, TensorSpec
from edgevision.modelfiles.model_facts import ModelFacts, read_facts
from edgevision.modelfiles.model_file import ModelFormat, external_files
from edgevision.modelfiles.signature import signature_path
from edgevision.modelfiles.signature_policy import required_key
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.model_options import ModelArgument


def inspect(
    model: ModelArgument,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            "-d",
            help="Also load it there and say which nodes that device takes.",
            rich_help_panel=DEVICE_PANEL,
        ),
    ] = None,
    sbom: Annotated[
        bool,
        typer.Option(
            "--sbom", help="Print a bill of materials instead, CycloneDX in JSON.", rich_help_panel=OUTPUT_PANEL
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Metadata, inputs, outputs, operators, size and hash of a model file, read without running it.

    A checkpoint made by edgevision train can be inspected, too.
    With --device the model is loaded, and what the device leaves to the CPU is named.

    Examples:
        edgevision inspect model.onnx
        edgevision inspect denoise --device npu
        edgevision inspect model.onnx --sbom
    """
    facts = read_facts(model)
    if sbom:
        if as_json or device is not None:
            raise InputError("--sbom prints one document of its own: give it without --json and --device")
        from edgevision.modelfiles.sbom import bill_of_materials

        echo(exact_json(bill_of_materials(model, facts), indent=2))
        return
    placed: dict[str, Any] = {}
    runs_on = ""
    if device is not None:
        from edgevision.runtime.devices.opening import open_engine
        from edgevision.runtime.engine_facts import engine_facts, placement

        with open_engine(model, device, allow_fallback=True) as engine:
            placed, runs_on = engine_facts(engine), placement(engine)
    signature = _signature(model)
    if as_json:
        print_json({"model": str(model)} | facts.to_dict() | {"signature": signature} | placed)
    else:
        echo(_table(model, facts, runs_on, signature))


def _signature(model: Path) -> str | None:
    """Whether a model is signed; where it has to be, it was verified before anything was read of it."""
    key = required_key()
    if key is not None:
        return f"verified, by {key}"
    return "there is one, not verified: --require-signature KEY" if signature_path(model).is_file() else None


def _table(model: Path, facts: ModelFacts, runs_on: str, signature: str | None) -> str:
    # Size and hash are those of all of them.
    beside = () if facts.format is ModelFormat.CHECKPOINT else external_files(model)
    files = " with ".join([str(model), *(data.file for data in beside)])
    rows: list[tuple[str, Any]] = [
        ("file", f"{files} ({facts.format}, {facts.size_bytes / 1e6:.2f} MB)"),
        ("sha256", facts.sha256),
        ("signature", signature),
        ("opset", ", ".join(f"{name} {version}" for name, version in facts.opsets.items())),
        ("weights", "" if facts.weights is None else f"{facts.weights:,}"),
        *(("input", _tensor(spec)) for spec in facts.inputs),
        *(("output", _tensor(spec)) for spec in facts.outputs),
        ("operators", ", ".join(f"{count} {name}" for name, count in facts.operators.items())),
        ("WRONG", facts.contradiction),
        *(_metadata_rows(facts.metadata) if facts.metadata else [("metadata", "none")]),
        ("runs on", runs_on),
    ]
    return "\n".join(f"{name:<11} {one_line(value)}" for name, value in rows if value)


def _metadata_rows(metadata: ModelMetadata) -> list[tuple[str, Any]]:
    image, provenance = metadata.image, metadata.provenance
    rows: list[tuple[str, Any]] = [
        ("name", f"{metadata.name}, {metadata.task}, {metadata.precision}"),
        ("target", metadata.target),
        ("measured in", metadata.measured_in),
        ("loss", metadata.judged_loss),
    ]
    if image is not None:
        size = "any size" if image.size is None else f"{image.size[1]} x {image.size[0]}, {image.resize}"
        low, high = image.value_range
        text = f"{image.color}, {size} ({image.resample}), {low:g}..{high:g}"
        text += f", mean {_numbers(image.mean)}" if image.mean else ""
        text += f", std {_numbers(image.std)}" if image.std else ""
        rows.append(("picture", text))
    rows += [
        *find_task(metadata.task).facts(metadata).items(),
        ("quality", ", ".join(f"{name} {value:g}" for name, value in metadata.quality.items())),
        ("licence", abridged(metadata.licence or "")),
        ("data", _data(provenance)),
        ("private", _privacy(provenance.privacy)),
        ("made by", provenance.command),
        ("made on", ", ".join(filter(None, (provenance.machine, provenance.created)))),
        ("hours", provenance.hours),
        ("checkpoint", provenance.checkpoint_sha256),
        ("versions", ", ".join(f"{name} {version}" for name, version in provenance.versions.items())),
    ]
    return rows


def _data(provenance: Provenance) -> str:
    """What the weights were learned from, and under which licence that is."""
    licence = provenance.data_licence and f"(licence: {provenance.data_licence})"
    return " ".join(abridged(part) for part in (provenance.data, licence) if part)


def _privacy(budget: PrivacyBudget | None) -> str:
    if budget is None:
        return ""
    return (
        f"epsilon {budget.epsilon:g}, delta {budget.delta:g} (DP-SGD, noise {budget.noise:g}, gradients of at most"
        f" {budget.clip:g})"
    )


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:g}" for value in values)


def _tensor(spec: TensorSpec) -> str:
    return f"{spec.name} {spec.dtype} {' x '.join(map(str, spec.shape))}"
