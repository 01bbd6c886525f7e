"""A model is held against the checkpoint it was made from."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import onnx
import pytest
import torch
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info
from torch import nn

from edgevision.core.errors import CheckpointError, DeviceError, InputError, ModelFileError, ParityError
from edgevision.exporters.conversion.onnx_conversion import Conversion
from edgevision.exporters.export import export
from edgevision.exporters.report import ExportReport
from edgevision.exporters.verify import VerificationReport, verify
from edgevision.modelfiles.metadata import Precision
from edgevision.models import build_model
from edgevision.training.checkpoint import save_checkpoint

Export = Callable[[str, str], tuple[Path, ExportReport]]


@pytest.mark.parametrize("model_format", ["onnx", "openvino"])
def test_a_model_and_its_checkpoint_agree(exported: Export, checkpoint: Path, model_format: str) -> None:
    path, _ = exported(model_format, "fp32")
    report = verify(path, checkpoint, samples=33, seed=7)
    assert (report.model, report.checkpoint) == (path.name, "tiny.pt")
    assert (report.parity.samples, report.parity.source) == (33, "seeded sampler, seed 7")
    assert report.parity.agreement is not None
    assert report.parity.agreement > 96
    report.parity.check(Precision.FP32)
    assert report.checkpoint_quality is None
    assert report.model_quality is None


def test_the_exports_own_comparison_is_repeated(exported: Export, checkpoint: Path) -> None:
    path, report = exported("onnx", "fp32")
    assert verify(path, checkpoint, samples=64).parity.outputs == report.parity.outputs


def test_which_weights_were_taken_is_said(exported: Export, classifier: nn.Module, tmp_path: Path) -> None:
    last = {name: torch.zeros_like(value) for name, value in classifier.state_dict().items()}
    torch.save({"model": last, "ema": {"module": classifier.state_dict()}}, tmp_path / "run.pt")
    options = {"num_classes": 4, "image_size": 8}
    report = verify(
        exported("onnx", "fp32")[0], tmp_path / "run.pt", arch="edgevision.models:cnn3", arch_options=options, samples=8
    )
    assert report.notes[0] == "weights taken from 'ema.module'"
    report.parity.check(Precision.FP32)


def test_labelled_pictures_give_the_accuracy_of_both(
    exported: Export, checkpoint: Path, write_class_folders: Callable, tmp_path: Path
) -> None:
    data = write_class_folders(tmp_path / "data", {"cat": 5, "dög": 6, "emu": 7, "fox": 4})
    report = verify(exported("onnx", "fp32")[0], checkpoint, data=data, samples=10, quiet=True)
    assert (report.parity.samples, report.parity.source) == (10, "data")
    before, after = report.checkpoint_quality, report.model_quality
    assert before is not None
    assert after is not None
    assert before.images == after.images == 22
    assert before.labels == ("cat", "dög", "emu", "fox")
    assert before.confusion == after.confusion
    assert before.top1 == after.top1
    assert VerificationReport.from_dict(json.loads(json.dumps(report.to_dict()))).to_dict() == report.to_dict()


def test_pictures_without_classes_are_compared_on_only(
    exported: Export, checkpoint: Path, write_class_folders: Callable, tmp_path: Path
) -> None:
    data = write_class_folders(tmp_path / "data", {"cat": 5}) / "cat"
    report = verify(exported("onnx", "fp32")[0], checkpoint, data=data)
    assert report.parity.samples == 5
    assert report.model_quality is None


def test_another_checkpoint_of_the_same_network_is_found_out(
    exported: Export, checkpoint: Path, tmp_path: Path
) -> None:
    path, made = exported("onnx", "fp32")
    options = {"num_classes": 4, "image_size": 8}
    torch.manual_seed(1)
    save_checkpoint(tmp_path / "b.pt", build_model("cnn3", **options), made.metadata, model="cnn3", options=options)
    report = verify(path, tmp_path / "b.pt", samples=16)
    with pytest.raises(ParityError, match="output 'logits'"):
        report.parity.check(Precision.FP32)


def test_a_model_for_any_size_is_compared_in_the_size_that_is_given(tiny_networks: ModuleType, tmp_path: Path) -> None:
    source, arch = tmp_path / "net.pth", "tiny_networks:restorer"
    torch.save(tiny_networks.restorer().state_dict(), source)
    export(source, arch=arch, input_shape=(1, 1, 8, 8), metadata={"task": "denoise"})
    report = verify(tmp_path / "net.onnx", source, arch=arch, input_shape=(1, 1, 19, 23), samples=4)
    report.parity.check(Precision.FP32)
    assert report.parity.agreement is None
    assert verify(tmp_path / "net.onnx", source, arch=arch, samples=2).parity.samples == 2


def test_a_model_for_any_size_is_compared_on_pictures_of_their_own(
    tiny_networks: ModuleType, write_class_folders: Callable, tmp_path: Path
) -> None:
    source, arch = tmp_path / "net.pth", "tiny_networks:restorer"
    torch.save(tiny_networks.restorer(channels=3).state_dict(), source)
    options = {"arch": arch, "arch_options": {"channels": 3}}
    export(source, **options, input_shape=(1, 3, 8, 8), metadata={"task": "denoise"})
    data = write_class_folders(tmp_path / "data", {"a": 3})
    report = verify(tmp_path / "net.onnx", source, **options, data=data)
    report.parity.check(Precision.FP32)
    assert report.parity.samples == 3


def test_what_cannot_be_used_is_named(
    exported: Export, checkpoint: Path, classifier_conversion: Conversion, tmp_path: Path
) -> None:
    path, _ = exported("onnx", "fp32")
    with pytest.raises(ModelFileError, match="does not exist"):
        verify(tmp_path / "none.onnx", checkpoint)
    with pytest.raises(ModelFileError, match="is a checkpoint"):
        verify(checkpoint, checkpoint)
    with pytest.raises(CheckpointError, match="does not exist"):
        verify(path, tmp_path / "none.pt")
    with pytest.raises(DeviceError, match="there is no device 'abacus'"):
        verify(path, checkpoint, device="abacus")
    (tmp_path / "plain.onnx").write_bytes(classifier_conversion.model.SerializeToString())
    with pytest.raises(ModelFileError, match="carries no edgevision metadata"):
        verify(tmp_path / "plain.onnx", checkpoint)


def test_a_model_is_held_against_the_onnx_model_it_was_made_from(
    exported: Export, tiny_networks: ModuleType, tmp_path: Path
) -> None:
    given = exported("onnx", "fp32")[0]
    export(given, tmp_path / "out.onnx")
    report = verify(tmp_path / "out.onnx", given, samples=4)
    report.parity.check(Precision.FP32)
    assert (report.model, report.checkpoint) == ("out.onnx", given.name)
    torch.save(tiny_networks.restorer().state_dict(), tmp_path / "net.pth")
    export(tmp_path / "net.pth", arch="tiny_networks:restorer", input_shape=(1, 1, 8, 8), metadata={"task": "denoise"})
    with pytest.raises(
        InputError, match=r"'net' was not made from 'onnx-fp32.onnx', which has no output 'restored_image'"
    ):
        verify(tmp_path / "net.onnx", given, samples=4)
    with pytest.raises(InputError, match="--arch and --weights are for PyTorch checkpoints"):
        verify(tmp_path / "out.onnx", given, arch="a:b")


def test_a_model_of_a_single_number_is_held_against_its_original(tmp_path: Path) -> None:
    number = make_tensor_value_info("x", TensorProto.FLOAT, ())
    doubled = make_tensor_value_info("y", TensorProto.FLOAT, ())
    graph = make_graph([make_node("Add", ["x", "x"], ["y"])], "graph", [number], [doubled])
    onnx.save(make_model(graph, opset_imports=[make_opsetid("", 18)], ir_version=8), tmp_path / "given.onnx")
    export(tmp_path / "given.onnx", tmp_path / "out.onnx", metadata={"task": "other"})
    verify(tmp_path / "out.onnx", tmp_path / "given.onnx", samples=4).parity.check(Precision.FP32)
