"""A checkpoint becomes one file that explains itself and is proven to compute the same, or no file at all."""

import dataclasses
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, numpy_helper
from torch import Tensor, nn

import edgevision
import edgevision.exporters.export as exporting
import edgevision.exporters.sources.reading as reading
from edgevision.core.errors import DiskFullError, InputError, MissingExtraError, OutputError, ParityError
from edgevision.exporters.conversion.onnx_conversion import Conversion
from edgevision.exporters.export import export
from edgevision.exporters.report import ExportReport, read_report
from edgevision.modelfiles.metadata import ImageSpec, Precision
from edgevision.modelfiles.model_file import ModelFormat, model_hash, read_metadata, report_path
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.tasks.classification.spec import Activation
from edgevision.runtime.tasks.generation.spec import LatentSpec

Sqnr = Callable[[object, object], float]
Export = Callable[[str, str], tuple[Path, ExportReport]]

KINDS = [(model_format, precision) for model_format in ("onnx", "openvino") for precision in ("fp32", "fp16")]
kinds = pytest.mark.parametrize(("model_format", "precision"), KINDS)


def perturb(conversion: Conversion) -> None:
    """Change one number of the model by a tenth of the largest."""
    weight = max(conversion.model.graph.initializer, key=lambda tensor: np.prod(tensor.dims))
    values = numpy_helper.to_array(weight).copy()
    values.flat[0] += 100 * np.abs(values).max()
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))


# --- the file ---


@kinds
def test_the_model_computes_what_the_checkpoint_does(
    exported: Export, classifier: nn.Module, sqnr: Sqnr, model_format: str, precision: str
) -> None:
    path, _ = exported(model_format, precision)
    images = torch.rand(5, 3, 8, 8)
    with open_engine(path) as engine, torch.inference_mode():
        assert sqnr(classifier(images), engine.run({"image": images.numpy()})[0]) > (100 if precision == "fp32" else 45)


@kinds
def test_the_metadata_is_in_the_file_and_complete(
    exported: Export, checkpoint: Path, model_format: str, precision: str
) -> None:
    path, report = exported(model_format, precision)
    metadata = read_metadata(path)
    own = read_metadata(checkpoint)
    assert metadata == report.metadata
    assert metadata is not None
    assert own is not None
    assert metadata.spec == own.spec.updated(activation=Activation.NONE)
    kept = ("task", "name", "image", "quality", "licence")
    assert [getattr(metadata, field) for field in kept] == [getattr(own, field) for field in kept]
    assert metadata.precision is Precision(precision)
    assert [(spec.name, spec.shape) for spec in metadata.inputs] == [("image", ("batch", 3, 8, 8))]
    assert [(spec.name, spec.shape) for spec in metadata.outputs] == [("logits", ("batch", 4))]
    # 0 in the channel of the largest mean, and 255 in that of the smallest, by ImageSpec's formula.
    assert metadata.inputs[0].value_range == pytest.approx((-0.5 / 0.2, (1 - 0.3) / 0.2))
    assert metadata.provenance.checkpoint_sha256 == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert metadata.provenance.data == "quarters"
    assert metadata.provenance.versions["edgevision"] == edgevision.__version__
    assert set(metadata.provenance.versions) == {"edgevision", "torch", "onnx", "onnxscript", "numpy"}


@kinds
def test_the_report_beside_it_says_what_was_made_and_measured(
    exported: Export, checkpoint: Path, model_format: str, precision: str
) -> None:
    path, report = exported(model_format, precision)
    document = json.loads(report_path(path).read_text(encoding="utf-8"))
    assert document.pop("schema_version") == 1
    assert ExportReport.from_dict(document) == report
    assert (report.verdict, report.reason) == ("good", None)
    assert (report.model, report.checkpoint) == (path.name, checkpoint.name)
    assert (report.format, report.precision) == (ModelFormat(model_format), Precision(precision))
    assert (report.exporter, report.dynamic, report.notes) == ("dynamo", ("batch",), ())
    assert report.sha256 == model_hash(path)
    weights = path.with_suffix(".bin").stat().st_size if model_format == "openvino" else 0
    assert report.size_bytes == path.stat().st_size + weights
    assert report.operators["Conv" if model_format == "onnx" else "Convolution"] == 3
    assert report.seconds > 0
    assert (report.parity.samples, report.parity.source) == (64, "seeded sampler, seed 0")
    assert report.parity.agreement is not None
    assert report.parity.agreement >= 96
    decibels = report.parity.outputs[0].sqnr_db
    assert decibels is not None
    assert decibels > (100 if precision == "fp32" else 45)


