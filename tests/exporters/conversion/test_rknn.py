"""RKNN models: int8 forms judged in rknn-toolkit2's simulator, where a Python has it; what is said without a board."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.helper import make_node
from small_models import model_of, random

import edgevision
from edgevision.core.errors import DeviceError, InputError, ModelFileError
from edgevision.exporters.conversion.rknn_conversion import PYTHON, RknnSimulator
from edgevision.exporters.quantization.options import Preset
from edgevision.exporters.quantization.report import Outcome
from edgevision.exporters.quantization.settings import QuantizationSettings
from edgevision.modelfiles.metadata import ModelMetadata, Precision, TensorSpec
from edgevision.modelfiles.metadata_beside import metadata_path
from edgevision.modelfiles.model_file import describe, read_metadata
from edgevision.runtime.devices.opening import open_engine

with_rknn = pytest.mark.skipif(PYTHON not in os.environ, reason=f"{PYTHON} names no Python with rknn-toolkit2")
METADATA = ModelMetadata(
    task="other",
    name="net",
    inputs=(TensorSpec(name="x", shape=(1, 3, 8, 8)),),
    outputs=(TensorSpec(name="y", shape=(1, 16, 8, 8)),),
    target="rk3588",
)


def write_empty(path: Path, length: int = 8) -> Path:
    """A header, a graph of ``length`` bytes and what follows it; with metadata."""
    path.write_bytes(b"RKNN".ljust(16, b"\0") + length.to_bytes(8, "little") + bytes(40 + length + 8))
    metadata_path(path).write_text(METADATA.to_json())
    return path


def test_what_it_takes_and_gives_is_what_the_metadata_say(tmp_path: Path) -> None:
    path = write_empty(tmp_path / "net.rknn")
    graph = describe(path).graph
    assert graph is not None
    assert (graph.inputs, graph.outputs) == (METADATA.inputs, METADATA.outputs)
    assert read_metadata(path) == METADATA


def test_a_file_that_was_cut_off_or_has_no_metadata_is_refused(tmp_path: Path) -> None:
    path = write_empty(tmp_path / "net.rknn")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelFileError, match="it says that it has 80 bytes or more, and has 79"):
        describe(path)
    metadata_path(write_empty(path)).unlink()
    with pytest.raises(ModelFileError, match=r"net\.edgevision\.json', which is not beside it"):
        describe(path)


@pytest.mark.parametrize("device", ["cpu", "npu", "rknn:npu"])
def test_without_a_board_it_does_not_run(tmp_path: Path, device: str) -> None:
    with pytest.raises(DeviceError, match="rknn"):
        open_engine(write_empty(tmp_path / "net.rknn"), device)


@pytest.mark.parametrize(("format", "target"), [("rknn", "pi5"), ("onnx", "rk3588")])
def test_format_and_target_go_together(tmp_path: Path, format: str, target: str) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(model_of([make_node("Conv", ["x", "w"], ["y"])], {"w": random(16, 3, 1, 1)}, (1, 3, 8, 8)), path)
    settings = QuantizationSettings(target=target, calibration=path)
    with pytest.raises(InputError, match=r"rk3588 runs rknn models only|rknn models are for --target rk3588"):
        edgevision.export(path, tmp_path / f"out.{format}", format=format, precision="int8", int8=settings)


@with_rknn
def test_an_int8_form_is_judged_in_the_simulator(tmp_path: Path) -> None:
    source, path, inputs = tmp_path / "net.onnx", tmp_path / "net.rknn", tmp_path / "inputs.npz"
    nodes = [
        make_node("Conv", ["x", "w", "b"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        make_node("Relu", ["c"], ["y"]),
    ]
    onnx.save(model_of(nodes, {"w": random(16, 3, 3, 3), "b": random(16)}, (1, 3, 8, 8)), source)
    np.savez(inputs, x=np.random.default_rng(1).standard_normal((20, 3, 8, 8), np.float32))
    settings = QuantizationSettings(target="rk3588", calibration=inputs, preset=Preset.QUICK, threads=1, max_drop=25)
    report = edgevision.export(source, path, format="rknn", precision="int8", int8=settings)
    found = report.quantization
    assert found is not None
    assert (found.outcome, found.measured, report.precision) == (Outcome.INT8, False, Precision.INT8)
    assert {form.engine for form in found.forms} == {"RKNN"}
    assert report.parity.actual == "rknn-toolkit2's simulator on rk3588"
    assert 25 < found.forms[-1].figures["sqnr"] < 60
    metadata = read_metadata(path)
    assert metadata is not None
    assert (metadata.target, metadata.inputs[0].shape) == ("rk3588", (1, 3, 8, 8))


@with_rknn
def test_what_the_toolkit_has_no_operator_for_is_named() -> None:
    model = model_of([make_node("Det", ["x"], ["y"])], {}, (1, 3, 3))
    with pytest.raises(InputError, match="it has no operator for Det"):
        RknnSimulator(model, METADATA)
