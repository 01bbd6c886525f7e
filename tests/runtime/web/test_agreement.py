"""The page computes what the pipelines compute, on fifty pictures and from the same seeds."""

import base64
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

import edgevision
from edgevision.imaging.pictures import Picture
from edgevision.imaging.run_lengths import decode_mask
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.web.browser import local_server
from edgevision.runtime.web.site import build_site

pytest.importorskip("onnx")  # which writes the small networks of some tests

from bright_squares import write_boxed_segmenter, write_pictures
from style_network import write_style_network

EXAMPLES = Path(__file__).parents[3] / "examples"
MODELS = (
    *("classify", "denoise", "upscale", "brighten", "inpaint", "generate"),
    *("colorize", "translate", "detect", "segment", "segment_nuclei", "keypoints"),
)
PHOTOS = ("pictures/cat.jpg", "pictures/rocket.jpg", "coffee.jpg", "face.jpg")

# The page's own way of asking, with the module that it has loaded already.
_RUN = """async ({ task, files, fields }) => {
  const { runTask } = await import(new URL("local/backend.js", location.href));
  const decoded = Object.fromEntries(Object.entries(files).map(([name, { type, text }]) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return [name, new File([bytes], name, { type })];
  }));
  const answer = await runTask(task, { files: decoded, fields, signal: new AbortController().signal });
  const bytes = answer.blob ? new Uint8Array(await answer.blob.arrayBuffer()) : [];
  return { document: answer.document, text: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")) };
}"""


class Given(NamedTuple):
    """A picture as a file, and what it is called."""

    name: str
    content: bytes
    kind: str

    @property
    def pillow(self) -> Image.Image:
        return Image.open(io.BytesIO(self.content))


def _pictures() -> Iterator[Given]:
    """Fifty: parts of photographs in all forms; every other one in JPEG."""
    draw = np.random.default_rng(0)
    photos = [Image.open(EXAMPLES / name).convert("RGB") for name in PHOTOS]
    for number in range(50):
        photo = photos[number % len(photos)]
        width, height = (int(side) for side in draw.integers(33, 97, 2))
        share = draw.uniform(0.3, 0.9)
        box = (0, 0, int(photo.width * share), int(photo.height * share))
        picture = photo.resize((width, height), Image.Resampling.LANCZOS, box)
        if number % 5 == 4:
            picture = picture.convert("L")
        elif number % 10 == 6:
            picture.putalpha(Image.linear_gradient("L").resize(picture.size).point(lambda value: 255 * (value > 90)))
        kind = "JPEG" if number % 2 else "PNG"
        file = io.BytesIO()
        picture.save(file, kind, **({"quality": 92} if kind == "JPEG" else {}))
        yield Given(f"{number} {picture.mode} {kind}", file.getvalue(), f"image/{kind.lower()}")


def _faces() -> Iterator[Given]:
    """Fifty with a face: one photograph, cut, turned, mirrored, and lit in other ways."""
    draw = np.random.default_rng(2)
    with Image.open(EXAMPLES / "face.jpg") as photo:
        face = photo.convert("RGB")
    for number in range(50):
        left, top, right, bottom = draw.uniform(0, 0.12, 4) * (*face.size, *face.size)
        side = int(draw.integers(90, 200))
        picture = face.rotate(draw.uniform(-12, 12), Image.Resampling.BICUBIC).resize(
            (side, int(side * draw.uniform(0.9, 1.2))),
            Image.Resampling.LANCZOS,
            (left, top, face.width - right, face.height - bottom),
        )
        picture = ImageEnhance.Brightness(picture).enhance(draw.uniform(0.5, 1.4))
        if number % 2:
            picture = ImageOps.mirror(picture)
        file = io.BytesIO()
        picture.save(file, "PNG")
        yield Given(f"face {number}", file.getvalue(), "image/png")


PICTURES = tuple(_pictures())


@pytest.fixture(scope="module")
def address(write_site: Callable[..., Path]) -> Iterator[str]:
    """Of a site with a model for each task."""
    with local_server(write_site(*MODELS)) as address:
        yield address


@pytest.fixture(scope="module")
def ask(asking: Callable[..., Any], address: str) -> Iterator[Callable[..., Any]]:
    """Ask the page of the models that ship."""
    with asking(address) as ask:
        yield ask


