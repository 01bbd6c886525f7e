"""The verb ``edgevision run detect``."""

import csv
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import OUTPUT_PANEL
from edgevision.cli.output import echo, end_with_failures, print_json
from edgevision.core.atomic_files import atomic_file, check_writable
from edgevision.core.errors import InputError, OutputError
from edgevision.core.printable import csv_row, exact_json, one_line
from edgevision.core.progress import track
from edgevision.core.terminal import results as results_stream
from edgevision.imaging.images import read_image
from edgevision.runtime.engine_facts import engine_facts
from edgevision.runtime.files.batch import failure_message, overlapped
from edgevision.runtime.files.inputs import PictureInput, expand_inputs
from edgevision.runtime.files.outputs import PictureJob, make_folders, plan_outputs
from edgevision.runtime.load import load
from edgevision.runtime.remote.on_boards import on_boards
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.detection.detector import Detector
from edgevision.runtime.tasks.detection.result import Detections
from edgevision.runtime.tasks.detection.task import DETECT
from edgevision.runtime.tasks.run_options import RunOptions, announce

_ANSWERS_PANEL = "Answers"


@dataclass(frozen=True, kw_only=True)
class _Options(RunOptions):
    """What is an answer, and what is made of the answers."""

    min_score: Annotated[
        float | None,
        typer.Option(
            "--min-score",
            min=0,
            max=1,
            help="Least score of a box.",
            show_default="the model's",
            rich_help_panel=_ANSWERS_PANEL,
        ),
    ] = None
    iou: Annotated[
        float | None,
        typer.Option(
            "--iou",
            min=0.01,
            max=1,
            help="Boxes that overlap more are one thing.",
            show_default="the model's",
            rich_help_panel=_ANSWERS_PANEL,
        ),
    ] = None
    most: Annotated[
        int | None,
        typer.Option(
            "--max", min=1, help="Most boxes in a picture.", show_default="the model's", rich_help_panel=_ANSWERS_PANEL
        ),
    ] = None
    classes: Annotated[
        list[str],
        typer.Option("--class", help="Only boxes of this class; repeatable.", rich_help_panel=_ANSWERS_PANEL),
    ] = ()  # type: ignore[assignment]  # a tuple stands for no list, which could be changed
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="Pictures with the boxes drawn in: a file, or a folder that mirrors the inputs.",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = None
    crops: Annotated[
        Path | None,
        typer.Option("--crops", help="Folder for what is in the boxes, as PNG.", rich_help_panel=OUTPUT_PANEL),
    ] = None
    coco: Annotated[
        Path | None, typer.Option("--coco", help="File for all boxes as COCO JSON.", rich_help_panel=OUTPUT_PANEL)
    ] = None
    yolo: Annotated[
        Path | None,
        typer.Option("--yolo", help="Folder for YOLO's lines, a .txt a picture.", rich_help_panel=OUTPUT_PANEL),
    ] = None
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print input,label,score,x1,y1,x2,y2 lines.", rich_help_panel=OUTPUT_PANEL)
    ] = False


@on_boards("run detect", "edgevision.runtime.tasks.detection.board_files:detect_files")
@option_groups
def detect(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="Files, folders, globs, or - for stdin.")],
    *,
    options: _Options,
) -> None:
    """Find things in a picture, with a box round each.

    Examples:
        edgevision run detect photo.jpg --model detector.onnx -o found.jpg
        edgevision run detect photos/ --model detector.onnx --class person --min-score 0.5 --csv
    """
    if options.as_json and options.as_csv:
        raise InputError("--json and --csv exclude each other")
    pictures = expand_inputs(inputs)
    jobs = _plan(pictures, options)
    failures: list[tuple[str, str]] = []
    answers: dict[str, Detections] = {}
    started = time.monotonic()
    with load(
        options.model or shipped_model(DETECT.name),
        options.device,
        threads=options.threads,
        allow_fallback=options.allow_fallback,
        task=DETECT.name,
        min_score=options.min_score,
        iou=options.iou,
        most=options.most,
    ) as detector:
        _check_classes(detector, options.classes)
        make_folders([job for job in jobs if options.output is not None])
        announce(detector, options)
        show = _printer(options, alone=len(jobs) == 1)
        running = overlapped(
            jobs,
            lambda job: read_image(job.picture.source),
            lambda image: (image, _wanted(detector(image), options)),
            lambda job, content: _write(job, *content, options=options, answers=answers),
        )
        quiet = options.quiet or options.output is None or options.as_json
        for job, error in track(running, len(jobs), DETECT.name, quiet=quiet):
            if error is not None:
                failures.append((job.picture.name, failure_message(job.picture.name, error)))
            else:
                show(job, answers[job.picture.name])
        if options.coco is not None:
            _write_coco(options.coco, answers, force=options.force)
        if options.as_json:
            print_json(
                {
                    "model": str(options.model or f"{DETECT.name} (shipped)"),
                    "name": detector.metadata.name,
                    **engine_facts(detector.engine),
                    "seconds": round(time.monotonic() - started, 3),
                    "results": [
                        {"input": job.picture.name}
                        | ({"output": str(job.target)} if options.output is not None else {})
                        | answers[job.picture.name].to_dict()
                        for job in jobs
                        if job.picture.name in answers
                    ],
                    "failures": [{"input": name, "error": message} for name, message in failures],
                }
            )
    end_with_failures(failures, len(jobs))


