"""A task of its own in one file: bright blobs are counted, from checkpoint to board, with no edit anywhere else.

CONTRIBUTING.md tells in words how to add a task; this is the same as a program.
"""

import contextlib
import io
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
import torch
import typer
from PIL import Image, ImageDraw

import edgevision
from edgevision.cli.app import main
from edgevision.cli.option_groups import option_groups
from edgevision.cli.output import end_with_failures, print_json
from edgevision.core.errors import DatasetError, InputError
from edgevision.core.records import Record, record
from edgevision.data.datasets import ImageDataset, ImageFolder
from edgevision.exporters.quantization.options import Preference, Preset
from edgevision.exporters.quantization.settings import QuantizationSettings
from edgevision.imaging.picture_sources import ImageSource
from edgevision.imaging.preprocessing import Preprocessor
from edgevision.modelfiles import task_registry
from edgevision.modelfiles.graph_check import Specs, check_count, check_picture, needed_image, refuse
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.task_registry import find_task, register_task, task_names
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.files.batch import each_done, failure_message
from edgevision.runtime.files.inputs import PictureInput, expand_inputs
from edgevision.runtime.load import load
from edgevision.runtime.remote.on_boards import on_boards
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.tasks.evaluation import EvaluationOptions, QualityReport
from edgevision.runtime.tasks.pipeline import Pipeline
from edgevision.runtime.tasks.quality import Quality, QualityMeasure
from edgevision.runtime.tasks.run_options import RunOptions, announce
from edgevision.runtime.tasks.samples import Batch
from edgevision.runtime.tasks.task import Task, with_picture

# The task: what a model says of itself, its pipeline and result, how good it is, its verb, what goes to a board.


@record
class CountingSpec(Record):
    """What the network's map is: ``area`` of its places, in pixels, belong to a blob."""

    area: float = 1.0


class Count:
    """How many blobs there are in a picture."""

    def __init__(self, number: float) -> None:
        self.number = number

    def to_dict(self) -> dict[str, Any]:
        return {"count": round(self.number), "estimate": self.number}

    def to_rows(self) -> list[dict[str, str | int | float]]:
        return [self.to_dict()]

    def save(self, path: Any, *, force: bool = True) -> None:
        Path(path).write_text(json.dumps(self.to_dict()))

    def compare(self, reference: "Count") -> Mapping[str, float]:
        return {"difference": self.number - reference.number}


class Counter(Pipeline):
    """A network that marks blobs, on an engine; call it on a picture."""

    def __init__(self, engine: Engine, metadata: ModelMetadata) -> None:
        self.engine, self.metadata = engine, metadata
        self._preprocess = Preprocessor(needed_image(metadata))
        self._area = metadata.spec_as(CountingSpec).area

    def __call__(self, picture: ImageSource) -> Count:
        (marks,) = self.engine.run({self.engine.inputs[0].name: self._preprocess(picture)[None]})
        return Count(float(np.sum(marks, dtype=np.float64)) / self._area)


@record
class CountingReport(QualityReport):
    """``error`` is the mean absolute difference from the number in the name of the picture."""

    error: float

    def headline(self) -> str:
        return f"error {self.error:.3f} blobs"


class CountingError:
    """The mean absolute error of the count, by which int8 is judged."""

    metric, unit, budget = "count_error", "blobs", 0.2

    def __init__(self, metadata: ModelMetadata, reference: Engine, data: ImageDataset | None) -> None:
        self._metadata, self._data = metadata, data
        self._reference = self._error(reference)

    def __call__(self, engine: Engine) -> Quality:
        error = self._error(engine)
        return Quality(figures={"count_error": error}, loss=error - self._reference)

    def _error(self, engine: Engine) -> float:
        return evaluate(Counter(engine, self._metadata), self._data).error


def evaluate(counter: Counter, data: Any) -> CountingReport:
    failures: dict[str, str] = {}

    def error(index: int) -> float:
        return abs(counter(data.image(index)).number - int(Path(data.names[index]).stem.rpartition("-")[2]))

    def failed(index: int, problem: Exception) -> None:
        failures[data.names[index]] = failure_message(data.names[index], problem)

    errors = [found for _, found in each_done(range(len(data)), error, failed)]
    if not errors:
        raise DatasetError("not one picture could be counted")
    return CountingReport(images=len(errors), failures=failures, error=float(np.mean(errors)))


