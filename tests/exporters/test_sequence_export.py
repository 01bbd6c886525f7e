"""Networks over frames become models in two forms, which agree with PyTorch and with one another."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import edgevision
from edgevision.core.errors import InputError
from edgevision.exporters.quantization.options import EngineChoice, Preset
from edgevision.exporters.quantization.report import Outcome
from edgevision.exporters.quantization.settings import QuantizationSettings
from edgevision.exporters.quantization.targets import find_target, is_this_machine
from edgevision.exporters.verify import verify
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata, TensorSpec
from edgevision.modelfiles.model_file import require_metadata
from edgevision.models import SEQUENCE_NETWORKS, build_model
from edgevision.runtime.tasks.classification.spec import Activation
from edgevision.runtime.tasks.sequences.spec import SequenceSpec
from edgevision.training.checkpoint import save_checkpoint
from edgevision.training.moving_digits import MovingDigits

SIZE = 16
WINDOW, STREAM = "both", "stream"
OPERATORS = {"cnn_gru": "GRU", "cnn_lstm": "LSTM", "temporal_shift": None}


def write_checkpoint(path: Path, name: str, **more: Any) -> Path:
    """A network of that name that was never trained, with metadata as training writes them."""
    torch.manual_seed(0)
    options = {"num_classes": 10, "in_channels": 1, "image_size": SIZE, "widths": [4, 8], **more}
    network = build_model(name, **options)
    # Else all answers are alike.
    network.head[-1].weight.data *= 20  # type: ignore[index, operator, union-attr]
    metadata = ModelMetadata(
        task="sequence",
        name=name,
        inputs=(TensorSpec(name="frames", shape=("batch", "time", 1, SIZE, SIZE)),),
        outputs=(TensorSpec(name="logits", shape=("batch", "time", 10)),),
        image=ImageSpec(color=Color.GRAY, size=(SIZE, SIZE), mean=(0.1,), std=(0.2,)),
        spec=SequenceSpec(labels=MovingDigits.class_names, activation=Activation.NONE, frames=6),
    )
    save_checkpoint(path, network.eval(), metadata, model=name, options=options)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every network, and some clips."""
    folder = tmp_path_factory.mktemp("sequences")
    for name in SEQUENCE_NETWORKS:
        write_checkpoint(folder / f"{name}.pt", name)
    MovingDigits("test", clips=10).save(folder / "clips")
    return folder


@pytest.fixture(scope="module", params=SEQUENCE_NETWORKS)
def exported(request: pytest.FixtureRequest, folder: Path) -> tuple[str, Path, Path]:
    """The name of a network, and its two forms."""
    name = request.param
    paths = [folder / f"{name}-{part}.onnx" for part in (WINDOW, STREAM)]
    for part, path in zip((WINDOW, STREAM), paths, strict=True):
        report = edgevision.export(folder / f"{name}.pt", path, part=part)
        assert (report.verdict, report.exporter) == ("good", "dynamo")
        assert report.dynamic == (("batch", "time") if part == WINDOW else ("batch",))
        assert all((output.sqnr_db or 200) > 100 for output in report.parity.outputs)
    return name, *paths


def test_recurrent_layers_are_operators_of_onnx(exported: tuple[str, Path, Path]) -> None:
    name, *paths = exported
    for path in paths:
        operators = Counter(node.op_type for node in onnx.load(path).graph.node)
        assert not {"Loop", "Scan", "If"} & set(operators)
        if (own := OPERATORS[name]) is not None:
            assert operators[own] == 1


def test_the_state_stands_in_the_metadata(exported: tuple[str, Path, Path]) -> None:
    name, window, stream = exported
    network = build_model(name, image_size=SIZE, widths=[4, 8])
    told = require_metadata(stream)
    shapes = {spec.name: spec.shape[1:] for spec in told.inputs[1:]}
    assert shapes == {name: state.shape for name, state in network.states.items()}
    assert [(state.input, state.output, state.delay) for state in told.spec_as(SequenceSpec).states] == [
        (name, f"next_{name}", state.delay) for name, state in network.states.items()
    ]
    assert require_metadata(window).spec_as(SequenceSpec).states == ()
    assert told.inputs[0].shape == ("batch", 1, SIZE, SIZE)


