"""``edgevision export`` and ``edgevision verify``: exit codes, JSON, and errors in a line or two."""

import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from PIL import Image

from edgevision.exporters.conversion.onnx_conversion import Conversion
from edgevision.exporters.passes.cleanup import add_metadata
from edgevision.exporters.report import ExportReport
from edgevision.modelfiles.metadata import METADATA_KEY, Color, ImageSpec, Resize
from edgevision.modelfiles.model_file import read_metadata
from edgevision.runtime.load import load
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.restoration.spec import Prediction, RestorationSpec

ROOT = Path(__file__).parents[2]

Export = Callable[[str, str], tuple[Path, ExportReport]]
Call = Callable[..., tuple[int, str, str]]


def document(text: str) -> dict[str, Any]:
    """The one strict JSON document that is all of ``text``."""

    def refuse(constant: str) -> float:
        raise ValueError(f"{constant} is no JSON")

    found = json.loads(text, parse_constant=refuse)
    assert found["schema_version"] == 1
    assert next(iter(found)) == "schema_version"
    return found


def spoil(conversion: Conversion) -> None:
    weight = max(conversion.model.graph.initializer, key=lambda tensor: np.prod(tensor.dims))
    weight.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(weight), weight.name))


# --- export ---


def test_export_says_what_it_made(
    edgevision: Call, checkpoint: Path, quick_conversion: Conversion, tmp_path: Path
) -> None:
    code, output, errors = edgevision("export", checkpoint, "-o", tmp_path / "net.onnx")
    assert code == 0
    assert errors.splitlines()[0] == "exporting tiny.pt ..."  # more is said where it takes long
    lines = output.splitlines()
    assert lines[0].startswith(f"{tmp_path / 'net.onnx'}  onnx, fp32, 0.")
    assert lines[1] == "dynamic axes: batch"
    assert lines[2].startswith("compared with PyTorch")
    assert lines[3].startswith("  logits: SQNR 1")
    assert lines[4].startswith("  same answer for ")
    assert lines[5].startswith("  (SQNR: ")
    assert lines[6] == f"report: {tmp_path / 'net.report.json'}"


@pytest.mark.parametrize("options", [["-o", "{}/net.onnx"], []])
def test_a_model_that_is_there_already_is_refused_before_pytorch_is_imported(
    edgevision: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, "edgevision.exporters.export", None)
    (tmp_path / "net.pt").touch()
    (tmp_path / "net.onnx").write_text("mine")
    code, _, errors = edgevision("export", tmp_path / "net.pt", *(option.format(tmp_path) for option in options))
    assert (code, (tmp_path / "net.onnx").read_text()) == (2, "mine")
    assert "net.onnx' exists already; --force overwrites it" in errors


def test_export_as_json_is_one_document(
    edgevision: Call, checkpoint: Path, quick_conversion: Conversion, tmp_path: Path
) -> None:
    code, output, errors = edgevision(
        "export", checkpoint, "-o", tmp_path / "net.xml", "--format", "openvino", "--fp16", "--json"
    )
    assert (code, errors) == (0, "")
    found = document(output)
    assert found == json.loads((tmp_path / "net.xml.report.json").read_text(encoding="utf-8"))
    assert (found["verdict"], found["format"], found["precision"]) == ("good", "openvino", "fp16")


def test_quiet_says_nothing_on_the_way(
    edgevision: Call, checkpoint: Path, quick_conversion: Conversion, tmp_path: Path
) -> None:
    code, output, errors = edgevision("export", checkpoint, "-o", tmp_path / "net.onnx", "--quiet")
    assert (code, errors) == (0, "")
    assert output


def test_a_foreign_checkpoint_is_described_by_options(
    edgevision: Call, tiny_networks: ModuleType, tmp_path: Path
) -> None:
    torch.save(tiny_networks.restorer(width=5, channels=3).state_dict(), tmp_path / "net.pth")
    (tmp_path / "more.json").write_text('{"provenance": {"data": "photos"}, "image": {"color": "rgb"}}')
    code, _, errors = edgevision(
        *("export", tmp_path / "net.pth", "--arch", "tiny_networks:restorer"),
        *("--arch-kwargs", '{"width": 5, "channels": 3}', "--input-shape", "1x3x8x8", "--task", "denoise"),
        *("--name", "mine", "--color", "bgr", "--value-range", "-1,1"),
        *("--mean", "0.1,0.2,0.3", "--std", "1,1,2", "--resize", "pad", "--resample", "lanczos"),
        *("--licence", "MIT", "--data-licence", "CC0-1.0", "--metadata", tmp_path / "more.json"),
    )
    assert code == 0, errors
    metadata = read_metadata(tmp_path / "net.onnx")
    assert metadata is not None
    assert (metadata.task, metadata.name, metadata.licence) == ("denoise", "mine", "MIT")
    assert metadata.provenance.data_licence == "CC0-1.0"
    assert metadata.provenance.data == "photos"
    assert metadata.image == ImageSpec(
        color=Color.BGR,
        value_range=(-1, 1),
        mean=(0.1, 0.2, 0.3),
        std=(1, 1, 2),
        resize=Resize.PAD,
        resample="lanczos",
    )