def test_half_precision_is_half_inside_and_float32_outside(exported: Export) -> None:
    path, _ = exported("onnx", "fp16")
    graph = onnx.load(path).graph
    assert TensorProto.FLOAT not in {tensor.data_type for tensor in graph.initializer}
    assert {v.type.tensor_type.elem_type for v in (*graph.input, *graph.output)} == {TensorProto.FLOAT}
    assert path.stat().st_size < 0.6 * exported("onnx", "fp32")[0].stat().st_size


@kinds
def test_nothing_of_this_machine_is_in_the_files(
    exported: Export, checkpoint: Path, model_format: str, precision: str
) -> None:
    path, _ = exported(model_format, precision)
    for file in (path, report_path(path)):
        content = file.read_bytes()
        for trace in (b"site-packages", b".py", str(checkpoint.parent).encode(), str(path.parent).encode()):
            assert trace not in content, (file, trace)


def test_without_an_output_the_model_lies_beside_the_checkpoint(
    checkpoint: Path, quick_conversion: Conversion, tmp_path: Path
) -> None:
    source = tmp_path / "net.pt"
    source.write_bytes(checkpoint.read_bytes())
    assert export(source).model == "net.onnx"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["net.onnx", "net.pt", "net.report.json"]


def test_the_files_can_be_read_by_others(checkpoint: Path, quick_conversion: Conversion, tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        export(checkpoint, tmp_path / "net.xml", format="openvino")
    finally:
        os.umask(mask)
    names = {file.name: oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()}
    assert names == {"net.bin": "0o644", "net.xml.report.json": "0o644", "net.xml": "0o644"}


def test_what_the_user_says_goes_over_what_the_checkpoint_says(
    checkpoint: Path, quick_conversion: Conversion, tmp_path: Path
) -> None:
    export(checkpoint, tmp_path / "net.onnx", metadata={"name": "mine", "image": {"resize": "pad"}, "later": [1]})
    metadata = read_metadata(tmp_path / "net.onnx")
    assert metadata is not None
    assert metadata.name == "mine"
    assert metadata.image == ImageSpec(size=(8, 8), mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.2), resize="pad")
    assert metadata.extra == {"later": [1]}


# --- what it is compared on ---


@pytest.mark.parametrize("model_format", ["onnx", "openvino"])
def test_real_pictures_are_compared_on_where_there_are_any(
    checkpoint: Path, quick_conversion: Conversion, write_class_folders: Callable, tmp_path: Path, model_format: str
) -> None:
    data = write_class_folders(tmp_path / "quarters", {"test/a": 9, "test/b": 10, "train/a": 2})
    target = tmp_path / ("net.onnx" if model_format == "onnx" else "net.xml")
    parity = export(checkpoint, target, format=model_format, data=data).parity
    assert (parity.samples, parity.source) == (19, "quarters test")


def test_the_seed_draws_other_samples(checkpoint: Path, quick_conversion: Conversion, tmp_path: Path) -> None:
    reports = [export(checkpoint, tmp_path / "a.onnx", seed=seed, force=True) for seed in (0, 0, 1)]
    ratios = [report.parity.outputs[0].sqnr_db for report in reports]
    assert ratios[0] == ratios[1] != ratios[2]
    assert reports[2].parity.source == "seeded sampler, seed 1"


# --- other people's checkpoints ---


