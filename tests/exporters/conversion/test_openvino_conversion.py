"""ONNX models become OpenVINO IR; what OpenVINO cannot convert or write is an error of the right kind."""

import copy
import logging
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from edgevision.core.atomic_files import atomic_folder
from edgevision.core.errors import DiskFullError, InputError
from edgevision.exporters.conversion.onnx_conversion import Conversion
from edgevision.exporters.conversion.openvino_conversion import write_openvino
from edgevision.exporters.report import ExportReport
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata
from edgevision.modelfiles.model_file import read_metadata
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.tasks.classification.spec import ClassificationSpec

Sqnr = Callable[[object, object], float]

METADATA = ModelMetadata(
    task="classify",
    name="tiny",
    image=ImageSpec(size=(8, 8)),
    spec=ClassificationSpec(labels=('"quoted" & <odd>', "b", "c", "dög")),
)


def test_the_model_and_its_weights_and_nothing_else_are_written(
    classifier_conversion: Conversion, classifier: nn.Module, tmp_path: Path, sqnr: Sqnr
) -> None:
    write_openvino(classifier_conversion.model, tmp_path / "tiny.xml", METADATA, half=False)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["tiny.bin", "tiny.xml"]
    assert read_metadata(tmp_path / "tiny.xml") == METADATA
    images = torch.rand(5, 3, 8, 8)
    with open_engine(tmp_path / "tiny.xml") as engine, torch.inference_mode():
        assert sqnr(classifier(images), engine.run({"image": images.numpy()})[0]) > 100


def test_half_halves_the_weights_and_keeps_their_values_to_11_bits(
    classifier_conversion: Conversion, classifier: nn.Module, tmp_path: Path, sqnr: Sqnr
) -> None:
    write_openvino(classifier_conversion.model, tmp_path / "full.xml", METADATA, half=False)
    write_openvino(classifier_conversion.model, tmp_path / "half.xml", METADATA, half=True)
    full, half = ((tmp_path / name).stat().st_size for name in ("full.bin", "half.bin"))
    assert half / full == pytest.approx(0.5, abs=0.01)
    images = torch.rand(5, 3, 8, 8)
    with open_engine(tmp_path / "half.xml") as engine, torch.inference_mode():
        assert engine.inputs[0].dtype == engine.outputs[0].dtype == "float32"
        assert 50 < sqnr(classifier(images), engine.run({"image": images.numpy()})[0]) < 100


def test_the_onnx_model_is_not_changed(classifier_conversion: Conversion, tmp_path: Path) -> None:
    model = copy.deepcopy(classifier_conversion.model)
    write_openvino(model, tmp_path / "tiny.xml", METADATA, half=True)
    assert model == classifier_conversion.model


def test_the_log_of_others_is_left_as_it_is(classifier_conversion: Conversion, tmp_path: Path) -> None:
    before = logging.root.level
    write_openvino(classifier_conversion.model, tmp_path / "tiny.xml", METADATA, half=False)
    assert logging.root.level == before


def test_an_operator_openvino_does_not_know_is_named(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    node = helper.make_node("Knit", ["x"], ["y"], domain="wool")
    graph = helper.make_graph([node], "g", [value], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])])
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("wool", 1)]
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    with pytest.raises(InputError, match=r"OpenVINO cannot convert this model: .*Knit") as e:
        write_openvino(model, tmp_path / "wool.xml", METADATA, half=False)
    assert len(str(e.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("limit", [1_000, 100_000])
def test_a_disk_that_fills_up_while_openvino_writes_is_called_full(
    exported: Callable[[str, str], tuple[Path, ExportReport]], tmp_path: Path, run_python, limit: int
) -> None:
    # The limit is set when the intermediate ONNX file is written already.
    script = """
import resource, sys
from pathlib import Path
import onnx, openvino
from edgevision.core.errors import DiskFullError
from edgevision.exporters.conversion.openvino_conversion import write_openvino
from edgevision.core.atomic_files import atomic_folder
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata

save = openvino.save_model
def limited(*args, **kwargs):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
    save(*args, **kwargs)
openvino.save_model = limited
target = Path(sys.argv[2])
try:
    with atomic_folder(target) as folder:
        model = onnx.load(sys.argv[1])
        write_openvino(model, folder / target.name, ModelMetadata(task="classify", name="tiny"), half=False)
except DiskFullError as error:
    print(error)
"""
    path, _ = exported("onnx", "fp32")
    done = run_python("-c", script, str(path), str(tmp_path / "tiny.xml"), str(limit))
    assert "no space left to write" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_another_failure_to_write_is_not_called_a_full_disk(
    classifier_conversion: Conversion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import openvino

    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("basic_ios::clear: iostream error")

    monkeypatch.setattr(openvino, "save_model", fail)
    with pytest.raises(OSError, match="basic_ios") as e, atomic_folder(tmp_path / "tiny.xml") as folder:
        write_openvino(classifier_conversion.model, folder / "tiny.xml", METADATA, half=False)
    assert not isinstance(e.value, DiskFullError)
    assert list(tmp_path.iterdir()) == []
