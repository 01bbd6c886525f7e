"""int8 by edgevision against what ONNX Runtime's own quantisation makes of the same float models.

    python benchmarks/int8.py --shared ../shared [--classifier mobilenet.pt] [--nncf]     # about 15 minutes
    python benchmarks/int8.py --shared ../shared --all --preset default                   # every model: an hour
    python benchmarks/int8.py --shared ../shared --only classifier denoise detect --formats tflite ncnn --threads 1
    python benchmarks/int8.py --shared ../shared --only dncnn_s25 --nncf --emulate pi4 --pictures 12 --side 64

A table for this kind of CPU, in Markdown: quality in float, and for every way to int8 the change of it, the speed over
the plain fp32 export in ONNX Runtime (all ways of a model interleaved on --threads, ratio of medians and 95 % interval)
and the share of its size. The fastest way is in bold. Quality is measured on the whole of the data (Set12, the test
part of cifar10.zip, Set5), of which edgevision's search sees at most a part: its pictures to calibrate with are others.
The models are foreign checkpoints, and those that ship. --formats adds their rows in the engines of other formats, in
float and, where they are written in it, in int8. One thread is timed by its CPU time.

--emulate judges what is made for another CPU in ONNX Runtime on that CPU, emulated by qemu-user: a Raspberry Pi 4 or 5,
or Haswell. Nothing is timed then, and as all is slow there, --pictures and --side take a part of the data.

What is done is kept in --results, by the kind of CPU, with edgevision's reports, where the forms that were tried in
each engine stand beside each other; the same command goes on from there.
"""

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from emulated_cpus import EMULATED, emulated_process
from PIL import Image

import edgevision
from edgevision.core.machine import Machine
from edgevision.data.datasets import ImageFolder, is_held_out
from edgevision.exporters.engine_process import ProcessEngine
from edgevision.exporters.format_writers import WRITERS
from edgevision.exporters.passes.cleanup import add_metadata
from edgevision.exporters.quantization.calibration import RecordingEngine, collect_calibration_data
from edgevision.exporters.quantization.options import EngineChoice, Preset
from edgevision.exporters.quantization.settings import EFFORTS, QuantizationSettings
from edgevision.exporters.samples import seeded_batches
from edgevision.exporters.sources.network_part import NetworkPart
from edgevision.exporters.sources.reading import read_source_model
from edgevision.modelfiles.metadata import METADATA_KEY, Precision
from edgevision.modelfiles.model_facts import read_facts
from edgevision.modelfiles.model_file import ModelFormat, require_metadata
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.benchmark.timing import Clock, InterleavedTimer
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.load import build_pipeline
from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.runtime.tasks.quality import OutputQuality

# Of a task's report, in percent; else PSNR is judged.
FIGURES = {"classify": "top1", "detect": "map"}

CIFAR = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


@dataclass(frozen=True)
class Case:
    """A model, what it is calibrated with, what it is judged on in the end, and the input it is timed with.

    ``brief`` are those with a floor, which are measured unless all are asked for.
    """

    name: str
    checkpoint: Path
    calibration: Path | None
    data: Path | None
    shape: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict)
    brief: bool = True


