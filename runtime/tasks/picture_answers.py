"""What the verbs share that find things in pictures: which are answers, and what is made of them."""

import csv
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Protocol, Self, cast

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

from edgevision.cli.options import DEVICE_PANEL, OUTPUT_PANEL
from edgevision.cli.output import echo, end_with_failures, print_json
from edgevision.core.atomic_files import atomic_file, check_writable
from edgevision.core.errors import InputError, OutputError
from edgevision.core.printable import csv_row, exact_json, one_line
from edgevision.core.progress import track
from edgevision.core.regular_files import real_path
from edgevision.core.terminal import results as results_stream
from edgevision.imaging.images import read_image
from edgevision.imaging.pictures import Picture
from edgevision.runtime.cluster.picture_work import Done
from edgevision.runtime.engine_facts import engine_facts
from edgevision.runtime.files.batch import failure_message, overlapped_batches
from edgevision.runtime.files.inputs import PictureInput
from edgevision.runtime.files.outputs import PictureJob, make_folders, plan_outputs
from edgevision.runtime.streams.frame import Frame
from edgevision.runtime.tasks.cluster_options import ClusterOptions, asks_for_frames, opened, pictures_of
from edgevision.runtime.tasks.pipeline import check_classes
from edgevision.runtime.tasks.run_options import announce, open_pipeline

ANSWERS_PANEL = "Answers"


class Answer(Protocol):
    """What a pipeline finds in one picture: several things, each of a class."""

    classes: NDArray[np.int64]
    labels: tuple[str, ...]
    size: tuple[int, int]

    @property
    def names(self) -> tuple[str, ...]: ...
    def name_of(self, index: int) -> str: ...
    def of_classes(self, names: Sequence[str]) -> Self: ...
    def to_dict(self) -> dict[str, Any]: ...
    def to_rows(self) -> list[dict[str, Any]]: ...
    def to_coco(self, image_id: int = 0) -> list[dict[str, Any]]: ...
    def draw(self, picture: Image.Image) -> Picture: ...
    def crops(self, picture: Image.Image) -> list[Picture]: ...


BatchOption = Annotated[
    int,
    typer.Option(
        "--batch",
        min=1,
        max=1024,
        help="Pictures or windows at once, for a network that takes several.",
        rich_help_panel=DEVICE_PANEL,
    ),
]

TileOption = Annotated[
    str | None,
    typer.Option(
        "--tile",
        metavar="auto|N",
        help="Look through overlapping windows, for small things: of N pixels, or of the network's own size.",
        rich_help_panel=ANSWERS_PANEL,
    ),
]


@dataclass(frozen=True, kw_only=True)
class AnswerOptions(ClusterOptions):
    """What is an answer, and what is made of the answers."""

    min_score: Annotated[
        float | None,
        typer.Option(
            "--min-score",
            min=0,
            max=1,
            help="Least score of an answer.",
            show_default="the model's",
            rich_help_panel=ANSWERS_PANEL,
        ),
    ] = None
    most: Annotated[
        int | None,
        typer.Option(
            "--max",
            min=1,
            help="Most answers in a picture.",
            show_default="the model's",
            rich_help_panel=ANSWERS_PANEL,
        ),
    ] = None
    classes: Annotated[
        list[str],
        typer.Option("--class", help="Only answers of this class; repeatable.", rich_help_panel=ANSWERS_PANEL),
    ] = ()  # type: ignore[assignment]  # a tuple stands for no list, which could be changed
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="Pictures with the answers drawn in: a file, or a folder that mirrors the inputs.",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = None
    crops: Annotated[
        Path | None,
        typer.Option("--crops", help="Folder for what was found, cut out, as PNG.", rich_help_panel=OUTPUT_PANEL),
    ] = None
    coco: Annotated[
        Path | None, typer.Option("--coco", help="File for all answers as COCO JSON.", rich_help_panel=OUTPUT_PANEL)
    ] = None
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print a line for each answer.", rich_help_panel=OUTPUT_PANEL)
    ] = False


@dataclass(frozen=True, kw_only=True)
class AnswerVerb:
    """What is a verb's own.

    Attributes:
        task: its name.
        suffix: of the name of a drawn picture that lies beside its input.
        columns: of ``--csv``, those of the answers' ``to_rows``.
        details: what a line for people says behind the label and the score of a row.
        remark: what is to be said of an answer on standard error, if anything.
        folder: where what only this verb writes goes, a file a picture; ``None`` where it is not asked for.
        ending: of those files.
    """

    task: str
    suffix: str
    columns: tuple[str, ...]
    details: Callable[[dict[str, Any]], str]
    remark: Callable[[Any], str | None] = lambda answer: None
    folder: Path | None = None
    ending: str = ""


