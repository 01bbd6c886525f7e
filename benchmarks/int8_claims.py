"""What a model that ``export --int8`` wrote claims, measured again by another program on pictures it never saw.

    python benchmarks/int8_claims.py GIVEN WRITTEN.onnx [--plain EXPORT.onnx] [--data PICTURES] [--seconds 20] [--json]

GIVEN is the float model as it was given: the user's own ONNX file, or what edgevision exported without ``--int8`` of a
checkpoint. Of a user's own file that export is ``--plain``: what is lost is lost over it. The claims are read from
``WRITTEN.report.json``: how many times as fast as the model as given, with its interval, and how much is lost, with
what it may be at most. Speed is that of both files in this process, each in its engine, interleaved, on a few pictures
of ``--data`` by turns (or seeded samples) of the size that the claim is for, by the clock and for one thread by CPU
time, which other programs disturb less. On noise some operators take longer, as ONNX Runtime's PReLU does. The loss is
judged by the task's own measure on ``--data``, of generators on latents drawn anew. A budget counts as broken where
more than that is lost for sure.
"""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from edgevision.exporters.quantization.calibration_pictures import Pictures
from edgevision.exporters.report import read_report
from edgevision.exporters.samples import picture_batches, seeded_batches
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.model_file import require_metadata
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.benchmark.random_inputs import input_shapes
from edgevision.runtime.benchmark.timing import Clock, Speedup, inferences_by_turns
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.engines.recording import RecordingEngine
from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.runtime.tasks.quality import Quality, QualityMeasure

_SEED = 1000
_LATENTS = 512
_TURNS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("given", type=Path)
    parser.add_argument("written", type=Path)
    parser.add_argument("--plain", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    report = read_report(arguments.written)
    claims = report.quantization
    if claims is None:
        parser.error(f"{arguments.written} was not exported with --int8")
    form = next(one for one in claims.forms if one.written)
    plain = arguments.plain or arguments.given
    metadata = require_metadata(plain)
    found: dict[str, object] = {"form": form.label, "budget": claims.budget, "load": os.getloadavg()[0]}
    with (
        open_engine(arguments.given, "ort:cpu", threads=claims.threads, flush_denormals=False) as given,
        open_engine(arguments.written, "auto", threads=claims.threads) as written,
    ):
        if form.speedup is not None:
            found["claimed"] = _figures(form.speedup)
            clocks = {"again": Clock.WALL}
            if claims.threads == 1:
                clocks["again, CPU time"] = Clock.CPU
            inputs = _inputs(metadata, given, arguments.data, claims.timed_shapes, claims.batch)
            for name, clock in clocks.items():
                found[name] = _figures(_speedup(given, written, inputs, arguments.seconds, clock))
        found["loss claimed"] = [form.loss, form.at_most]
        if arguments.data is not None or find_task(metadata.task).draws_inputs:
            with open_engine(plain, "ort:cpu", threads=claims.threads) as reference:
                quality = _quality(metadata, reference, written, arguments.data)
            found["loss again"] = [quality.loss, quality.at_most]
            found["broken"] = bool(2 * quality.loss - quality.at_most > claims.budget)
    print(json.dumps(found) if arguments.json else "\n".join(f"{name}: {value}" for name, value in found.items()))


def _inputs(
    metadata: ModelMetadata, given: Engine, data: Path | None, shapes: Sequence[tuple[int, ...]], batch: int
) -> list[list[np.ndarray]]:
    """What to time on by turns: the first pictures of ``data`` as the task has them, cut or repeated to ``shapes``."""
    if not shapes:
        shapes = tuple(input_shapes(given.inputs, metadata, batch=batch, shape=None).values())
    if data is None:
        found = list(islice(seeded_batches(metadata, shapes[0][1:], batch, _SEED), _TURNS))
    else:
        pictures = _pictures(metadata, data)
        pictures = pictures.share(range(min(_TURNS, len(pictures))))
        recorder = RecordingEngine(given)
        if _damages(metadata):
            _measure(metadata, recorder, pictures)
        batches = recorder.batches or picture_batches(pictures, metadata, 1)
        found = [[array[[row]] for array in batch] for batch in batches for row in range(len(batch[0]))][:_TURNS]
    return [
        [
            array[np.ix_(*(np.arange(wanted) % own for wanted, own in zip(shape, array.shape, strict=True)))]
            for array, shape in zip(one, shapes, strict=True)
        ]
        for one in found
    ]


def _speedup(
    given: Engine, written: Engine, inputs: Sequence[Sequence[np.ndarray]], seconds: float, clock: Clock
) -> Speedup:
    def run(engine: Engine, arrays: Mapping[str, np.ndarray]) -> object:
        return engine.run({spec.name: array for spec, array in zip(engine.inputs, arrays.values(), strict=True)})

    feeds = [{spec.name: array for spec, array in zip(given.inputs, one, strict=True)} for one in inputs]
    runs = {"given": partial(run, given), "written": partial(run, written)}
    timer = inferences_by_turns(runs, feeds, block_ms=6.0, clock=clock)
    timer.measure(seconds, fewest=25)
    return timer.speedup("written", over="given")


def _figures(found: Speedup) -> list[float]:
    return [round(float(value), 3) for value in (found.ratio, found.low, found.high)]


def _quality(metadata: ModelMetadata, given: Engine, written: Engine, data: Path | None) -> Quality:
    task = find_task(metadata.task)
    if data is None:
        shape = tuple(side for side in given.inputs[0].shape[1:] if isinstance(side, int))
        latents = list(seeded_batches(metadata, shape, _LATENTS, _SEED))
        drawn = [np.concatenate(arrays) for arrays in zip(*latents, strict=True)]
        return task.quality_measure(metadata, given, drawn, None, EvaluationOptions())(written)
    return _measure(metadata, given, _pictures(metadata, data))(written)


def _pictures(metadata: ModelMetadata, data: Path) -> Pictures:
    task = find_task(metadata.task)
    folder = task.open_data(data)
    return Pictures(folder, range(len(folder)), task.crop_side(metadata, [folder]))


def _damages(metadata: ModelMetadata) -> bool:
    """Whether the task's pipeline makes the inputs of pictures itself."""
    return bool(find_task(metadata.task).calibration_degradations(metadata, EvaluationOptions()))


def _measure(metadata: ModelMetadata, given: Engine, pictures: Pictures) -> QualityMeasure:
    inputs: list[np.ndarray] = []
    if not _damages(metadata):
        batches = list(picture_batches(pictures, metadata, len(pictures)))
        inputs = [np.concatenate(arrays) for arrays in zip(*batches, strict=True)]
    return find_task(metadata.task).quality_measure(metadata, given, inputs, pictures, EvaluationOptions(seed=_SEED))


if __name__ == "__main__":
    main()
