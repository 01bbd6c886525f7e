"""What the pages show as typed is run as it stands there, or stands below the reason why not.

Each page has a folder of its own, with small files of the names that it speaks of.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import bright_squares
import colour_dots
import numpy as np
import pytest
from documented import PAGES, PROGRAMS, ROOT, begins_with_a_program, blocks, code
from onnx_writer import node, onnx_model
from PIL import Image

import edgevision
from edgevision.runtime.shipped_models import shipped_model
from tests.runtime.serving.conftest import serving

ELSEWHERE = (ROOT / "README.md", ROOT / "docs" / "python.md", *(ROOT / "docs" / "tutorials").glob("*.md"))
"""Pages of which test_readme and test_tutorials run what is shown, the tutorials one after another."""
RUN_HERE = [page for page in PAGES if page not in ELSEWHERE and any(one.mark is None for one in code(page))]
BOTH = ("before.json", "after.json")
SHELL = ("|", "<", ">", "$(", "&&")
LABELS = "airplane automobile bird cat deer dog frog horse ship truck"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_not_run_says_why(page):
    assert {one.text: one.mark for one in code(page) if one.mark is not None and not one.mark.startswith(": ")} == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_command_hides_in_a_block_of_text(page):
    others = [block for block in blocks(page) if block.language not in ("sh", "python")]
    hidden = [line for block in others for line in block.text.splitlines() if begins_with_a_program(line)]
    assert hidden == [], f"put it into a block of sh; programs are {', '.join(sorted(PROGRAMS))}"
    assert not any("edgevision.load(" in block.text for block in others), "put it into a block of python"


def test_most_pages_have_commands_that_are_run():
    assert sum(one.mark is None for page in PAGES for one in code(page)) > 130
    assert len(RUN_HERE) > 15


def test_a_mark_holds_to_the_end_of_its_block(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```sh\nedgevision a\n# not executed: why\nedgevision b \\\n  c\n```\n\n```sh\nedgevision d\n```\n")
    assert [(one.text, one.mark, one.number) for one in code(page)] == [
        ("edgevision a", None, 2),
        ("edgevision b c", ": why", 5),
        ("edgevision d", None, 9),
    ]


@pytest.mark.parametrize("page", RUN_HERE, ids=lambda page: page.stem)
def test_the_commands_of_a_page_run(edgevision, page, tmp_path, monkeypatch):
    prepare(tmp_path)
    MORE.get(page.stem, lambda _: None)(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    failed = []
    with serving() if page.stem == "serve" else nullcontext() as server:
        for one in (one for one in code(page) if one.mark is None):
            if one.language == "python":
                exec(compile(one.text, f"{page.name}:{one.number}", "exec"), names)
            elif one.words[0] == "edgevision" and not any(sign in one.words for sign in SHELL):
                status, _, err = edgevision(*one.words[1:])
                if (status != 0) != one.refused:
                    failed.append((one.number, one.text, err))
            else:
                asked = one.text.replace("curl ", "curl --fail ")
                by_a_shell(asked if server is None else asked.replace(":8000", f":{server.port}"))
    assert failed == []


def by_a_shell(line: str) -> None:
    if shutil.which(line.split()[0]) is None:
        pytest.skip(f"there is no {line.split()[0]} on this machine")
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": places, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, (line, done.stderr)


def prepare(folder: Path) -> None:
    """What most pages speak of: pictures, photographs in folders of two kinds, and models."""
    for name in ("examples", "runtime"):
        (folder / name).symlink_to(ROOT / name)
    sources = {"photo": "face.jpg", "face": "face.jpg", "smear": "coffee.jpg", "beach": "pictures/rocket.jpg"}
    for name, path in sources.items():
        with Image.open(ROOT / "examples" / path) as picture:
            picture.convert("RGB").resize((480, 360)).save(folder / f"{name}.jpg")
    for kind, path in (("cat", "cat"), ("airplane", "rocket")):
        with Image.open(ROOT / "examples" / "pictures" / f"{path}.jpg") as picture:
            for number in range(8):
                left, top = 20 * number, 10 * number
                # 29.jpg and 35.jpg are among those that are held out by their names.
                name = folder / "photos" / ("test" if number % 2 else "train") / kind / f"{number + 28}.jpg"
                name.parent.mkdir(parents=True, exist_ok=True)
                picture.crop((left, top, left + 200, top + 150)).resize((80, 60)).save(name)
    mask = Image.new("L", (480, 360))
    mask.paste(255, (200, 150, 240, 180))
    mask.save(folder / "mask.png")
    shutil.make_archive(str(folder / "photos"), "zip", folder / "photos")
    (folder / "labels.txt").write_text(LABELS.replace(" ", "\n"))
    for name in ("model", "a", "b", "float", "int8", "one", "two", "before", "after"):
        shutil.copy(shipped_model("classify"), folder / f"{name}.onnx")
    for name in ("denoise", "compress", "decompress"):
        shutil.copy(shipped_model(name), folder / f"{name}.onnx")
    shutil.copy(shipped_model("detect"), folder / "detector.onnx")
    shutil.copy(ROOT / "examples" / "checkpoints" / "classifier.pt", folder / "net.pt")


def measurements(folder: Path, *names: str) -> None:
    """The same measurement under several names."""
    text = json.dumps({"schema_version": 1} | edgevision.benchmark("classify", seconds=0.1).to_dict())
    for name in names:
        (folder / name).write_text(text)


def foreign_networks(folder: Path) -> None:
    """ONNX files of others: a classifier, and networks from a picture to a picture."""
    layers = [
        node("Conv", ["image", "colours"], ["maps"], kernel_shape=[1, 1]),
        node("GlobalAveragePool", ["maps"], ["means"]),
        node("Flatten", ["means"], ["scores"]),
    ]
    colours = np.random.default_rng(0).normal(size=(10, 3, 1, 1)).astype(np.float32)
    model = onnx_model(layers, {"image": (1, 3, 32, 32)}, {"scores": (1, 10)}, {"colours": colours})
    (folder / "classifier.onnx").write_bytes(model)
    weights = {"ninths": np.full((3, 1, 3, 3), 1 / 9, np.float32)}
    blur = node("Conv", ["image", "ninths"], ["made"], group=3, pads=[1, 1, 1, 1])
    sides = ("batch", 3, "height", "width")
    for name in ("mosaic", "facades", "dncnn"):
        (folder / f"{name}.onnx").write_bytes(onnx_model([blur], {"image": sides}, {"made": sides}, weights))


def squares(folder: Path) -> None:
    """A detector of bright squares, which stand for persons, and pictures of them with boxes."""
    bright_squares.write_detector(folder / "theirs.onnx")
    (folder / "labels.txt").write_text("person\n")
    bright_squares.write_pictures(folder / "annotated", 4)
    for path in (folder / "annotated").glob("*.xml"):
        path.write_text(path.read_text().replace("square", "person"))
    (folder / "detector.onnx").rename(folder / "faces.onnx")
    shutil.rmtree(folder / "photos")
    bright_squares.write_pictures(folder / "photos", 4)
    for name in ("crowd", "photo"):
        with Image.open(folder / "photos" / "00.png") as picture:
            picture.resize((384, 256)).save(folder / f"{name}.jpg")


def masks(folder: Path) -> None:
    """A segmenter of bright squares, and pictures of them with masks."""
    bright_squares.write_segmenter(folder / "theirs.onnx")
    bright_squares.write_pictures(folder / "masked" / "images", 4, masks=folder / "masked" / "masks")
    shutil.rmtree(folder / "photos")
    for name in ("photos", "cells"):
        bright_squares.write_pictures(folder / name, 2)
    shutil.copy(shipped_model("segment_nuclei"), folder / "cells.onnx")
    for name in ("slide.png", "scan.tif"):
        with Image.open(folder / "face.jpg") as picture:
            picture.resize((96, 64)).save(folder / name)


def persons(folder: Path) -> None:
    """A model for persons by a name, and pictures of one."""
    shutil.copy(shipped_model("segment"), folder / "persons.onnx")
    shutil.rmtree(folder / "photos")
    (folder / "photos").mkdir()
    for name in ("photos/one.jpg", "portrait.jpg"):
        shutil.copy(folder / "face.jpg", folder / name)


def uploads(folder: Path) -> None:
    """What a server is asked with beside pictures: a clip, and a person cut out."""
    clips(folder)
    with Image.open(folder / "face.jpg") as face, Image.open(folder / "mask.png") as mask:
        face.save(folder / "photo.png")
        face.putalpha(mask)
        face.save(folder / "person.png")


def points(folder: Path) -> None:
    """A finder of coloured dots, and pictures of them with points; a detector for the pictures of others."""
    colour_dots.write_finder(folder / "theirs.onnx")
    colour_dots.write_pictures(folder / "annotated", 4)
    shutil.copy(shipped_model("detect"), folder / "faces.onnx")


def clips(folder: Path) -> None:
    """Clips, one in folders of their kinds too, and what the pages of moving pictures need beside them."""
    write_clip(folder / "clip.mp4")
    shutil.copy(folder / "clip.mp4", folder / "street.mp4")
    for name in ("digit", "wave"):
        write_clip(folder / f"{name}.gif")
    Image.new("L", (64, 48)).save(folder / "logo-mask.png")
    (folder / "gt.txt").write_text("1,1,8,12,10,22,1,1,1\n")
    shutil.copy(shipped_model("sequence"), folder / "stream.onnx")
    with zipfile.ZipFile(folder / "gestures.zip", "w") as archive:
        archive.write(folder / "wave.gif", "moves right/wave.gif")


MORE: dict[str, Callable[[Path], object]] = {
    "benchmark": lambda folder: (
        write_clip(folder / "clip.mp4", 60),
        measurements(folder, "before.json", "after.json"),
    ),
    "checkpoints": foreign_networks,
    "int8": lambda folder: np.savez(folder / "inputs.npz", image=np.zeros((1, 3, 32, 32), np.float32)),
    "cutout": persons,
    "recipes": lambda folder: shutil.copy(ROOT / "examples" / "recipes" / "digits.toml", folder / "recipe.toml"),
    "scale": lambda folder: (folder / "list.txt").write_text("photo.jpg\nface.jpg\n"),
    "commands": lambda folder: measurements(folder, "yesterday.json", "today.json"),
    "detection": squares,
    "keypoints": points,
    "segmentation": masks,
    "sequences": clips,
    "serve": uploads,
    "streams": clips,
    "tracking": clips,
}


def write_clip(path: Path, count: int = 5) -> None:
    """So many frames of a bar that moves."""
    frames = [Image.new("L", (64, 48)) for _ in range(count)]
    for number, frame in enumerate(frames):
        frame.paste(230, (8 * (number % 7), 12, 8 * (number % 7) + 10, 34))
    if path.suffix == ".gif":
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=60)
    else:
        av = pytest.importorskip("av")
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_image(frame.convert("RGB"))))
            container.mux(stream.encode())
