"""The verb ``edgevision run classify``."""

import csv
from typing import Annotated

import typer

from edgevision.cli.options import OUTPUT_PANEL, DeviceOption, FallbackOption, JsonOption, QuietOption, ThreadsOption
from edgevision.cli.output import echo, end_with_failures, print_json
from edgevision.core.errors import InputError
from edgevision.core.printable import csv_row, one_line
from edgevision.core.terminal import results as results_stream
from edgevision.runtime.engine_facts import engine_facts, headline
from edgevision.runtime.files.batch import each_done, failure_message
from edgevision.runtime.files.inputs import PictureInput, expand_inputs
from edgevision.runtime.load import load
from edgevision.runtime.model_options import ModelOption
from edgevision.runtime.remote.on_boards import on_boards
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.classification.result import Classification
from edgevision.runtime.tasks.classification.task import CLASSIFY

_BAR = 24


@on_boards("run classify", "edgevision.runtime.tasks.classification.board_files:classify_files")
def classify(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="Files, folders, globs, or - for stdin.")],
    model: ModelOption = None,
    device: DeviceOption = "cpu",
    allow_fallback: FallbackOption = False,
    top: Annotated[int, typer.Option(min=1, help="How many labels to show.", rich_help_panel=OUTPUT_PANEL)] = 5,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print input,label,probability lines.", rich_help_panel=OUTPUT_PANEL)
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Say what is in a picture, with the probability of each label.

    Without --model the classifier that ships is used; it knows the ten classes of CIFAR-10.

    Examples:
        edgevision run classify photo.jpg
        edgevision run classify photos/ --model mine.onnx --csv
    """
    if as_json and as_csv:
        raise InputError("--json and --csv exclude each other")
    pictures = expand_inputs(inputs)
    results: list[tuple[str, Classification]] = []
    failures: list[tuple[str, str]] = []
    with load(
        model or shipped_model(CLASSIFY.name),
        device,
        threads=threads,
        allow_fallback=allow_fallback,
        task=CLASSIFY.name,
    ) as classifier:
        if not quiet and not as_json and not as_csv:
            echo(headline(classifier.metadata.name, classifier.engine), err=True)
        writer = csv.writer(results_stream(), lineterminator="\n")
        if as_csv:
            writer.writerow(["input", "label", "probability"])

        def failed(picture: PictureInput, error: Exception) -> None:
            failures.append((picture.name, failure_message(picture.name, error)))

        for picture, result in each_done(pictures, lambda picture: classifier(picture.source), failed):
            if as_json:
                results.append((picture.name, result))
            elif as_csv:
                writer.writerows(csv_row([picture.name, label, f"{p:.6f}"]) for label, p in result.top(top))
            else:
                echo(_table(picture.name, result, top, alone=len(pictures) == 1))
        if as_json:
            print_json(
                {
                    "model": str(model or f"{CLASSIFY.name} (shipped)"),
                    "name": classifier.metadata.name,
                    **engine_facts(classifier.engine),
                    "results": [
                        {"input": n, "predictions": [{"label": label, "probability": p} for label, p in r.top(top)]}
                        for n, r in results
                    ],
                    "failures": [{"input": name, "error": message} for name, message in failures],
                }
            )
    end_with_failures(failures, len(pictures))


def _table(name: str, result: Classification, top: int, *, alone: bool) -> str:
    name, best = one_line(name), [(one_line(label), p) for label, p in result.top(top)]
    if not alone:
        return f"{name}  " + "  ".join(f"{label} {100 * p:.1f} %" for label, p in best)
    width = max(len(label) for label, _ in best)
    lines = [f"{label:<{width}}  {100 * p:5.1f} %  {'█' * round(_BAR * p)}".rstrip() for label, p in best]
    return "\n".join([name, *(f"  {line}" for line in lines)])