def test_a_foreign_restorer_is_open_in_size_which_is_compared_too(
    tiny_networks: ModuleType, tmp_path: Path, sqnr: Sqnr
) -> None:
    network = tiny_networks.restorer().eval()
    torch.save({"params_ema": network.state_dict()}, tmp_path / "net.pth")
    report = export(
        tmp_path / "net.pth",
        tmp_path / "net.xml",
        format="openvino",
        arch="tiny_networks:restorer",
        input_shape=(1, 1, 16, 12),
        metadata={"task": "denoise"},
    )
    assert report.dynamic == ("batch", "height", "width")
    assert report.notes == ("weights taken from 'params_ema'",)
    assert report.parity.source == "seeded sampler, seed 0, and 8 of 24x24 from the seeded sampler"
    assert report.parity.samples == 72
    assert [spec.name for spec in report.metadata.outputs] == ["restored_image"]
    images = torch.rand(2, 1, 21, 34)
    with open_engine(tmp_path / "net.xml") as engine, torch.inference_mode():
        assert sqnr(network(images), engine.run({"image": images.numpy()})[0]) > 100


def test_metadata_name_all_outputs_or_none(tiny_networks: ModuleType, tmp_path: Path) -> None:
    torch.save(tiny_networks.restorer().state_dict(), tmp_path / "net.pth")
    with pytest.raises(InputError, match="are a, b, and the network has 1: name all of them, or none"):
        export(
            tmp_path / "net.pth",
            arch="tiny_networks:restorer",
            input_shape=(1, 1, 16, 12),
            metadata={"task": "other", "outputs": [{"name": name, "shape": []} for name in "ab"]},
        )
    assert not (tmp_path / "net.onnx").exists()


@pytest.mark.parametrize("inputs", [[{"name": "image", "shape": []}], []], ids=["named", "unnamed"])
def test_an_output_named_like_an_input_gets_another_name_and_keeps_its_range(
    tiny_networks: ModuleType, tmp_path: Path, inputs: list[dict[str, object]]
) -> None:
    torch.save(tiny_networks.restorer().state_dict(), tmp_path / "net.pth")
    outputs = [{"name": "image", "shape": [], "value_range": [0, 1]}]
    report = export(
        tmp_path / "net.pth",
        arch="tiny_networks:restorer",
        input_shape=(1, 1, 16, 12),
        metadata={"task": "denoise", "inputs": inputs, "outputs": outputs},
    )
    assert [spec.name for spec in report.metadata.inputs] == ["image"]
    assert [(spec.name, spec.value_range) for spec in report.metadata.outputs] == [("restored_image", (0, 1))]
    with open_engine(tmp_path / "net.onnx") as engine:
        assert [spec.name for spec in engine.outputs] == ["restored_image"]


def test_a_foreign_inpainter_takes_an_image_and_a_mask(tiny_networks: ModuleType, tmp_path: Path, sqnr: Sqnr) -> None:
    network = tiny_networks.Filler().eval()
    torch.save(network.state_dict(), tmp_path / "net.pth")
    report = export(
        tmp_path / "net.pth",
        arch="tiny_networks:Filler",
        input_shape=(1, 3, 16, 12),
        metadata={"task": "inpaint", "image": {"value_range": [-1, 1]}},
    )
    assert report.dynamic == ("batch", "height", "width")
    # A mask is 0 or 1, whatever black and white are.
    assert [(spec.name, spec.value_range) for spec in report.metadata.inputs] == [("image", (-1, 1)), ("mask", (0, 1))]
    image, mask = torch.rand(2, 3, 21, 34), (torch.rand(2, 1, 21, 34) > 0.5).float()
    with open_engine(tmp_path / "net.onnx") as engine, torch.inference_mode():
        found = engine.run({"image": image.numpy(), "mask": mask.numpy()})[0]
        assert sqnr(network(image, mask), found) > 100


