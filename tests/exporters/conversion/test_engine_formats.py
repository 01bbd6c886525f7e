"""Networks in the formats of LiteRT and NCNN compute what ONNX Runtime does, whole or with the operator named."""

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.helper import make_node
from small_models import model_of, random, run

from edgevision.core.errors import DeviceError, InputError
from edgevision.core.lazy_objects import load_object
from edgevision.exporters.conversion.converter_process import ConverterProcess
from edgevision.exporters.conversion.litert_conversion import PYTHON as LITERT_PYTHON
from edgevision.exporters.export import export
from edgevision.exporters.format_writers import WRITERS
from edgevision.exporters.model_writing import write_model
from edgevision.exporters.passes.depth_to_space import interleave_by_channel
from edgevision.exporters.passes.graph_pass import Rewriting
from edgevision.metrics.figures import sqnr_db
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.modelfiles.model_file import ModelFormat, read_graph
from edgevision.runtime.devices.opening import open_engine

with_litert = pytest.mark.skipif(
    not find_spec("litert_torch") and LITERT_PYTHON not in os.environ, reason="litert-torch is not installed"
)
with_ncnn = pytest.mark.skipif(not find_spec("ncnn") or not find_spec("pnnx"), reason="NCNN or PNNX is not installed")
FORMATS = [pytest.param(ModelFormat.TFLITE, marks=with_litert), pytest.param(ModelFormat.NCNN, marks=with_ncnn)]


def described(model: onnx.ModelProto) -> ModelMetadata:
    shape = tuple(side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim)
    (y,) = run(model, np.zeros(shape, np.float32))
    x, out = TensorSpec(name="x", shape=shape), TensorSpec(name="y", shape=y.shape)
    return ModelMetadata(task="other", name="net", inputs=(x,), outputs=(out,))


