"""What a server answers is what the command line answers, to the last byte, for every task."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgevision.cli.app import main

CAT = Path(__file__).parents[3] / "examples/pictures/cat.jpg"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pictures")
    with Image.open(CAT) as cat:
        small = cat.convert("RGB").resize((64, 48))
    small.save(folder / "cat.jpg", quality=90)
    small.save(folder / "cat.png")
    small.convert("L").save(folder / "gray.webp")
    hole = np.zeros((48, 64), np.uint8)
    hole[16:28, 20:36] = 255
    Image.fromarray(hole).save(folder / "mask.png")
    return {path.name: path for path in folder.iterdir()}


def on_the_command_line(capsys: Any, *arguments: Any) -> Any:
    with pytest.raises(SystemExit) as ended:
        main(["run", *map(str, arguments)])
    assert ended.value.code in (0, None)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("task", "name", "options"),
    [
        ("inpaint", "cat.jpg", {}),
        ("inpaint", "cat.png", {"fill": "smooth", "invert_mask": "false"}),
        ("denoise", "cat.jpg", {"strength": "0.5", "quality": "80"}),
        ("denoise", "gray.webp", {"model": "denoise_white"}),
        ("upscale", "cat.png", {}),
        ("upscale", "cat.jpg", {"model": "upscale_x4"}),
        ("brighten", "cat.jpg", {"always": "true"}),
        ("colorize", "gray.webp", {"strength": "0.8"}),
        ("stylize", "cat.jpg", {}),
        ("stylize", "cat.png", {"style": "hokusai_great_wave:1,munch_scream:2", "strength": "0.7"}),
        ("translate", "cat.png", {}),
        ("translate", "gray.webp", {}),
    ],
)
def test_pictures_are_those_of_the_command_line(server, pictures, tmp_path, capsys, task, name, options):
    target = tmp_path / f"out{Path(name).suffix}"
    mask = [pictures["mask.png"]] if task == "inpaint" else []
    words = []
    for option, value in options.items():
        words += [f"--{option.replace('_', '-')}", *([] if value in ("true", "false") else [value])]
    words = [word for word in words if word != "--invert-mask"]
    on_the_command_line(capsys, task, pictures[name], *mask, "-o", target, "--threads", 1, "--quiet", *words)
    files: dict[str, Any] = {"image": (name, pictures[name].read_bytes())}
    if mask:
        files["mask"] = mask[0].read_bytes()
    reply = server.run(task, files, **options)
    assert reply.status == 200, reply.body
    assert reply.body == target.read_bytes()
    assert reply.headers["content-type"] == f"image/{target.suffix[1:].replace('jpg', 'jpeg')}"


def test_pictures_are_compressed_and_come_back_as_on_the_command_line(server, pictures, tmp_path, capsys):
    small, whole = tmp_path / "small.evc", tmp_path / "whole.webp"
    once = ("--threads", 1, "--quiet")
    on_the_command_line(capsys, "compress", pictures["cat.png"], "-o", small, "--quality", 1, *once)
    on_the_command_line(capsys, "decompress", small, "-o", whole, *once)
    reply = server.run("compress", {"image": ("cat.png", pictures["cat.png"].read_bytes())}, quality=1)
    assert (reply.status, reply.headers["content-type"]) == (200, "image/x-evc")
    assert reply.body == small.read_bytes()
    again = server.run("decompress", {"compressed": reply.body}, accept="image/webp")
    assert (again.status, again.body) == (200, whole.read_bytes())


@pytest.mark.parametrize(
    ("task", "files", "options", "telling"),
    [
        ("compress", {"image": "cat.png"}, {"quality": "4"}, "from 1 to 3"),
        ("decompress", {"compressed": "cat.png"}, {}, "edgevision run compress"),
    ],
)
def test_what_cannot_be_compressed_or_come_back_is_refused(server, pictures, task, files, options, telling):
    reply = server.run(task, {name: pictures[file].read_bytes() for name, file in files.items()}, **options)
    assert (reply.status // 100, reply.error["message"].count(telling)) == (4, 1)


@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("classify", {"top": "3"}),
        ("detect", {"min_score": "0.01", "max": "5"}),
        ("segment", {}),
        ("segment", {"model": "segment_nuclei", "min_score": "0.1"}),
        ("keypoints", {"box": "4,4,60,44"}),
    ],
)
def test_documents_are_those_of_the_command_line(server, pictures, tmp_path, capsys, task, options):
    words = [word for option, value in options.items() for word in (f"--{option.replace('_', '-')}", value)]
    said = json.loads(on_the_command_line(capsys, task, pictures["cat.jpg"], "--json", "--threads", 1, *words))
    reply = server.run(
        task, {"image": ("cat.jpg", pictures["cat.jpg"].read_bytes())}, accept="application/json", **options
    )
    assert reply.status == 200, reply.body
    (expected,) = said.pop("results")
    (answered,) = reply.json["results"]
    assert answered == expected | {"input": "cat.jpg"}
    for fact in ("schema_version", "name", "device", "engine", "nodes", "failures"):
        assert reply.json[fact] == said[fact]


def test_what_was_found_is_drawn_as_on_the_command_line(server, pictures, tmp_path, capsys):
    target = tmp_path / "drawn.jpg"
    on_the_command_line(capsys, "keypoints", pictures["cat.jpg"], "-o", target, "--threads", 1, "--quiet")
    reply = server.run("keypoints", {"image": pictures["cat.jpg"].read_bytes()}, accept="image/*")
    assert reply.body == target.read_bytes()


@pytest.mark.parametrize(
    ("options", "ending"),
    [
        ({"count": "3", "seed": "5", "class": "horse", "zoom": "3"}, "png"),
        ({"count": "2", "truncation": "0.7"}, "jpg"),
        ({"count": "3", "interpolate": "1:2"}, "gif"),
        ({"count": "3", "interpolate": "1:2"}, "png"),
    ],
)
def test_generated_pictures_are_those_of_the_command_line(server, tmp_path, capsys, options, ending):
    target = tmp_path / f"drawn.{ending}"
    words = [word for option, value in options.items() for word in (f"--{option}", value)]
    on_the_command_line(capsys, "generate", "-o", target, "--threads", 1, "--quiet", *words)
    kind = {"jpg": "jpeg"}.get(ending, ending)
    assert server.run("generate", {}, accept=f"image/{kind}", **options).body == target.read_bytes()


def test_a_document_of_a_picture_holds_it(server, pictures):
    image = pictures["cat.png"].read_bytes()
    reply = server.run("denoise", {"image": ("my cat.png", image)}, accept="application/json")
    assert reply.headers["content-type"] == "application/json"
    picture = server.run("denoise", {"image": image}).body
    assert base64.b64decode(reply.json["image"]) == picture
    assert reply.json["results"] == [{"input": "my cat.png", **picture_facts(picture)}]


def picture_facts(encoded: bytes) -> dict[str, Any]:
    with Image.open(io.BytesIO(encoded)) as picture:
        return {"width": picture.width, "height": picture.height, "channels": 3, "dtype": "uint8", "alpha": False}


def test_a_client_may_ask_for_another_format(server, pictures):
    image = pictures["cat.png"].read_bytes()
    reply = server.run("denoise", {"image": image}, accept="image/webp, image/*;q=0.5")
    assert reply.headers["content-type"] == "image/webp"
    assert reply.body[8:12] == b"WEBP"


def test_an_answer_says_where_it_was_made_and_where_the_time_went(server, pictures):
    reply = server.run("classify", {"image": pictures["cat.jpg"].read_bytes()})
    assert reply.headers["x-edgevision-model"] == "classify"
    assert reply.headers["x-edgevision-provider"].endswith(" on cpu")
    stages = [stage.split(";dur=") for stage in reply.headers["server-timing"].split(", ")]
    assert [name for name, _ in stages] == ["queue", "preprocess", "infer", "postprocess"]
    assert all(float(milliseconds) >= 0 for _, milliseconds in stages)