def test_a_network_without_a_mask_cannot_inpaint(tiny_networks: ModuleType, tmp_path: Path) -> None:
    torch.save(tiny_networks.restorer(channels=3).state_dict(), tmp_path / "net.pth")
    with pytest.raises(InputError, match=r"does not take an input of \(1, 3, 8, 8\) and \(1, 1, 8, 8\)"):
        export(
            tmp_path / "net.pth",
            arch="tiny_networks:restorer",
            arch_options={"channels": 3},
            input_shape=(1, 3, 8, 8),
            metadata={"task": "inpaint"},
        )


def test_a_foreign_generator_takes_latents(tiny_networks: ModuleType, tmp_path: Path, sqnr: Sqnr) -> None:
    network = tiny_networks.generator().eval()
    torch.save({"generator": network.state_dict()}, tmp_path / "gan.ckpt")
    report = export(
        tmp_path / "gan.ckpt", arch="tiny_networks:generator", input_shape=(1, 6), metadata={"task": "generate"}
    )
    assert report.metadata.spec.latent == LatentSpec(size=6)
    assert [(spec.name, spec.shape) for spec in report.metadata.inputs] == [("latent", ("batch", 6))]
    latents = torch.randn(3, 6)
    with open_engine(tmp_path / "gan.onnx") as engine, torch.inference_mode():
        assert sqnr(network(latents), engine.run({"latent": latents.numpy()})[0]) > 100


def test_a_program_for_one_picture_becomes_a_model_for_one_picture(tiny_networks: ModuleType, tmp_path: Path) -> None:
    program = torch.export.export(tiny_networks.restorer().eval(), (torch.rand(1, 1, 8, 8),))
    torch.export.save(program, tmp_path / "net.pt2")
    report = export(tmp_path / "net.pt2", input_shape=(1, 1, 8, 8), metadata={"task": "denoise"})
    assert report.metadata.inputs[0].shape == (1, 1, 8, 8)
    assert report.dynamic == ()
    assert report.parity.samples == 64
    assert "batch fixed to 1: the network does not take another" in report.notes
    assert any("cannot be laid over a picture in tiles" in note for note in report.notes)