@dataclass(frozen=True, kw_only=True)
class CountingTask(Task):
    """A gray picture in, a map of what belongs to blobs out."""

    def check(self, metadata: ModelMetadata, inputs: Specs, outputs: Specs) -> None:
        check_count(metadata, "inputs", inputs, 1)
        check_picture(needed_image(metadata), inputs[0])
        if metadata.spec_as(CountingSpec).area <= 0:
            refuse("spec.area", metadata.spec_as(CountingSpec).area, "a blob has an area")

    def describe(self, document: dict[str, Any], shape: tuple[int, ...], *, given: bool) -> dict[str, Any]:
        return with_picture(document, shape, given=given, fixed=True)

    def output_name(self, metadata: ModelMetadata) -> str:
        return "marks"

    def pipeline(self, engine: Engine, metadata: ModelMetadata, **options: Any) -> Counter:
        return Counter(engine, metadata)

    def can_evaluate(self, metadata: ModelMetadata, data: ImageFolder) -> bool:
        return True

    def evaluate(self, pipeline: Any, data: ImageFolder, options: EvaluationOptions) -> CountingReport:
        return evaluate(pipeline, data)

    def quality_measure(
        self,
        metadata: ModelMetadata,
        reference: Engine,
        inputs: Batch,
        data: ImageDataset | None,
        options: EvaluationOptions,
    ) -> QualityMeasure:
        return CountingError(metadata, reference, data)


@on_boards("run count", f"{__name__}:board_files")
@option_groups
def count(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="Files, folders, globs, or - for stdin.")],
    *,
    options: RunOptions,
) -> None:
    """Count bright blobs."""
    assert options.model is not None
    failures: list[tuple[str, str]] = []
    with load(options.model, options.device, task="count") as counter:
        announce(counter, options)

        def failed(picture: PictureInput, error: Exception) -> None:
            failures.append((picture.name, failure_message(picture.name, error)))

        done = list(each_done(expand_inputs(inputs), lambda picture: counter(picture.source), failed))
        print_json({"results": [{"input": picture.name} | result.to_dict() for picture, result in done]})
    end_with_failures(failures, len(done) + len(failures))


def board_files(command: RemoteCommand) -> None:
    """The model and the pictures."""
    command.values["model"] = command.send_model(command.given["model"])
    pictures = enumerate(expand_inputs(command.given["inputs"]), start=1)
    command.values["inputs"] = [command.send_file("in", number, picture) for number, picture in pictures]


COUNT = CountingTask(
    name="count",
    summary="Count bright blobs.",
    command=f"{__name__}:count",
    spec=CountingSpec,
    bounds={"area": (0, 1 << 20)},
)

# What it is tried with.


