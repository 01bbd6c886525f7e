"""The JSON Schema files describe what is really printed and written."""

import copy
import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from edgevision.modelfiles.model_file import require_metadata
from edgevision.runtime.shipped_models import shipped_model, shipped_names

ROOT = Path(__file__).parents[2]
CAT, ROCKET = ROOT / "examples/pictures/cat.jpg", ROOT / "examples/pictures/rocket.jpg"
FACE, MASK = ROOT / "examples/face.jpg", ROOT / "examples/mask.png"


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    pytest.importorskip("jsonschema")
    pytest.importorskip("mkdocs")
    name = "site_schemas"
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs/site/schemas.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: dict[str, Any] = module.schemas()
    return made


@pytest.fixture(scope="module")
def check(schemas: dict[str, Any]) -> Callable[[str, Any], None]:
    from jsonschema import Draft202012Validator

    def validate(name: str, document: Any) -> None:
        Draft202012Validator(schemas[name]).validate(document)

    return validate


def test_each_is_a_schema_itself(schemas):
    from jsonschema import Draft202012Validator

    assert len(schemas) > 15
    for schema in schemas.values():
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
        ("run-cutout", ["run", "cutout", FACE, "-o", "out.png"]),
        ("diff", ["diff", "upscale", "upscale"]),
        ("verify", ["verify", "brighten", "--against", ROOT / "examples/checkpoints/brighten.pt"]),
        ("evaluate", ["evaluate", "classify", "data"]),
        ("evaluate", ["evaluate", "denoise", "data"]),
        ("bench", ["bench", "classify", "--seconds", "0.1", "--runs", "3"]),
    ],
)
def test_what_is_printed_is_as_the_schema_says(edgevision, check, tmp_path, monkeypatch, name, arguments):
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


def test_each_line_about_a_clip_is_as_the_schema_says(edgevision, check, tmp_path):
    frames = [Image.new("L", (32, 32), 20 * number) for number in range(4)]
    frames[0].save(tmp_path / "clip.gif", save_all=True, append_images=frames[1:], duration=60)
    code, out, err = edgevision("run", "sequence", tmp_path / "clip.gif", "--json")
    assert code == 0, err
    *answers, end = map(json.loads, out.splitlines())
    assert [answer["frame"] for answer in answers] == [0, 1, 2, 3]
    assert end["end"] is True
    for line in (*answers, end):
        check("run-sequence", line)


@pytest.mark.parametrize("name", shipped_names())
def test_reports_and_metadata_are_as_the_schema_says(check, name):
    model = shipped_model(name)
    check("export", json.loads(model.with_name(f"{model.stem}.report.json").read_text()))
    check("metadata", require_metadata(model).to_dict())


def test_what_is_wrong_is_found(check):
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
