"""What is made of several models is what the command line makes, to the last byte, and reads no file of the server."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from edgevision.cli.app import main

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pictures")
    for name, size in (("face.jpg", (96, 96)), ("pictures/cat.jpg", (80, 60))):
        with Image.open(EXAMPLES / name) as whole:
            whole.convert("RGB").resize(size).save(folder / Path(name).name, quality=90)
    for name, size in (("mask.png", (80, 60)), ("face_mask.png", (96, 96))):
        mask = Image.new("L", size)
        mask.paste(255, (20, 16, 44, 40))
        mask.save(folder / name)
    with Image.open(folder / "face.jpg") as face, Image.open(folder / "face_mask.png") as mask:
        face.putalpha(mask)
        face.save(folder / "cut.png")
    return {path.name: path for path in folder.iterdir()}


def on_the_command_line(*arguments: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", *map(str, arguments)])
    assert ended.value.code in (0, None)


@pytest.mark.parametrize(
    ("verb", "files", "options", "ending"),
    [
        ("cutout", {"image": "face.jpg"}, {}, "png"),
        ("cutout", {"image": "face.jpg"}, {"background": "blur", "quality": "80"}, "jpg"),
        ("cutout", {"image": "cat.jpg", "mask": "mask.png"}, {"mask_only": "true"}, "jpg"),
        ("cutout", {"image": "cat.jpg", "mask": "mask.png", "behind": "face.jpg"}, {}, "jpg"),
        ("remove", {"image": "cat.jpg"}, {"box": "10,8,30,28", "grow": "0", "fill": "smooth"}, "jpg"),
        ("remove", {"image": "cat.jpg", "mask": "mask.png"}, {}, "jpg"),
        ("remove", {"image": "face.jpg"}, {"class": "person", "point": "48,60", "grow": "1"}, "jpg"),
        ("replace", {"image": "cat.jpg", "other": "cut.png"}, {"at": "40,30", "scale": "0.5"}, "jpg"),
        ("replace", {"image": "cat.jpg", "other": "face.jpg", "mask": "mask.png"}, {"blend": "alpha"}, "jpg"),
    ],
)
def test_pictures_are_those_of_the_command_line(server, pictures, tmp_path, verb, files, options, ending):
    target = tmp_path / f"out.{ending}"
    called = {"mask": "--mask", "other": "--with", "behind": "--background"}
    words = [word for name, path in files.items() if name in called for word in (called[name], pictures[path])]
    for option, value in options.items():
        words += [f"--{option.replace('_', '-')}", *([] if value == "true" else [value])]
    on_the_command_line(verb, pictures[files["image"]], "-o", target, "--threads", 1, "--quiet", *words)
    sent = {name: (path, pictures[path].read_bytes()) for name, path in files.items()}
    reply = server.run(verb, sent, **options)
    assert reply.status == 200, reply.body
    assert reply.body == target.read_bytes()


def test_a_cutout_comes_in_no_format_that_would_lose_its_transparency(server, pictures):
    image = ("face.jpg", pictures["face.jpg"].read_bytes())
    reply = server.run("cutout", {"image": image}, accept="image/jpeg, image/webp")
    assert reply.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(reply.body)) as picture:
        assert picture.getextrema()[3][0] < 255


@pytest.mark.parametrize(
    ("verb", "files", "options", "said"),
    [
        ("remove", ["image"], {}, "say what is to be removed"),
        ("remove", ["image"], {"class": "unicorn"}, "unicorn"),
        ("remove", ["image"], {"box": "a"}, "left,top,right,bottom"),
        ("remove", ["image", "mask"], {"class": "person"}, "by itself"),
        ("replace", ["image"], {}, "other"),
        ("replace", ["image", "other"], {"scale": "1000"}, "too large"),
        ("replace", ["image", "other"], {"at": "here"}, "x,y"),
        ("cutout", ["image", "behind"], {"mask_only": "true"}, "leave one"),
        ("cutout", ["image", "mask"], {"background": "no colour"}, "colour"),
        ("cutout", ["image", "mask"], {"background": str(EXAMPLES / "face.jpg")}, "colour"),
        ("cutout", ["image"], {"model": "segment"}, "chooses its models itself"),
    ],
)
def test_what_cannot_be_made_is_refused(server, pictures, verb, files, options, said):
    image = pictures["cat.jpg"].read_bytes()
    big = io.BytesIO()
    Image.new("RGBA", (400, 400)).save(big, "PNG")
    contents = {"image": image, "mask": pictures["mask.png"].read_bytes(), "other": big.getvalue(), "behind": image}
    reply = server.run(verb, {name: contents[name] for name in files}, **options)
    assert reply.status in (413, 422), reply.body
    assert said in reply.error["message"]


def test_a_document_holds_the_picture(server, pictures):
    reply = server.run(
        "remove", {"image": ("cat.jpg", pictures["cat.jpg"].read_bytes())}, accept="application/json", box="10,8,30,28"
    )
    assert reply.json["model"] == "remove"
    assert reply.json["results"][0]["width"] == 80
    assert reply.json["image"]