def answer_pictures(inputs: list[str], options: AnswerOptions, verb: AnswerVerb, **pipeline_options: Any) -> None:
    """Run the verb: every picture through the model, and what is asked for of each answer."""
    if options.as_json and options.as_csv:
        raise InputError("--json and --csv exclude each other")
    if asks_for_frames(inputs, options.output, options):
        _answer_frames(inputs, options, verb, pipeline_options)
        return
    jobs = _plan(pictures_of(inputs, options), options, verb)
    failures: list[tuple[str, str]] = []
    started = time.monotonic()
    with opened(_Answering(options, verb, pipeline_options), options) as answering:
        make_folders([job for job in jobs if options.output is not None])
        pipeline = answering.pipeline
        announce(pipeline, options)
        answers = _Answers(options, verb, alone=len(jobs) == 1)
        quiet = options.quiet or options.output is None or options.as_json
        for job, error, answer in track(answering.each(jobs), len(jobs), verb.task, quiet=quiet):
            if error is not None:
                failures.append((job.picture.name, failure_message(job.picture.name, error)))
            else:
                answers.show(job, answer)
        if options.coco is not None:
            answers.coco.write(options.coco, force=options.force)
        if options.as_json:
            print_json(
                {
                    "model": str(options.model or f"{verb.task} (shipped)"),
                    "name": pipeline.metadata.name,
                    **engine_facts(pipeline.engine),
                    "seconds": round(time.monotonic() - started, 3),
                    "results": answers.documents,
                    "failures": [{"input": name, "error": message} for name, message in failures],
                }
            )
    end_with_failures(failures, len(jobs))


def _answer_frames(
    inputs: list[str], options: AnswerOptions, verb: AnswerVerb, pipeline_options: Mapping[str, Any]
) -> None:
    from edgevision.runtime.tasks.run_streams import FrameVerb, run_streams

    if options.as_csv or options.crops or options.coco or verb.folder:
        raise InputError(
            "a video has no --csv, --crops, --coco, --yolo and --masks, which are for pictures; --json prints a line"
            " for each frame"
        )

    def check(pipeline: Any) -> None:
        check_classes(pipeline, options.classes)

    def answer(pipeline: Any, frames: list[Frame]) -> list[Any]:
        answers = pipeline([frame.pixels for frame in frames])
        return [answer.of_classes(options.classes) for answer in answers] if options.classes else answers

    limits = {"min_score": options.min_score, "most": options.most, **pipeline_options}
    frame_verb = FrameVerb(verb.task, answer, line=_counted, limits=limits, check=check, classes=options.classes)
    run_streams(frame_verb, inputs, options.output, options)


def _plan(pictures: list[PictureInput], options: AnswerOptions, verb: AnswerVerb) -> list[PictureJob]:
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
    _check_folders(pictures, options, verb)
    if options.output is None:
        return [PictureJob(picture, Path("-")) for picture in pictures]
    return plan_outputs(pictures, options.output, name_suffix=verb.suffix, force=options.force)


def _check_folders(pictures: Sequence[PictureInput], options: AnswerOptions, verb: AnswerVerb) -> None:
    """What goes into ``--crops`` and the verb's own folder is called as the pictures are, less their endings."""
    if options.crops is None and verb.folder is None:
        return
    named: dict[str, str] = {}
    inputs = {real_path(picture.place) for picture in pictures if isinstance(picture.place, Path)}
    for picture in pictures:
        stem = _stem(picture)
        if stem in named:
            raise OutputError(
                f"what is found in {named[stem]!r} and {picture.name!r} would have the same names, {stem!r}; give them"
                " to calls of their own"
            )
        named[stem] = picture.name
        if verb.folder is None:
            continue
        target = verb.folder / f"{stem}{verb.ending}"
        if real_path(target) in inputs:
            raise OutputError(f"{str(target)!r} is an input, which is never overwritten; choose another folder")
        if target.parent.exists():
            check_writable(target, force=options.force)