def interleaving(mode: str) -> onnx.ModelProto:
    nodes = [
        make_node("Conv", ["x", "w", "b"], ["a"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        make_node("DepthToSpace", ["a"], ["y"], blocksize=2, mode=mode),
    ]
    return model_of(nodes, {"w": random(12, 3, 3, 3), "b": random(12)}, (1, 3, 6, 8))


def test_depth_to_space_gets_its_channels_in_the_other_order() -> None:
    model, x = interleaving("DCR"), random(1, 3, 6, 8)
    result = Rewriting("by channel", interleave_by_channel)(model)
    assert result.modified
    modes = [a.s for node in result.model.graph.node for a in node.attribute if a.name == "mode"]
    assert modes == [b"CRD"]
    assert sqnr_db(run(model, x)[0], run(result.model, x)[0]) > 100
    assert not Rewriting("by channel", interleave_by_channel)(interleaving("CRD")).modified


def shortcut() -> onnx.ModelProto:
    """Every second pixel and more channels: what onnx2tf has turned into something else, and NCNN has no layers for."""
    nodes = [
        make_node("Relu", ["x"], ["a"]),
        *(make_node(*arguments, **options) for arguments, options in SHORTCUT),
        make_node("Relu", ["padded"], ["b"]),
        make_node("ReduceMean", ["b", "axes"], ["y"], keepdims=0),
    ]
    constants = {"zero": np.int64([0]), "end": np.int64([2**63 - 1]), "two": np.int64([2])}
    constants |= {"rows": np.int64([2]), "columns": np.int64([3]), "axes": np.int64([2, 3])}
    constants |= {"pads": np.int64([0, 2, 0, 0, 0, 2, 0, 0])}
    return model_of(nodes, constants, (1, 4, 8, 8))


SHORTCUT = (
    (("Slice", ["a", "zero", "end", "rows", "two"], ["r"]), {}),
    (("Slice", ["r", "zero", "end", "columns", "two"], ["c"]), {}),
    (("Pad", ["c", "pads"], ["padded"]), {}),
)


def drawing() -> onnx.ModelProto:
    """Numbers become a picture, by sizes that name the batch."""
    nodes = [make_node("Gemm", ["x", "w"], ["a"]), make_node("Reshape", ["a", "sizes"], ["y"])]
    return model_of(nodes, {"w": random(5, 12), "sizes": np.int64([1, 1, 3, 4])}, (1, 5))


MODELS = {
    "shortcut": shortcut(),
    "picture": drawing(),
    "by place": interleaving("DCR"),
    "by channel": interleaving("CRD"),
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_it_computes_what_onnx_runtime_does(format: ModelFormat, model: onnx.ModelProto, tmp_path: Path) -> None:
    path, metadata = tmp_path / f"net{format.suffix}", described(model)
    write_model(model, path, format, metadata)
    assert {file.name for file in tmp_path.iterdir()} == {
        path.name,
        *(path.with_suffix(ending).name for ending in WRITERS[format].beside),
    }
    x = random(*metadata.inputs[0].shape, seed=3)  # type: ignore[arg-type]
    with open_engine(path) as engine:
        assert ([spec.name for spec in engine.inputs], [spec.name for spec in engine.outputs]) == (["x"], ["y"])
        assert engine.run({"x": x})[0].shape == metadata.outputs[0].shape
        assert sqnr_db(run(model, x)[0], engine.run({"x": x})[0]) > 90


def quantized() -> onnx.ModelProto:
    """A convolution and a Relu in int8, as the project's own plans are written."""
    nodes = [
        make_node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        make_node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], axis=0),
        make_node("DequantizeLinear", ["b", "bs", "bz"], ["bd"], axis=0),
        make_node("Conv", ["xd", "wd", "bd"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        make_node("Relu", ["c"], ["r"]),
        make_node("QuantizeLinear", ["r", "t", "low"], ["rq"]),
        make_node("DequantizeLinear", ["rq", "t", "low"], ["y"]),
    ]
    scales = np.float32([0.01, 0.02, 0.03, 0.04])
    constants = {
        "s": np.float32(0.02),
        "z": np.int8(-5),
        "w": np.random.default_rng(0).integers(-127, 128, (4, 3, 3, 3)).astype(np.int8),
        "ws": scales,
        "wz": np.zeros(4, np.int8),
        "b": np.int32([100, -200, 300, 4]),
        "bs": np.float32(0.02) * scales,
        "bz": np.zeros(4, np.int32),
        "t": np.float32(0.2),
        "low": np.int8(-128),
    }
    return model_of(nodes, constants, (1, 3, 8, 8))


@with_litert
def test_litert_computes_the_same_integers_and_takes_and_gives_floats(tmp_path: Path) -> None:
    model, path, x = quantized(), tmp_path / "net.tflite", random(1, 3, 8, 8, seed=3)
    write_model(model, path, ModelFormat.TFLITE, described(model))
    graph = read_graph(path)
    assert {name: graph.operators[name] for name in ("CONV_2D", "QUANTIZE", "DEQUANTIZE")} == {
        "CONV_2D": 1,
        "QUANTIZE": 1,
        "DEQUANTIZE": 1,
    }
    with open_engine(path) as engine:
        assert {spec.dtype for spec in (*engine.inputs, *engine.outputs)} == {"float32"}
        steps = np.abs(run(model, x)[0] - engine.run({"x": x})[0]) / np.float32(0.2)
    assert steps.max() < 1.01
    assert np.mean(steps > 0.01) < 0.01


@with_ncnn
def test_ncnn_stores_weights_in_half(tmp_path: Path) -> None:
    model = interleaving("CRD")
    write = load_object(WRITERS[ModelFormat.NCNN].write)
    for name, half in (("full", False), ("half", True)):
        write(model, tmp_path / f"{name}.param", described(model), half=half)
    full, half_size = ((tmp_path / f"{name}.bin").stat().st_size for name in ("full", "half"))
    assert half_size < 0.7 * full
    x = random(1, 3, 6, 8)
    with open_engine(tmp_path / "half.param") as engine:
        assert 50 < sqnr_db(run(model, x)[0], engine.run({"x": x})[0]) < 100


@with_ncnn
def test_ncnn_models_are_made_from_float_ones(tmp_path: Path) -> None:
    onnx.save(quantized(), tmp_path / "net.onnx")
    with pytest.raises(InputError, match=r"quantised already \(it holds DequantizeLinear, QuantizeLinear\)"):
        export(tmp_path / "net.onnx", tmp_path / "net.ncnn.param", format="ncnn", metadata={"task": "other"})
    assert [file.name for file in tmp_path.iterdir()] == ["net.onnx"]


@with_ncnn
def test_what_ncnn_has_no_layer_for_is_named(tmp_path: Path) -> None:
    model = model_of([make_node("Det", ["x"], ["y"])], {}, (1, 3, 3))
    write_model(model, tmp_path / "net.param", ModelFormat.NCNN, described(model))
    with pytest.raises(DeviceError, match=r"it has no layer .*[Dd]et"):
        open_engine(tmp_path / "net.param")


@with_litert
def test_what_litert_has_no_operator_for_is_named(tmp_path: Path) -> None:
    model = model_of([make_node("Det", ["x"], ["y"])], {}, (1, 3, 3))
    with pytest.raises(InputError, match="Det"):
        write_model(model, tmp_path / "net.tflite", ModelFormat.TFLITE, None)


def test_a_python_without_the_converter_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGEVISION_X_PYTHON", str(tmp_path / "python"))
    converter = ConverterProcess("x-torch", "x.py", "EDGEVISION_X_PYTHON", DeviceError("no x"))
    with pytest.raises(InputError, match=r"EDGEVISION_X_PYTHON is .*/python', which has no x-torch"):
        converter.start()


def test_a_converter_that_is_not_there_says_how_to_have_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("EDGEVISION_X_PYTHON", raising=False)
    program = tmp_path / "x.py"
    program.write_text("import no_such_module")
    with pytest.raises(DeviceError, match="no x"):
        ConverterProcess("x", str(program), "EDGEVISION_X_PYTHON", DeviceError("no x")).start()


def test_a_converter_that_ends_is_started_again(tmp_path: Path) -> None:
    program = tmp_path / "x.py"
    program.write_text("print('null', flush=True); input(); print('null', flush=True)")
    converter = ConverterProcess("x", str(program), "EDGEVISION_X_PYTHON", DeviceError("no x"))
    converter.ask("something")
    with pytest.raises(InputError, match="x has ended by itself"):
        converter.ask("more")
    converter.ask("something")
    converter.close()


@pytest.mark.parametrize("format", FORMATS)
def test_a_checkpoint_becomes_a_model_of_one_shape(checkpoint: Path, tmp_path: Path, format: ModelFormat) -> None:
    report = export(checkpoint, tmp_path / f"net{format.suffix}", format=format)
    assert report.verdict == "good"
    assert report.dynamic == ()
    assert report.metadata.inputs[0].shape == (1, 3, 8, 8)
    assert report.parity.outputs[0].sqnr_db is None or report.parity.outputs[0].sqnr_db > 100


@with_ncnn
def test_the_default_name_leaves_an_openvino_model_its_weights(checkpoint: Path, tmp_path: Path) -> None:
    copy = tmp_path / "net.pt"
    copy.write_bytes(checkpoint.read_bytes())
    assert export(copy, format="ncnn").model == "net.ncnn.param"
    assert not (tmp_path / "net.bin").exists()
