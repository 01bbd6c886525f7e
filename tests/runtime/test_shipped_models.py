import hashlib
import json
from pathlib import Path

import pytest

import edgevision
from edgevision.core.errors import InputError, ModelFileError
from edgevision.core.regular_files import sha256
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.model_file import read_metadata
from edgevision.runtime.shipped_models import resolve_model, shipped_model, shipped_names

CHECKPOINTS = Path(__file__).parents[2] / "examples" / "checkpoints"
NAMES = [
    "brighten",
    "classify",
    "colorize",
    "compress",
    "decompress",
    "denoise",
    "denoise_white",
    "detect",
    "features",
    "generate",
    "inpaint",
    "keypoints",
    "segment",
    "segment_nuclei",
    "sequence",
    "stylize",
    "translate",
    "upscale",
    "upscale_x4",
]


def test_a_task_without_a_shipped_model_says_so():
    with pytest.raises(InputError, match="no model ships for encode"):
        shipped_model("encode")


def test_a_larger_scale_has_a_model_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr("edgevision.runtime.shipped_models._ASSETS", tmp_path)
    for name in ("upscale.onnx", "upscale_x4.onnx"):
        (tmp_path / name).touch()
    assert shipped_model("upscale").name == shipped_model("upscale", 2).name == "upscale.onnx"
    assert shipped_model("upscale", 4).name == "upscale_x4.onnx"
    with pytest.raises(InputError, match="no model ships for upscale by 3; name one with --model"):
        shipped_model("upscale", 3)


def test_every_shipped_model_has_a_name():
    assert shipped_names() == NAMES
    for name in NAMES:
        assert resolve_model(name).name == f"{name}.onnx"
        assert resolve_model(name).is_file()


@pytest.mark.parametrize(
    ("checkpoint", "model"),
    [
        ("brighten", "brighten"),
        ("classifier", "classify"),
        ("classifier", "features"),
        ("colorize", "colorize"),
        ("denoise", "denoise"),
        ("denoise_white", "denoise_white"),
        ("detect", "detect"),
        ("gan", "generate"),
        ("inpaint", "inpaint"),
        ("stylize", "stylize"),
        ("translate", "translate"),
        ("upscale", "upscale"),
        ("upscale_x4", "upscale_x4"),
    ],
)
def test_the_checkpoint_beside_a_shipped_model_is_what_it_was_made_of(checkpoint, model):
    made_of = read_metadata(resolve_model(model)).provenance.checkpoint_sha256
    content = (CHECKPOINTS / f"{checkpoint}.pt").read_bytes()
    assert hashlib.sha256(content).hexdigest() == made_of


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_says_its_licences_and_its_report_is_of_it(name):
    model = resolve_model(name)
    metadata = read_metadata(model)
    assert metadata.licence
    assert metadata.provenance.data_licence
    report = json.loads(model.with_suffix(".report.json").read_text())
    assert ModelMetadata.from_dict(report["metadata"]) == metadata
    assert (report["sha256"], report["size_bytes"]) == (sha256(model), model.stat().st_size)


def test_a_file_that_exists_wins_over_the_model_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "classify").mkdir()  # a folder of results, say
    assert resolve_model("classify") == shipped_model("classify")
    (tmp_path / "denoise").touch()
    assert resolve_model("denoise") == Path("denoise")


@pytest.mark.parametrize("path", ["nowhere.onnx", "models/denoise", "/denoise", "denoise.xml", "/"])
def test_what_is_no_bare_name_is_a_path(path):
    assert resolve_model(path) == Path(path)


@pytest.mark.parametrize(
    ("word", "meant"),
    [("denoize", "denoise"), ("upscale_4x", "upscale_x4"), ("nuclei", "segment_nuclei"), ("encode", None)],
)
def test_a_name_that_is_no_models_lists_those_that_ship(word, meant):
    with pytest.raises(InputError) as refused:
        edgevision.load(word)
    message = str(refused.value)
    assert message.startswith(f"there is no file '{word}'")
    assert ", ".join(NAMES) in message
    assert message.endswith("upscale_x4" if meant is None else f"did you mean {meant!r}?")


def test_a_missing_file_is_named():
    with pytest.raises(ModelFileError, match=r"'nowhere\.onnx' does not exist"):
        edgevision.load("nowhere.onnx")


def test_every_verb_takes_the_name_of_a_shipped_model(edgevision, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = Path(__file__).parents[2] / "examples/pictures"
    (tmp_path / "photos/cat").mkdir(parents=True)
    (tmp_path / "photos/cat/1.jpg").write_bytes((data / "cat.jpg").read_bytes())
    for line, key, shown in (
        ("inspect denoise", "metadata", None),
        ("bench classify --seconds 0.01 --runs 1 --warmup 0", "subjects", None),
        ("evaluate classify photos", "images", 1),
        ("run classify photos --model classify", "failures", []),
        ("run segment photos --model segment_nuclei -o masks/", "failures", []),
        ("run keypoints photos --model keypoints", "failures", []),
        ("run upscale photos -o large/ --model upscale_x4", "failures", []),
        ("run generate --count 1 --model generate", "count", 1),
    ):
        code, out, err = edgevision(*line.split(), "--json")
        assert code == 0, (line, err)
        document = json.loads(out)
        assert document[key] == shown if shown is not None else document[key]
    code, out, err = edgevision("run", "upscale", "photos", "--model", "classify", "-o", "other/")
    assert (code, out) == (2, "")
    assert "is for classify, not for upscale" in err


def test_a_wrong_name_is_a_wrong_command(edgevision):
    for line in (
        "inspect denoize",
        "bench classify denoize",
        "evaluate denoize .",
        "run denoise . --model denoize",
        "verify denoize --against a.pt",
    ):
        code, out, err = edgevision(*line.split())
        assert (code, out) == (2, ""), line
        assert "did you mean 'denoise'?" in err
