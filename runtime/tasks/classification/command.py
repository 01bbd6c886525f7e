"""The verb ``edgevision run classify``."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import OUTPUT_PANEL
from edgevision.cli.output import echo, end_with_failures, print_json
from edgevision.core.errors import InputError
from edgevision.core.printable import csv_row, one_line
from edgevision.core.terminal import results as results_stream
from edgevision.runtime.cluster.picture_work import Done
from edgevision.runtime.engine_facts import engine_facts
from edgevision.runtime.files.batch import each_attempted, failure_message
from edgevision.runtime.files.outputs import PictureJob
from edgevision.runtime.remote.on_boards import on_boards
from edgevision.runtime.streams.frame import Frame
from edgevision.runtime.tasks.classification.result import Classification
from edgevision.runtime.tasks.classification.task import CLASSIFY
from edgevision.runtime.tasks.cluster_options import ClusterOptions, asks_for_frames, opened, pictures_of
from edgevision.runtime.tasks.picture_options import NO_INPUTS, InputsArgument
from edgevision.runtime.tasks.run_options import announce, open_pipeline

_BAR = 24


@dataclass(frozen=True, kw_only=True)
class _Options(ClusterOptions):
    """What is printed, and of a video what is written."""

    top: Annotated[int, typer.Option(min=1, help="How many labels to show.", rich_help_panel=OUTPUT_PANEL)] = 5
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print input,label,probability lines.", rich_help_panel=OUTPUT_PANEL)
    ] = False
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", help="Of a video or camera: a video with the label in it.", rich_help_panel=OUTPUT_PANEL
        ),
    ] = None


@on_boards("run classify", "edgevision.runtime.tasks.classification.board_files:classify_files")
@option_groups
def classify(
    inputs: InputsArgument = NO_INPUTS,
    *,
    options: _Options,
) -> None:
    """Say what is in a picture, or in every frame of a video or camera, with the probability of each label.

    The classifier that ships knows the ten classes of CIFAR-10 from pictures of 32x32 pixels, and names one of them
    for any picture whatever.

    Examples:
        edgevision run classify photo.jpg
        edgevision run classify photos/ --model mine.onnx --csv
    """
    if options.as_json and options.as_csv:
        raise InputError("--json and --csv exclude each other")
    if asks_for_frames(inputs, options.output, options):
        _classify_streams(inputs, options)
        return
    if options.output is not None:
        raise InputError(f"-o {options.output!r} is for the frames of a video; labels of pictures are printed")
    jobs = [PictureJob(picture, Path("-")) for picture in pictures_of(inputs, options)]
    results: list[tuple[str, Classification]] = []
    failures: list[tuple[str, str]] = []
    with opened(_Classifying(options), options) as classifying:
        classifier = classifying.pipeline
        announce(classifier, options)
        writer = csv.writer(results_stream(), lineterminator="\n")
        if options.as_csv:
            writer.writerow(["input", "label", "probability"])
        for job, error, result in classifying.each(jobs):
            name = job.picture.name
            if error is not None:
                failures.append((name, failure_message(name, error)))
            elif options.as_json:
                results.append((name, result))
            elif options.as_csv:
                writer.writerows(csv_row([name, label, f"{p:.6f}"]) for label, p in result.top(options.top))
            else:
                echo(_table(name, result, options.top, alone=len(jobs) == 1))
        if options.as_json:
            print_json(
                {
                    "model": str(options.model or f"{CLASSIFY.name} (shipped)"),
                    "name": classifier.metadata.name,
                    **engine_facts(classifier.engine),
                    "results": [{"input": name} | result.to_dict(options.top) for name, result in results],
                    "failures": [{"input": name, "error": message} for name, message in failures],
                }
            )
    end_with_failures(failures, len(jobs))


@dataclass(frozen=True)
class _Classifying:
    """What is done with each picture, wherever."""

    options: _Options
    batch: int = field(default=1, init=False)

    def open(self) -> Any:
        return open_pipeline(CLASSIFY.name, self.options)

    def each(self, pipeline: Any, jobs: Sequence[PictureJob], *, again: bool) -> Iterator[Done]:
        return each_attempted(jobs, lambda job: pipeline(job.picture.source))


def _classify_streams(inputs: list[str], options: _Options) -> None:
    from edgevision.runtime.tasks.run_streams import FrameVerb, run_streams

    if options.as_csv:
        raise InputError("--csv is for pictures; --json prints a line for each frame")

    def answer(classifier: Any, frames: list[Frame]) -> list[Classification]:
        return list(classifier([frame.pixels for frame in frames]))

    verb = FrameVerb(CLASSIFY.name, answer, line=lambda result: _best(result, options.top))
    run_streams(verb, inputs, options.output, options)


def _best(result: Classification, top: int) -> str:
    return "  ".join(f"{one_line(label)} {100 * p:.1f} %" for label, p in result.top(top))


def _table(name: str, result: Classification, top: int, *, alone: bool) -> str:
    name, best = one_line(name), [(one_line(label), p) for label, p in result.top(top)]
    if not alone:
        return f"{name}  {_best(result, top)}"
    width = max(len(label) for label, _ in best)
    lines = [f"{label:<{width}}  {100 * p:5.1f} %  {'█' * round(_BAR * p)}".rstrip() for label, p in best]
    return "\n".join([name, *(f"  {line}" for line in lines)])
