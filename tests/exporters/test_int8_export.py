"""``edgevision export --int8`` from a checkpoint or an ONNX model to the file that is written, and what is said of it.

How long anything takes is made up here: a candidate is as many times as fast as the test says.
"""

import copy
import itertools
import json
import os
import re
import signal
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info
from onnx.numpy_helper import from_array, to_array
from PIL import Image
from quantization_reports import faster
from torch import nn
from watched_browser import check_report_page, open_browser

import edgevision
import edgevision.exporters.engine_process as engine_process
import edgevision.exporters.model_writing as model_writing
import edgevision.exporters.passes.side_by_side as side_by_side
import edgevision.exporters.passes.transposed_convolutions as transposed_convolutions
import edgevision.exporters.quantization.calibration as calibration
import edgevision.exporters.quantization.inspection as inspection
import edgevision.exporters.quantization.quantize as quantize
import edgevision.exporters.quantization.settings as quantization_settings
import edgevision.exporters.quantization.trials as trials
import edgevision.exporters.quantization.verdict as verdict
import edgevision.exporters.retime as retime_module
import edgevision.exporters.sources.checkpoint_source as checkpoint_source
from edgevision.core.errors import DatasetError, DeviceError, InputError, OutputError
from edgevision.core.machine import Machine
from edgevision.exporters.conversion.litert_conversion import PYTHON as LITERT_PYTHON
from edgevision.exporters.conversion.onnx_conversion import Conversion, convert_to_onnx
from edgevision.exporters.engine_process import OutOfTimeError
from edgevision.exporters.output_files import search_log
from edgevision.exporters.passes.ir import to_ir
from edgevision.exporters.quantization.calibration import Amount
from edgevision.exporters.quantization.engine_settings import EngineSettings
from edgevision.exporters.quantization.node_times import Profile
from edgevision.exporters.quantization.observations import observe
from edgevision.exporters.quantization.options import EngineChoice, Preference, Preset
from edgevision.exporters.quantization.page import write_page
from edgevision.exporters.quantization.ranges import choose_ranges_of_16_bits
from edgevision.exporters.quantization.report import Outcome, QuantizationReport
from edgevision.exporters.quantization.settings import EFFORTS, Effort, QuantizationSettings
from edgevision.exporters.quantization.table import verdict_table
from edgevision.exporters.quantization.time_budget import Stage, TimeBudget
from edgevision.exporters.quantization.trials import TrialSetup
from edgevision.exporters.quantization.units import find_units
from edgevision.exporters.report import read_report
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, Precision, TensorSpec
from edgevision.modelfiles.model_file import ModelFormat, read_graph, read_metadata, report_path
from edgevision.modelfiles.ncnn_file import read_layers
from edgevision.models import MODELS, PlainCnn, build_model
from edgevision.runtime.benchmark.statistics import Estimate
from edgevision.runtime.benchmark.timing import Speedup
from edgevision.runtime.cluster.ray_workers import RayRequest
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.classification.spec import ClassificationSpec
from edgevision.runtime.tasks.generation.spec import GenerationSpec, LatentSpec
from edgevision.runtime.tasks.quality import OutputQuality, Quality
from edgevision.runtime.telemetry.findings import Finding, FindingKind
from edgevision.training.checkpoint import save_checkpoint

Call = Callable[..., tuple[int, str, str]]
WriteFolders = Callable[[Path, Mapping[str, int]], Path]

OPTIONS = {"num_classes": 4, "image_size": 8}
LABELS = ("cat", "dög", "emu", "fox")
METADATA = ModelMetadata(
    task="classify",
    name="tiny",
    inputs=(TensorSpec(name="image", shape=("batch", 3, 8, 8)),),
    spec=ClassificationSpec(labels=LABELS),
    image=ImageSpec(size=(8, 8), mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2)),
)
tiny_cnn = partial(PlainCnn, widths=(8, 8, 16), kernel_size=3, padding=1, head=(16,))
QUANTISED = {"QuantizeLinear", "DequantizeLinear"}


class Stopwatch:
    """Says that all int8 is ``ratio`` times as fast as fp32, other forms as fast, and counts how often it was asked."""

    def __init__(self) -> None:
        self.ratio = 1.5
        self.rising = 0.0
        self.findings: tuple[Finding, ...] = ()
        self.others: dict[str, float] = {}
        self.count = 0
        self.interrupt_at: int | None = None

    @staticmethod
    def speedup(ratio: float, before: float = 1.0) -> Speedup:
        return Speedup(
            ratio=ratio, low=ratio - 0.1, high=ratio + 0.1, before_ms=before, after_ms=before / ratio, rounds=11
        )

    def timer(self, setup: TrialSetup | None, engines: Mapping[str, object]) -> "Stopwatch.Timer":
        ratio = self.ratio
        if "candidate" in engines:
            self.count += 1
            ratio += self.rising * self.count
            if self.count == self.interrupt_at:
                raise KeyboardInterrupt
        ratios = dict.fromkeys(("candidate", "int8", "all int8", "all 16-bit"), ratio) | self.others
        return self.Timer({name: 1 / ratios.get(name, 1.0) for name in engines})

    def report(self) -> "Stopwatch":
        """In place of that of a board, which has findings."""
        return self

    class Timer:
        """In place of what times engines interleaved."""

        def __init__(self, times: Mapping[str, float]) -> None:
            self.times = times

        def measure(self, seconds: float, fewest: int = 0) -> None:
            pass

        def milliseconds(self, name: str) -> float:
            return self.times[name]

        def latency(self, name: str) -> Estimate:
            return Estimate(value=self.times[name])

        def speedup(self, name: str, over: str) -> Speedup:
            return Stopwatch.speedup(self.times[over] / self.times[name], self.times[over])


@pytest.fixture(autouse=True)
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    """A search on a few pictures that measures no time."""
    watch = Stopwatch()
    effort = Effort(
        seconds=600, timing=0, amount=Amount(pictures=(24, 24), crops=(6, 4), latents=(24, 24)), training=40
    )
    for preset in Preset:
        monkeypatch.setitem(EFFORTS, preset, effort)
    monkeypatch.setattr(TrialSetup, "timer", lambda setup, engines: watch.timer(setup, engines))
    for module in (side_by_side, transposed_convolutions):
        monkeypatch.setattr(module, "measured_speedup", lambda before, after, feeds: faster(1.0))
    monkeypatch.setattr(verdict, "Telemetry", lambda: nullcontext(watch))
    for name in ("profile", "expected"):
        monkeypatch.setattr(quantize, name, lambda *arguments: Profile({}, ()))
    return watch


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """A classifier of random weights and few channels."""
    torch.manual_seed(0)
    return tiny_cnn(**OPTIONS).eval()


@pytest.fixture(scope="module")
def conversion(network: nn.Module) -> Conversion:
    """It as a plain ONNX model."""
    return convert_to_onnx(network, (torch.rand(1, 3, 8, 8),), input_names=["image"], output_names=["logits"])