@pytest.fixture(scope="module")
def asking(browser: Any) -> Callable[..., Any]:
    """Open a page to be asked; a picture is answered in PNG, so that nothing is lost on the way."""
    return partial(contextmanager(_asking), browser)


def _asking(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    page = browser.new_context().new_page()
    page.set_default_timeout(120_000)
    page.goto(address)
    page.wait_for_selector("#task-choices label")
    page.wait_for_selector(".proof-used")

    def run(task: str, *files: Given, **options: Any) -> Any:
        named = {
            name: {"type": "image/png", "text": base64.b64encode(file.content).decode()}
            for name, file in zip(("image", "mask"), files, strict=False)
        }
        fields = [[name.replace("_", "-"), str(value)] for name, value in options.items()]
        answer = page.evaluate(_RUN, {"task": task, "files": named, "fields": fields})
        return answer["document"] or Image.open(io.BytesIO(base64.b64decode(answer["text"])))

    yield run
    page.context.close()


def _levels(page: Image.Image, native: Picture) -> np.ndarray:
    """How far apart two pictures are, in 255ths, of what is seen of them."""
    theirs = native.to_pillow()
    assert page.size == theirs.size
    ours, theirs = (np.asarray(picture.convert("RGBA")).astype(int) for picture in (page, theirs))
    seen = (ours[..., 3:] == 255) & (theirs[..., 3:] == 255)
    np.testing.assert_array_less(np.abs(ours[..., 3] - theirs[..., 3]), 3)
    return np.abs(ours[..., :3] - theirs[..., :3])[np.broadcast_to(seen, (*seen.shape[:2], 3))]


def test_classify_gives_the_same_probabilities(ask):
    with edgevision.load("classify") as classify:
        for picture in PICTURES:
            native = classify(picture.content).to_dict()["predictions"]
            found = ask("classify", picture)["results"][0]["predictions"]
            expected = {row["label"]: row["probability"] for row in native}
            assert found[0]["label"] == native[0]["label"], picture.name
            apart = max(abs(row["probability"] - expected.get(row["label"], row["probability"])) for row in found)
            assert apart < 0.05, picture.name


@pytest.mark.parametrize("task", ["denoise", "brighten", "upscale", "translate"])
def test_restored_pictures_are_the_same(ask, task):
    with edgevision.load(task) as restore:
        for picture in PICTURES:
            apart = _levels(ask(task, picture), restore(picture.content))
            assert apart.max() <= 1, picture.name
            assert (apart > 0).mean() < 0.01, picture.name


@pytest.mark.parametrize("options", [{"strength": 0.6}, {"always": True}])
def test_gray_pictures_get_the_same_colours(ask, options):
    said = {name: str(value).lower() for name, value in options.items()}
    with edgevision.load("colorize") as colorize:
        for picture in PICTURES:
            apart = _levels(ask("colorize", picture, **said), colorize(picture.content, **options))
            assert apart.max() <= 1, picture.name
            assert (apart > 0).mean() < 0.01, picture.name


def test_holes_are_filled_the_same(ask):
    draw = np.random.default_rng(1)
    with edgevision.load("inpaint") as inpaint:
        for picture in PICTURES:
            width, height = picture.pillow.size
            marked = np.zeros((height, width), np.uint8)
            top, left = draw.integers(0, height // 2), draw.integers(0, width // 2)
            marked[top : top + height // 3, left : left + width // 3] = 255
            file = io.BytesIO()
            Image.fromarray(marked).save(file, "PNG")
            apart = _levels(
                ask("inpaint", picture, Given("mask", file.getvalue(), "image/png")),
                inpaint(picture.content, marked, fill="smooth"),
            )
            assert apart.max() <= 1, picture.name
            assert (apart > 0).mean() < 0.01, picture.name


def test_the_same_things_are_found(ask):
    smear = Given("smear", (EXAMPLES / "face.jpg").read_bytes(), "image/jpeg")
    with edgevision.load("detect", min_score=0.05) as detect:
        for picture in (smear, *PICTURES):
            native = detect(picture.content).to_dict()["detections"]
            found = ask("detect", picture, min_score=0.05)["results"][0]["detections"]
            paired = [
                (one, other)
                for one in found
                for other in native
                if one["label"] == other["label"] and np.abs(np.subtract(one["box"], other["box"])).max() < 1
            ]
            # What is as sure as the least that counts may be on either side of it.
            sure = [row for row in (*found, *native) if row["score"] > 0.06]
            assert len(paired) >= len(sure) / 2, picture.name
            assert all(abs(one["score"] - other["score"]) < 0.02 for one, other in paired), picture.name


def test_windows_find_the_same_things(ask):
    """Three smears side by side, in which the whole shows the network less than windows do."""
    smear = Image.open(EXAMPLES / "face.jpg").convert("RGB").resize((256, 192))
    wide = Image.new("RGB", (3 * smear.width, smear.height))
    for number in range(3):
        wide.paste(smear, (number * smear.width, 0))
    file = io.BytesIO()
    wide.save(file, "PNG")
    picture = Given("wide", file.getvalue(), "image/png")
    for tile in ("auto", "200"):
        with edgevision.load("detect", min_score=0.3, tile=tile if tile == "auto" else int(tile)) as detect:
            native = detect(picture.content).to_dict()["detections"]
        found = ask("detect", picture, min_score=0.3, tile=tile)["results"][0]["detections"]
        assert len(found) == len(native) > 0
        for one, other in zip(found, native, strict=True):
            assert one["label"] == other["label"]
            assert np.abs(np.subtract(one["box"], other["box"])).max() < 1


@pytest.mark.parametrize("model", ["segment", "segment_nuclei"])
def test_masks_are_the_same(ask, model):
    with edgevision.load(model, min_score=0.1) as segment:
        for picture in (Given("face", (EXAMPLES / "face.jpg").read_bytes(), "image/jpeg"), *PICTURES):
            native = segment(picture.content)
            found = ask("segment", picture, model=model, min_score=0.1)["results"][0]["segments"]
            assert sorted(row["label"] for row in found) == sorted(native.names), picture.name
            ours, theirs = np.zeros((2, *native.size), bool)
            for row, mask in zip(found, native.masks, strict=True):
                own = decode_mask(row["mask"])
                assert own.sum() == row["area"]
                ours |= own
                theirs |= decode_mask(mask.encode(native.size))
            assert (theirs != ours).mean() < 0.005, picture.name


def test_masks_in_boxes_are_the_same(asking, tmp_path):
    """Of a network with YOLACT's outputs, on its own pictures and in other sizes."""
    model = tmp_path / "boxed.onnx"
    given = write_boxed_segmenter(tmp_path / "given.onnx")
    edgevision.export(given, model, metadata={"task": "segment", "spec": {"labels": ["square"]}})
    build_site([model], tmp_path / "site")
    with local_server(tmp_path / "site") as address, asking(address) as ask, edgevision.load(model) as segment:
        for number, path in enumerate(sorted(write_pictures(tmp_path / "pictures").glob("*.png"))):
            with Image.open(path) as image:
                image.resize((96 + 7 * number, 64 + 11 * number)).save(path)
            native = segment(path.read_bytes())
            found = ask("segment", Given(path.name, path.read_bytes(), "image/png"))["results"][0]["segments"]
            assert len(found) == len(native) > 0
            for row, mask, score in zip(found, native.masks, native.scores, strict=True):
                assert abs(row["score"] - score) < 0.001
                assert np.mean(decode_mask(row["mask"]) != mask.in_picture(native.size)) < 0.002


def test_pictures_are_painted_the_same(asking, tmp_path):
    """By a small network that mixes two styles, on pictures of all forms and one that is cut into tiles."""
    model = write_style_network(tmp_path / "styles.onnx")
    file = io.BytesIO()
    Image.open(EXAMPLES / "coffee.jpg").convert("RGB").resize((340, 300)).save(file, "PNG")
    large = Given("large", file.getvalue(), "image/png")
    build_site([model], tmp_path / "site")
    with local_server(tmp_path / "site") as address, asking(address) as ask, edgevision.load(model) as stylize:
        for picture in (large, *PICTURES):
            for style, strength in (("wave", 1), ("wave:1,starry:3", 0.5)):
                apart = _levels(
                    ask("stylize", picture, style=style, strength=strength),
                    stylize(picture.content, style=style, strength=strength),
                )
                assert apart.max() <= 1, picture.name
                assert (apart > 0).mean() < 0.02, picture.name


def test_points_are_the_same(ask):
    """On faces, in a box and without: where there is no face maps are flat, and a hair moves their peak.

    Without a box the surest of three looks counts. Where two are as sure as each other, samples of the picture that
    differ by one level make the other win, natively too, and all points move a little.
    """
    apart: dict[str, list[np.ndarray]] = {"in a box": [], "without": []}
    with edgevision.load("keypoints") as find:
        for picture in _faces():
            width, height = picture.pillow.size
            box = [width // 8, height // 8, width - width // 8, height - height // 8]
            said = ",".join(map(str, box))
            for way, native, found in (
                ("in a box", find(picture.content, boxes=[box]), ask("keypoints", picture, box=said)),
                ("without", find(picture.content), ask("keypoints", picture)),
            ):
                expected, (answer,) = native.to_dict(), found["results"]
                assert answer["point_names"] == expected["point_names"]
                ours, theirs = (np.array(one["things"][0]["points"]) for one in (answer, expected))
                apart[way].append(np.hypot(*(ours - theirs)[:, :2].T) / width)
    assert np.max(apart["in a box"]) < 0.01
    assert np.median(np.max(apart["without"], axis=1)) < 0.005
    assert np.max(apart["without"]) < 0.05


@pytest.mark.parametrize("task", ["denoise", "upscale"])
def test_large_pictures_are_the_same_though_the_page_cuts_them_into_tiles(ask, address, browser, task):
    """The pipeline has more memory, and does them at once."""
    size = {"denoise": (600, 580), "upscale": (400, 352)}[task]
    file = io.BytesIO()
    Image.open(EXAMPLES / "coffee.jpg").convert("RGB").resize(size).save(file, "PNG")
    with edgevision.load(task) as restore:
        assert _tiles(browser, address, restore.metadata, size) > 1
        apart = _levels(ask(task, Given("large", file.getvalue(), "image/png")), restore(file.getvalue()))
    assert apart.max() <= 1
    assert (apart > 0).mean() < 0.01


def _tiles(browser: Any, address: str, metadata: ModelMetadata, size: tuple[int, int]) -> int:
    """In so many the page cuts a picture of (width, height)."""
    page = browser.new_context().new_page()
    page.goto(f"{address}site.json")
    script = """async ([tile, [width, height]]) => {
      const { TILE_MEMORY } = await import(new URL("local/tiled_network.js", location.href));
      const { spans } = await import(new URL("local/tiling.js", location.href));
      const [rows, columns] = spans(height, width, tile, TILE_MEMORY, [null, null]);
      return rows.length * columns.length;
    }"""
    tiles: int = page.evaluate(script, [json.loads(metadata.to_json())["tile"], list(size)])
    page.context.close()
    return tiles


@pytest.mark.parametrize(
    "options",
    [
        *({"count": 8, "seed": seed} for seed in (0, 1, 7, 12345, 2**31 - 1, 2**32, 2**53 - 1)),
        {"count": 4, "seed": 2**40, "class": "horse", "truncation": 0.5},
    ],
)
def test_the_same_seed_draws_the_same(ask, options):
    named = {("label" if name == "class" else name): value for name, value in options.items()}
    with edgevision.load("generate") as generate:
        native = generate(**named).sheet()
    apart = _levels(ask("generate", **options), native)
    assert apart.max() <= 1
    assert (apart > 0).mean() < 0.01


@pytest.mark.parametrize("options", [{}, {"class": "horse", "truncation": 0.7}])
def test_the_way_from_one_seed_to_another_is_the_same(ask, options):
    named = {("label" if name == "class" else name): value for name, value in options.items()}
    with edgevision.load("generate") as generate:
        native = generate.between((3, 7), 5, **named).sheet(5)
    apart = _levels(ask("generate", interpolate="3:7", count=5, **options), native)
    assert apart.max() <= 1
    assert (apart > 0).mean() < 0.01


def test_random_numbers_are_numpys_(browser, address):
    page = browser.new_context().new_page()
    page.goto(f"{address}site.json")
    script = """async (seed) => {
      const { Random } = await import(new URL("local/random.js", location.href));
      const random = new Random(...seed);
      return Array.from({ length: 50000 }, () => random.normal());
    }"""
    for seed in ((0, 0), (2**40 + 5, 3)):
        expected = np.random.default_rng(seed).standard_normal(50_000, np.float32)
        drawn = np.float32(page.evaluate(script, list(seed)))
        # Of the few beyond the last strip the logarithm's last bit is the machine's own.
        np.testing.assert_allclose(drawn, expected, rtol=2e-7)
        assert (drawn != expected).mean() < 1e-4
    page.context.close()
