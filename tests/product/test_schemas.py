"""The JSON Schema files describe what is really printed and written; of sites that is held in tests/runtime/web."""

import copy
import json
import shutil
from pathlib import Path

import pytest
import typer.main
from json_schemas import check, schemas
from PIL import Image

from edgevision.cli.app import app
from edgevision.modelfiles.model_file import require_metadata
from edgevision.runtime.shipped_models import shipped_model, shipped_names

ROOT = Path(__file__).parents[2]
CAT, ROCKET = ROOT / "examples/pictures/cat.jpg", ROOT / "examples/pictures/rocket.jpg"
FACE, MASK = ROOT / "examples/face.jpg", ROOT / "examples/mask.png"


def test_each_is_a_schema_itself():
    known = schemas()
    from jsonschema import Draft202012Validator

    assert len(known) > 15
    for schema in known.values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("devices", ["devices"]),
        ("inspect", ["inspect", "denoise"]),
        ("run-classify", ["run", "classify", CAT]),
        ("run-detect", ["run", "detect", CAT, "--min-score", "0.3"]),
        ("run-segment", ["run", "segment", FACE]),
        ("run-keypoints", ["run", "keypoints", FACE]),
        ("run-brighten", ["run", "brighten", FACE, "-o", "out.png"]),
        ("run-inpaint", ["run", "inpaint", CAT, MASK, "-o", "out.png"]),
        ("run-colorize", ["run", "colorize", FACE, "-o", "out.png"]),
        ("run-compress", ["run", "compress", FACE, "-o", "out.evc"]),
        ("run-generate", ["run", "generate", "-o", "out.png"]),
        ("run-translate", ["run", "translate", FACE, "-o", "out.png"]),
        ("run-cutout", ["run", "cutout", FACE, "-o", "out.png"]),
        ("encrypt", ["encrypt", "--new-key", "board.key"]),
        ("report-bug", ["report-bug", "-o", "report.json"]),
        ("diff", ["diff", "upscale", "upscale"]),
        ("verify", ["verify", "brighten", "--against", ROOT / "examples/checkpoints/brighten.pt"]),
        ("evaluate", ["evaluate", "classify", "data"]),
        ("evaluate", ["evaluate", "denoise", "data"]),
        ("bench", ["bench", "classify", "--seconds", "0.1", "--runs", "3"]),
    ],
)
def test_what_is_printed_is_as_the_schema_says(edgevision, tmp_path, monkeypatch, name, arguments):
    monkeypatch.chdir(tmp_path)
    for picture, label in ((CAT, "cat"), (ROCKET, "airplane")):
        (tmp_path / "data" / label).mkdir(parents=True)
        shutil.copy(picture, tmp_path / "data" / label)
    code, out, err = edgevision(*arguments, "--json")
    assert code == 0, err
    document = json.loads(out)
    check(name, document)
    if name == "run-compress":
        check("run-decompress", json.loads(edgevision("run", "decompress", "out.evc", "-o", "out.png", "--json")[1]))
    if name == "bench":
        for place in ("a.json", "b.json"):
            Path(place).write_text(out)
        check("compare", json.loads(edgevision("compare", "a.json", "b.json", "--json")[1]))


@pytest.mark.parametrize(("verb", "options"), [("sequence", []), ("track", ["--sure", "0.1", "--mot", "found.txt"])])
def test_each_line_about_a_clip_is_as_the_schema_says(edgevision, tmp_path, monkeypatch, verb, options):
    monkeypatch.chdir(tmp_path)
    with Image.open(ROOT / "examples" / "smear.jpg") as smear:
        frames = [smear.resize((320, 240)).convert("P") for _ in range(4)]
    for number, frame in enumerate(frames):
        frame.putpixel((number, 0), 0)
    frames[0].save("clip.gif", save_all=True, append_images=frames[1:], duration=60)
    code, out, err = edgevision("run", verb, "clip.gif", "--json", *options)
    assert code == 0, err
    *answers, end = map(json.loads, out.splitlines())
    assert [answer["frame"] for answer in answers] == [0, 1, 2, 3]
    assert end["end"] is True
    for line in (*answers, end):
        check(f"run-{verb}", line)
    if verb == "track":
        assert any(answer["tracks"] for answer in answers)
        check("evaluate-track", json.loads(edgevision("evaluate", "track", "found.txt", "found.txt", "--json")[1]))


def test_a_signature_and_a_build_are_as_the_schema_says(edgevision, tmp_path, monkeypatch):
    pytest.importorskip("model_signing")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    monkeypatch.chdir(tmp_path)
    key = ec.generate_private_key(ec.SECP256R1())
    plain = serialization.NoEncryption()
    Path("key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    shutil.copy(shipped_model("classify"), "model.onnx")
    check("sign", json.loads(edgevision("sign", "model.onnx", "--key", "key.pem", "--json")[1]))
    shutil.copy(ROOT / "examples" / "checkpoints" / "classifier.pt", "net.pt")
    Path("recipe.toml").write_text('name = "net"\ncheckpoint = "net.pt"\n[export]\n')
    code, out, err = edgevision("build", "recipe.toml", "--json")
    assert code == 0, err
    check("build", json.loads(out))


def test_every_verb_with_json_has_its_schema():
    titles = " ".join(schema["title"] for schema in schemas().values())

    def verbs(group, context, path):
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            inner = command.make_context(name, [], parent=context, resilient_parsing=True)
            if hasattr(command, "list_commands"):
                yield from verbs(command, inner, f"{path} {name}")
            elif any("--json" in parameter.opts for parameter in command.get_params(inner)):
                yield f"{path} {name} --json"

    program = typer.main.get_command(app)
    context = program.make_context("edgevision", [], resilient_parsing=True)
    assert [verb for verb in verbs(program, context, "edgevision") if verb not in titles] == []


@pytest.mark.parametrize("name", shipped_names())
def test_reports_and_metadata_are_as_the_schema_says(name):
    model = shipped_model(name)
    check("export", json.loads(model.with_name(f"{model.stem}.report.json").read_text()))
    check("metadata", require_metadata(model).to_dict())


def test_what_is_wrong_is_found():
    schemas()
    from jsonschema import ValidationError

    metadata = require_metadata(shipped_model("detect")).to_dict()
    for path, value in ((("inputs", 0, "shape"), "wide"), (("image", "color"), "pink"), (("spec", "labels"), 7)):
        wrong = copy.deepcopy(metadata)
        inner = wrong
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value
        with pytest.raises(ValidationError):
            check("metadata", wrong)