@pytest.fixture
def small(network: nn.Module, conversion: Conversion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's own checkpoint of it, which is converted in no time."""
    path = tmp_path / "small.pt"
    save_checkpoint(path, network, METADATA, model="tiny_cnn", options=OPTIONS)
    monkeypatch.setitem(MODELS, "tiny_cnn", tiny_cnn)
    monkeypatch.setattr(checkpoint_source, "convert_to_onnx", lambda *args, **kwargs: copy.deepcopy(conversion))
    return path


@pytest.fixture
def pictures(write_class_folders: WriteFolders, tmp_path: Path) -> Path:
    """Forty pictures of four classes."""
    return write_class_folders(tmp_path / "pictures", dict.fromkeys(LABELS, 10))


def two_convolutions(
    path: Path, batch: int | str = "batch", *, opset: int = 18, ir_version: int = 8, listed: bool = False
) -> Path:
    """Somebody else's model without metadata: two convolutions; ``listed`` among the inputs is every constant too."""
    generator = np.random.default_rng(0)
    weights = {
        "w1": generator.standard_normal((8, 3, 3, 3), np.float32) / 5,
        "w2": generator.standard_normal((8, 8, 3, 3), np.float32) / 8,
    }
    nodes = [
        make_node("Conv", ["x", "w1"], ["c1"], pads=[1, 1, 1, 1]),
        make_node("Relu", ["c1"], ["r1"]),
        make_node("Conv", ["r1", "w2"], ["y"], pads=[1, 1, 1, 1]),
    ]
    inputs = [make_tensor_value_info("x", TensorProto.FLOAT, (batch, 3, 8, 8))]
    if listed:
        inputs += [make_tensor_value_info(name, TensorProto.FLOAT, values.shape) for name, values in weights.items()]
    outputs = [make_tensor_value_info("y", TensorProto.FLOAT, (batch, 8, 8, 8))]
    graph = make_graph(nodes, "graph", inputs, outputs, [from_array(v, name) for name, v in weights.items()])
    model = make_model(graph, opset_imports=[make_opsetid("", opset)], ir_version=ir_version)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def write_inputs(path: Path, count: int = 40) -> Path:
    np.savez(path, x=np.random.default_rng(1).standard_normal((count, 3, 8, 8), np.float32))
    return path


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A model of somebody else's without metadata."""
    return two_convolutions(tmp_path / "foreign.onnx")


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """Forty inputs for it."""
    return write_inputs(tmp_path / "inputs.npz")


def export(checkpoint: Path, output: Path, **settings: Any) -> QuantizationReport:
    """Export in int8; the report of the quantisation, which is also beside the model."""
    model_format = {".xml": "openvino", ".tflite": "tflite", ".param": "ncnn"}.get(output.suffix, "onnx")
    settings = {"preset": Preset.QUICK, "threads": 1, "engine": EngineChoice.ONNXRUNTIME} | settings
    if model_format != "onnx":
        settings["engine"] = EngineChoice.ANY
    report = edgevision.export(
        checkpoint, output, format=model_format, precision="int8", int8=QuantizationSettings(**settings)
    )
    assert report.quantization is not None
    written = json.loads(report_path(output).read_text(encoding="utf-8"))
    assert QuantizationReport.from_dict(written["quantization"]) == report.quantization
    assert not search_log(output).exists()
    return report.quantization


def operators(path: Path) -> set[str]:
    return {node.op_type for node in onnx.load(path).graph.node}


def answers(path: Path, folder: Path) -> list[str]:
    files = sorted(folder.rglob("*.png"))
    with edgevision.load(path) as classify:
        return [found.label for found in classify(files)]


# --- what is written ---


def test_where_int8_pays_its_arithmetic_is_int8(small: Path, pictures: Path, tmp_path: Path) -> None:
    found = export(small, tmp_path / "net.onnx", calibration=pictures, max_drop=50)
    assert (found.outcome, found.metric, found.unit, found.budget) == (Outcome.INT8, "top1", "points", 50)
    assert found.verdict == "all int8 is 1.50 times (1.40 to 1.60) as fast as the given one, the fastest float32 form"
    assert found.measured
    assert found.expected_speedup is None
    assert {"QuantizeLinear", "DequantizeLinear", "Conv"} <= operators(tmp_path / "net.onnx")
    metadata = read_metadata(tmp_path / "net.onnx")
    assert metadata is not None
    assert (metadata.precision, metadata.target) == (Precision.INT8, found.target)
    edgevision.export(small, tmp_path / "float.onnx")
    same = [a == b for a, b in zip(*(answers(tmp_path / n, pictures) for n in ("net.onnx", "float.onnx")), strict=True)]
    assert np.mean(same) >= 0.8
    assert (tmp_path / "net.onnx").stat().st_size < (tmp_path / "float.onnx").stat().st_size


def test_every_form_is_judged_and_every_operator_accounted_for(small: Path, pictures: Path, tmp_path: Path) -> None:
    found = export(small, tmp_path / "net.onnx", calibration=pictures, max_drop=50)
    assert [form.name for form in found.forms] == ["as given", "rewritten", "fp16", "int8-weights", "all int8"]
    assert [form.written for form in found.forms] == [False, False, False, False, True]
    assert all(set(form.figures) == {"top1", "agreement", "sqnr"} for form in found.forms)
    given, *others = found.forms
    assert (given.loss, given.speedup) == (0, None)
    assert [form.speedup and form.speedup.ratio for form in others] == pytest.approx([1, 1, 1, 1.5])
    assert [form.latency_ms and form.latency_ms.value for form in found.forms] == pytest.approx([1, 1, 1, 1, 1 / 1.5])
    precisions = {node.operator: node.precision for node in found.nodes}
    assert (precisions["Conv"], precisions["Gemm"], precisions["MaxPool"]) == ("int8", "int8", "float")
    assert all(node.name and node.why for node in found.nodes)
    # What each costs by itself is nobody's question where all of them hold the budget.
    assert all(node.sqnr_db is None for node in found.nodes)
    assert found.trials[0].name == "all int8"
    assert all(trial.quality is not None for trial in found.trials)


@pytest.mark.skipif(
    not find_spec("litert_torch") and LITERT_PYTHON not in os.environ, reason="litert-torch is not installed"
)
def test_a_litert_model_is_judged_in_litert(inputs: Path, tmp_path: Path, stopwatch: Stopwatch) -> None:
    stopwatch.others = {"all int8 in LiteRT": 1.5}
    source, path = tmp_path / "one.onnx", tmp_path / "net.tflite"
    # One convolution, as a conversion takes seconds.
    weights = from_array(np.random.default_rng(0).standard_normal((4, 3, 3, 3), np.float32), "w")
    x, y = (
        make_tensor_value_info(name, TensorProto.FLOAT, ("batch", size, 8, 8)) for name, size in (("x", 3), ("y", 4))
    )
    convolution = make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    graph = make_graph([convolution], "graph", [x], [y], [weights])
    onnx.save(make_model(graph, opset_imports=[make_opsetid("", 18)], ir_version=8), source)
    found = export(source, path, calibration=inputs, max_drop=20)
    assert found.outcome is Outcome.INT8
    assert {form.engine for form in found.forms} == {"LiteRT"}
    assert "int8-weights" not in [form.name for form in found.forms]
    assert found.forms[-1].figures["sqnr"] > 30
    assert "QUANTIZE" in read_graph(path).operators
    metadata = read_metadata(path)
    assert metadata is not None
    assert (metadata.precision, metadata.inputs[0].shape) == (Precision.INT8, (1, 3, 8, 8))


@pytest.mark.skipif(not find_spec("ncnn") or not find_spec("pnnx"), reason="NCNN or PNNX is not installed")
def test_an_ncnn_model_is_judged_in_ncnn(
    edgevision: Call, small: Path, pictures: Path, tmp_path: Path, stopwatch: Stopwatch
) -> None:
    stopwatch.others = {"all int8 in NCNN": 1.5}
    stopwatch.findings = (Finding(kind=FindingKind.STEAL, message="the hypervisor took its time", start_s=1),)
    path = tmp_path / "net.ncnn.param"
    found = export(small, path, calibration=pictures, max_drop=50)
    assert found.verdict.startswith("all int8 in NCNN is 1.50 times (1.40 to 1.60) as fast as the given one in NCNN")
    assert {form.engine for form in found.forms} == {"NCNN"}
    assert "the timing was disturbed, steal: the hypervisor took its time" in found.notes
    assert not any("--retime" in note for note in found.notes)  # it writes ONNX only
    assert "int8-weights" not in [form.name for form in found.forms]
    assert {node.precision for node in found.nodes if node.operator in ("Conv", "Gemm")} == {"int8"}
    weighted = [layer for layer in read_layers(path) if layer.type in ("Convolution", "InnerProduct")]
    assert len(weighted) >= 4
    assert {layer.parameters.get(8) for layer in weighted} <= {"1", "101"}
    metadata = read_metadata(path)
    assert metadata is not None
    assert (metadata.precision, metadata.inputs[0].shape) == (Precision.INT8, (1, 3, 8, 8))
    assert metadata.measured_in is not None
    assert metadata.measured_in.title == "NCNN"
    plain = tmp_path / "plain.ncnn.param"
    assert edgevision("export", small, "--format", "ncnn", "-o", plain)[0] == 0
    assert path.with_suffix(".bin").stat().st_size < 0.5 * plain.with_suffix(".bin").stat().st_size
    same = [a == b for a, b in zip(*(answers(file, pictures) for file in (path, plain)), strict=True)]
    assert np.mean(same) >= 0.8
    code, output, _ = edgevision("bench", path, plain, "--threads", "1", "--seconds", "0.1")
    assert (code, "net.ncnn.param" in output) == (0, True)


def test_where_int8_does_not_pay_the_weights_are_only_stored_in_it(
    small: Path, pictures: Path, tmp_path: Path, stopwatch: Stopwatch
) -> None:
    stopwatch.ratio = 0.8
    found = export(small, tmp_path / "net.onnx", calibration=pictures, max_drop=50)
    assert found.outcome is Outcome.WEIGHT_ONLY
    assert found.verdict.startswith("int8 arithmetic does not pay here: all int8 is slower, 0.80 times (0.70 to 0.90) ")
    assert found.verdict.endswith("; the weights are stored in int8 and computed with in float")
    assert not operators(tmp_path / "net.onnx") & QUANTISED
    assert {node.precision for node in found.nodes} == {"float", "float, weights stored in int8"}
    edgevision.export(small, tmp_path / "float.onnx")
    assert (tmp_path / "net.onnx").stat().st_size < 0.8 * (tmp_path / "float.onnx").stat().st_size
    metadata = read_metadata(tmp_path / "net.onnx")
    assert metadata is not None
    assert metadata.precision is Precision.INT8_WEIGHTS
    # Not even its page is headlined int8.
    page = tmp_path / "page.html"
    write_page(page, "net.onnx", found)
    assert "<title>net.onnx: int8-weights</title>" in page.read_text(encoding="utf-8")


def test_int8_that_does_not_pay_is_written_where_it_is_preferred(
    small: Path, pictures: Path, tmp_path: Path, stopwatch: Stopwatch
) -> None:
    stopwatch.ratio = 0.8
    found = export(small, tmp_path / "net.onnx", calibration=pictures, max_drop=50, prefer=Preference.INT8)
    assert found.outcome is Outcome.INT8
    # It was measured, and what was measured is said.
    assert found.verdict == (
        "all int8 is slower, 0.80 times (0.70 to 0.90) as fast as the given one, the fastest float32 form; it is"
        " written because --prefer int8 asks for it"
    )
    assert operators(tmp_path / "net.onnx") >= QUANTISED


def test_a_difference_within_the_interval_does_not_pay(
    foreign: Path, inputs: Path, tmp_path: Path, stopwatch: Stopwatch
) -> None:
    stopwatch.ratio = 1.05
    found = export(foreign, tmp_path / "net.onnx", calibration=inputs)
    assert found.outcome is not Outcome.INT8
    assert "all int8 is not shown to be faster, 1.05 times (0.95 to 1.15)" in found.verdict


def test_what_breaks_the_budget_is_finetuned_where_that_is_asked_for(
    foreign: Path, inputs: Path, tmp_path: Path, stopwatch: Stopwatch
) -> None:
    stopwatch.others = {"all int8 finetuned": 1.9}
    # No form in int8 is as near as that.
    found = export(foreign, tmp_path / "net.onnx", calibration=inputs, finetune=True, max_drop=90)
    losses = {form.name: form.at_most for form in found.forms}
    assert losses["all int8 finetuned"] < losses["all int8"]
    assert found.outcome is Outcome.FLOAT
    alone = [node.sqnr_db for node in found.nodes if node.operator == "Conv"]
    assert all(sqnr is not None and sqnr > 20 for sqnr in alone)
    assert any(note.startswith("finetuning for 2 operators in int8: the loss was ") for note in found.notes)
    # Now one of the two is within the budget.
    middle = -(losses["all int8 finetuned"] + losses["all int8"]) / 2
    found = export(foreign, tmp_path / "tuned.onnx", calibration=inputs, finetune=True, max_drop=middle)
    (written,) = [form for form in found.forms if form.written]
    assert (found.outcome, written.name) == (Outcome.INT8, "all int8 finetuned")
    assert written.at_most == pytest.approx(losses["all int8 finetuned"])
    assert operators(tmp_path / "tuned.onnx") >= QUANTISED


def test_what_holds_the_budget_is_not_finetuned(foreign: Path, inputs: Path, tmp_path: Path) -> None:
    found = export(foreign, tmp_path / "net.onnx", calibration=inputs, finetune=True, max_drop=10)
    assert not any("finetun" in text for text in (*found.notes, *(form.name for form in found.forms)))
    assert found.outcome is Outcome.INT8


def test_a_training_that_makes_nothing_better_is_left_out(
    foreign: Path, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantize, "finetune", lambda quantizer, plan, batches, **options: quantizer)
    found = export(foreign, tmp_path / "net.onnx", calibration=inputs, finetune=True, max_drop=90)
    assert any(note.endswith("after, and it is left out") for note in found.notes)
    assert not any("finetun" in form.name for form in found.forms)


def test_what_cannot_be_trained_is_named_before_anything_is_measured(
    foreign: Path, inputs: Path, tmp_path: Path, stopwatch: Stopwatch
) -> None:
    model = onnx.load(foreign)
    model.graph.node[1].op_type = "Round"
    onnx.save(model, foreign)
    with pytest.raises(InputError, match="--finetune cannot train through Round, which the model holds: leave it out"):
        export(foreign, tmp_path / "net.onnx", calibration=inputs, finetune=True)
    assert not stopwatch.count


@pytest.mark.parametrize("prefer", Preference)
def test_what_is_chosen_has_the_figures_of_its_own_row(
    small: Path, pictures: Path, tmp_path: Path, stopwatch: Stopwatch, prefer: Preference
) -> None:
    # The rewritten form is slower than what was given, and so are weights that are only stored.
    stopwatch.ratio, stopwatch.others = 0.9, {"rewritten": 0.8, "int8-weights": 0.7}
    found = export(small, tmp_path / "net.onnx", calibration=pictures, max_drop=50, prefer=prefer)
    first, (written,) = found.forms[0], [form for form in found.forms if form.written]
    ratio = 1 if written is first or written.speedup is None else written.speedup.ratio
    expected = {Preference.SPEED: ("float", 1), Preference.SIZE: ("int8-weights", 0.7), Preference.INT8: ("int8", 0.9)}
    assert (found.outcome, ratio) == (expected[prefer][0], pytest.approx(expected[prefer][1]))
    for form in found.forms[1:]:
        assert form.speedup is not None
        assert first.latency_ms is not None
        assert form.latency_ms is not None
        # The ratio and the milliseconds are of the same runs.
        assert form.speedup.ratio == pytest.approx(first.latency_ms.value / form.latency_ms.value)
    assert "0.90 times" in found.verdict
    assert found.verdict.count("slower") == {"float": 2, "int8-weights": 2, "int8": 1}[found.outcome]


def test_where_the_last_measurement_contradicts_the_search_the_search_loses(
    small: Path, pictures: Path, tmp_path: Path, stopwatch: Stopwatch
) -> None:
    # Every set that was tried seemed to be faster than the one before.
    stopwatch.rising, stopwatch.others = 0.2, {"int8": 1.6, "all int8": 3.0}
    found = export(small, tmp_path / "net.onnx", calibration=pictures, max_drop=50)
    assert [form.name for form in found.forms if form.written] == ["all int8"]
    assert "int8" in [form.name for form in found.forms]
    convolutions = [node for node in found.nodes if node.operator in ("Conv", "Gemm")]
    assert {(node.precision, node.why) for node in convolutions} == {("int8", "pays within the budget")}
    stopwatch.others = {"int8": 3.0, "all int8": 1.6}
    found = export(small, tmp_path / "other.onnx", calibration=pictures, max_drop=50)
    assert [form.name for form in found.forms if form.written] == ["int8"]


def test_half_precision_that_is_the_fastest_of_all_is_written(
    small: Path, pictures: Path, tmp_path: Path, stopwatch: Stopwatch
) -> None:
    stopwatch.others = {"fp16": 3.0}
    found = export(small, tmp_path / "net.onnx", calibration=pictures, max_drop=50)
    assert found.outcome is Outcome.FP16
    assert found.verdict == (
        "fp16 is 3.00 times (2.90 to 3.10) as fast as the given one, the fastest float32 form;"
        " int8 pays less: all int8 is 1.50 times (1.40 to 1.60) as fast as that"
    )
    metadata = read_metadata(tmp_path / "net.onnx")
    assert metadata is not None
    assert metadata.precision is Precision.FP16
    assert TensorProto.FLOAT16 in {value.data_type for value in onnx.load(tmp_path / "net.onnx").graph.initializer}


@pytest.mark.parametrize("prefer", Preference)
def test_where_nothing_holds_the_budget_the_float_model_is_written(
    foreign: Path, inputs: Path, tmp_path: Path, prefer: Preference
) -> None:
    found = export(foreign, tmp_path / "net.onnx", calibration=inputs, max_drop=200, prefer=prefer)
    assert (found.outcome, found.budget) == (Outcome.FLOAT, -200)
    assert found.verdict == (
        "no operator can be int8 within the budget of 200 dB; written is the fastest float32 form, the given one"
    )
    assert not operators(tmp_path / "net.onnx") & {*QUANTISED, "Cast"}
    metadata = read_metadata(tmp_path / "net.onnx")
    assert metadata is not None
    assert metadata.precision is Precision.FP32
    assert {node.precision for node in found.nodes} == {"float"}


def test_a_budget_between_is_held_by_some_operators(foreign: Path, inputs: Path, tmp_path: Path) -> None:
    # A target that takes no input in two parts, with which everything in int8 may hold what it did not hold alone.
    settings: dict[str, Any] = {"calibration": inputs, "target": "x86-avx2"}
    whole = export(foreign, tmp_path / "whole.onnx", **settings)
    budget = -whole.forms[-1].at_most + 0.2
    found = export(foreign, tmp_path / "net.onnx", max_drop=budget, **settings)
    assert found.outcome is Outcome.INT8
    assert found.forms[-1].at_most <= -budget
    reasons = {node.why for node in found.nodes if node.precision != "int8"}
    assert "int8 costs too much quality here" in reasons
    assert [node.precision for node in found.nodes if node.operator == "Conv"].count("int8") == 1


def test_a_model_with_nothing_to_quantise_stays_float(tmp_path: Path, inputs: Path) -> None:
    ends = [make_tensor_value_info(name, TensorProto.FLOAT, ("batch", 3, 8, 8)) for name in ("x", "y")]
    graph = make_graph([make_node("Abs", ["x"], ["y"])], "graph", ends[:1], ends[1:])
    onnx.save(make_model(graph, opset_imports=[make_opsetid("", 18)], ir_version=8), tmp_path / "abs.onnx")
    found = export(tmp_path / "abs.onnx", tmp_path / "net.onnx", calibration=inputs)
    assert (found.outcome, found.trials) == (Outcome.FLOAT, ())
    assert operators(tmp_path / "net.onnx") == {"Abs"}


def test_the_same_is_written_every_time(small: Path, pictures: Path, tmp_path: Path) -> None:
    for name in ("one.onnx", "two.onnx"):
        export(small, tmp_path / name, calibration=pictures, max_drop=50)
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()


def test_what_disturbed_the_timing_is_said(foreign: Path, inputs: Path, tmp_path: Path, stopwatch: Stopwatch) -> None:
    message = "other processes used 43% of the CPU from 0.0 s to the end"
    shared = Finding(kind=FindingKind.SHARED_CPU, message=message, start_s=0)
    steal = Finding(kind=FindingKind.STEAL, message="the hypervisor withheld 3.0% of the CPU", start_s=1)
    stopwatch.findings = (shared, steal, shared, shared)
    found = export(foreign, tmp_path / "net.onnx", calibration=inputs)
    assert found.notes[-3:] == (
        f"the timing was disturbed, shared CPU: {message}, and 2 times more",
        "the timing was disturbed, steal: the hypervisor withheld 3.0% of the CPU",
        "what an export with --keep-candidates tries can be timed again on a quieter machine (--retime)",
    )


@pytest.mark.parametrize("stage", list(Stage)[1:-2])
def test_where_time_runs_out_what_was_found_is_written_and_what_was_not_tried_is_said(
    small: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: Stage
) -> None:
    seconds_left = TimeBudget.seconds_left.fget  # type: ignore[attr-defined]
    reached = {name: list(Stage).index(name) for name in Stage}

    def none_from_there_on(budget: TimeBudget) -> float:
        late = budget.stage is not None and reached[budget.stage] >= reached[stage]
        return 0.0 if late else float(seconds_left(budget))

    monkeypatch.setattr(TimeBudget, "seconds_left", property(none_from_there_on))
    found = export(small, tmp_path / "net.onnx", calibration=pictures, max_drop=50)
    assert found.forms[0].name == "as given"
    assert [form.written for form in found.forms].count(True) == 1
    assert all(form.loss <= 50 for form in found.forms if form.written)
    (note,) = [note for note in found.notes if note.startswith("left out for want of time: ")]
    assert note.endswith("; a longer --budget or --preset has more")
    assert ("faster float forms" in note) == (stage is Stage.PREPARING)
    assert ("ranges by percentile" in note) == (reached[stage] <= reached[Stage.CALIBRATING])
    edgevision.load(tmp_path / "net.onnx").close()


class SlowEngines:
    """Engines of which each request takes three seconds by a clock that nothing else moves but timing, and nobody waits
    for one beyond what was promised."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.verbs: list[str] = []
        process = engine_process.engine_process()
        ask = process.ask

        def slowly(verb: str, *arguments: Any, **options: Any) -> Any:
            if verb in ("open", "run") and self.now < process._end:
                self.now += 3
                if self.now > process._end:
                    self.now = process._end
                    raise OutOfTimeError("there was no time to wait for it")
            self.verbs.append(verb)
            return ask(verb, *arguments, **options)

        def measure(timer: Any, seconds: float, fewest: int = 0) -> None:
            self.now += seconds

        monkeypatch.setattr(process, "ask", slowly)
        monkeypatch.setattr(process, "_clock", lambda: self.now)
        monkeypatch.setattr(quantization_settings, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(Stopwatch.Timer, "measure", measure)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> SlowEngines:
    return SlowEngines(monkeypatch)


@pytest.mark.parametrize("seconds", [20, 40, 70, 100, 150, 300, 600])
def test_a_budget_is_kept_however_slow_the_engines_are(
    small: Path, pictures: Path, tmp_path: Path, slow: SlowEngines, seconds: int
) -> None:
    found = export(small, tmp_path / "net.onnx", calibration=pictures, max_drop=50, time_budget=f"{seconds}s")
    assert slow.now <= seconds
    assert [form.written for form in found.forms].count(True) == 1
    assert any(note.startswith("left out for want of time: ") for note in found.notes) or found.outcome is Outcome.INT8
    edgevision.load(tmp_path / "net.onnx").close()


def test_more_time_than_is_needed_is_not_used(small: Path, pictures: Path, tmp_path: Path, slow: SlowEngines) -> None:
    found = export(small, tmp_path / "net.onnx", calibration=pictures, max_drop=50, time_budget="1h")
    assert found.outcome is Outcome.INT8
    assert slow.now < 1200


def test_where_the_float_model_cannot_be_judged_in_time_it_is_written_as_it_is(
    small: Path, pictures: Path, tmp_path: Path, slow: SlowEngines
) -> None:
    found = export(small, tmp_path / "net.onnx", calibration=pictures, max_drop=50, time_budget="7s")
    assert (found.outcome, found.measured, found.trials) == (Outcome.FLOAT, False, ())
    assert found.verdict == ("the time did not suffice to try int8; written is the float32 model, which was not timed")
    # Nothing was compared with anything: neither a figure nor a budget is named.
    table = verdict_table(found)
    assert "sqnr" not in table
    assert "dB" not in table
    assert "nothing was judged or timed; " in table
    assert "measure" not in slow.verbs
    assert read_metadata(tmp_path / "net.onnx").precision is Precision.FP32  # type: ignore[union-attr]
    assert not QUANTISED & operators(tmp_path / "net.onnx")


def test_where_only_the_float_forms_are_judged_in_time_it_is_said_that_int8_was_not_tried(
    small: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_is_judged(process: Any, path: Path, device: str, options: Any, closed: Any) -> Engine:
        if QUANTISED & operators(path):
            raise OutOfTimeError("there was no time left to try it")
        return plain(process, path, device, options, closed)

    plain = model_writing.ProcessEngine
    monkeypatch.setattr(model_writing, "ProcessEngine", none_is_judged)
    found = export(small, tmp_path / "net.onnx", calibration=pictures, max_drop=50, time_budget="1h")
    assert found.outcome is Outcome.WEIGHT_ONLY
    assert found.verdict.startswith("the time did not suffice to try int8; the weights are stored in int8")
    (note,) = [note for note in found.notes if note.startswith("left out for want of time: ")]
    assert "all int8" in note


def test_a_model_that_cannot_be_opened_in_time_is_refused(
    small: Path, pictures: Path, tmp_path: Path, slow: SlowEngines
) -> None:
    with pytest.raises(InputError, match="--budget 2s is too little to read the model, run it and write it"):
        export(small, tmp_path / "net.onnx", calibration=pictures, time_budget="2s")
    assert not (tmp_path / "net.onnx").exists()


def test_an_onnx_model_is_read_once(
    foreign: Path, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    load = onnx.load

    def counted(path: Path, **options: Any) -> onnx.ModelProto:
        read.append(path)
        return load(path, **options)

    monkeypatch.setattr(onnx, "load", counted)
    export(foreign, tmp_path / "net.onnx", calibration=inputs)
    assert read == [foreign]


# --- the first row ---


def opened_graphs(monkeypatch: pytest.MonkeyPatch) -> dict[bool, list[onnx.ModelProto]]:
    """What is opened from now on, by whether denormal numbers are taken for zero."""
    opened: dict[bool, list[onnx.ModelProto]] = {True: [], False: []}
    plain = model_writing.ProcessEngine

    def noting(process: Any, path: Path, device: str, options: Any, closed: Any) -> Engine:
        opened[options["flush_denormals"]].append(onnx.load(path))
        return plain(process, path, device, options, closed)

    monkeypatch.setattr(model_writing, "ProcessEngine", noting)
    return opened


def test_the_first_row_is_the_users_own_file_and_the_next_what_cleaning_alone_is_worth(
    tmp_path: Path, inputs: Path, stopwatch: Stopwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = two_convolutions(tmp_path / "foreign.onnx", listed=True)
    opened = opened_graphs(monkeypatch)
    stopwatch.others = {"as given": 0.5}
    found = export(foreign, tmp_path / "net.onnx", calibration=inputs)
    assert opened[False] == [onnx.load(foreign)]
    given, cleaned, *others = found.forms
    assert (given.name, given.speedup, cleaned.name) == ("as given", None, "cleaned")
    assert [form.speedup and form.speedup.ratio for form in (cleaned, others[-1])] == pytest.approx([2, 3])
    assert found.verdict == (
        "all int8 is 1.50 times (1.40 to 1.60) as fast as the cleaned one, the fastest float32 form; it is 3.00 times"
        " (2.90 to 3.10) as fast as the given one"
    )


@pytest.mark.parametrize(("ratio", "written"), [(0.9, "as given"), (1.05, "as given"), (1.3, "cleaned")])
def test_the_users_own_file_is_written_unless_another_form_is_shown_to_be_faster(
    tmp_path: Path, inputs: Path, stopwatch: Stopwatch, ratio: float, written: str
) -> None:
    foreign = two_convolutions(tmp_path / "foreign.onnx", listed=True)
    stopwatch.ratio, stopwatch.others = 0.5, {"cleaned": ratio, "rewritten": ratio + 0.02, "int8-weights": 0.8}
    found = export(foreign, tmp_path / "net.onnx", calibration=inputs)
    assert [form.name for form in found.forms if form.written] == [written]
    graph = onnx.load(tmp_path / "net.onnx").graph
    assert (graph == onnx.load(foreign).graph) == (written == "as given")
    assert "the fastest float32 form" in found.verdict
    assert ("the rewritten one is not shown to be faster: " in found.verdict) == (ratio > 1)
    with edgevision.load(tmp_path / "net.onnx") as run:
        assert run.metadata.precision is Precision.FP32


def test_the_first_row_of_a_checkpoint_is_its_plain_export_with_denormal_numbers_and_all(
    small: Path, pictures: Path, tmp_path: Path, conversion: Conversion, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoiled = copy.deepcopy(conversion)
    weight = max(spoiled.model.graph.initializer, key=lambda value: len(value.raw_data))
    values = to_array(weight).copy()
    values.flat[:8] = 1e-40
    weight.CopyFrom(from_array(values, weight.name))
    monkeypatch.setattr(checkpoint_source, "convert_to_onnx", lambda *arguments, **options: spoiled)
    opened = opened_graphs(monkeypatch)
    found = export(small, tmp_path / "net.onnx", calibration=pictures, max_drop=50)
    assert [form.name for form in found.forms[:2]] == ["as given", "cleaned"]
    (given,) = opened[False]
    (kept,) = [to_array(value) for value in given.graph.initializer if value.name == weight.name]
    assert np.array_equal(kept, values)


def test_a_model_with_nothing_to_clean_is_opened_as_onnx_runtime_opens_it_by_itself_too(
    small: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = opened_graphs(monkeypatch)
    found = export(small, tmp_path / "net.onnx", calibration=pictures, max_drop=50)
    assert [form.name for form in found.forms].count("as given") == 1
    assert len(opened[False]) == 1


def test_where_the_model_as_given_does_not_run_this_is_said_and_the_first_row_is_the_cleaned(
    foreign: Path, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(self: model_writing.ModelOpener, model: onnx.ModelProto, settings: EngineSettings) -> Engine:
        raise DeviceError("no such operator")

    monkeypatch.setattr(model_writing.ModelOpener, "untouched", refusing)
    found = export(foreign, tmp_path / "net.onnx", calibration=inputs)
    assert (found.forms[0].name, found.forms[0].speedup) == ("cleaned", None)
    assert "the model as given does not run here: the first row is the cleaned; no such operator" in found.notes


# --- timed again ---


@pytest.fixture
def kept(foreign: Path, inputs: Path, tmp_path: Path, stopwatch: Stopwatch, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model whose candidates were kept; when they were timed first, all int8 was no faster."""
    monkeypatch.setattr(
        retime_module, "inference_timer", lambda engines, feeds, settings, clock: stopwatch.timer(None, engines)
    )
    monkeypatch.setattr(retime_module, "Telemetry", lambda: nullcontext(stopwatch))
    stopwatch.ratio = 1.0
    found = export(
        foreign, tmp_path / "net.onnx", calibration=inputs, keep_candidates=True, engine=EngineChoice.ONNXRUNTIME
    )
    assert found.outcome is Outcome.WEIGHT_ONLY
    return tmp_path / "net.onnx"


def test_timed_again_the_best_row_is_written_with_its_own_report(kept: Path, stopwatch: Stopwatch) -> None:
    before = read_report(kept)
    stopwatch.ratio = 1.5
    report = retime_module.retime(kept)
    assert read_report(kept) == report
    found = report.quantization
    assert found is not None
    assert before.quantization is not None
    assert found.outcome is Outcome.INT8
    assert found.verdict.startswith("timed again, all int8 is 1.50 times (1.40 to 1.60) as fast as ")
    losses = {form.label: form.loss for form in before.quantization.forms}
    assert {form.label: form.loss for form in found.forms} == {form.label: losses[form.label] for form in found.forms}
    assert [form.name for form in found.forms if form.written] == ["all int8"]
    assert {node.precision for node in found.nodes if node.operator == "Conv"} == {"int8"}
    assert operators(kept) >= QUANTISED
    metadata = read_metadata(kept)
    assert metadata == report.metadata
    assert metadata is not None
    assert metadata.precision is Precision.INT8
    # And once more, back again.
    stopwatch.ratio = 0.5
    again = retime_module.retime(kept).quantization
    assert again is not None
    assert again.outcome is Outcome.WEIGHT_ONLY
    assert not operators(kept) & QUANTISED


def test_what_disturbs_the_second_timing_is_said_in_place_of_what_disturbed_the_first(
    kept: Path, stopwatch: Stopwatch
) -> None:
    stopwatch.findings = (
        Finding(kind=FindingKind.STEAL, message="the hypervisor withheld 3.0% of the CPU", start_s=1),
    )
    for _ in range(2):
        found = retime_module.retime(kept).quantization
        assert found is not None
        assert [note for note in found.notes if "disturbed" in note or "again" in note][-2:] == [
            "the timing was disturbed, steal: the hypervisor withheld 3.0% of the CPU",
            "it can be timed again on a quieter machine without another search: edgevision export net.onnx --retime",
        ]
        assert sum("disturbed" in note for note in found.notes) == 1


def test_candidates_that_do_not_belong_to_the_model_are_refused(kept: Path) -> None:
    file = kept.with_suffix(".candidates") / "all-int8.onnx"
    content = file.read_bytes()
    file.write_bytes(kept.read_bytes())
    with pytest.raises(InputError, match=r"all-int8\.onnx' is not the candidate that was judged"):
        retime_module.retime(kept)
    file.unlink()
    with pytest.raises(InputError, match=r"the candidate '.*all-int8\.onnx' cannot be read"):
        retime_module.retime(kept)
    file.write_bytes(content)
    kept.write_bytes(content)
    with pytest.raises(InputError, match=r"'net\.onnx' is not the model that 'net\.report\.json' is about"):
        retime_module.retime(kept)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        # As earlier releases kept them.
        (
            lambda kept: {name: array[0] for name, array in kept.items()},
            "is not what these candidates were timed on: export",
        ),
        (
            lambda kept: {name: array[:0] for name, array in kept.items()},
            "is not what these candidates were timed on: export",
        ),
        (lambda kept: {}, "is not what these candidates were timed on: export"),
        (None, "cannot be read: it is damaged; export"),
    ],
    ids=["not stacked", "empty", "none", "no archive"],
)
def test_other_inputs_than_the_candidates_were_timed_on_are_refused(
    kept: Path, arrays: Callable[[Any], Any] | None, reason: str
) -> None:
    file = kept.with_suffix(".candidates") / "inputs.npz"
    with np.load(file) as archive:
        stacked = dict(archive)
    if arrays is None:
        file.write_bytes(b"no archive")
    else:
        np.savez(file, allow_pickle=False, **arrays(stacked))
    with pytest.raises(InputError, match=rf"inputs\.npz' {reason} the model again"):
        retime_module.retime(kept)
    file.unlink()
    with pytest.raises(InputError, match=r"inputs\.npz' cannot be read: No such file or directory; export the model"):
        retime_module.retime(kept)