@dataclass(frozen=True)
class _Answering:
    """What is done with each picture, wherever: its answer, and the files that are made of it."""

    options: AnswerOptions
    verb: AnswerVerb
    pipeline_options: dict[str, Any]

    @property
    def batch(self) -> int:
        size: int = self.pipeline_options.get("batch", 1)
        return size

    @contextmanager
    def open(self) -> Iterator[Any]:
        options = self.options
        limits = {"min_score": options.min_score, "most": options.most, **self.pipeline_options}
        with open_pipeline(self.verb.task, options, **limits) as pipeline:
            check_classes(pipeline, options.classes)
            yield pipeline

    def each(self, pipeline: Any, jobs: Sequence[PictureJob], *, again: bool) -> Iterator[Done]:
        answers: dict[str, Answer] = {}
        force = self.options.force or again

        def write(job: PictureJob, content: tuple[Image.Image, Any]) -> None:
            answers[job.picture.name] = self._written(job, *content, force=force)

        running = overlapped_batches(
            jobs,
            self.batch,
            lambda job: read_image(job.picture.source),
            lambda images: list(zip(images, pipeline(images), strict=True)),
            write,
        )
        for job, error in running:
            yield job, error, answers.pop(job.picture.name, None)

    def _written(self, job: PictureJob, image: Image.Image, answer: Any, *, force: bool) -> Answer:
        """The answer that is wanted, when the files of its picture are there."""
        options = self.options
        if options.classes:
            answer = answer.of_classes(options.classes)
        if options.output is not None:
            with job.writing() as here:
                answer.draw(image).save(here.target, force=force)
        stem = _stem(job.picture)
        if options.crops is not None:
            options.crops.mkdir(parents=True, exist_ok=True)
            for number, (name, crop) in enumerate(zip(answer.names, answer.crops(image), strict=True), start=1):
                crop.save(options.crops / f"{stem}-{number:03d}-{_file_name(name)}.png", force=force)
        if self.verb.folder is not None:
            self.verb.folder.mkdir(parents=True, exist_ok=True)
            answer.save(self.verb.folder / f"{stem}{self.verb.ending}", force=force)
        return cast(Answer, answer)


class _Answers:
    """What is shown of each answer: a line, and what of all of them is one document."""

    def __init__(self, options: AnswerOptions, verb: AnswerVerb, *, alone: bool) -> None:
        self._options, self._verb, self._alone = options, verb, alone
        self._writer = csv.writer(results_stream(), lineterminator="\n")
        self.documents: list[dict[str, Any]] = []
        self.coco = _CocoDocument()
        if options.as_csv:
            self._writer.writerow(["input", *verb.columns])

    def show(self, job: PictureJob, answer: Answer) -> None:
        """Say what was found, in the order of the pictures."""
        options = self._options
        if options.coco is not None:
            self.coco.add(job.picture.name, answer)
        if options.as_json:
            output = {"output": job.place} if options.output is not None else {}
            self.documents.append({"input": job.picture.name} | output | answer.to_dict())
        elif options.as_csv:
            self._writer.writerows(csv_row([job.picture.name, *row.values()]) for row in answer.to_rows())
        else:
            echo(self._lines(one_line(job.picture.name), answer))
        remark = self._verb.remark(answer)
        if remark is not None and not options.quiet:
            echo(f"{one_line(job.picture.name)}: {remark}", err=True)

    def _lines(self, name: str, answer: Answer) -> str:
        if not self._alone:
            return f"{name}  {_counted(answer)}"
        rows = answer.to_rows()
        if not rows:
            return f"{name}\n  nothing"
        width = max(len(one_line(row["label"])) for row in rows)
        lines = [
            f"  {one_line(row['label']):<{width}}  {100 * row['score']:5.1f} %  {self._verb.details(row)}"
            for row in rows
        ]
        return "\n".join([name, *lines])


def _counted(answer: Answer) -> str:
    counts = Counter(answer.names)
    return ", ".join(f"{count} {one_line(label)}" for label, count in counts.items()) or "nothing"


@dataclass
class _CocoDocument:
    """Images, categories and annotations, which COCO's own tools read."""

    images: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)

    def add(self, name: str, answer: Answer) -> None:
        number = len(self.images) + 1
        height, width = answer.size
        self.images.append({"id": number, "file_name": name, "width": width, "height": height})
        for result in answer.to_coco(number):
            area = round(result["bbox"][2] * result["bbox"][3], 2)
            self.annotations.append({"id": len(self.annotations) + 1, "iscrowd": 0, "area": area} | result)
        for index in (*range(len(answer.labels)), *answer.classes.tolist()):
            self.names[index] = answer.name_of(index)

    def write(self, path: Path, *, force: bool) -> None:
        categories = [{"id": index, "name": label} for index, label in sorted(self.names.items())]
        document = {"images": self.images, "categories": categories, "annotations": self.annotations}
        with atomic_file(path, force=force) as temporary:
            temporary.write_text(exact_json(document) + "\n", encoding="utf-8")


def _stem(picture: PictureInput) -> str:
    """A file's name without folders, in which those below the one that was searched are kept apart."""
    if isinstance(picture.place, bytes):
        return "stdin"
    return "_".join(picture.relative.with_suffix("").parts)


def _file_name(label: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in label)[:40]