def test_labels_are_read_from_a_file_a_line_each(
    edgevision: Call, checkpoint: Path, quick_conversion: Conversion, tmp_path: Path
) -> None:
    (tmp_path / "labels.txt").write_text("red\n\n  grün \nblue\ngray\n", encoding="utf-8")
    labels = ("--labels", tmp_path / "labels.txt")
    code, _, errors = edgevision("export", checkpoint, "-o", tmp_path / "net.onnx", *labels)
    assert code == 0, errors
    metadata = read_metadata(tmp_path / "net.onnx")
    assert metadata is not None
    assert metadata.spec.labels == ("red", "grün", "blue", "gray")


@pytest.mark.parametrize(
    ("options", "said", "output"),
    [
        (["--predicts", "noise"], {"predicts": Prediction.NOISE}, "restored_noise"),
        (["--output-range", "0,1"], {"output_range": (0, 1)}, "restored_image"),
    ],
)
def test_what_a_restoration_network_predicts_is_said_by_options(
    edgevision: Call, tiny_networks: ModuleType, tmp_path: Path, options: list[str], said: dict[str, Any], output: str
) -> None:
    torch.save(tiny_networks.restorer().state_dict(), tmp_path / "net.pth")
    code, _, errors = edgevision(
        *("export", tmp_path / "net.pth", "--arch", "tiny_networks:restorer", "--input-shape", "1x1x8x8"),
        *("--task", "denoise", "--value-range", "-1,1", *options),
        *("--metadata", '{"restoration": {"predicts": "image", "source": "a paper"}}'),
    )
    assert code == 0, errors
    metadata = read_metadata(tmp_path / "net.onnx")
    assert metadata is not None
    assert metadata.spec == RestorationSpec(**said, extra={"source": "a paper"})
    assert [spec.name for spec in metadata.outputs] == [output]


def test_a_parity_failure_ends_with_1(
    edgevision: Call, checkpoint: Path, quick_conversion: Conversion, tmp_path: Path
) -> None:
    spoil(quick_conversion)
    code, output, errors = edgevision("export", checkpoint, "-o", tmp_path / "net.onnx", "--json")
    assert (code, output) == (1, "")
    assert errors.startswith("error: the fp32 model does not compute what the checkpoint does: output 'logits'")
    assert len(errors.splitlines()) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["net.report.json"]


