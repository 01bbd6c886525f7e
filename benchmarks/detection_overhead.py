"""What finding things costs beside the network: per picture by head, and per process.

    python benchmarks/detection_overhead.py [MODEL.onnx PICTURE] [--rounds 60]

By head: a call of a detector whose engine answers at once with stored outputs of a 320x320 network, 300 of whose rows
are above the least score and 100 of whose boxes are kept. The picture is decoded. It has that size, or has 640x480 that
are brought to it: as detectors are exported ("linear"), and antialiased. Per process, with a face detector exported
from Ultra-Light-Fast's version-slim-320.onnx: ``run detect`` beside ``bare_detect.py``, which does the same by hand.
All is CPU time, interleaved, with one thread.
"""

import argparse
import compileall
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.imaging.preprocessing import Preprocessor
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, Resample, Resize, TensorSpec
from edgevision.runtime.benchmark.timing import InterleavedTimer
from edgevision.runtime.engines.engine import Closeable
from edgevision.runtime.tasks.detection.decoding import candidates
from edgevision.runtime.tasks.detection.detector import Detector
from edgevision.runtime.tasks.detection.rows import gather_rows
from edgevision.runtime.tasks.detection.spec import (
    Arrangement,
    BoxCoding,
    DetectionSpec,
    Field,
    HeadSpec,
    Level,
    OutputPart,
    Scores,
    Unit,
)