class BlobNetwork(torch.nn.Module):
    """Marks what is bright after smoothing."""

    def __init__(self) -> None:
        super().__init__()
        self.smooth = torch.nn.Conv2d(1, 4, 3, padding=1)
        self.mark = torch.nn.Conv2d(4, 1, 1)
        with torch.no_grad():
            self.smooth.weight.fill_(1 / 9)
            self.smooth.bias.zero_()
            self.mark.weight.fill_(10.0)
            self.mark.bias.fill_(-20.0)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.mark(torch.relu(self.smooth(image))))


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    """The task, as long as this file is tested; candidates run in a process that has to find this module, too."""
    register_task("count", f"{__name__}:COUNT")
    sys.path.append(str(Path(__file__).parents[2]))
    yield
    sys.path.pop()
    del task_registry._TASKS["count"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint, and 20 pictures with the number of their blobs in the name."""
    folder = tmp_path_factory.mktemp("blobs")
    (folder / "pictures").mkdir()
    places = [(x, y) for x in (4, 14, 24) for y in (4, 14, 24)]
    generator = np.random.default_rng(0)
    for index in range(20):
        number = int(generator.integers(1, 9))
        image = Image.new("L", (32, 32), 20)
        for place in generator.permutation(len(places))[:number]:
            x, y = places[int(place)]
            ImageDraw.Draw(image).ellipse((x - 3, y - 3, x + 3, y + 3), fill=250)
        image.save(folder / "pictures" / f"{index:02}-{number}.png")
    network = BlobNetwork()
    torch.save(network.state_dict(), folder / "blobs.pt")
    return folder


@pytest.fixture(scope="module")
def model(folder: Path, registered: None) -> Path:
    """Exported, and known to count: the area of a blob is measured with the float network."""
    marks = []
    for path in sorted((folder / "pictures").iterdir()):
        pixels = torch.from_numpy(np.asarray(Image.open(path), np.float32) / 255)[None, None]
        marks.append((BlobNetwork()(pixels).sum().item(), int(path.stem[-1])))
    area = sum(one for one, _ in marks) / sum(number for _, number in marks)
    edgevision.export(
        folder / "blobs.pt",
        folder / "blobs.onnx",
        arch=f"{__name__}:BlobNetwork",
        input_shape=(1, 1, 32, 32),
        metadata={"task": "count", "name": "blobs", "spec": {"area": area}},
    )
    return folder / "blobs.onnx"


def run(*words: object) -> dict[str, Any]:
    """What a verb prints as JSON; it has to succeed."""
    with contextlib.redirect_stdout(io.StringIO()) as printed, pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    assert end.value.code in (0, None), printed.getvalue()
    document: dict[str, Any] = json.loads(printed.getvalue())
    return document


def test_it_stands_among_the_tasks() -> None:
    assert "count" in task_names()
    assert find_task("count") is COUNT
    with pytest.raises(ValueError, match="'count' is there already"):
        register_task("count", "elsewhere:COUNT")


def test_the_export_agrees_with_the_checkpoint_and_says_what_it_is(model: Path) -> None:
    document = run("inspect", model, "--json")
    assert document["metadata"]["task"] == "count"
    assert document["metadata"]["spec"]["area"] > 10
    assert document["metadata"]["outputs"][0]["name"] == "marks"
    arch = f"{__name__}:BlobNetwork"
    checkpoint, data = model.with_suffix(".pt"), model.parent / "pictures"
    report = run("verify", model, "--against", checkpoint, "--arch", arch, "--data", data, "--json")
    assert report["parity"]["outputs"][0].get("sqnr_db", 200) > 100
    assert report["model_quality"]["error"] == pytest.approx(report["checkpoint_quality"]["error"], abs=1e-3)


def test_what_its_metadata_say_is_checked(folder: Path) -> None:
    with pytest.raises(InputError, match=r"area is -1\.0, but it has to be 0 to"):
        edgevision.export(
            folder / "blobs.pt",
            folder / "wrong.onnx",
            arch=f"{__name__}:BlobNetwork",
            input_shape=(1, 1, 32, 32),
            metadata={"task": "count", "spec": {"area": -1.0}},
        )
    assert not (folder / "wrong.onnx").exists()


def test_int8_is_judged_by_its_own_figure(model: Path) -> None:
    settings = QuantizationSettings(
        calibration=model.parent / "pictures", preset=Preset.QUICK, prefer=Preference.INT8, threads=1
    )
    report = edgevision.export(model, model.with_name("blobs-int8.onnx"), precision="int8", int8=settings)
    assert report.quantization is not None
    assert (report.quantization.metric, report.quantization.unit) == ("count_error", "blobs")
    with edgevision.load(report_path := model.with_name("blobs-int8.onnx")) as counter:
        assert report_path.is_file()
        assert counter.metadata.task == "count"


def test_it_runs_from_python_and_as_a_verb(model: Path) -> None:
    pictures = sorted((model.parent / "pictures").iterdir())
    with edgevision.load(model) as counter:
        counts = [counter(path) for path in pictures]
    assert [round(found.number) for found in counts] == [int(path.stem[-1]) for path in pictures]
    document = run("run", "count", model.parent / "pictures", "--model", model, "--quiet")
    assert [result["count"] for result in document["results"]] == [round(found.number) for found in counts]


def test_it_is_evaluated_and_timed_from_picture_to_answer(model: Path) -> None:
    report = run("evaluate", model, model.parent / "pictures", "--json")
    assert report["images"] == 20
    assert report["error"] < 0.4
    picture = next((model.parent / "pictures").iterdir())
    measured = run("bench", model, "--end-to-end", "--picture", picture, "--seconds", 0.1, "--threads", 1, "--json")
    assert measured["subjects"][0]["end_to_end"]["runs"] >= 20


def test_it_is_packed_for_a_board(model: Path) -> None:
    command = RemoteCommand("run count", [], {"model": model, "inputs": [str(model.parent / "pictures")]})
    board_files(command)
    assert command.inputs[f"model/00001/{model.name}"] == model
    assert len(command.inputs) == 1 + 20