def test_a_network_that_cannot_be_converted_ends_with_1_and_a_line(
    edgevision: Call, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import edgevision.exporters.conversion.onnx_conversion as onnx_conversion

    def refuse(*args: object) -> onnx.ModelProto:
        raise RuntimeError("first line\nsecond line") from ValueError("the cause\nand its story")

    monkeypatch.setattr(onnx_conversion, "with_dynamo", refuse)
    monkeypatch.setattr(onnx_conversion, "with_torchscript", refuse)
    # Of these samples no other test has a conversion to share.
    code, output, errors = edgevision("export", checkpoint, "-o", tmp_path / "net.onnx", "-q", "--seed", "154")
    assert (code, output) == (1, "")
    assert errors == "error: PyTorch cannot convert this network to ONNX: the cause\n"


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n \n"])
def test_labels_without_a_label_are_refused(edgevision: Call, checkpoint: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "labels.txt").write_bytes(content)
    code, _, errors = edgevision("export", checkpoint, "--labels", tmp_path / "labels.txt", "-o", tmp_path / "n.onnx")
    assert code == 2
    assert "are empty; write one a line" in errors


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--task", "denoise", "--mean", "a,b"], "--mean must be finite numbers joined by commas, not 'a,b'"),
        (
            ["--labels", "cat"],
            "--labels must be a file or names joined by commas, a single one with a comma behind it; there is no file"
            " 'cat'",
        ),
        (["--metadata", "{"], "--metadata must be a JSON object, not '{'"),
        (["--metadata", "none.json"], "--metadata must be a JSON object or a file that holds one, not 'none.json'"),
        (["--metadata", '{"image": 5}'], "the metadata cannot be right: image must be an object, not 5"),
        (["--metadata", '{"image": 5}', "--resize", "pad"], "image must be an object, not 5"),
        (["--output-range", "0,white"], "--output-range must be finite numbers joined by commas, not '0,white'"),
        (
            ["--output-range", "0,0.5,1"],
            "output_range among the metadata is not for classify, which has labels, activation",
        ),
        (["--output-range", "1,1"], "output_range"),
        (
            ["--output-range", "0,1", "--predicts", "noise"],
            "predicts, output_range among the metadata are not for classify",
        ),
        (
            ["--metadata", '{"restoration": 5}'],
            "be right: metadata.restoration must be an object, not 5",
        ),
        (["--metadata", '{"restoration": 5}', "--predicts", "noise"], "restoration must be an object, not 5"),
        (["--arch-kwargs", "[1]", "--arch", "a:b"], "--arch-kwargs must be a JSON object, not '[1]'"),
        (
            ["--input-shape", "3xlarge"],
            "a shape is positive numbers joined by x, as 1x3x224x224, 268435456 values in all at most, not '3xlarge'",
        ),
        (["--input-shape", "64", "--task", "generate"], "--input-shape holds the batch and at least one size"),
        (["--data", "no-such-folder"], "the data 'no-such-folder' does not exist"),
        (["--arch", "nonsense"], "--arch is package.module:callable"),
        (["-o", "net.tflite"], "an onnx model's name ends in .onnx, not 'net.tflite'"),
        (["-o", "none/net.onnx"], "the output folder 'none' does not exist"),
    ],
)
def test_a_wrong_option_ends_with_2_and_a_line(
    edgevision: Call, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    target = [] if "-o" in options else ["-o", "net.onnx"]
    code, output, errors = edgevision("export", checkpoint, *target, *options, "-q")
    assert (code, output) == (2, "")
    assert errors.startswith("error: ")
    assert words in errors
    assert len(errors.splitlines()) <= 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [
        ["--format", "mlmodel"],
        ["--task", "knit"],
        ["--color", "sepia"],
        ["--resize", "melt"],
        ["--predicts", "rain"],
        ["--int3"],
    ],
)
def test_a_value_that_is_not_in_the_list_ends_with_2(edgevision: Call, checkpoint: Path, options: list[str]) -> None:
    code, output, errors = edgevision("export", checkpoint, *options)
    assert (code, output) == (2, "")
    assert options[-1] in errors
    assert "Traceback" not in errors


def test_no_checkpoint_ends_with_2(edgevision: Call, tmp_path: Path) -> None:
    code, output, errors = edgevision("export", tmp_path / "none.pt", "-q")
    assert (code, output) == (2, "")
    assert errors == f"error: the checkpoint {str(tmp_path / 'none.pt')!r} does not exist\n"


