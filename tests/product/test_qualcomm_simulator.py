"""The Qualcomm NPU's path from export to answer, on the simulator that its package for x86 holds."""

import platform
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info
from onnx.numpy_helper import from_array
from PIL import Image

import edgevision
from edgevision.core.errors import DeviceError
from edgevision.data.datasets import ImageFolder
from edgevision.exporters.quantization.options import Preset
from edgevision.exporters.quantization.report import OperatorPrecision
from edgevision.exporters.quantization.settings import QuantizationSettings
from edgevision.metrics.figures import psnr_db, sqnr_db
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.models import build_model
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.generation.spec import GenerationSpec, LatentSpec
from edgevision.training.checkpoint import save_checkpoint

CHECKPOINTS = Path(__file__).parents[2] / "examples" / "checkpoints"
PICTURES = Path(__file__).parents[2] / "examples" / "pictures"

pytestmark = pytest.mark.skipif(
    find_spec("onnxruntime_qnn") is None or platform.machine() != "x86_64", reason="no simulator: pip install '.[qnn]'"
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def export(
    checkpoint: Path, folder: Path, *, calibration: Path | None = None, static: tuple[int, ...] | None = None
) -> Path:
    path = folder / f"{checkpoint.stem}.onnx"
    settings = QuantizationSettings(target="qualcomm-htp", preset=Preset.QUICK, calibration=calibration)
    edgevision.export(checkpoint, path, precision="int8", int8=settings, static=static)
    return path


def dcgan(folder: Path) -> Path:
    """The checkpoint of a generator; the one that ships, of another kind, the simulator cannot compile."""
    torch.manual_seed(0)
    options = {"image_size": 32, "channels": 3, "num_classes": 10}
    metadata = ModelMetadata(
        task="generate",
        name="dcgan",
        inputs=(TensorSpec(name="latent", shape=("batch", 128)), TensorSpec(name="classes", shape=("batch", 10))),
        outputs=(TensorSpec(name="image", shape=("batch", 3, 32, 32), value_range=(-1.0, 1.0)),),
        spec=GenerationSpec(latent=LatentSpec(size=128), labels=tuple("abcdefghij")),
    )
    network = build_model("dcgan", **options)
    save_checkpoint(folder / "gan.pt", network.eval(), metadata, model="dcgan", options=options)
    return folder / "gan.pt"


def test_a_generator_runs_whole_on_the_npu_and_draws_what_the_cpu_draws(tmp_path):
    checkpoint = dcgan(tmp_path)
    model, exactly = export(checkpoint, tmp_path), tmp_path / "exactly.onnx"
    edgevision.export(checkpoint, exactly)
    with edgevision.load(model, "qnn:npu") as npu, edgevision.load(model) as cpu, edgevision.load(exactly) as exact:
        assert "simulator" in npu.engine.name
        assert list(npu.engine.assignment.nodes) == ["npu"]
        pictures = {"npu": npu(8, seed=3), "cpu": cpu(8, seed=3), "exact": exact(8, seed=3)}
    signal = {name: np.asarray(p, np.float64) - 127.5 for name, p in pictures.items()}
    with edgevision.load(model, "openvino:cpu") as other:
        assert sqnr_db(signal["cpu"], np.asarray(other(8, seed=3), np.float64) - 127.5) > 30
    loss = {name: sqnr_db(signal["exact"], signal[name]) for name in ("npu", "cpu")}
    assert loss["npu"] > loss["cpu"] - 0.1


def test_a_restorer_runs_in_tiles_whole_on_the_npu(tmp_path):
    model = export(CHECKPOINTS / "upscale.pt", tmp_path, calibration=PICTURES, static=(1, 1, 64, 64))
    whole = Image.open(PICTURES / "cat.jpg").convert("RGB")
    whole = whole.crop((100, 60, 260, 160))
    small = np.asarray(whole.resize((80, 50), Image.Resampling.BICUBIC))
    with edgevision.load(model, "qnn:npu") as npu, edgevision.load(model) as cpu:
        assert list(npu.engine.assignment.nodes) == ["npu"]
        psnr = {
            name: psnr_db(np.asarray(whole), restore(small).pixels) for name, restore in (("npu", npu), ("cpu", cpu))
        }
    assert abs(psnr["npu"] - psnr["cpu"]) < 0.1


def test_the_classifier_runs_whole_on_the_npu_and_answers_as_the_cpu(tmp_path, shared):
    data = shared / "data" / "cifar10.zip"
    model = export(CHECKPOINTS / "classifier.pt", tmp_path, calibration=data)
    test = ImageFolder(data, ["test"])
    chosen = [int(i) for i in np.linspace(0, len(test) - 1, 120)]
    pictures = [np.asarray(test.image(i).convert("RGB")) for i in chosen]
    right = {}
    with edgevision.load(model, "qnn:npu") as npu, edgevision.load(model) as cpu:
        assert list(npu.engine.assignment.nodes) == ["npu"]
        answers = {name: [a.label for a in classify(pictures)] for name, classify in (("npu", npu), ("cpu", cpu))}
    expected = [test.class_names[test.labels[i]] for i in chosen]
    for name, labels in answers.items():
        right[name] = np.mean([a == e for a, e in zip(labels, expected, strict=True)])
    # One picture of 120 is 0.8 points; benchmarks/RESULTS.md has the figure from 2,000.
    assert abs(right["npu"] - right["cpu"]) <= 0.017
    assert np.mean([a == b for a, b in zip(answers["npu"], answers["cpu"], strict=True)]) >= 0.97


def test_activations_of_16_bits_run_on_the_npu_beside_those_of_8_and_hold_what_was_promised(tmp_path):
    model, calibration = residual_network(tmp_path / "float.onnx"), tmp_path / "inputs.npz"
    generator = np.random.default_rng(1)
    np.savez(calibration, x=generator.standard_normal((40, 3, 12, 12), np.float32))
    settings = QuantizationSettings(target="qualcomm-htp", preset=Preset.QUICK, calibration=calibration, max_drop=38)
    found = edgevision.export(model, tmp_path / "net.onnx", precision="int8", int8=settings).quantization
    forms = {form.name: form.figures["sqnr"] for form in found.forms}
    (written,) = (form for form in found.forms if form.written)
    assert forms["all int8"] < 38 <= written.figures["sqnr"]
    # Both are in it.
    assert {node.precision for node in found.nodes} == set(OperatorPrecision) - {
        "float",
        "float, weights stored in int8",
    }
    inputs = generator.standard_normal((10, 1, 3, 12, 12), np.float32)
    given = {}
    with (
        open_engine(model) as exact,
        open_engine(tmp_path / "net.onnx", "qnn:npu") as npu,
        open_engine(tmp_path / "net.onnx") as cpu,
        open_engine(tmp_path / "net.onnx", "openvino:cpu") as other,
    ):
        assert list(npu.assignment.nodes) == ["npu"]
        for name, engine in (("exact", exact), ("npu", npu), ("cpu", cpu), ("openvino", other)):
            given[name] = np.concatenate([engine.run({"x": x})[0] for x in inputs])
    for name in ("npu", "cpu", "openvino"):
        assert sqnr_db(given["exact"], given[name]) >= 38
    # Where one rounds up and the other down, what has 8 bits is a step apart.
    assert sqnr_db(given["cpu"], given["npu"]) > 40
    assert sqnr_db(given["cpu"], given["openvino"]) > 40


def residual_network(path: Path) -> Path:
    """Somebody else's ONNX model of random weights: convolutions, two of them inside a sum, a gate, and a clip."""
    generator = np.random.default_rng(0)
    channels = {"t": (8, 3), "u": (8, 8), "v": (8, 8), "w": (3, 8)}
    weights = {name: generator.standard_normal((*c, 3, 3), np.float32) / 8 for name, c in channels.items()}
    nodes = [
        make_node("Conv", ["x", "t"], ["a"], pads=[1] * 4),
        make_node("Relu", ["a"], ["b"]),
        make_node("Conv", ["b", "u"], ["c"], pads=[1] * 4),
        make_node("Relu", ["c"], ["d"]),
        make_node("Conv", ["d", "v"], ["e"], pads=[1] * 4),
        make_node("Add", ["b", "e"], ["f"]),
        make_node("Sigmoid", ["f"], ["g"]),
        make_node("Mul", ["f", "g"], ["h"]),
        make_node("Conv", ["h", "w"], ["i"], pads=[1] * 4),
        # Room in the range past it would keep the pair apart from the convolution.
        make_node("Clip", ["i", "zero", "one"], ["y"]),
    ]
    weights |= {"zero": np.float32(0), "one": np.float32(1)}
    ends = [make_tensor_value_info(name, TensorProto.FLOAT, (1, 3, 12, 12)) for name in "xy"]
    graph = make_graph(
        nodes, "graph", ends[:1], ends[1:], [from_array(np.asarray(v), name) for name, v in weights.items()]
    )
    onnx.save(make_model(graph, opset_imports=[make_opsetid("", 18)], ir_version=8), path)
    return path


def test_a_float_model_is_refused_with_the_way_to_an_int8_one():
    with pytest.raises(DeviceError, match="--int8 --target"):
        open_engine(shipped_model("classify"), "qnn:npu")