def cases(shared: Path, checkpoints: Path, classifier: Path | None) -> Iterator[Case]:
    """The foreign ones and those that ship; pictures of the restoration tasks are the photographs held out."""
    foreign, data = shared / "cases", shared / "data"
    normalised = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    yield Case(
        "dncnn_s25",
        foreign / "dncnn_s25/net.pth",
        data / "gray400",
        data / "set12",
        (1, 1, 128, 128),
        {
            "arch": "edgevision.models:DnCnn",
            "input_shape": (1, 1, 64, 64),
            "metadata": {"task": "denoise", "restoration": {"predicts": "noise"}},
        },
    )
    yield Case(
        "resnet20",
        foreign / "resnet20_cifar10/resnet20.th",
        data / "cifar10.zip",
        data / "cifar10.zip",
        (1, 3, 32, 32),
        {
            "arch": "edgevision.models:resnet20",
            "input_shape": (1, 3, 32, 32),
            "metadata": {"task": "classify", "labels": CIFAR, "image": normalised},
        },
    )
    yield Case(
        "fsrcnn_x2",
        foreign / "fsrcnn_x2/ckpt.pt",
        data / "photos",
        foreign / "fsrcnn_x2",
        (1, 3, 128, 128),
        {
            "arch": "edgevision.models:Fsrcnn",
            "input_shape": (1, 3, 64, 64),
            "metadata": {"task": "upscale", "image": {"color": "ycbcr"}},
        },
        brief=False,
    )
    yield Case("gan", checkpoints / "gan.pt", None, None, (1, 128))
    yield Case("gan, batch 16", checkpoints / "gan.pt", None, None, (16, 128))
    pictures = data / "cifar10.zip"
    if classifier is not None:
        yield Case("mobilenet", classifier, pictures, pictures, (1, 3, 32, 32))
    yield Case("classifier", checkpoints / "classifier.pt", pictures, pictures, (1, 3, 32, 32), brief=False)
    cells = data / "bccd.zip"
    yield Case("detect", checkpoints / "detect.pt", cells, cells, (1, 3, 256, 320), brief=False)
    for name in ("denoise", "inpaint", "upscale", "upscale_x4", "brighten"):
        brief = name in ("denoise", "inpaint", "upscale")
        shape = (1, 1 if name.startswith("upscale") else 3, 128, 128)
        yield Case(name, checkpoints / f"{name}.pt", data / "photos", data / "photos", shape, brief=brief)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--checkpoints", type=Path, default=Path("examples/checkpoints"))
    parser.add_argument("--classifier", type=Path, help="a checkpoint of the mobilenet, trained on cifar10.zip")
    parser.add_argument("--only", nargs="+", help="names of models")
    parser.add_argument("--all", action="store_true", help="also models without a floor")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each way, interleaved")
    parser.add_argument("--nncf", action="store_true", help="NNCF to ONNX too")
    parser.add_argument("--formats", nargs="+", type=ModelFormat, default=[], help="edgevision's in these, too")
    parser.add_argument("--results", type=Path, default=Path("int8-results"), help="what is done already")
    parser.add_argument("--emulate", choices=EMULATED, help="judge on this CPU, without times")
    parser.add_argument("--pictures", type=int, help="so many of the data, or latents, instead of all")
    parser.add_argument("--side", type=int, help="of larger pictures only the middle")
    arguments = parser.parse_args()
    machine = Machine.this()
    kind = arguments.emulate or machine.cpu_kind
    results = arguments.results / kind.replace(" ", "-")
    results.mkdir(parents=True, exist_ok=True)
    where = "emulated" if arguments.emulate else f"{machine.processor}, {machine.cores} cores"
    print(f"{kind}: {where}, {arguments.threads} threads\n")
    print("| model | way | quality | change | times as fast as fp32 (95 %) | size | verdict, and load |")
    print("|---|---|---|---|---|---|---|")
    for case in cases(arguments.shared, arguments.checkpoints, arguments.classifier):
        if case.name not in arguments.only if arguments.only else not (case.brief or arguments.all):
            continue
        file = results / f"{case.name.replace(', ', '-').replace(' ', '')}.json"
        if not file.exists():
            with tempfile.TemporaryDirectory() as folder:
                rows = compare(case, Path(folder), arguments)
                for report in Path(folder).glob("*.report.json"):
                    shutil.copy(report, file.with_suffix(f".{report.name}"))
            file.write_text(json.dumps(rows, indent=1), encoding="utf-8")
        print_rows(case, json.loads(file.read_text(encoding="utf-8")))


Row = dict[str, Any]

FLOAT = "fp32, plain export"


def print_rows(case: Case, rows: list[Row]) -> None:
    fastest = max((row["ratio"][0] for row in rows if "ratio" in row), default=None)
    for row in rows:
        if "fails" in row:
            print(f"| | {row['way']} | | | fails: {row['fails']} | | |", flush=True)
            continue
        times = ""
        if "ratio" in row:
            ratio, low, high = row["ratio"]
            times = f"{ratio:.2f} ({low:.2f} to {high:.2f})"
            times = f"**{times}**" if ratio == fastest else times
        first = row is rows[0]
        change = "" if first or row["change"] is None else f"{row['change']:+.3f}"
        cells = (
            case.name if first else "",
            row["way"],
            f"{row['quality']:.3f}",
            change,
            "1" if first and times else times,
        )
        print(f"| {' | '.join(cells)} | {row['size']:.2f} | {row['note']} |", flush=True)