def test_window_and_stream_agree_frame_by_frame(exported: tuple[str, Path, Path], folder: Path) -> None:
    _, window, stream = exported
    clips = sorted((folder / "clips").rglob("*.gif"))[:4]
    with edgevision.load(window) as whole, edgevision.load(stream) as stepped:
        for clip in clips:
            np.testing.assert_allclose(stepped(clip).scores, whole(clip).scores, rtol=1e-4, atol=1e-4)
            assert len(whole(clip).scores) == 16  # it was exported with 6


def test_either_is_compared_with_the_checkpoint_on_clips(exported: tuple[str, Path, Path], folder: Path) -> None:
    name, *paths = exported
    for path in paths:
        report = verify(path, folder / f"{name}.pt", data=folder / "clips", samples=3, quiet=True)
        assert report.parity.agreement == 100
        assert report.parity.samples == (3 if path == paths[0] else 48)
        assert report.checkpoint_quality == report.model_quality


def test_only_networks_over_frames_have_a_form_for_streams(folder: Path) -> None:
    with pytest.raises(InputError, match="--part stream is for a network of edgevision train sequence"):
        edgevision.export("examples/checkpoints/classifier.pt", folder / "no.onnx", part=STREAM)


def test_a_window_may_be_fixed(folder: Path) -> None:
    path = folder / "fixed.onnx"
    edgevision.export(folder / "cnn_gru.pt", path, static=(1, 4, 1, SIZE, SIZE))
    assert require_metadata(path).inputs[0].shape == (1, 4, 1, SIZE, SIZE)
    with edgevision.load(path) as classifier:
        assert len(classifier(sorted((folder / "clips").rglob("*.gif"))[0]).scores) == 16


def test_an_onnx_window_keeps_its_length_dynamic(folder: Path) -> None:
    source, path = folder / "temporal_shift-both.onnx", folder / "again.onnx"
    if not source.exists():
        edgevision.export(folder / "temporal_shift.pt", source)
    edgevision.export(source, path)
    assert require_metadata(path).inputs[0].shape[:2] == ("batch", "time")


@pytest.mark.parametrize("part", [WINDOW, STREAM])
def test_convolutions_compute_in_int8_and_a_recurrent_layer_does_not(part: str, folder: Path) -> None:
    path = folder / f"int8-{part}.onnx"
    # Nothing is timed for a machine that is not this one.
    elsewhere = next(name for name in ("x86-vnni", "arm64-dotprod") if not is_this_machine(find_target(name)))
    settings = QuantizationSettings(
        calibration=folder / "clips",
        max_drop=50,
        preset=Preset.QUICK,
        engine=EngineChoice.ONNXRUNTIME,
        target=elsewhere,
    )
    report = edgevision.export(folder / "cnn_gru.pt", path, part=part, precision="int8", int8=settings)
    found = report.quantization
    assert found is not None
    assert (found.outcome, found.metric) == (Outcome.INT8, "top1")
    assert found.source == "8 clips of clips, judged on 2 of clips"
    nodes = onnx.load(path).graph.node
    dequantized = {name for node in nodes if node.op_type == "DequantizeLinear" for name in node.output}
    computed = [set(node.input) & dequantized for node in nodes if node.op_type == "Conv"]
    assert computed
    assert all(computed)
    (recurrent,) = (node for node in nodes if node.op_type == "GRU")
    kept = {one.name for one in onnx.load(path).graph.initializer}
    assert set(recurrent.input[1:4]) <= kept  # in float, and in the operator's own order already
    with edgevision.load(path) as classifier:
        assert len(classifier(next((folder / "clips").rglob("*.gif"))).scores) == 16
