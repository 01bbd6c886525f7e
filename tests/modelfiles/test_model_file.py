"""Model files seen from outside: what is read is right, and no damaged file ends in anything but a clear error."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from edgevision.core.errors import ModelFileError
from edgevision.core.records import Record
from edgevision.core.regular_files import sha256
from edgevision.exporters.conversion.openvino_conversion import write_openvino
from edgevision.modelfiles import onnx_file, openvino_file
from edgevision.modelfiles.metadata import METADATA_KEY, ImageSpec, ModelMetadata, TensorSpec
from edgevision.modelfiles.model_description import ModelDescription
from edgevision.modelfiles.model_facts import read_facts
from edgevision.modelfiles.model_file import (
    ModelFormat,
    check_model_file,
    model_format,
    model_hash,
    read_graph,
    read_metadata,
)
from edgevision.modelfiles.protobuf import fields
from edgevision.runtime.tasks.classification.spec import ClassificationSpec
from edgevision.training.checkpoint import save_checkpoint

METADATA = ModelMetadata(
    task="other", name="tiny", image=ImageSpec(size=(4, 4)), spec=Record(extra={"labels": ["á", "b"]})
)


def tiny_onnx(metadata: ModelMetadata | None = METADATA) -> bytes:
    """A model with a loop-free subgraph, a custom domain's opset, and weights that are listed as inputs too."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [2, 3], [0.5] * 6)
    branch = helper.make_graph(
        [helper.make_node("Relu", ["y"], ["z"])],
        "branch",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)],
    )
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["y"]),
            helper.make_node("If", ["flag"], ["out"], then_branch=branch, else_branch=branch),
        ],
        "tiny",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2]),
            helper.make_tensor_value_info("flag", TensorProto.BOOL, []),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, [2, 3]),
        ],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", 3])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("com.example", 2)])
    if metadata is not None:
        model.metadata_props.add(key="other", value="kept out")
        model.metadata_props.add(key=METADATA_KEY, value=metadata.to_json())
    return model.SerializeToString()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_onnx())
    return path


def test_the_facts_of_an_onnx_file_are_those_the_onnx_package_sees(model: Path) -> None:
    facts = read_facts(model)
    assert facts.format is ModelFormat.ONNX
    assert [(spec.name, spec.shape, spec.dtype) for spec in facts.inputs] == [
        ("x", ("batch", 2), "float32"),
        ("flag", (), "bool"),
    ]
    assert [(spec.name, spec.shape) for spec in facts.outputs] == [("out", ("batch", 3))]
    assert facts.operators == {"Relu": 2, "MatMul": 1, "If": 1}
    assert facts.opsets == {"ai.onnx": 18, "com.example": 2}
    assert facts.weights == 6
    assert facts.size_bytes == model.stat().st_size


def test_the_wire_format_is_read_as_the_onnx_package_writes_it(model: Path) -> None:
    parsed = onnx.load(model)
    numbers = [number for number, _ in fields(memoryview(model.read_bytes()))]
    assert set(numbers) == {descriptor.number for descriptor, _ in parsed.ListFields()}


def test_metadata_is_the_same_from_a_model_and_from_a_checkpoint(model: Path, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "tiny.pt", torch.nn.Linear(2, 2), METADATA, model="none", options={})
    assert read_metadata(model) == METADATA
    assert read_metadata(tmp_path / "tiny.pt") == METADATA


def test_a_model_without_metadata_has_none(tmp_path: Path) -> None:
    (tmp_path / "bare.onnx").write_bytes(tiny_onnx(None))
    torch.save({"weight": torch.zeros(2)}, tmp_path / "bare.pt")
    assert read_metadata(tmp_path / "bare.onnx") is None
    assert read_metadata(tmp_path / "bare.pt") is None


def test_reading_a_checkpoints_metadata_runs_none_of_its_code(tmp_path: Path) -> None:
    class Marker:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "ran",)  # type: ignore[return-value]

    torch.save({METADATA_KEY: METADATA.to_json(), "trap": Marker()}, tmp_path / "trap.pt")
    assert read_metadata(tmp_path / "trap.pt") == METADATA
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_is_no_model_to_load(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "tiny.pt", torch.nn.Linear(2, 2), METADATA, model="none", options={})
    with pytest.raises(ModelFileError, match="edgevision export"):
        check_model_file(tmp_path / "tiny.pt")


