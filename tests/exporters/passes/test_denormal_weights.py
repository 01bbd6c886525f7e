"""Denormal weights become zero, guards against zero stay guards, and nothing else changes."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import edgevision
from edgevision.exporters.passes.denormal_weights import DenormalWeights
from edgevision.exporters.passes.ir import Array
from edgevision.modelfiles.denormals import denormal_share
from edgevision.modelfiles.model_file import report_path

TINY = np.finfo(np.float32).tiny
X = np.linspace(-1, 1, 4, dtype=np.float32)[None]


def model(
    nodes: Sequence[onnx.NodeProto], constants: dict[str, Array], kind: int = TensorProto.FLOAT
) -> onnx.ModelProto:
    specs = [helper.make_tensor_value_info(name, kind, [1, 4]) for name in "xy"]
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(list(nodes), "g", specs[:1], specs[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def flush(given: onnx.ModelProto, examples: Sequence[Array]) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    result = DenormalWeights(examples)(given)
    assert result.modified == (result.model is not given)
    return result.model, result.notes


def constants(found: onnx.ModelProto) -> dict[str, Array]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in found.graph.initializer}


@pytest.mark.parametrize(("dtype", "small"), [(np.float32, 1e-40), (np.float64, 1e-310)])
def test_denormal_weights_become_zero_with_their_sign_and_all_others_stay(dtype: type, small: float) -> None:
    normal = float(np.finfo(dtype).tiny)
    weights = np.array([1.0, small, -small, normal], dtype)
    kind = TensorProto.FLOAT if dtype is np.float32 else TensorProto.DOUBLE
    given = model([helper.make_node("Mul", ["x", "w"], ["y"])], {"w": weights}, kind)
    before = given.SerializeToString()
    found, (note,) = flush(given, [X.astype(dtype)])
    assert given.SerializeToString() == before
    assert constants(found)["w"].tobytes() == np.array([1.0, 0.0, -0.0, normal], dtype).tobytes()
    assert note.startswith("2 of 4 weights (50.0 %) are denormal numbers")
    assert "outputs are the same" in note


def test_a_model_without_denormal_weights_is_itself() -> None:
    given = model([helper.make_node("Mul", ["x", "w"], ["y"])], {"w": np.array([TINY, 0, 1, -1e-30], np.float32)})
    found, notes = flush(given, [X])
    assert found is given
    assert notes == ()


def test_half_precision_keeps_its_small_numbers() -> None:
    nodes = [helper.make_node("Cast", ["w"], ["v"], to=TensorProto.FLOAT), helper.make_node("Mul", ["x", "v"], ["y"])]
    given = model(nodes, {"w": np.array([1, 6e-8, 1e-6, 5e-5], np.float16)})
    assert flush(given, [X])[0] is given


def test_weights_in_constant_nodes_and_in_branches_become_zero() -> None:
    weights = numpy_helper.from_array(np.array([1, 1e-40, 1e-40, 1], np.float32))

    def branch(name: str) -> onnx.GraphProto:
        nodes = [helper.make_node("Constant", [], [f"{name}w"], value=weights)]
        nodes += [helper.make_node("Mul", ["a", f"{name}w"], [name])]
        return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4])])

    nodes = [
        helper.make_node("Constant", [], ["v"], value_floats=[1.0, 1e-40, 2.0, -1e-40]),
        helper.make_node("Add", ["x", "v"], ["a"]),
        helper.make_node("If", ["c"], ["y"], then_branch=branch("t"), else_branch=branch("e")),
    ]
    found, (note,) = flush(model(nodes, {"c": np.array(True)}), [X])
    assert note.startswith("6 of 12 weights")
    text = found.SerializeToString()
    assert np.float32(1e-40).tobytes() not in text
    assert np.float32(-1e-40).tobytes() not in text


@pytest.mark.parametrize("count", [1, 4])
def test_what_keeps_a_divisor_from_being_zero_stays_above_zero(count: int) -> None:
    nodes = [helper.make_node("Abs", ["x"], ["a"]), helper.make_node("Div", ["a", "e"], ["d"])]
    nodes += [helper.make_node("Clip", ["d", "", "one"], ["y"])]
    values = {"e": np.full(count, 1e-45, np.float32), "one": np.array(1, np.float32)}
    found, _ = flush(model(nodes, values), [X])
    np.testing.assert_array_equal(constants(found)["e"], np.full(count, TINY))


def test_weights_that_matter_all_the_same_are_kept_and_that_is_said() -> None:
    nodes = [helper.make_node("Mul", ["x", "w"], ["s"]), helper.make_node("Mul", ["s", "k"], ["y"])]
    given = model(nodes, {"w": np.full(4, 1e-39, np.float32), "k": np.full(4, 1e38, np.float32)})
    found, (note,) = flush(given, [X])
    assert found is given
    assert "kept, because without them the outputs are not the same" in note


class Dying(nn.Module):
    """A classifier of which half of the filters have died."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(8, 2)
        with torch.no_grad():
            self.body[0].weight[:4] *= 1e-39

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.head(self.body(image))
        return result


@pytest.mark.parametrize(("suffix", "precision"), [(".onnx", "fp32"), (".onnx", "fp16"), (".xml", "fp32")])
def test_an_exported_checkpoint_has_none_and_its_report_says_so(tmp_path: Path, suffix: str, precision: str) -> None:
    torch.manual_seed(0)
    torch.save(Dying().state_dict(), tmp_path / "dying.pth")
    report = edgevision.export(
        tmp_path / "dying.pth",
        tmp_path / f"dying{suffix}",
        format="openvino" if suffix == ".xml" else "onnx",
        precision=precision,
        arch=f"{__name__}:Dying",
        input_shape=(1, 3, 8, 8),
        metadata={"task": "classify"},
    )
    assert denormal_share(tmp_path / f"dying{suffix}") == 0
    (note,) = [note for note in report.notes if "denormal" in note]
    assert note.startswith("108 of ")
    assert note in json.loads(report_path(tmp_path / f"dying{suffix}").read_text())["notes"]


def test_a_foreign_model_with_weights_beside_it_is_freed_of_them_as_well(tmp_path: Path) -> None:
    weights = np.ones((4, 3, 1, 1), np.float32)
    weights[2:] = 1e-40
    specs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, c, 8, 8]) for n, c in (("x", 3), ("y", 4))]
    tensors = [numpy_helper.from_array(weights, "w")]
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"])], "g", specs[:1], specs[1:], tensors)
    given = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    source = tmp_path / "given.onnx"
    onnx.save(given, source, save_as_external_data=True, size_threshold=0, location="weights.bin")
    assert denormal_share(source) == 0.5
    report = edgevision.export(source, tmp_path / "done.onnx")
    assert denormal_share(tmp_path / "done.onnx") == 0
    assert any(note.startswith("6 of 12 weights (50.0 %)") for note in report.notes)
