"""The verb ``edgevision evaluate``."""

from pathlib import Path
from typing import Annotated

import typer

from edgevision.commandline import DeviceOption, JsonOption, QuietOption, ThreadsOption, print_json
from edgevision.datasets import ImageFolder
from edgevision.errors import PartialFailureError
from edgevision.runtime.evaluation import ClassificationReport, evaluate_classifier
from edgevision.runtime.load import load

# A wider matrix does not fit a terminal; --json has it.
_WIDEST_MATRIX = 16


def evaluate(
    model: Annotated[Path, typer.Argument(help="Model file (.onnx or .xml).")],
    data: Annotated[Path, typer.Argument(help="Folder or zip of [test/]CLASS/picture.")],
    split: Annotated[
        str | None, typer.Option(help="train, val or test; by default test, else val, if the data is divided.")
    ] = None,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Accuracy, precision, recall, F1 and the confusion matrix of a classifier on labelled pictures."""
    folder = ImageFolder(data, (split,) if split else ())
    with load(model, device, threads=threads) as classifier:
        report = evaluate_classifier(classifier, folder, quiet=quiet or as_json)
        part = f"{data.name} {folder.split}".strip()
        if as_json:
            engine = {"engine": classifier.engine.name, "device": classifier.engine.device}
            print_json({"model": str(model), "data": part} | engine | report.to_dict())
        else:
            typer.echo(f"{model.name} on {part}, {report.images} pictures")
            typer.echo(_table(report))
    if report.failures:
        for message in report.failures.values():
            typer.echo(f"failed: {message}", err=True)
        raise PartialFailureError(f"{len(report.failures)} pictures could not be read and are not counted")


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