def test_another_ending_is_no_model_file(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(
        ModelFileError, match=r"one ends in \.onnx, \.xml \(OpenVINO\), \.tflite, \.param \(NCNN\) or \.rknn"
    ):
        model_format(tmp_path / "notes.txt")


@pytest.mark.parametrize("name", ["text.onnx", "text.xml", "text.pt"])
def test_a_text_file_is_damaged_whatever_its_ending(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("hello\n")
    with pytest.raises(ModelFileError, match="damaged"):
        read_metadata(tmp_path / name)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(tiny_onnx()) - 1))
def test_a_model_cut_off_anywhere_is_an_error_or_reads_as_less(tmp_path: Path, length: int) -> None:
    path = tmp_path / "cut.onnx"
    path.write_bytes(tiny_onnx()[:length])
    try:
        check_model_file(path)
        facts = read_facts(path)
    except ModelFileError:
        return
    # Cut between two top-level fields a file is shorter, not broken; what is gone are its last fields.
    assert facts.metadata in (None, METADATA)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(tiny_onnx()) - 1), st.integers(0, 255))
def test_a_changed_byte_never_ends_in_anything_but_the_projects_error(tmp_path: Path, place: int, byte: int) -> None:
    data = bytearray(tiny_onnx())
    data[place] = byte
    path = tmp_path / "changed.onnx"
    path.write_bytes(bytes(data))
    try:
        facts = read_facts(path)
    except ModelFileError:
        return
    assert facts.size_bytes == len(data)


def test_the_hash_of_a_model_holds_the_weights_that_lie_beside_it(tmp_path: Path) -> None:
    whole = tmp_path / "whole.onnx"
    whole.write_bytes(tiny_onnx())
    assert model_hash(whole) == sha256(whole) == read_facts(whole).sha256
    apart = tmp_path / "apart.onnx"
    model = onnx.load(whole)
    for weight in model.graph.initializer:  # only raw data can lie outside
        weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight), weight.name))
    onnx.save(model, apart, save_as_external_data=True, location="weights.data", size_threshold=0)
    before = model_hash(apart)
    weights = tmp_path / "weights.data"
    weights.write_bytes(bytes(byte ^ 1 for byte in weights.read_bytes()))
    assert model_hash(apart) != before
    assert read_facts(apart).sha256 == model_hash(apart)


@pytest.mark.parametrize("name", ["net.onnx", "net.xml"])
def test_a_model_is_parsed_once_however_often_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    reader = openvino_file if name.endswith(".xml") else onnx_file
    parsed: list[Path] = []
    describe = reader.describe

    def counted(path: Path) -> ModelDescription:
        parsed.append(path)
        return describe(path)

    monkeypatch.setattr(reader, "describe", counted)
    path = tmp_path / name
    for size in (4, 5):
        square = METADATA.updated(
            task="classify",
            spec=ClassificationSpec(labels=("á", "b")),
            image=ImageSpec(size=(size, size)),
            inputs=(TensorSpec(name="x", shape=(1, 3, size, size)),),
            outputs=(TensorSpec(name="y", shape=(1, 2)),),
        )
        write_model(path, square)
        check_model_file(path)
        assert read_metadata(path) == square
        assert read_graph(path).inputs == square.inputs
        assert read_facts(path).contradiction is None
        assert model_hash(path) == read_facts(path).sha256
    assert parsed == [path, path]


def write_model(path: Path, metadata: ModelMetadata) -> None:
    """The mean of each of the first two channels."""
    graph = helper.make_graph(
        [
            helper.make_node("Slice", ["x", "from", "to", "axis"], ["two"]),
            helper.make_node("ReduceMean", ["two", "axes"], ["y"], keepdims=0),
        ],
        "means",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, metadata.inputs[0].shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [
            helper.make_tensor(name, TensorProto.INT64, [len(values)], values)
            for name, values in {"from": [0], "to": [2], "axis": [1], "axes": [2, 3]}.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if path.suffix == ".xml":
        write_openvino(model, path, metadata, half=False)
    else:
        model.metadata_props.add(key=METADATA_KEY, value=metadata.to_json())
        path.write_bytes(model.SerializeToString())


def test_weights_that_go_after_the_model_was_read_are_missed(tmp_path: Path) -> None:
    path = tmp_path / "apart.onnx"
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in "xy")
    weight = onnx.numpy_helper.from_array(np.ones(4, np.float32), "w")
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [x], [y], [weight])
    onnx.save(helper.make_model(graph), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    check_model_file(path)
    (tmp_path / "w.bin").unlink()
    with pytest.raises(ModelFileError, match=r"lacks its weights; 'w\.bin' belongs beside it"):
        check_model_file(path)