def _plan(pictures: list[PictureInput], options: _Options) -> list[PictureJob]:
    """Every file that is to be written is looked at before the work begins."""
    names: set[str] = set()
    for picture in pictures:
        if picture.name in names:
            raise InputError(f"{picture.name!r} is given twice")
        names.add(picture.name)
    if options.coco is not None:
        if options.coco.suffix.lower() != ".json":
            raise OutputError(f"--coco is a .json file, not {str(options.coco)!r}")
        check_writable(options.coco, force=options.force)
    if options.output is None:
        return [PictureJob(picture, Path("-")) for picture in pictures]
    return plan_outputs(pictures, options.output, name_suffix="detected", force=options.force)


def _check_classes(detector: Detector, classes: list[str]) -> None:
    unknown = [name for name in classes if detector.labels and name not in detector.labels]
    if unknown:
        raise InputError(f"--class {unknown[0]!r} is none that the model knows: {', '.join(detector.labels[:30])}")


def _wanted(found: Detections, options: _Options) -> Detections:
    return found.of_classes(options.classes) if options.classes else found


def _write(
    job: PictureJob, image: Image.Image, found: Detections, *, options: _Options, answers: dict[str, Detections]
) -> None:
    if options.output is not None:
        found.draw(image).save(job.target, force=options.force)
    stem = _stem(job.picture)
    if options.crops is not None:
        options.crops.mkdir(parents=True, exist_ok=True)
        for number, crop in enumerate(found.crops(image), start=1):
            name = f"{stem}-{number:03d}-{_file_name(found.names[number - 1])}.png"
            crop.save(options.crops / name, force=options.force)
    if options.yolo is not None:
        options.yolo.mkdir(parents=True, exist_ok=True)
        found.save(options.yolo / f"{stem}.txt", force=options.force)
    answers[job.picture.name] = found


def _stem(picture: PictureInput) -> str:
    """A file's name without folders, in which those below the one that was searched are kept apart."""
    if isinstance(picture.source, bytes):
        return "stdin"
    return "_".join(picture.relative.with_suffix("").parts)


def _file_name(label: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in label)[:40]


def _printer(options: _Options, *, alone: bool) -> Callable[[PictureJob, Detections], None]:
    """What prints the answer for one picture."""
    if options.as_json:
        return lambda job, found: None
    if options.as_csv:
        writer = csv.writer(results_stream(), lineterminator="\n")
        writer.writerow(["input", "label", "score", "x1", "y1", "x2", "y2"])
        return lambda job, found: writer.writerows(
            csv_row([job.picture.name, *row.values()]) for row in found.to_rows()
        )
    return lambda job, found: echo(_table(job, found, alone=alone))


def _table(job: PictureJob, found: Detections, *, alone: bool) -> str:
    name = one_line(job.picture.name)
    if not alone:
        counts: dict[str, int] = {}
        for label in found.names:
            counts[label] = counts.get(label, 0) + 1
        return f"{name}  " + (", ".join(f"{count} {one_line(label)}" for label, count in counts.items()) or "nothing")
    rows = found.to_rows()
    if not rows:
        return f"{name}\n  nothing"
    width = max(len(one_line(row["label"])) for row in rows)
    lines = [
        f"  {one_line(row['label']):<{width}}  {100 * row['score']:5.1f} %"
        f"  {row['x1']:.0f},{row['y1']:.0f} to {row['x2']:.0f},{row['y2']:.0f}"
        for row in rows
    ]
    return "\n".join([name, *lines])


def _write_coco(path: Path, answers: dict[str, Detections], *, force: bool) -> None:
    """One document of images, categories and annotations, which COCO's own tools read."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    names: dict[int, str] = {}
    for number, (name, found) in enumerate(answers.items(), start=1):
        height, width = found.size
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        for result in found.to_coco(number):
            area = result["bbox"][2] * result["bbox"][3]
            annotations.append({"id": len(annotations) + 1, "iscrowd": 0, "area": round(area, 2)} | result)
        names |= {index: found.name_of(index) for index in range(len(found.labels))}
        names |= {int(index): found.name_of(int(index)) for index in found.classes}
    categories = [{"id": index, "name": label} for index, label in sorted(names.items())]
    document = {"images": images, "categories": categories, "annotations": annotations}
    with atomic_file(path, force=force) as temporary:
        temporary.write_text(exact_json(document) + "\n", encoding="utf-8")