ROOT = Path(__file__).parent.parent
SIDE, CANDIDATES, KEPT = 320, 300, 100
STRIDES = (8, 16, 32)
CELLS = [(SIDE // stride) ** 2 for stride in STRIDES]

Outputs = dict[str, NDArray[np.float32]]


class StoredAnswers(Closeable):
    """An engine that answers every picture with the same outputs."""

    name = device = "stored"

    def __init__(self, outputs: Outputs) -> None:
        self.inputs = (TensorSpec(name="image", shape=(1, 3, SIDE, SIDE)),)
        self.outputs = tuple(TensorSpec(name=name, shape=array.shape) for name, array in outputs.items())
        self._arrays = list(outputs.values())

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        return self._arrays

    def close(self) -> None:
        """Nothing is held."""


def part(
    *fields: Field, outputs: tuple[str, ...] = ("out",), arrangement: Arrangement = Arrangement.ROWS
) -> OutputPart:
    return OutputPart(outputs=outputs, fields=fields, arrangement=arrangement)


def scores_of(rows: int, classes: int, draw: np.random.Generator) -> NDArray[np.float32]:
    """Scores of which :data:`CANDIDATES` rows have one of 0.3 to 1, and everything else at most 0.05."""
    scores = draw.uniform(0, 0.05, (rows, classes)).astype(np.float32)
    chosen = draw.choice(rows, CANDIDATES, replace=False)
    scores[chosen, draw.integers(0, classes, CANDIDATES)] = draw.uniform(0.3, 1, CANDIDATES)
    return scores


def centers_of(rows: int, draw: np.random.Generator) -> NDArray[np.float32]:
    """Decoded boxes as centres and sizes in pixels."""
    return np.concatenate([draw.uniform(0, SIDE, (rows, 2)), draw.uniform(10, 80, (rows, 2))], 1, dtype=np.float32)


def logits(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.log(scores + 1e-6) - np.log1p(1e-6 - scores + 1e-6)


def heads(draw: np.random.Generator) -> dict[str, tuple[HeadSpec, Outputs]]:
    """Of the usual kinds, with outputs of 80 classes, and of one for faces."""
    cells = sum(CELLS)
    anchors = tuple(Level(stride=stride, anchors=((2.0 * stride,) * 2,) * 3) for stride in STRIDES)
    plain = tuple(Level(stride=stride) for stride in STRIDES)
    names = tuple(f"out{stride}" for stride in STRIDES)
    yolov8 = np.concatenate([centers_of(cells, draw), scores_of(cells, 80, draw)], axis=1)
    yolov5 = np.concatenate(
        [centers_of(3 * cells, draw), scores_of(3 * cells, 1, draw), draw.random((3 * cells, 80))], 1
    )
    raw5 = draw.normal(0, 1, (3 * cells, 85)).astype(np.float32)
    raw5[:, 4] = logits(scores_of(3 * cells, 1, draw))[:, 0]
    raw5[:, 5:] = draw.normal(0, 4, (3 * cells, 80))
    raw8 = np.concatenate([draw.normal(0, 1, (cells, 64)), logits(scores_of(cells, 80, draw))], 1, dtype=np.float32)
    nano = np.concatenate([scores_of(cells, 80, draw), draw.normal(0, 1, (cells, 32))], axis=1, dtype=np.float32)
    ssd = 8 * scores_of(3 * cells, 21, draw)
    ssd[:, 0] = 2

    def maps(table: NDArray[np.float32], per_cell: int) -> Outputs:
        levels = np.split(table, np.cumsum([per_cell * count for count in CELLS])[:-1])
        sides = [SIDE // stride for stride in STRIDES]
        return {
            name: np.ascontiguousarray(level.reshape(side, side, -1).transpose(2, 0, 1)[None])
            for name, level, side in zip(names, levels, sides, strict=True)
        }

    return {
        "yolov8, decoded": (
            HeadSpec(parts=(part(Field.BOX, Field.SCORES, arrangement=Arrangement.COLUMNS),), coding=BoxCoding.CENTER),
            {"out": np.ascontiguousarray(yolov8.T[None])},
        ),
        "yolov8, raw maps": (
            HeadSpec(
                parts=(part(Field.BOX, Field.SCORES, outputs=names, arrangement=Arrangement.NCHW),),
                coding=BoxCoding.DISTANCES,
                unit=Unit.STRIDES,
                bins=16,
                scores=Scores.SIGMOID,
                levels=plain,
            ),
            maps(raw8, 1),
        ),
        "yolov5, decoded": (
            HeadSpec(parts=(part(Field.BOX, Field.OBJECTNESS, Field.SCORES),), coding=BoxCoding.CENTER),
            {"out": yolov5.astype(np.float32)[None]},
        ),
        "yolov5, raw maps": (
            HeadSpec(
                parts=(part(Field.BOX, Field.OBJECTNESS, Field.SCORES, outputs=names, arrangement=Arrangement.NCHW),),
                coding=BoxCoding.YOLO_SQUARE,
                anchors_last=False,
                scores=Scores.SIGMOID,
                objectness=Scores.SIGMOID,
                levels=anchors,
            ),
            maps(raw5, 3),
        ),
        "nanodet": (
            HeadSpec(
                parts=(part(Field.SCORES, Field.BOX),),
                coding=BoxCoding.DISTANCES,
                unit=Unit.STRIDES,
                bins=8,
                levels=plain,
            ),
            {"out": nano[None]},
        ),
        "ssd, 21 classes": (
            HeadSpec(
                parts=(part(Field.BOX, outputs=("boxes",)), part(Field.SCORES, outputs=("scores",))),
                coding=BoxCoding.PRIORS,
                scores=Scores.SOFTMAX,
                background=0,
                levels=anchors,
            ),
            {
                "boxes": draw.normal(0, 0.3, (1, 3 * cells, 4)).astype(np.float32),
                "scores": ssd[None],
            },
        ),
        "faces, decoded": (
            HeadSpec(
                parts=(part(Field.BOX, outputs=("boxes",)), part(Field.SCORES, outputs=("scores",))),
                coding=BoxCoding.CENTER,
            ),
            {"boxes": centers_of(4420, draw)[None], "scores": scores_of(4420, 1, draw)[None]},
        ),
    }


def overhead(rounds: int) -> None:
    draw = np.random.default_rng(0)
    own, larger = (Image.fromarray(draw.integers(0, 256, (*size, 3), np.uint8)) for size in ((SIDE, SIDE), (480, 640)))
    linear = ImageSpec(size=(SIDE, SIDE), resize=Resize.PAD, pad_value=114, resample=Resample.LINEAR)
    ways = {
        "": (own, linear),
        ", linear": (larger, linear),
        ", antialiased": (larger, replace(linear, resample=Resample.BILINEAR)),
    }
    calls = {}
    for name, (head, outputs) in heads(draw).items():
        spec = DetectionSpec(head=head, most=KEPT)
        for way, (picture, image) in ways.items():
            metadata = ModelMetadata(task="detect", name=name, image=image, spec=spec)
            calls[name + way] = partial(Detector(StoredAnswers(outputs), metadata), picture)
        rows = gather_rows(head, outputs, SIDE, SIDE)
        found = candidates(head, rows, SIDE, SIDE, min_score=spec.min_score, multi_label=False)
        print(f"{name:<18} {len(found.scores):5d} candidates, {len(calls[name]()):4d} boxes")
    for way, (picture, image) in ways.items():
        calls["tensor alone" + way] = partial(Preprocessor(image), picture)
    timer = InterleavedTimer(calls, clock=time.thread_time_ns, block_ms=5)
    timer.measure(0, fewest=rounds)
    print(f"\n{'head':<31} {'ms':>7}  (95 % interval)")
    for name in calls:
        taken = timer.latency(name)
        print(f"{name:<31} {taken.value:7.3f}  ({taken.low:.3f} to {taken.high:.3f})")


def cold_start(model: str, picture: str, rounds: int) -> None:
    for folder in ("edgevision", "runtime"):  # as an installer leaves them
        compileall.compile_dir(ROOT / folder, quiet=2)
    edgevision = str(Path(sys.executable).parent / "edgevision")
    programs = {
        "bare script": [sys.executable, str(ROOT / "benchmarks/bare_detect.py"), model, picture],
        "run detect": [edgevision, "run", "detect", picture, "--model", model, "--quiet", "--threads", "1"],
    }
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    run = partial(subprocess.run, check=True, stdout=subprocess.DEVNULL, env=one_thread)
    timer = InterleavedTimer(
        {name: partial(run, command) for name, command in programs.items()}, clock=children_cpu_ns, block_ms=1
    )
    timer.measure(0, fewest=rounds)
    for name in programs:
        print(f"{name:<12} {timer.milliseconds(name):7.1f} ms of CPU time")
    found = timer.speedup("bare script", over="run detect")
    print(f"run detect takes {found.ratio:.3f} ({found.low:.3f} to {found.high:.3f}) times as long")


def children_cpu_ns() -> int:
    """What all processes that have ended took."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round(1e9 * (usage.ru_utime + usage.ru_stime))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?")
    parser.add_argument("picture", nargs="?")
    parser.add_argument("--rounds", type=int, default=60)
    arguments = parser.parse_args()
    overhead(arguments.rounds)
    if arguments.model and arguments.picture:
        cold_start(arguments.model, arguments.picture, arguments.rounds)


if __name__ == "__main__":
    main()