def test_every_output_of_a_network_is_named_and_compared(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class TwoHeads(nn.Module):
        def forward(self, images: Tensor) -> dict[str, Tensor]:
            return {"mean": images.mean((2, 3))[:, [0, 1, 2, 0]], "largest": images.amax((2, 3))}

    original = reading.read_checkpoint(checkpoint)
    monkeypatch.setattr(
        reading, "read_checkpoint", lambda *args, **kwargs: dataclasses.replace(original, network=TwoHeads())
    )
    report = export(checkpoint, tmp_path / "two.onnx")
    assert [output.name for output in report.parity.outputs] == ["logits", "output_1"]
    assert [spec.name for spec in report.metadata.outputs] == ["logits", "output_1"]


# --- what is refused before the work starts ---


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise AssertionError("the checkpoint was read before the options were checked")

    monkeypatch.setattr(reading, "read_checkpoint", fail)


def test_an_existing_model_is_kept_without_force(checkpoint: Path, tmp_path: Path, no_work: None) -> None:
    (tmp_path / "net.onnx").write_text("mine")
    with pytest.raises(OutputError, match=r"net\.onnx' exists already; --force overwrites it"):
        export(checkpoint, tmp_path / "net.onnx")
    assert (tmp_path / "net.onnx").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_an_existing_model_is_replaced_with_force(
    checkpoint: Path, quick_conversion: Conversion, tmp_path: Path
) -> None:
    names = ("net.xml", "net.bin", "net.xml.report.json")
    for name in names:
        (tmp_path / name).write_text("old")
    export(checkpoint, tmp_path / "net.xml", format="openvino", force=True)
    assert read_metadata(tmp_path / "net.xml") is not None
    assert all((tmp_path / name).read_bytes() != b"old" for name in names)


def test_models_of_one_name_and_of_two_formats_have_a_report_each(
    checkpoint: Path, quick_conversion: Conversion, tmp_path: Path
) -> None:
    export(checkpoint, tmp_path / "net.onnx")
    before = (tmp_path / "net.report.json").read_bytes()
    export(checkpoint, tmp_path / "net.xml", format="openvino")
    assert (tmp_path / "net.report.json").read_bytes() == before
    assert read_report(tmp_path / "net.onnx").format is ModelFormat.ONNX
    assert read_report(tmp_path / "net.xml").format is ModelFormat.OPENVINO


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("net.report.json", "my notes"),
        ("net.report.json", '{"model": "other.onnx", "parity": {}}'),
        ("net.search.jsonl", '{"mine": 1}'),
    ],
)
def test_a_file_beside_the_model_that_no_export_of_it_wrote_is_kept_without_force(
    checkpoint: Path, tmp_path: Path, no_work: None, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(OutputError, match=rf"{name}' exists already; --force overwrites it"):
        export(checkpoint, tmp_path / "net.onnx", precision="int8")
    assert (tmp_path / name).read_text() == content
    assert len(list(tmp_path.iterdir())) == 1


def test_the_report_of_a_model_that_is_gone_is_replaced(
    checkpoint: Path, quick_conversion: Conversion, tmp_path: Path
) -> None:
    export(checkpoint, tmp_path / "net.onnx")
    (tmp_path / "net.onnx").unlink()
    before = (tmp_path / "net.report.json").read_bytes()
    export(checkpoint, tmp_path / "net.onnx", seed=1)
    assert (tmp_path / "net.report.json").read_bytes() != before


@pytest.mark.parametrize(
    ("name", "model_format", "words"),
    [
        ("net.xml", "onnx", r"an onnx model's name ends in \.onnx, not 'net\.xml'"),
        ("net.onnx", "openvino", r"an openvino model's name ends in \.xml, not 'net\.onnx'"),
        ("net", "onnx", r"ends in \.onnx"),
    ],
)
def test_a_name_of_another_format_is_an_input_error(
    checkpoint: Path, tmp_path: Path, no_work: None, name: str, model_format: str, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        export(checkpoint, tmp_path / name, format=model_format)


def test_that_openvino_is_missing_is_said_before_anything_is_converted(
    checkpoint: Path, tmp_path: Path, no_work: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"openvino is not installed"):
        export(checkpoint, tmp_path / "net.xml", format="openvino")


def test_an_output_folder_that_does_not_exist_is_an_output_error(
    checkpoint: Path, tmp_path: Path, no_work: None
) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        export(checkpoint, tmp_path / "none" / "net.onnx")


def test_an_output_that_is_a_folder_is_an_output_error(checkpoint: Path, tmp_path: Path, no_work: None) -> None:
    (tmp_path / "net.onnx").mkdir()
    with pytest.raises(OutputError, match="is a folder; give a file name"):
        export(checkpoint, tmp_path / "net.onnx", force=True)


def test_a_folder_that_cannot_be_written_is_an_output_error(checkpoint: Path, tmp_path: Path, no_work: None) -> None:
    tmp_path.chmod(0o555)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("this user may write everywhere")
        with pytest.raises(OutputError, match="cannot be written"):
            export(checkpoint, tmp_path / "net.onnx")
    finally:
        tmp_path.chmod(0o755)


@pytest.mark.parametrize("options", [{"precision": "int4"}, {"format": "checkpoint"}, {"format": "mlmodel"}])
def test_what_export_does_not_make_is_misuse(checkpoint: Path, no_work: None, options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"int4|onnx, openvino|mlmodel"):
        export(checkpoint, **options)


def test_an_input_the_network_does_not_take_is_an_input_error(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the network does not take an input of \(1, 3, 9, 40\)"):
        export(checkpoint, tmp_path / "net.onnx", input_shape=(1, 3, 9, 40))
    assert list(tmp_path.iterdir()) == []


# --- what goes wrong in the middle ---


@pytest.mark.parametrize(("name", "model_format"), [("net.onnx", "onnx"), ("net.xml", "openvino")])
def test_a_model_that_computes_something_else_is_not_kept_and_the_report_says_why(
    checkpoint: Path, quick_conversion: Conversion, tmp_path: Path, name: str, model_format: str
) -> None:
    perturb(quick_conversion)
    with pytest.raises(ParityError, match="does not compute what the checkpoint does: output 'logits'") as e:
        export(checkpoint, tmp_path / name, format=model_format)
    assert e.value.exit_code == 1
    assert list(tmp_path.iterdir()) == [report_path(tmp_path / name)]
    document = json.loads(report_path(tmp_path / name).read_text(encoding="utf-8"))
    assert document["verdict"] == "failed"
    assert document["reason"] == str(e.value)
    assert document["parity"]["outputs"][0]["sqnr_db"] < 60
    assert not {"sha256", "size_bytes"} & set(document)


def test_a_model_whose_answers_are_not_numbers_is_not_kept(
    checkpoint: Path, quick_conversion: Conversion, tmp_path: Path
) -> None:
    weight = quick_conversion.model.graph.initializer[0]
    values = np.full_like(numpy_helper.to_array(weight), np.nan)
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    with pytest.raises(ParityError, match=r"values of output 'logits' are not a number, or infinite"):
        export(checkpoint, tmp_path / "net.onnx")
    text = (tmp_path / "net.report.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    assert "Infinity" not in text
    assert [file.name for file in tmp_path.iterdir()] == ["net.report.json"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_end_in_the_middle_leaves_nothing_and_what_was_there(
    checkpoint: Path,
    quick_conversion: Conversion,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
) -> None:
    (tmp_path / "net.xml").write_text("old")
    seen: list[str] = []

    def stop(*args: object, **kwargs: object) -> None:
        seen.extend(file.name for file in tmp_path.rglob("*.bin"))
        raise error

    monkeypatch.setattr(exporting, "compare_engines", stop)
    with pytest.raises(error):
        export(checkpoint, tmp_path / "net.xml", format="openvino", force=True)
    assert seen == ["net.bin"]  # the model was written when it happened
    assert [file.name for file in tmp_path.iterdir()] == ["net.xml"]
    assert (tmp_path / "net.xml").read_text() == "old"


@pytest.mark.parametrize(("name", "model_format"), [("net.onnx", "onnx"), ("net.xml", "openvino")])
def test_a_full_disk_is_called_so_and_leaves_nothing(
    checkpoint: Path, quick_conversion: Conversion, tmp_path: Path, name: str, model_format: str
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(DiskFullError, match="no space left to write") as e:
            export(checkpoint, tmp_path / name, format=model_format)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert e.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("ctrl_c")
def test_control_c_ends_with_130_and_leaves_nothing(checkpoint: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edgevision", "export", str(checkpoint), "-o", str(tmp_path / "net.onnx")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        started = next((line for line in process.stderr if "exporting" in line), None)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert started is not None
    assert process.returncode == 130, errors
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert output == ""
    assert list(tmp_path.iterdir()) == []


# --- one shape only ---


def test_a_static_shape_is_the_only_one_the_file_takes(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "static.onnx"
    report = export(checkpoint, path, static=(2, 3, 8, 8))
    assert report.dynamic == ()
    assert report.parity.samples == 64
    with open_engine(path) as engine:
        assert engine.inputs[0].shape == (2, 3, 8, 8)
        assert all(isinstance(side, int) for spec in engine.outputs for side in spec.shape)
        with pytest.raises(ValueError, match="does not take this input"):
            engine.run({engine.inputs[0].name: np.zeros((1, 3, 8, 8), np.float32)})
    metadata = read_metadata(path)
    assert metadata is not None
    assert metadata.inputs[0].shape == (2, 3, 8, 8)


@pytest.mark.parametrize("shape", [(1, 3, 9, 8), (1, 1, 8, 8), (3, 8, 8), (1, 3)])
def test_a_static_shape_that_the_network_does_not_take_is_refused(
    checkpoint: Path, tmp_path: Path, shape: tuple[int, ...]
) -> None:
    with pytest.raises(InputError, match=r"--static .* does not fit the network, which takes batchx3x8x8"):
        export(checkpoint, tmp_path / "static.onnx", static=shape)
    assert list(tmp_path.iterdir()) == []