def compare(case: Case, folder: Path, arguments: argparse.Namespace) -> list[Row]:
    """A row for the plain export, and one for each way to int8."""
    settings = QuantizationSettings(
        calibration=case.calibration,
        preset=Preset(arguments.preset),
        threads=arguments.threads,
        batch=case.shape[0],
    )
    if arguments.emulate:
        target, engine_choice = EMULATED[arguments.emulate], EngineChoice.ONNXRUNTIME
        settings = replace(settings, target=target, engine=engine_choice)
    plain = folder / "plain.onnx"
    write_plain(case, plain)
    with ExitStack() as stack:
        opened = opening(arguments, stack)
        engine = stack.enter_context(open_engine(plain, threads=arguments.threads))
        engines = {FLOAT: stack.enter_context(opened(plain))}
        ways: dict[str, Callable[[], tuple[Path, str]]] = {
            "ORT default": lambda: (ort(case, plain, folder / "ort.onnx", engine), ""),
            "ORT u8s8 channel, reduced": lambda: (
                ort(case, plain, folder / "ort2.onnx", engine, per_channel=True, reduce_range=True),
                "",
            ),
        }
        if arguments.nncf:
            ways["NNCF to ONNX"] = lambda: (nncf(case, plain, folder / "nncf.onnx", engine), "")
        ways["edgevision --int8"] = lambda: ours(case, folder / "ours.onnx", settings)
        for format in arguments.formats:
            ways |= in_format(case, folder, format, settings)
        made, failures = {FLOAT: (plain, "")}, {}
        for way, make in ways.items():
            try:
                made[way] = make()
                engines[way] = stack.enter_context(opened(made[way][0]))
            except Exception as error:  # other tools fail in their own ways, which is a result too
                failures[way] = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]:.90}"
        timer = None if arguments.emulate else timed(case, plain, engines, arguments)
        load = "" if timer is None else f"load {os.getloadavg()[0]:.1f}"
        judged = {way: quality(case, one, made[way][0], plain, arguments) for way, one in engines.items()}
        float_quality = judged[FLOAT]
        rows: list[Row] = []
        for way in (FLOAT, *ways):
            if way in failures:
                rows.append({"way": way, "fails": failures[way]})
                continue
            file, note = made[way]
            row = {
                "way": way,
                "quality": judged[way],
                "change": judged[way] - float_quality if np.isfinite(float_quality) else None,
                "size": read_facts(file).size_bytes / plain.stat().st_size,
                "note": note or (load if way == FLOAT else ""),
            }
            if timer is not None:
                speed = timer.speedup(way, over=FLOAT)
                row["ratio"] = [speed.ratio, speed.low, speed.high]
            rows.append(row)
    return rows


def opening(arguments: argparse.Namespace, stack: ExitStack) -> Callable[[Path], Engine]:
    """How files are opened that are judged: here, or on the emulated CPU."""
    if not arguments.emulate:
        return partial(open_engine, threads=arguments.threads)
    process = stack.enter_context(closing(emulated_process(arguments.emulate)))
    return lambda path: ProcessEngine(process, path, "ort:cpu", {"threads": 1}, lambda: None)


def timed(
    case: Case, plain: Path, engines: Mapping[str, Engine], arguments: argparse.Namespace
) -> InterleavedTimer[str]:
    """All engines timed on the same input."""
    metadata = require_metadata(plain)
    arrays = timed_inputs(case, metadata, np.random.default_rng(0), len(engines[FLOAT].inputs))
    calls = {
        way: partial(one.run, dict(zip([spec.name for spec in one.inputs], arrays, strict=True)))
        for way, one in engines.items()
    }
    # The threads of an engine stay awake for a while: what is short would mostly be timed beside another's.
    timer = InterleavedTimer(calls, block_ms=6.0, clock=Clock.of_inference(arguments.threads))
    timer.measure(arguments.seconds * len(engines))
    return timer


def write_plain(case: Case, path: Path) -> None:
    """What torch.onnx.export makes of the network, with the metadata that lets the pipelines run it."""
    given: dict[str, Any] = {"arch": None, "arch_options": None, "weights": None, "input_shape": None, "metadata": {}}
    given |= {"part": NetworkPart.BOTH} | case.options
    source = read_source_model(case.checkpoint, trust_pickle=False, seed=0, **given)
    model = source.conversion.model
    add_metadata(model, METADATA_KEY, source.metadata.to_json())
    onnx.save(model, path)


def timed_inputs(case: Case, metadata: Any, random: np.random.Generator, count: int) -> list[np.ndarray]:
    """What is timed on: values as the model takes them, in the case's shape."""
    if metadata.task == "generate":
        return list(next(iter(seeded_batches(metadata, case.shape[1:], case.shape[0], 0))))
    picture = random.random(case.shape, np.float32)
    return [picture, (random.random((1, 1, *case.shape[2:])) < 0.1).astype(np.float32)][:count]


class Part(ImageFolder):
    """So many of the pictures, spread over them, and of larger ones the middle; ``None`` for all of either."""

    def __init__(
        self, path: Path, splits: Sequence[str], held_out: bool, pictures: int | None, side: int | None
    ) -> None:
        super().__init__(path, splits)
        self._side = side
        indices = [index for index, name in enumerate(self.names) if not held_out or is_held_out(name)]
        if pictures is not None and pictures < len(indices):
            indices = [indices[place] for place in np.linspace(0, len(indices) - 1, pictures).astype(int)]
        self.names, self.labels = tuple(self.names[index] for index in indices), self.labels[indices]

    def picture(self, name: str) -> Image.Image:
        picture = super().picture(name)
        width, height = (min(side, self._side or side) for side in picture.size)
        left, top = (picture.width - width) // 2, (picture.height - height) // 2
        return picture.crop((left, top, left + width, top + height))