def test_what_was_given_may_say_no_shape_of_what_it_gives(
    foreign: Path, inputs: Path, tmp_path: Path, stopwatch: Stopwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = onnx.load(foreign)
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    onnx.save(model, foreign)
    monkeypatch.setattr(
        retime_module, "inference_timer", lambda engines, feeds, settings, clock: stopwatch.timer(None, engines)
    )
    export(foreign, tmp_path / "net.onnx", calibration=inputs, keep_candidates=True, engine=EngineChoice.ONNXRUNTIME)
    found = retime_module.retime(tmp_path / "net.onnx").quantization
    assert found is not None
    assert found.forms[0].name == "as given"


def test_a_model_without_candidates_cannot_be_timed_again(
    edgevision: Call, foreign: Path, inputs: Path, tmp_path: Path
) -> None:
    export(foreign, tmp_path / "net.onnx", calibration=inputs)
    with pytest.raises(InputError, match=r"nothing is kept of 'net\.onnx' .*: export it with --int8 --keep-candidates"):
        retime_module.retime(tmp_path / "net.onnx")
    with pytest.raises(InputError, match=r"'foreign\.report\.json', the report of an export, does not lie beside"):
        retime_module.retime(foreign)
    (tmp_path / "foreign.report.json").write_text("{}", encoding="utf-8")
    code, output, errors = edgevision("export", foreign, "--retime")
    assert (code, output) == (2, "")
    assert "foreign.report.json' is no report of an export" in errors


def test_the_command_times_again_and_shows_the_table(edgevision: Call, kept: Path, stopwatch: Stopwatch) -> None:
    stopwatch.ratio = 1.5
    code, output, errors = edgevision("export", kept, "--retime")
    assert (code, errors.splitlines()) == (0, ["timing the candidates of net.onnx again ..."])
    assert output.splitlines()[-1].startswith("verdict: int8: timed again, all int8 is 1.50 times")
    code, output, errors = edgevision("export", kept, "--retime", "--int8")
    assert (code, output) == (2, "")
    assert "leave --int8" in errors
    code, output, errors = edgevision("export", kept, "--retime", "--json")
    assert (code, errors) == (0, "")
    assert strict(output)["quantization"]["outcome"] == "int8"


# --- two engines ---


@pytest.fixture
def both(need: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Settings for both engines, on a CPU that computes in bfloat16."""
    need("openvino")
    here = Machine.this()
    features = tuple(dict.fromkeys((*here.features, "avx512_bf16")))
    monkeypatch.setattr(Machine, "this", lambda: here.updated(features=features))
    return {"engine": EngineChoice.ANY}


def test_rows_that_time_did_not_suffice_for_are_no_candidates(
    small: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, both: dict[str, Any]
) -> None:
    left = TimeBudget.seconds_left.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(
        TimeBudget,
        "seconds_left",
        property(lambda budget: 0.0 if budget.stage is Stage.DECIDING else left(budget)),
    )
    found = export(small, tmp_path / "net.onnx", calibration=pictures, max_drop=50, keep_candidates=True, **both)
    left_out = next(note for note in found.notes if note.startswith("left out for want of time: "))
    assert "in OpenVINO" in left_out
    assert {one.name for one in found.candidates} <= {form.name for form in found.forms}


def test_the_fastest_pair_of_file_and_engine_is_written_and_taken_again(
    small: Path, pictures: Path, tmp_path: Path, stopwatch: Stopwatch, both: dict[str, Any]
) -> None:
    stopwatch.others = {"all int8 in OpenVINO bf16": 3.0}
    found = export(small, tmp_path / "net.onnx", calibration=pictures, max_drop=50, **both)
    assert found.outcome is Outcome.INT8
    (written,) = [form for form in found.forms if form.written]
    assert (written.name, written.engine, written.speedup and written.speedup.ratio) == ("all int8", "OpenVINO bf16", 3)
    assert found.verdict.startswith("all int8 in OpenVINO bf16 is 3.00 times (2.90 to 3.10) as fast as the given one")
    assert (found.forms[0].name, found.forms[0].engine) == ("as given", "ONNX Runtime")
    # The same file, judged in each engine.
    assert {form.engine for form in found.forms if form.name == "all int8"} == {
        "ONNX Runtime",
        "OpenVINO",
        "OpenVINO bf16",
    }
    assert {trial.engine for trial in found.trials} == {"ONNX Runtime", "OpenVINO", "OpenVINO bf16"}
    metadata = read_metadata(tmp_path / "net.onnx")
    assert metadata is not None
    measured = metadata.measured_in
    assert measured is not None
    assert (measured.engine, measured.inference_precision, measured.threads) == ("openvino", "bf16", 1)
    assert measured.speedup == pytest.approx(2)
    with edgevision.load(tmp_path / "net.onnx") as classify:
        assert classify.engine.name.startswith("OpenVINO ")
        assert classify.engine.name.endswith(" bf16")


def test_bfloat16_alone_may_be_the_answer(
    foreign: Path, inputs: Path, tmp_path: Path, stopwatch: Stopwatch, both: dict[str, Any]
) -> None:
    stopwatch.others = {"cleaned in OpenVINO bf16": 4.0}
    found = export(foreign, tmp_path / "net.onnx", calibration=inputs, max_drop=25, **both)
    assert found.outcome is Outcome.FLOAT
    assert found.verdict.startswith("the cleaned one in OpenVINO bf16 is 4.00 times (3.90 to 4.10) as fast as ")
    assert "; int8 pays less: " in found.verdict
    metadata = read_metadata(tmp_path / "net.onnx")
    assert metadata is not None
    assert metadata.precision is Precision.FP32
    assert metadata.measured_in is not None
    assert metadata.measured_in.inference_precision == "bf16"


def test_one_engine_may_be_asked_for_and_the_first_row_stays_what_onnx_runtime_makes_of_the_given_model(
    small: Path, pictures: Path, tmp_path: Path, both: dict[str, Any]
) -> None:
    found = export(small, tmp_path / "net.onnx", calibration=pictures, max_drop=50, engine=EngineChoice.OPENVINO)
    assert [form.engine for form in found.forms].count("ONNX Runtime") == 1
    assert (found.forms[0].name, found.forms[0].engine, found.forms[0].speedup) == ("as given", "ONNX Runtime", None)
    assert found.forms[1].label == "as given in OpenVINO"
    assert not found.forms[0].written
    with edgevision.load(tmp_path / "net.onnx") as classify:
        assert classify.engine.name.startswith("OpenVINO ")


def test_onnx_runtime_does_not_read_openvino_ir(foreign: Path, inputs: Path, tmp_path: Path) -> None:
    settings = QuantizationSettings(calibration=inputs, engine=EngineChoice.ONNXRUNTIME)
    with pytest.raises(InputError, match="leave --format openvino or --engine out"):
        edgevision.export(foreign, tmp_path / "net.xml", format="openvino", precision="int8", int8=settings)


# --- the candidates ---


def test_what_stands_in_the_table_is_kept_where_it_is_asked_for(
    foreign: Path, inputs: Path, tmp_path: Path, stopwatch: Stopwatch
) -> None:
    stopwatch.others = {"fp16": 3.0}
    found = export(foreign, tmp_path / "net.onnx", calibration=inputs, keep_candidates=True)
    kept = {file.name: read_metadata(file) for file in (tmp_path / "net.candidates").glob("*.onnx")}
    expected = {
        "as-given": "fp32",
        "cleaned": "fp32",
        "rewritten": "fp32",
        "fp16": "fp16",
        "int8-weights": "int8-weights",
        "all-int8": "int8",
    }
    assert {name: metadata and metadata.precision for name, metadata in kept.items()} == {
        f"{name}.onnx": precision for name, precision in expected.items()
    }
    (written,) = [form.name for form in found.forms if form.written]
    assert written == "fp16"
    assert (tmp_path / "net.candidates" / "fp16.onnx").read_bytes() == (tmp_path / "net.onnx").read_bytes()


def test_a_folder_of_candidates_is_replaced_as_a_whole_and_only_by_force(
    foreign: Path, inputs: Path, tmp_path: Path, stopwatch: Stopwatch
) -> None:
    (tmp_path / "net.candidates").mkdir()
    (tmp_path / "net.candidates" / "earlier.onnx").touch()
    settings = QuantizationSettings(calibration=inputs, keep_candidates=True, threads=1)
    with pytest.raises(OutputError, match=r"net\.candidates' exists already; --force replaces it"):
        edgevision.export(foreign, tmp_path / "net.onnx", precision="int8", int8=settings)
    assert stopwatch.count == 0
    edgevision.export(foreign, tmp_path / "net.onnx", precision="int8", int8=settings, force=True)
    assert "earlier.onnx" not in [file.name for file in (tmp_path / "net.candidates").iterdir()]
    assert (tmp_path / "net.candidates" / "cleaned.onnx").exists()


# --- what is given ---


def test_a_model_without_metadata_is_calibrated_with_arrays_and_judged_by_its_outputs(
    foreign: Path, inputs: Path, tmp_path: Path
) -> None:
    report = edgevision.export(
        foreign, precision="int8", int8=QuantizationSettings(calibration=inputs, preset=Preset.QUICK, threads=1)
    )
    # Beside the model, which is not overwritten.
    assert report.model == "foreign-int8.onnx"
    found = report.quantization
    assert found is not None
    assert (found.outcome, found.metric, found.unit, found.budget) == (Outcome.INT8, "sqnr", "dB", -30)
    assert found.source == "32 samples of inputs.npz"
    assert found.forms[-1].figures["sqnr"] >= 30
    assert report.metadata.task == "other"
    worst = report.parity.worst.sqnr_db
    assert worst is not None
    assert worst > 30
    assert report.parity.source == "of 32 samples of inputs.npz"


@pytest.mark.parametrize("batch", [1, 2, 5, 16, 40])
def test_a_model_of_a_fixed_batch_is_quantised_in_portions_of_it(tmp_path: Path, inputs: Path, batch: int) -> None:
    foreign = two_convolutions(tmp_path / "foreign.onnx", batch)
    found = export(foreign, tmp_path / "net.onnx", calibration=inputs)
    assert found.outcome is Outcome.INT8
    assert found.forms[-1].figures["sqnr"] >= 30


@pytest.mark.parametrize("timed", [None, 1, 40])
def test_the_verdict_holds_for_the_batch_that_is_timed(
    foreign: Path, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, timed: int | None
) -> None:
    seen: set[tuple[int, ...]] = set()
    timer = TrialSetup.timer

    def noted(setup: TrialSetup, engines: Mapping[str, Engine]) -> Any:
        seen.update(array.shape for feeds in setup.feeds for array in feeds.values())
        return timer(setup, engines)

    monkeypatch.setattr(TrialSetup, "timer", noted)
    # Of the 40 samples less are in one batch.
    found = export(foreign, tmp_path / "net.onnx", calibration=inputs, batch=timed)
    assert seen == set(found.timed_shapes)
    assert {shape[0] for shape in seen} == {found.batch} == {timed or 1}
    assert found.verdict.startswith("in batches of 40, ") == (timed == 40)


def test_a_batch_that_the_model_does_not_take_is_refused(tmp_path: Path, inputs: Path) -> None:
    foreign = two_convolutions(tmp_path / "foreign.onnx", 4)
    with pytest.raises(InputError, match=r"--batch 16 cannot be timed: the model takes batches of 4 and no others"):
        export(foreign, tmp_path / "net.onnx", calibration=inputs, batch=16)
    assert export(foreign, tmp_path / "net.onnx", calibration=inputs, batch=4).batch == 4


def test_fewer_samples_than_the_fixed_batch_are_enough(tmp_path: Path) -> None:
    foreign = two_convolutions(tmp_path / "foreign.onnx", 4)
    found = export(foreign, tmp_path / "net.onnx", calibration=write_inputs(tmp_path / "inputs.npz", 3))
    assert found.outcome is Outcome.INT8
    assert found.notes == ("judged on the 3 samples it was calibrated with",)


@pytest.mark.parametrize("listed", [False, True])
def test_an_old_model_is_quantised_like_a_new_one(tmp_path: Path, inputs: Path, listed: bool) -> None:
    old = {"ir_version": 3, "listed": True} if listed else {"ir_version": 4}
    foreign = two_convolutions(tmp_path / "foreign.onnx", opset=9, **old)
    found = export(foreign, tmp_path / "net.onnx", calibration=inputs)
    assert found.outcome is Outcome.INT8
    written = onnx.load(tmp_path / "net.onnx")
    assert [value.name for value in written.graph.input] == ["x"]
    assert [entry.version for entry in written.opset_import] == [18]


def test_pictures_of_no_class_are_judged_by_what_the_float_model_would_lose(small: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for index in range(30):
        Image.fromarray(generator.integers(0, 256, (12, 10, 3), np.uint8)).save(folder / f"{index}.png")
    found = export(small, tmp_path / "net.onnx", calibration=folder, max_drop=20)
    assert (found.outcome, found.metric) == (Outcome.INT8, "agreement")
    assert found.source == "16 pictures of photos, judged on 14 of photos"


def test_one_picture_is_enough_and_a_note_says_what_that_means(
    small: Path, write_class_folders: WriteFolders, tmp_path: Path
) -> None:
    folder = write_class_folders(tmp_path / "one", {"cat": 1})
    found = export(small, tmp_path / "net.onnx", calibration=folder, max_drop=100)
    assert found.source == "1 pictures of one, judged on 1 of one"
    assert found.notes[0] == "judged on the 1 pictures it was calibrated with: give more"


def test_other_pictures_can_be_given_to_judge_on(
    small: Path, pictures: Path, write_class_folders: WriteFolders, tmp_path: Path
) -> None:
    others = write_class_folders(tmp_path / "others", {"cat": 2, "fox": 3})
    found = export(small, tmp_path / "net.onnx", calibration=pictures, data=others, max_drop=100)
    assert found.source == "24 pictures of pictures, judged on 5 of others"


def test_a_generator_needs_no_data(tmp_path: Path) -> None:
    torch.manual_seed(0)
    options = {"image_size": 8, "latent": 5, "width": 8}
    metadata = ModelMetadata(
        task="generate",
        name="tiny",
        inputs=(TensorSpec(name="latent", shape=("batch", 5)),),
        outputs=(TensorSpec(name="image", shape=("batch", 3, 8, 8), value_range=(-1.0, 1.0)),),
        spec=GenerationSpec(latent=LatentSpec(size=5)),
    )
    network = build_model("dcgan", **options)
    save_checkpoint(tmp_path / "gan.pt", network.eval(), metadata, model="dcgan", options=options)
    found = export(tmp_path / "gan.pt", tmp_path / "net.onnx", max_drop=5)
    assert (found.outcome, found.metric) == (Outcome.INT8, "sqnr")
    assert found.source == "24 latents of the model's distribution"
    # Transposed convolutions have no int8 kernels on a CPU: they are convolutions now.
    assert "ConvTranspose" not in operators(tmp_path / "net.onnx")
    with edgevision.load(tmp_path / "net.onnx") as generate:
        assert len(list(generate(2))) == 2


def test_a_denoiser_is_judged_by_the_psnr_of_what_it_restores(tiny_networks: ModuleType, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = tiny_networks.restorer(width=8, channels=3)
    torch.save(network.eval().state_dict(), tmp_path / "net.pth")
    folder = tmp_path / "photos"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for index in range(20):
        Image.fromarray(generator.integers(0, 256, (20, 24, 3), np.uint8)).save(folder / f"{index}.png")
    report = edgevision.export(
        tmp_path / "net.pth",
        precision="int8",
        arch="tiny_networks:restorer",
        arch_options={"width": 8, "channels": 3},
        input_shape=(1, 3, 16, 16),
        metadata={"task": "denoise"},
        int8=QuantizationSettings(calibration=folder, preset=Preset.QUICK, threads=1, max_drop=1),
    )
    found = report.quantization
    assert found is not None
    assert (found.outcome, found.metric, found.unit, found.budget) == (Outcome.INT8, "psnr", "dB", 1)
    assert found.source == "6 pictures of photos, judged on 4 of photos"
    assert abs(found.forms[-1].loss) <= 1


def test_openvino_is_quantised_too(foreign: Path, inputs: Path, tmp_path: Path) -> None:
    found = export(foreign, tmp_path / "net.xml", calibration=inputs, max_drop=20, target="intel-npu")
    assert (found.outcome, found.target) == (Outcome.INT8, "intel-npu")
    assert "FakeQuantize" in (tmp_path / "net.xml").read_text(encoding="utf-8")
    # Half precision is a matter of the device there.
    assert "fp16" not in [form.name for form in found.forms]
    assert found.forms[-1].figures["sqnr"] >= 20


def test_a_device_that_is_not_at_hand_is_not_measured(
    foreign: Path, inputs: Path, tmp_path: Path, stopwatch: Stopwatch
) -> None:
    found = export(foreign, tmp_path / "net.onnx", calibration=inputs, target="qualcomm-htp")
    assert found.outcome is Outcome.INT8
    assert (found.target, found.measured, found.expected_speedup) == ("qualcomm-htp", False, 5)
    assert found.verdict == "int8 for qualcomm-htp, expected 5 times as fast, not measured"
    assert all(form.speedup is None for form in found.forms)
    assert all(trial.speedup is None for trial in found.trials)
    assert stopwatch.count == 0
    # It takes one size only.
    assert [
        [d.dim_value for d in v.type.tensor_type.shape.dim] for v in onnx.load(tmp_path / "net.onnx").graph.input
    ] == [[1, 3, 8, 8]]


@pytest.fixture
def too_fine_for_8_bits(foreign: Path, inputs: Path, tmp_path: Path) -> float:
    """An SQNR in dB between what all in 8 bits and all with activations of 16 bits leave at least."""
    found = export(foreign, tmp_path / "u8.onnx", calibration=inputs, target="qualcomm-htp", max_drop=10)
    assert [form.name for form in found.forms][-1] == "all int8"
    assert {node.precision for node in found.nodes} == {"int8"}
    return -found.forms[-1].at_most + 0.2


def test_where_8_bits_break_the_budget_of_an_npu_some_operators_have_16_and_none_is_float(
    foreign: Path, inputs: Path, tmp_path: Path, too_fine_for_8_bits: float
) -> None:
    options: dict[str, Any] = {"calibration": inputs, "target": "qualcomm-htp", "max_drop": too_fine_for_8_bits}
    found = export(foreign, tmp_path / "net.onnx", **options)
    forms = {form.name: -form.at_most for form in found.forms}
    assert forms["all int8"] < too_fine_for_8_bits <= forms["int8"] <= forms["all 16-bit"]
    assert found.outcome is Outcome.INT8
    wide = [node for node in found.nodes if node.precision == "int8, 16-bit activations"]
    assert {node.precision for node in found.nodes} <= {"int8", "int8, 16-bit activations"}
    convolutions = [node for node in wide if node.operator == "Conv"]
    assert {node.why for node in convolutions} == {"activations of 8 bits cost too much quality here"}
    assert found.verdict == (
        f"int8 for qualcomm-htp with activations of 16 bits in {len(convolutions)} of 2 operators,"
        " expected at most 5 times as fast, not measured"
    )
    written = onnx.load(tmp_path / "net.onnx")
    assert TensorProto.UINT16 in {constant.data_type for constant in written.graph.initializer}
    # The weights of both are of 8 bits.
    assert all(c.data_type != TensorProto.FLOAT or c.dims in ([], [8]) for c in written.graph.initializer)
    # Where there is no such format, what costs too much is float.
    other = export(foreign, tmp_path / "other.onnx", **(options | {"target": "intel-npu"}))
    assert "int8, 16-bit activations" not in {node.precision for node in other.nodes}
    assert "float" in {node.precision.split(",")[0] for node in other.nodes}


@pytest.mark.parametrize(("most", "reach"), [(6.0, 6.0), (0.5, 0.5), (100.0, 16.0)])
def test_ranges_of_16_bits_have_room_for_what_was_not_seen_but_not_past_a_clip(most: float, reach: float) -> None:
    ends = [make_tensor_value_info(name, TensorProto.FLOAT, (1, 4, 4, 4)) for name in ("x", "y")]
    nodes = [
        make_node("Conv", ["x", "w"], ["c"], name="conv"),
        make_node("Clip", ["c", "zero", "most"], ["y"], name="clip"),
    ]
    constants = {"w": np.eye(4, dtype=np.float32)[:, :, None, None], "zero": np.float32(0), "most": np.float32(most)}
    constants = {name: np.asarray(values) for name, values in constants.items()}
    parts = make_graph(nodes, "graph", ends[:1], ends[1:], [from_array(v, n) for n, v in constants.items()])
    graph = to_ir(make_model(parts, opset_imports=[make_opsetid("", 18)], ir_version=8))
    units = find_units(graph, {"Conv"})
    inputs = np.linspace(-3, 8, 64, dtype=np.float32).reshape(1, 4, 4, 4)
    ranges = choose_ranges_of_16_bits(observe(graph, units, [[[inputs]]]), units, graph)
    assert ranges["x"] == pytest.approx((-6, 16))
    low, high = ranges["y"]
    assert low == 0
    # In float32 too: a range that is larger by a rounding keeps the Clip in the graph.
    assert reach * 0.99999 < high <= reach
    scale = np.float32(high / 65535)
    assert scale * np.float32(65535) <= np.float32(most)


def test_an_interrupted_search_over_16_bits_goes_on_where_it_was(
    foreign: Path, inputs: Path, tmp_path: Path, too_fine_for_8_bits: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"calibration": inputs, "target": "qualcomm-htp", "max_drop": too_fine_for_8_bits}
    whole = export(foreign, tmp_path / "whole.onnx", **options)
    judged = trials.Trials.quality

    def until_16_bits(self: trials.Trials, plan: Any, name: str) -> Any:
        found = judged(self, plan, name)
        if plan.a16w8:
            raise KeyboardInterrupt
        return found

    with monkeypatch.context() as patch:
        patch.setattr(trials.Trials, "quality", until_16_bits)
        with pytest.raises(KeyboardInterrupt):
            export(foreign, tmp_path / "net.onnx", **options)
    lines = (tmp_path / "net.search.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["trial"]["wide"] for line in lines[1:]] == [0, 0, 2]
    assert export(foreign, tmp_path / "net.onnx", **options).trials == whole.trials
    assert (tmp_path / "net.onnx").read_bytes() == (tmp_path / "whole.onnx").read_bytes()


# --- what is refused ---


def test_what_is_quantised_already_is_refused(foreign: Path, inputs: Path, tmp_path: Path) -> None:
    export(foreign, tmp_path / "once.onnx", calibration=inputs)
    with pytest.raises(
        InputError, match=r"quantised already \(it holds DequantizeLinear, QuantizeLinear\): export the"
    ):
        export(tmp_path / "once.onnx", tmp_path / "twice.onnx", calibration=inputs)
    assert not (tmp_path / "twice.onnx").exists()
    assert not (tmp_path / "twice.search.jsonl").exists()


def test_without_calibration_data_nothing_is_written(small: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give --calibration"):
        export(small, tmp_path / "net.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["small.pt"]


def test_without_calibration_data_nothing_is_converted_first(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_source, "convert_to_onnx", lambda *args, **kwargs: pytest.fail("converted"))
    with pytest.raises(InputError, match="give --calibration"):
        export(small, tmp_path / "net.onnx")


def test_a_budget_that_reading_the_model_takes_is_refused(foreign: Path, inputs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--budget 0\.001s is too little to read the model, run it and write it"):
        export(foreign, tmp_path / "net.onnx", calibration=inputs, time_budget="0.001s")
    assert not (tmp_path / "net.onnx").exists()


def test_what_is_no_time_is_refused_before_anything_is_read(foreign: Path, inputs: Path, tmp_path: Path) -> None:
    foreign.write_bytes(b"no model")
    with pytest.raises(InputError, match="--budget must be a time as 30s, 3m or 1h, not 'soon'"):
        export(foreign, tmp_path / "net.onnx", calibration=inputs, time_budget="soon")


def test_an_unknown_target_is_refused_with_those_that_are_known(foreign: Path, inputs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no target 'abacus'; known: auto, x86-avx2"):
        export(foreign, tmp_path / "net.onnx", calibration=inputs, target="abacus")


def test_inputs_that_do_not_fit_are_refused(foreign: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "inputs.npz", x=np.zeros((20, 8, 8, 3), np.float32))
    with pytest.raises(InputError, match="must hold numbers of the input's shape"):
        export(foreign, tmp_path / "net.onnx", calibration=tmp_path / "inputs.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(DatasetError, match="cannot be read"):
        export(foreign, tmp_path / "net.onnx", calibration=tmp_path / "broken.npz")


# --- interruption ---


def test_an_interrupted_search_goes_on_where_it_was(
    small: Path, pictures: Path, tmp_path: Path, stopwatch: Stopwatch
) -> None:
    settings: dict[str, Any] = {"calibration": pictures, "max_drop": 50}
    whole = export(small, tmp_path / "whole.onnx", **settings)
    needed = stopwatch.count
    stopwatch.count, stopwatch.interrupt_at = 0, 4
    with pytest.raises(KeyboardInterrupt):
        export(small, tmp_path / "net.onnx", **settings)
    log = tmp_path / "net.search.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines()
    assert len({json.loads(line)["plan"] for line in lines[1:]}) == 3
    assert not (tmp_path / "net.onnx").exists()
    # As if the power had gone while it was written.
    with log.open("a", encoding="utf-8") as file:
        file.write('{"plan": "5c')
    stopwatch.count, stopwatch.interrupt_at = 0, None
    found = export(small, tmp_path / "net.onnx", **settings)
    assert stopwatch.count == needed - 3
    assert found.trials == whole.trials
    assert (tmp_path / "net.onnx").read_bytes() == (tmp_path / "whole.onnx").read_bytes()


@pytest.mark.parametrize("change", [{"max_drop": 19}, {"seed": 1}, {"target": "pi5"}], ids=str)
def test_a_search_for_something_else_does_not_go_on_from_it(
    foreign: Path, inputs: Path, tmp_path: Path, stopwatch: Stopwatch, change: dict[str, Any]
) -> None:
    settings: dict[str, Any] = {"calibration": inputs, "max_drop": 20}
    stopwatch.interrupt_at = 2
    with pytest.raises(KeyboardInterrupt):
        export(foreign, tmp_path / "net.onnx", **settings)
    assert len((tmp_path / "net.search.jsonl").read_text(encoding="utf-8").splitlines()) > 1
    stopwatch.interrupt_at, counts = None, []
    for name in ("fresh", "net"):
        stopwatch.count = 0
        export(foreign, tmp_path / f"{name}.onnx", **(settings | change))
        counts.append(stopwatch.count)
    assert counts[0] == counts[1]


def test_a_search_in_the_other_format_is_another(foreign: Path) -> None:
    batches = [(np.zeros((1, 3, 8, 8), np.float32),)]
    settings, model = QuantizationSettings(), onnx.load(foreign)
    keys = {quantize.search_key(model, settings, model_format, batches, "data") for model_format in ModelFormat}
    assert len(keys) == len(ModelFormat)
    assert search_log(Path("net.onnx")) != search_log(Path("net.xml"))


# --- the command line ---


def strict(text: str) -> dict[str, Any]:
    """The one JSON document that is all of ``text``, without the infinities that JSON does not have."""

    def refuse(constant: str) -> float:
        raise ValueError(f"{constant} is no JSON")

    found: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return found


def test_the_command_says_what_it_does_and_what_it_found(
    edgevision: Call, small: Path, pictures: Path, tmp_path: Path
) -> None:
    code, output, errors = edgevision(
        *(
            "export",
            small,
            "-o",
            tmp_path / "net.onnx",
            "--int8",
            "--threads",
            1,
            "--calibration",
            pictures,
            "--engine",
            "onnxruntime",
            "--max-drop",
            50,
        ),
        *("--preset", "quick"),
    )
    assert code == 0, errors
    # On a slow machine there is more to say of each.
    assert [line for line in errors.splitlines() if not line.endswith("left")] == [
        "exporting small.pt ...",
        *(f"{stage} ..." for stage in Stage if stage not in (Stage.FINETUNING, Stage.INSPECTING)),
    ]
    lines = output.splitlines()
    assert lines[0].startswith(f"{tmp_path / 'net.onnx'}  onnx, int8, 0.0")
    assert f"report: {tmp_path / 'net.report.json'}" in lines
    assert [line.split()[0] for line in lines[-7:-2]] == ["as", "rewritten", "fp16", "int8-weights", "*"]
    assert "operators compute in int8 for " in lines[-2]
    assert (
        lines[-1]
        == "verdict: int8: all int8 is 1.50 times (1.40 to 1.60) as fast as the given one, the fastest float32 form"
    )
    assert not (tmp_path / "net.search.jsonl").exists()


def test_the_command_as_json_is_one_document_with_the_quantisation(
    edgevision: Call, foreign: Path, inputs: Path, tmp_path: Path
) -> None:
    code, output, errors = edgevision(
        *("export", foreign, "-o", tmp_path / "net.onnx", "--int8", "--threads", 1, "--calibration", inputs, "--json"),
        *("--engine", "onnxruntime"),
    )
    assert (code, errors) == (0, "")
    found = strict(output)
    assert next(iter(found)) == "schema_version"
    assert (found["precision"], found["metadata"]["task"]) == ("int8", "other")
    quantization = found["quantization"]
    assert (quantization["outcome"], quantization["metric"], quantization["measured"]) == ("int8", "sqnr", True)
    # JSON has no infinity, which the SQNR of the float model to itself is.
    assert quantization["forms"][0]["figures"] == {"sqnr": None}
    assert quantization["forms"][-1]["speedup"]["ratio"] == pytest.approx(1.5)
    assert [node["operator"] for node in quantization["nodes"]] == ["Conv", "Relu", "Conv"]
    assert quantization["trials"][0]["name"] == "all int8"


def test_the_page_is_written_where_it_is_asked_for(
    edgevision: Call, foreign: Path, inputs: Path, tmp_path: Path
) -> None:
    arguments = (
        "export",
        foreign,
        "--int8",
        "--threads",
        1,
        "--calibration",
        inputs,
        "--html",
        tmp_path / "verdict.html",
        "-q",
    )
    code, _, errors = edgevision(*arguments, "-o", tmp_path / "net.onnx")
    assert (code, errors) == (0, "")
    page = (tmp_path / "verdict.html").read_text(encoding="utf-8")
    assert "net.onnx: int8" in page
    assert "://" not in page
    # Three layers, an input and an output, and what each takes before and after.
    assert [int(number) for number in re.findall(r"data-node='(\d+)'", page)] == [0, 1, 2, 3, 4]
    assert page.count("<dt>time before</dt>") == page.count("<dt>time after</dt>") == 3
    assert "The graph is that of all int8." in page
    # Before anything is searched for an hour.
    code, output, errors = edgevision(*arguments, "-o", tmp_path / "other.onnx")
    assert (code, output) == (2, "")
    assert errors == f"error: {str(tmp_path / 'verdict.html')!r} exists already; --force overwrites it\n"
    assert not (tmp_path / "other.onnx").exists()
    with open_browser() as chromium:
        check_report_page(chromium, tmp_path / "verdict.html", lambda opened: opened.click("a[data-show]"))


def test_the_page_of_a_classifier_shows_whose_answers_changed(small: Path, pictures: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    settings = QuantizationSettings(preset=Preset.QUICK, threads=1, calibration=pictures, max_drop=50)
    report = edgevision.export(small, tmp_path / "net.onnx", precision="int8", int8=settings, html=page)
    text = page.read_text(encoding="utf-8")
    assert "answers of all int8 are others than the float model's: " in text
    assert report.quantization is not None
    # Every operator of the report is in the graph, with its reason.
    for node in report.quantization.nodes:
        assert f"<h3>{node.name}</h3>" in text
    assert text.count("<dt>why</dt>") == len(report.quantization.nodes)


def test_the_page_says_what_it_does_not_show_for_want_of_time(
    foreign: Path, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds_left = TimeBudget.seconds_left.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(
        TimeBudget,
        "seconds_left",
        property(lambda budget: 0.0 if budget.stage is Stage.INSPECTING else seconds_left(budget)),
    )
    page = tmp_path / "page.html"
    settings = QuantizationSettings(threads=1, calibration=inputs, engine=EngineChoice.ONNXRUNTIME, time_budget="10m")
    edgevision.export(foreign, tmp_path / "net.onnx", precision="int8", int8=settings, html=page)
    assert "not on this page for want of time: the time of each layer" in page.read_text(encoding="utf-8")


def test_where_int8_does_not_pay_the_page_shows_the_int8_form_all_the_same(
    foreign: Path, inputs: Path, tmp_path: Path, stopwatch: Stopwatch
) -> None:
    stopwatch.ratio = 0.8
    page = tmp_path / "page.html"
    settings = QuantizationSettings(preset=Preset.QUICK, threads=1, calibration=inputs)
    edgevision.export(foreign, tmp_path / "net.onnx", precision="int8", int8=settings, html=page)
    text = page.read_text(encoding="utf-8")
    assert "The graph is that of all int8, which was not written." in text
    assert text.count("class='node int8'") == 3


def test_a_page_that_cannot_show_the_layers_does_not_cost_the_model(
    foreign: Path, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise DeviceError("no memory for so many outputs")

    monkeypatch.setattr(inspection, "compare_layers", refuse)
    page = tmp_path / "page.html"
    settings = QuantizationSettings(preset=Preset.QUICK, threads=1, calibration=inputs)
    edgevision.export(foreign, tmp_path / "net.onnx", precision="int8", int8=settings, html=page)
    assert (tmp_path / "net.onnx").exists()
    assert "<h2>Layer by layer</h2>" not in page.read_text(encoding="utf-8")
    assert "the page cannot show the layers: no memory for so many outputs" in caplog.text


def test_a_device_that_is_not_at_hand_is_said_not_to_be_measured(
    edgevision: Call, foreign: Path, inputs: Path, tmp_path: Path
) -> None:
    code, output, errors = edgevision(
        *("export", foreign, "-o", tmp_path / "net.onnx", "--int8", "--threads", 1, "--calibration", inputs),
        *("--target", "snapdragon", "--html", tmp_path / "verdict.html"),
    )
    assert code == 0, errors
    assert output.splitlines()[-1] == ("verdict: int8: int8 for qualcomm-htp, expected 5 times as fast, not measured")
    assert output.count("not measured\n") == 1
    assert output.count("not measured ") == 5
    assert "latency not measured: the device is not here" in (tmp_path / "verdict.html").read_text(encoding="utf-8")


def test_a_preference_is_taken_from_the_command_line(
    edgevision: Call, foreign: Path, inputs: Path, tmp_path: Path, stopwatch: Stopwatch
) -> None:
    stopwatch.ratio = 0.5
    arguments = (
        "export",
        foreign,
        "-o",
        tmp_path / "net.onnx",
        "--int8",
        "--threads",
        1,
        "--calibration",
        inputs,
        "--json",
        "--force",
    )
    outcomes = {
        prefer: strict(edgevision(*arguments, "--prefer", prefer)[1])["quantization"]["outcome"]
        for prefer in ("speed", "size", "int8")
    }
    assert outcomes == {"speed": "int8-weights", "size": "int8-weights", "int8": "int8"}


def test_an_interrupted_command_ends_with_130_and_leaves_its_search(
    edgevision: Call, foreign: Path, inputs: Path, tmp_path: Path, stopwatch: Stopwatch
) -> None:
    arguments = (
        "export",
        foreign,
        "-o",
        tmp_path / "net.onnx",
        "--int8",
        "--threads",
        1,
        "--calibration",
        inputs,
        "-q",
    )
    stopwatch.interrupt_at = 2
    code, output, errors = edgevision(*arguments)
    assert (code, output) == (130, "")
    assert errors.splitlines()[-1] == "interrupted"
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {"foreign.onnx", "inputs.npz", "net.search.jsonl"}
    stopwatch.interrupt_at = None
    assert edgevision(*arguments)[0] == 0
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {"foreign.onnx", "inputs.npz", "net.onnx", "net.report.json"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--int8", "--fp16"], "--int8 and --fp16 exclude each other"),
        (["--html", "verdict.html"], "--html shows what --int8 tried: give both"),
        (["--judge-by", "hota"], "--judge-by says what --int8 is judged by: give both"),
        (["--int8"], "int8 needs real pictures to find its ranges: give --calibration with a folder, a zip or an .npz"),
        (["--int8", "--calibration", "nowhere"], "the data 'nowhere' does not exist"),
        (["--int8", "--calibration", "nowhere.npz"], "the data 'nowhere.npz' cannot be read"),
        (["--int8", "--target", "abacus"], "there is no target 'abacus'; known: auto"),
        (["--int8", "--html", "none/verdict.html"], "the output folder 'none' does not exist"),
        (["--int8", "--calibration", "inputs.npz", "-o", "net.xml"], "an onnx model's name ends in .onnx"),
    ],
)
def test_a_wrong_option_ends_with_2_and_a_line(
    edgevision: Call,
    foreign: Path,
    inputs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    output_option = [] if "-o" in options else ["-o", "net.onnx"]
    code, output, errors = edgevision("export", foreign, *output_option, *options, "-q")
    assert (code, output) == (2, "")
    assert errors.startswith("error: ")
    assert words in errors
    assert len(errors.splitlines()) <= 2
    assert {file.name for file in tmp_path.iterdir()} == {"foreign.onnx", "inputs.npz"}


def test_a_quantised_model_ends_with_2_and_says_what_to_export(
    edgevision: Call, foreign: Path, inputs: Path, tmp_path: Path
) -> None:
    arguments = ("--int8", "--threads", 1, "--calibration", inputs, "-q")
    assert edgevision("export", foreign, "-o", tmp_path / "net.onnx", *arguments)[0] == 0
    code, output, errors = edgevision("export", tmp_path / "net.onnx", *arguments)
    assert (code, output) == (2, "")
    assert errors.startswith("error: the model is quantised already (it holds ")
    assert errors.endswith("export the float model\n")


@pytest.mark.parametrize("options", [["--preset", "endless"], ["--prefer", "beauty"]])
def test_a_value_that_is_not_in_the_list_ends_with_2(edgevision: Call, foreign: Path, options: list[str]) -> None:
    code, output, errors = edgevision("export", foreign, "--int8", *options)
    assert (code, output) == (2, "")
    assert options[-1] in errors


# --- judged by the workers of a cluster ---


def test_candidates_are_judged_on_a_cluster_as_in_one_process_whoever_dies(
    tmp_path: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    driver, killed, judged = os.getpid(), tmp_path / "killed", tmp_path / "judged"

    class Deadly(OutputQuality):
        """Ends the first worker that judges, and notes what is judged elsewhere."""

        def __call__(self, engine: Engine) -> Quality:
            if os.getpid() != driver:
                if not killed.exists():
                    killed.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                with judged.open("a") as stream:
                    stream.write(f"{os.getpid()}\n")
            return super().__call__(engine)

    monkeypatch.setattr(calibration, "OutputQuality", Deadly)
    foreign = five_convolutions(tmp_path / "foreign.onnx")
    alone, spread = (
        export(foreign, tmp_path / name, calibration=inputs, max_drop=36.0, ray=ray)
        for name, ray in (("one.onnx", None), ("many.onnx", RayRequest(address="local", workers=2)))
    )
    assert killed.exists()
    # The half of them that is within the budget was searched for, and the verdict is the same to the bit.
    assert 0 < sum(node.precision == "int8" for node in alone.nodes) < 5
    assert replace(spread, seconds=0.0) == replace(alone, seconds=0.0)
    # By whichever worker was free: the one in place of the dead may start too late for any.
    assert len(judged.read_text().split()) >= len({(trial.name, trial.computed) for trial in alone.trials})
    assert operators(tmp_path / "one.onnx") == operators(tmp_path / "many.onnx")


def five_convolutions(path: Path) -> Path:
    generator = np.random.default_rng(0)
    names = ["x", *(f"c{index}" for index in range(1, 5)), "y"]
    weights = [generator.standard_normal((8, 3 if not index else 8, 3, 3), np.float32) / 8 for index in range(5)]
    nodes = [
        make_node("Conv", [before, f"w{index}"], [after], name=after, pads=[1, 1, 1, 1])
        for index, (before, after) in enumerate(itertools.pairwise(names))
    ]
    inputs = [make_tensor_value_info("x", TensorProto.FLOAT, ("batch", 3, 8, 8))]
    outputs = [make_tensor_value_info("y", TensorProto.FLOAT, ("batch", 8, 8, 8))]
    constants = [from_array(values, f"w{index}") for index, values in enumerate(weights)]
    onnx.save(
        make_model(
            make_graph(nodes, "graph", inputs, outputs, constants), opset_imports=[make_opsetid("", 18)], ir_version=8
        ),
        path,
    )
    return path


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--ray", "local"), "--ray is where candidates of --int8 are judged"),
        (("--int8", "--retime", "--ray", "local"), "leave out --retime"),
        (("--int8", "--ray-workers", "2"), "are for --ray"),
        (("--int8", "--ray", " "), "--ray says where"),
        (("--int8", "--ray", "nonsense", "--budget", "60s"), "10.0.0.1:6379, not 'nonsense'"),
    ],
)
def test_workers_without_a_search_are_refused(edgevision, foreign: Path, options, said) -> None:  # type: ignore[no-untyped-def]
    code, out, err = edgevision("export", foreign, *options)
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize("budget", [(), ("--budget", "30s")])
def test_a_cluster_that_is_not_there_is_said_before_anything_is_computed(run_python, foreign: Path, budget) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("ray")
    program = """
import sys
from edgevision.cli.app import main
try:
    main(sys.argv[1:])
finally:
    assert "torch" not in sys.modules
"""
    done = run_python("-c", program, "export", str(foreign), "--int8", "--ray", "127.0.0.1:1", *budget)
    assert (done.returncode, done.stdout) == (3, "")
    assert "no Ray cluster answers at '127.0.0.1:1'" in done.stderr
    assert "use --ray local" in done.stderr
