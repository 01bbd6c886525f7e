"""The verb ``edgevision evaluate``."""

from pathlib import Path
from typing import Annotated

import typer

from edgevision.commandline import (
    DeviceOption,
    FallbackOption,
    HolesOption,
    JsonOption,
    QuietOption,
    SeedOption,
    SigmaOption,
    ThreadsOption,
    print_json,
)
from edgevision.datasets import ImageFolder
from edgevision.errors import InputError, PartialFailureError
from edgevision.hole_kinds import HoleKind
from edgevision.metadata import Task
from edgevision.modelfile import require_metadata
from edgevision.runtime.commands.ran_on import engine_facts
from edgevision.runtime.evaluation import ClassificationReport, evaluate_classifier
from edgevision.runtime.load import load
from edgevision.runtime.pipelines.restore import Restorer
from edgevision.runtime.restoration_quality import Damage, RestorationReport, evaluate_restorer

# A wider matrix does not fit a terminal; --json has it.
_WIDEST_MATRIX = 16

_WITHOUT_REFERENCE = (Task.GENERATE, Task.RECONSTRUCT, Task.ENCODE)


def evaluate(
    model: Annotated[Path, typer.Argument(help="Model file (.onnx or .xml).")],
    data: Annotated[Path, typer.Argument(help="Folder or zip: [test/]CLASS/picture, or good pictures to damage.")],
    split: Annotated[
        str | None, typer.Option(help="train, val or test; by default test, else val, if the data is divided.")
    ] = None,
    sigma: SigmaOption = 25.0,
    holes: HolesOption = HoleKind.STROKES,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Only the tenth that edgevision train restore holds out.")
    ] = False,
    device: DeviceOption = "cpu",
    allow_fallback: FallbackOption = False,
    threads: ThreadsOption = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Accuracy, recall, F1 and confusions of a classifier; PSNR and SSIM of a restoration model.

    Pictures to restore are damaged on purpose first: noise, holes, less light, or shrinking where the data does not
    hold pairs NAME_LR and NAME_HR.
    """
    folder = ImageFolder(data, (split,) if split else ())
    task = require_metadata(model).task
    if task in _WITHOUT_REFERENCE:
        raise InputError(
            f"{str(model)!r} is for {task}; samples are judged while edgevision train runs, with --classifier, and"
            " edgevision evaluate judges classifiers and restoration models"
        )
    with load(model, device, threads=threads, allow_fallback=allow_fallback) as pipeline:
        report: ClassificationReport | RestorationReport
        if isinstance(pipeline, Restorer):
            damage = Damage(sigma=sigma, holes=holes, seed=seed)
            report = evaluate_restorer(pipeline, folder, damage, held_out=held_out, quiet=quiet or as_json)
            table = restoration_table(report)
        else:
            report = evaluate_classifier(pipeline, folder, quiet=quiet or as_json)
            table = _table(report)
        part = f"{data.name} {folder.split}".strip()
        if as_json:
            engine = engine_facts(pipeline.engine)
            print_json({"model": str(model), "data": part} | engine | report.to_dict())
        else:
            typer.echo(f"{model.name} on {part}, {report.images} pictures")
            typer.echo(table)
    if report.failures:
        for message in report.failures.values():
            typer.echo(f"failed: {message}", err=True)
        raise PartialFailureError(f"{len(report.failures)} pictures could not be read and are not counted")


def restoration_table(report: RestorationReport) -> str:
    """The means before and after, one figure a line."""
    lines = [f"{'':<14}  {'before':>9}  {'restored':>9}   {report.damage}"]
    for name, value in report.figures.items():
        unit = "" if name == "ssim" else " dB"
        places = 4 if name == "ssim" else 3
        lines.append(f"{name:<14}  {report.before[name]:9.{places}f}  {value:9.{places}f}{unit}")
    return "\n".join(lines)


def _table(report: ClassificationReport) -> str:
    figures = ("top1", "top5", "precision", "recall", "f1")
    lines = ["  ".join(f"{name} {getattr(report, name):.2f} %" for name in figures), ""]
    width = max(len("class"), *(len(label) for label in report.labels))
    shown = len(report.labels) <= _WIDEST_MATRIX
    # Down to here a class that was never asked for would only be noise.
    rows = [(index, score) for index, score in enumerate(report.classes) if score.support]
    column = max(5, *(len(str(count)) for row in report.confusion for count in row)) + 1
    header = f"{'class':<{width}}  precision  recall     f1  pictures"
    lines.append(header + ("   taken for" if shown else ""))
    if shown:
        lines[-1] += " " * 2 + "".join(f"{label[: column - 1]:>{column}}" for label in report.labels)
    for index, score in rows:
        line = f"{score.label:<{width}}  {100 * score.precision:9.2f}  {100 * score.recall:6.2f}"
        line += f"  {100 * score.f1:5.2f}  {score.support:8d}"
        if shown:
            line += " " * 14 + "".join(f"{count:>{column}}" for count in report.confusion[index])
        lines.append(line)
    return "\n".join(lines)