def quality(case: Case, engine: Engine, file: Path, plain: Path, arguments: argparse.Namespace) -> float:
    """The task's figure on the case's data; of generators the SQNR over 1,000 latents."""
    metadata = require_metadata(file)
    task = find_task(metadata.task)
    if task.draws_inputs:
        with open_engine(plain) as reference:
            batches = seeded_batches(metadata, (128,), arguments.pictures or 1000, 9)
            inputs = [np.concatenate(arrays) for arrays in zip(*batches, strict=True)]
            return -OutputQuality(reference, inputs)(engine).loss
    assert case.data is not None
    divided = metadata.task in FIGURES
    options = EvaluationOptions(held_out=not divided and case.data == case.calibration, quiet=True)
    data = Part(case.data, ("test",) if divided else (), options.held_out, arguments.pictures, arguments.side)
    report: Any = task.evaluate(build_pipeline(engine, metadata), data, options)
    if divided:
        return float(getattr(report, FIGURES[metadata.task]))
    return float(report.figures["psnr_y" if metadata.task == "upscale" else "psnr"])


def calibration(case: Case, plain: Path, engine: Engine) -> list[tuple[np.ndarray, ...]]:
    """The batches that edgevision calibrates with, for the others too."""
    metadata = require_metadata(plain)
    collected = collect_calibration_data(
        metadata,
        tuple(side if isinstance(side, int) else 64 for side in metadata.inputs[0].shape[1:]),
        RecordingEngine(engine),
        calibration=case.calibration,
        data=None,
        evaluation=EvaluationOptions(),
        amount=EFFORTS[Preset.DEFAULT].amount,
        seed=0,
    )
    return [tuple(batch) for portion in islice(collected.portions, 16) for batch in portion]


def ort(case: Case, plain: Path, output: Path, engine: Engine, **options: Any) -> Path:
    """ONNX Runtime's static quantisation, by its own advice after its own preparation."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    names = [spec.name for spec in engine.inputs]
    batches = iter([dict(zip(names, batch, strict=True)) for batch in calibration(case, plain, engine)[:32]])

    class Reader(CalibrationDataReader):
        def get_next(self) -> Any:
            return next(batches, None)

    prepared = output.with_name(f"prepared_{output.name}")
    quant_pre_process(plain, prepared, skip_symbolic_shape=True)
    quantize_static(
        prepared,
        output,
        Reader(),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8 if options else QuantType.QInt8,
        weight_type=QuantType.QInt8,
        **options,
    )
    onnx.save(opened_as_it_is(onnx.load(output), plain), output)
    return output


def nncf(case: Case, plain: Path, output: Path, engine: Engine) -> Path:
    """NNCF's post-training quantisation of the ONNX model."""
    import nncf as package

    names = [spec.name for spec in engine.inputs]
    batches = [dict(zip(names, batch, strict=True)) for batch in calibration(case, plain, engine)]
    quantized = package.quantize(onnx.load(plain), package.Dataset(batches), subset_size=len(batches))
    onnx.save(opened_as_it_is(quantized, plain), output)
    return output


def opened_as_it_is(model: onnx.ModelProto, plain: Path) -> onnx.ModelProto:
    """With the metadata of ``plain`` and a target for which ONNX Runtime is left as it opens files by itself.

    Else edgevision would keep the sums of another tool's file from saturating on AVX2, which that tool does not.
    """
    metadata = require_metadata(plain).updated(precision=Precision.INT8, target="x86-avx2")
    add_metadata(model, METADATA_KEY, metadata.to_json())
    return model


def ours(case: Case, output: Path, settings: QuantizationSettings, **options: Any) -> tuple[Path, str]:
    """``edgevision export --int8``, with its verdict."""
    report = edgevision.export(case.checkpoint, output, precision="int8", int8=settings, **case.options, **options)
    assert report.quantization is not None
    return output, f"{report.quantization.outcome}, {report.quantization.seconds:.0f} s"


def in_format(
    case: Case, folder: Path, format: ModelFormat, settings: QuantizationSettings
) -> Mapping[str, Callable[[], tuple[Path, str]]]:
    """``edgevision export --format`` in float, and in int8 where it is written in that; of the case's shape alone."""
    writer, options = WRITERS[format], {"format": format, "static": case.shape}
    path = folder / f"{case.checkpoint.stem}{writer.infix}{format.suffix}"

    def plain() -> tuple[Path, str]:
        edgevision.export(case.checkpoint, path, **case.options, **options)
        return path, ""

    ways: dict[str, Callable[[], tuple[Path, str]]] = {f"{format}, fp32": plain}
    if Precision.INT8 in writer.precisions:
        ways[f"{format}, --int8"] = lambda: ours(case, path.with_stem(f"{path.stem}_int8"), settings, **options)
    return ways


if __name__ == "__main__":
    main()