def test_a_pickle_with_code_ends_with_2_and_names_it(edgevision: Call, tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole.pt")
    code, _, errors = edgevision("export", tmp_path / "whole.pt", "-q")
    assert code == 2
    assert "would run torch.nn.modules.linear.Linear. --trust-pickle allows that" in errors
    assert len(errors.splitlines()) == 1


def test_a_pickled_network_is_exported_with_trust(edgevision: Call, tiny_networks: ModuleType, tmp_path: Path) -> None:
    torch.save(tiny_networks.restorer(), tmp_path / "whole.pt")
    code, output, errors = edgevision(
        *("export", tmp_path / "whole.pt", "--trust-pickle", "--task", "denoise", "--input-shape", "1x1x8x8", "--json")
    )
    assert (code, errors) == (0, "")
    assert document(output)["notes"] == ["read as a pickled module"]


def test_a_full_disk_ends_with_1_and_a_line(
    edgevision: Call, checkpoint: Path, quick_conversion: Conversion, tmp_path: Path
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        code, output, errors = edgevision("export", checkpoint, "-o", tmp_path / "net.onnx", "-q")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (code, output) == (1, "")
    assert errors.startswith(f"error: no space left to write {str(tmp_path / 'net.onnx')!r}")
    assert len(errors.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


# --- verify ---


def test_verify_says_how_well_both_agree(edgevision: Call, exported: Export, checkpoint: Path) -> None:
    path, _ = exported("onnx", "fp32")
    code, output, errors = edgevision("verify", path, "--against", checkpoint, "--samples", 20, "--seed", 3)
    assert (code, errors) == (0, "")
    lines = output.splitlines()
    assert lines[0] == f"{path.name} against tiny.pt"
    assert "on 20 inputs (seeded sampler, seed 3), ONNX Runtime" in lines[1]
    assert lines[2].startswith("  logits: SQNR 1")
    assert lines[3].startswith("  same answer for ")


def test_verify_on_labelled_pictures_gives_both_accuracies(
    edgevision: Call, exported: Export, checkpoint: Path, write_class_folders: Callable, tmp_path: Path
) -> None:
    data = write_class_folders(tmp_path / "data", {"cat": 4, "dög": 4})
    path, _ = exported("openvino", "fp32")
    arguments = ("verify", path, "--against", checkpoint, "--data", data)
    code, output, errors = edgevision(*arguments, "--json")
    assert (code, errors) == (0, "")
    found = document(output)
    assert found["checkpoint_quality"]["images"] == found["model_quality"]["images"] == 8
    code, output, _ = edgevision(*arguments, "-q")
    assert code == 0
    assert [line.split()[0] for line in output.splitlines()[-2:]] == ["checkpoint", "model"]
    assert output.count("(8 pictures)") == 2


def test_verify_names_a_wrong_setting_and_ends_with_1(edgevision: Call, tmp_path: Path) -> None:
    right, checkpoint = shipped_model("classify"), ROOT / "examples" / "checkpoints" / "classifier.pt"
    generator = np.random.default_rng(0)
    patches = [Image.fromarray(generator.integers(0, 256, (6, 6, 3), np.uint8)) for _ in range(60)]
    pictures = [patch.resize((32, 32), Image.Resampling.BICUBIC) for patch in patches]
    # Of the classes that they are taken for.
    with load(right, task="classify") as classify:
        labels = [answer.label for answer in classify(pictures)]
    for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        (tmp_path / "data" / label).mkdir(parents=True, exist_ok=True)
        picture.save(tmp_path / "data" / label / f"{number:02}.png")
    metadata = read_metadata(right)
    assert metadata is not None
    assert metadata.image is not None
    model = onnx.load(right)
    add_metadata(model, METADATA_KEY, metadata.updated(image=metadata.image.updated(color=Color.BGR)).to_json())
    onnx.save(model, tmp_path / "wrong.onnx")
    arguments = ("--against", checkpoint, "--data", tmp_path / "data", "-q")
    code, output, errors = edgevision("verify", right, *arguments)
    assert (code, errors) == (0, "")
    assert output.splitlines()[-1].startswith("settings    none of ")
    code, output, errors = edgevision("verify", tmp_path / "wrong.onnx", *arguments, "--json")
    assert code == 1
    assert errors.startswith("error: 'wrong.onnx' says --color bgr, and --color rgb is better by ")
    assert document(output)["settings"]["wrong"]["settings"] == {"--color": "rgb"}


def test_verify_of_a_model_of_another_checkpoint_ends_with_1_and_still_reports(
    edgevision: Call, exported: Export, checkpoint: Path, tmp_path: Path
) -> None:
    other = torch.load(checkpoint, weights_only=True)
    other["state_dict"] = {name: -tensor for name, tensor in other["state_dict"].items()}
    torch.save(other, tmp_path / "other.pt")
    path, _ = exported("onnx", "fp32")
    code, output, errors = edgevision("verify", path, "--against", tmp_path / "other.pt", "--json")
    assert code == 1
    assert document(output)["parity"]["outputs"][0]["sqnr_db"] < 60
    assert errors.startswith("error: the fp32 model does not compute")
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--device", "abacus"], 3, "there is no device 'abacus'; known: auto, cpu"),
        (["--device", "npu"], 3, "there is no 'npu' here"),
        (["--data", "no-such-folder"], 2, "the data 'no-such-folder' does not exist"),
        (["--arch-kwargs", "5"], 2, "--arch-kwargs must be a JSON object"),
        (["--input-shape", "x"], 2, "a shape is positive numbers"),
    ],
)
def test_a_wrong_option_of_verify_has_its_exit_code(
    edgevision: Call, exported: Export, checkpoint: Path, options: list[str], code: int, words: str
) -> None:
    path, _ = exported("onnx", "fp32")
    found, output, errors = edgevision("verify", path, "--against", checkpoint, *options)
    assert (found, output) == (code, "")
    assert errors.startswith("error: ")
    assert words in errors
    assert len(errors.splitlines()) <= 2
