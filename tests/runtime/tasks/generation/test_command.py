"""``edgevision run generate``, ``reconstruct`` and ``encode`` on models small enough to be computed with numpy."""

import io
import json

import numpy as np
import pytest
from onnx_writer import node, onnx_model
from PIL import Image

from edgevision.imaging.contact_sheet import contact_sheet
from edgevision.imaging.preprocessing import Preprocessor
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec
from edgevision.runtime.tasks.classification.spec import ClassificationSpec
from edgevision.runtime.tasks.generation.latents import draw_latents, interpolate
from edgevision.runtime.tasks.generation.result import GeneratedPictures
from edgevision.runtime.tasks.generation.spec import GenerationSpec, LatentSpec

SIZE = 6
LABELS = ("ant", "bee", "cow")
IMAGE = ImageSpec(size=(8, 8), value_range=(-1.0, 1.0))

RANDOM = np.random.default_rng(5)
WEIGHT = RANDOM.standard_normal((SIZE, 48)).astype(np.float32) / 2
CLASS_WEIGHT = RANDOM.standard_normal((3, 48)).astype(np.float32)
KERNEL = RANDOM.standard_normal((SIZE, 3, 8, 8)).astype(np.float32) / 2


def flat_generator(conditional=False, batch="batch"):
    """Latents times a matrix, bounded; 3x4x4."""
    nodes = [node("MatMul", ["latent", "weight"], ["drawn"])]
    inputs = {"latent": (batch, SIZE)}
    weights = {"weight": WEIGHT, "shape": np.int64([-1, 3, 4, 4])}
    last = "drawn"
    if conditional:
        nodes += [node("MatMul", ["classes", "class_weight"], ["kind"]), node("Add", ["drawn", "kind"], ["both"])]
        inputs["classes"] = (batch, 3)
        weights["class_weight"] = CLASS_WEIGHT
        last = "both"
    nodes += [node("Tanh", [last], ["bounded"]), node("Reshape", ["bounded", "shape"], ["image"])]
    return nodes, inputs, {"image": (batch, 3, 4, 4)}, weights


def texture_generator():
    nodes = [
        node("ConvTranspose", ["latent", "kernel"], ["drawn"], strides=[8, 8]),
        node("Tanh", ["drawn"], ["image"]),
    ]
    inputs, outputs = {"latent": ("batch", SIZE, "height", "width")}, {"image": ("batch", 3, "rows", "columns")}
    return nodes, inputs, outputs, {"kernel": KERNEL}


def autoencoder(whole=True):
    """The negative, and the means of the channels as the code."""
    nodes = [node("ReduceMean", ["image", "axes"], ["code"], keepdims=0)]
    outputs = {"code": ("batch", 3)}
    if whole:
        nodes.insert(0, node("Neg", ["image"], ["restored_image"]))
        outputs = {"restored_image": ("batch", 3, 8, 8)} | outputs
    return nodes, {"image": ("batch", 3, 8, 8)}, outputs, {"axes": np.int64([2, 3])}


RANGE = (TensorSpec(name="image", shape=("batch", 3, 4, 4), value_range=(-1.0, 1.0)),)
DRAWER = ModelMetadata(task="generate", name="drawer", outputs=RANGE, spec=GenerationSpec(latent=LatentSpec(size=SIZE)))
MODELS = {
    "plain": (flat_generator(), DRAWER),
    "batch_of_4": (flat_generator(batch=4), DRAWER),
    "classes": (
        flat_generator(conditional=True),
        DRAWER.updated(spec=GenerationSpec(latent=LatentSpec(size=SIZE), labels=LABELS)),
    ),
    "texture": (texture_generator(), DRAWER.updated(spec=GenerationSpec(latent=LatentSpec(size=SIZE, pixels=8)))),
    "vae": (autoencoder(), ModelMetadata(task="reconstruct", name="squeezer", image=IMAGE)),
    "encoder": (autoencoder(whole=False), ModelMetadata(task="encode", name="squeezer", image=IMAGE)),
}


@pytest.fixture
def model(tmp_path):
    """Write one of the models; its path."""

    def write(name="plain"):
        parts, metadata = MODELS[name]
        path = tmp_path / "models" / f"{name}.onnx"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(onnx_model(*parts, metadata))
        return path

    return write


def pixels_of(path):
    with Image.open(path) as image:
        return np.asarray(image)


def as_pixels(image):
    return np.clip(np.rint((image.transpose(0, 2, 3, 1) + 1) * 127.5), 0, 255).astype(np.uint8)


def drawn(latents, classes=None):
    """What the plain and the conditional model draw, uint8 (N, 4, 4, 3)."""
    kinds = 0 if classes is None else CLASS_WEIGHT[np.asarray(classes)]
    return as_pixels(np.tanh(latents @ WEIGHT + kinds).reshape(-1, 3, 4, 4))


def latents(count, seed=0, **options):
    return draw_latents(LatentSpec(size=SIZE), count, seed=seed, **options)


def noise(height=20, width=30):
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)


def close(found, expected):
    """Another order of sums may round a value the other way."""
    np.testing.assert_allclose(found.astype(int), expected.astype(int), atol=1)


# --- generate: a sheet ---


def test_sixteen_pictures_on_a_sheet_are_the_default(edgevision, model, tmp_path, monkeypatch):
    path = model()
    monkeypatch.chdir(tmp_path)
    code, out, err = edgevision("run", "generate", "-m", path)
    assert (code, out) == (0, "generated.png\n")
    assert err.splitlines()[0].startswith("drawer on cpu 3 nodes, ONNX Runtime")
    sheet = pixels_of(tmp_path / "generated.png")
    assert sheet.shape == (22, 22, 3)
    close(sheet, contact_sheet(drawn(latents(16))))


@pytest.mark.parametrize("name", ["plain", "batch_of_4"])
def test_count_and_seed_choose_the_pictures(edgevision, model, tmp_path, name):
    target = tmp_path / "out.png"
    code, out, err = edgevision("run", "generate", "-m", model(name), "-n", 6, "--seed", 9, "-o", target, "-q")
    assert (code, out, err) == (0, f"{target}\n", "")
    close(pixels_of(target), contact_sheet(drawn(latents(6, 9))))


def test_the_largest_sheet_is_drawn(edgevision, model, tmp_path):
    assert edgevision("run", "generate", "-m", model(), "-n", 4096, "-o", tmp_path / "out.png", "-q")[0] == 0
    sheet = pixels_of(tmp_path / "out.png")
    assert sheet.shape == (64 * 6 - 2, 64 * 6 - 2, 3)
    close(sheet[-4:, -4:], drawn(latents(1, first=4095))[0])


def test_truncation_bounds_the_latents(edgevision, model, tmp_path):
    edgevision("run", "generate", "-m", model(), "-o", tmp_path / "out.png", "--truncation", 0.5)
    close(pixels_of(tmp_path / "out.png"), contact_sheet(drawn(latents(16, truncation=0.5))))


def test_zoom_enlarges_the_pictures_and_names_their_classes_on_a_sheet(edgevision, model, tmp_path):
    path, large = model("classes"), GeneratedPictures(drawn(latents(3), [0, 1, 2])).enlarged(8)
    edgevision("run", "generate", "-m", path, "-n", 3, "--zoom", 8, "-o", tmp_path / "all.png")
    sheet = pixels_of(tmp_path / "all.png")
    np.testing.assert_allclose(sheet.astype(int), contact_sheet(large.pixels, captions=LABELS).astype(int), atol=3)
    assert sheet.shape == (2 * 44 + 2, 2 * 32 + 2, 3)
    assert (sheet[32:44, :32] < 100).any(), "the word under the first picture"
    edgevision("run", "generate", "-m", path, "-n", 3, "--zoom", 8, "-o", f"{tmp_path}/each/")
    np.testing.assert_allclose(pixels_of(tmp_path / "each/0-0001.png").astype(int), large.pixels[1].astype(int), atol=3)
    edgevision("run", "generate", "-m", model(), "-n", 4, "--zoom", 2, "-o", tmp_path / "plain.png")
    assert pixels_of(tmp_path / "plain.png").shape == (18, 18, 3), "no classes, no words"


def test_all_classes_are_drawn_in_turn_or_the_one_asked_for(edgevision, model, tmp_path):
    path = model("classes")
    edgevision("run", "generate", "-m", path, "-n", 7, "-o", tmp_path / "all.png")
    close(pixels_of(tmp_path / "all.png"), contact_sheet(drawn(latents(7), [0, 1, 2, 0, 1, 2, 0])))
    edgevision("run", "generate", "-m", path, "-n", 7, "-o", tmp_path / "bee.png", "--class", "bee")
    close(pixels_of(tmp_path / "bee.png"), contact_sheet(drawn(latents(7), [1] * 7)))


# --- generate: a file for each ---


@pytest.mark.parametrize("place", ["out/", "out", "made"])
def test_a_folder_gets_a_file_for_each(edgevision, model, tmp_path, place):
    (tmp_path / "made").mkdir()
    code, out, _ = edgevision("run", "generate", "-m", model(), "-n", 34, "--seed", 7, "-o", f"{tmp_path}/{place}")
    folder = tmp_path / place
    names = [f"7-{number:04}.png" for number in range(34)]
    assert code == 0
    assert out.splitlines() == [str(folder / name) for name in names]
    assert sorted(path.name for path in folder.iterdir()) == names
    for name, expected in zip(names, drawn(latents(34, 7)), strict=True):
        close(pixels_of(folder / name), expected)


def test_a_texture_has_the_size_asked_for(edgevision, model, tmp_path):
    path = model("texture")
    code, _, _ = edgevision("run", "generate", "-m", path, "-n", 2, "-o", tmp_path / "out/", "--size", "20x9")
    assert code == 0
    places = draw_latents(LatentSpec(size=SIZE, pixels=8), 2, seed=0, sides=(2, 3))
    whole = np.tanh(np.einsum("nchw,cokl->nohkwl", places, KERNEL).reshape(2, 3, 16, 24))
    for number, expected in enumerate(as_pixels(whole)):
        close(pixels_of(tmp_path / f"out/0-{number:04}.png"), expected[:9, :20])


def test_a_texture_is_256_pixels_wide_and_high_by_itself(edgevision, model, tmp_path):
    edgevision("run", "generate", "-m", model("texture"), "-n", 1, "-o", tmp_path / "out.png")
    assert pixels_of(tmp_path / "out.png").shape == (256, 256, 3)


# --- generate: from one seed to another ---


def way(count, start=3, end=7, **options):
    return interpolate(latents(1, start, **options)[0], latents(1, end, **options)[0], count)


def test_the_way_from_seed_to_seed_is_a_strip(edgevision, model, tmp_path):
    code, _, _ = edgevision("run", "generate", "-m", model(), "-n", 5, "--interpolate", "3:7", "-o", tmp_path / "a.png")
    assert code == 0
    strip = pixels_of(tmp_path / "a.png")
    assert strip.shape == (4, 5 * 6 - 2, 3)
    close(strip, contact_sheet(drawn(way(5)), 5))


def test_the_way_goes_into_a_folder_too(edgevision, model, tmp_path):
    path = model("classes")
    arguments = ("-n", 3, "--interpolate", "3:7", "--class", "cow", "--truncation", 1, "-o", tmp_path / "out/")
    code, _, _ = edgevision("run", "generate", "-m", path, *arguments)
    assert code == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [f"3-7-000{number}.png" for number in range(3)]
    close(pixels_of(tmp_path / "out/3-7-0001.png"), drawn(way(3, truncation=1.0), [2, 2, 2])[1])


@pytest.mark.parametrize("ending", ["gif", "webp", "GIF"])
def test_an_animation_goes_there_and_back_for_ever(edgevision, model, tmp_path, ending):
    path, target = model("texture"), tmp_path / f"a.{ending}"
    arguments = ("-n", 5, "--interpolate", "3:7", "--size", "32x24", "-o", target)
    code, _, _ = edgevision("run", "generate", "-m", path, *arguments)
    assert code == 0
    frames = []
    with Image.open(target) as image:
        assert image.format == ending.upper()
        assert image.n_frames == 8
        assert image.info["loop"] == 0
        for index in range(8):
            image.seek(index)
            frames.append(np.asarray(image.convert("RGB")).astype(int))
            assert image.info["duration"] == 80
    assert frames[0].shape == (24, 32, 3)
    for index in range(1, 4):  # what comes back is what went there
        assert np.abs(frames[index] - frames[8 - index]).mean() < 8
    assert np.abs(frames[0] - frames[4]).mean() > 16


def test_two_pictures_are_an_animation(edgevision, model, tmp_path):
    arguments = ("-n", 2, "--interpolate", "3:7", "-o", tmp_path / "a.gif")
    assert edgevision("run", "generate", "-m", model(), *arguments)[0] == 0
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 2


# --- generate: documents and refusals ---


def test_json_is_one_document_and_nothing_else(edgevision, model, tmp_path):
    path = model()
    code, out, err = edgevision("run", "generate", "-m", path, "-n", 3, "-o", tmp_path / "out/", "--json")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert next(iter(document)) == "schema_version"
    assert document.pop("seconds") >= 0
    assert document.pop("engine").startswith("ONNX Runtime")
    assert document == {
        "schema_version": 1,
        "model": str(path),
        "name": "drawer",
        "device": "cpu",
        "nodes": {"cpu": {"MatMul": 1, "Reshape": 1, "Tanh": 1}},
        "count": 3,
        "outputs": [str(tmp_path / f"out/0-000{number}.png") for number in range(3)],
    }


def test_what_exists_is_overwritten_by_force_alone(edgevision, model, tmp_path):
    path, target = model(), tmp_path / "out.png"
    target.write_bytes(b"old")
    code, out, err = edgevision("run", "generate", "-m", path, "-o", target)
    assert (code, out) == (2, "")
    assert "exists already; --force overwrites it" in err
    assert target.read_bytes() == b"old"
    assert edgevision("run", "generate", "-m", path, "-o", target, "--force")[0] == 0
    assert pixels_of(target).shape == (22, 22, 3)


def test_one_file_that_exists_keeps_a_folder_as_it_is(edgevision, model, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "0-0003.png").write_bytes(b"old")
    code, _, err = edgevision("run", "generate", "-m", model(), "-n", 5, "-o", folder)
    assert code == 2
    assert "0-0003.png' exists already" in err
    assert [path.name for path in folder.iterdir()] == ["0-0003.png"]
    assert edgevision("run", "generate", "-m", model(), "-n", 5, "-o", folder, "--force")[0] == 0
    close(pixels_of(folder / "0-0003.png"), drawn(latents(5))[3])


def test_an_unknown_class_is_said_before_the_file_that_is_in_the_way(edgevision, model, tmp_path):
    target, path = tmp_path / "old.png", model("classes")
    target.write_bytes(b"old")
    code, _, err = edgevision("run", "generate", "-m", path, "--class", "unicorn", "-o", target)
    assert code == 2
    assert "knows no class 'unicorn'; it knows" in err
    code, _, err = edgevision("run", "generate", "-m", path, "-o", target)
    assert code == 2
    assert "old.png' exists already" in err
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("-m", "classes", "--class", "dog"), 2, "'drawer' knows no class 'dog'; it knows ant, bee, cow"),
        (("-m", "plain", "--class", "ant"), 2, "knows no classes, so none can be asked for; leave --class away"),
        (("-m", "plain", "-n", "4097"), 2, "a sheet holds at most 4096 pictures, not 4097; -o DIR/ writes each to a"),
        (("-m", "plain", "-n", "4097", "--interpolate", "0:1"), 2, "a sheet holds at most 4096 pictures"),
        (("-m", "plain", "-n", "1", "--interpolate", "0:1"), 2, "takes at least 2 pictures, not 1"),
        (
            ("-m", "plain", "--interpolate", "3"),
            2,
            "--interpolate is two seeds from 0 to 9223372036854775807, as 3:7, not '3'",
        ),
        (
            ("-m", "plain", "--interpolate", "a:b"),
            2,
            "--interpolate is two seeds from 0 to 9223372036854775807, as 3:7, not 'a:b'",
        ),
        (("-m", "plain", "--interpolate", "1:2:3"), 2, "--interpolate is two seeds"),
        (("-m", "plain", "--interpolate=-1:2"), 2, "--interpolate is two seeds"),
        (("-m", "plain", "--size", "8x8"), 2, "draws pictures of one size; --size is for textures"),
        (
            ("-m", "texture", "--size", "8"),
            2,
            "--size is WIDTHxHEIGHT, as 640x480, 67108864 pixels in all at most, not '8'",
        ),
        (("-m", "texture", "--size", "0x8"), 2, "--size is WIDTHxHEIGHT"),
        (("-m", "texture", "--size", "8000x2000", "--zoom", "3"), 2, "not '8000x2000' enlarged 3 times"),
        (("-m", "texture", "--size", "8x8x8"), 2, "--size is WIDTHxHEIGHT"),
        (("-m", "plain", "-o", "OUT/a.gif"), 2, "'a.gif' would be an animation, which --interpolate makes"),
        (("-m", "plain", "-o", "OUT/a.xyz"), 2, "a.xyz"),
        (("-m", "plain", "-o", "OUT/no/a.png"), 2, "does not exist; create it or choose another -o"),
        (("-m", "plain", "-o", ""), 2, "pictures go into files: end -o in .png, or in / for a folder, not ''"),
        (("-m", "plain", "-o", "-"), 2, "pictures go into files: end -o in .png, or in / for a folder, not '-'"),
        (("-m", "plain", "-o", f"OUT/{'x' * 300}.png"), 2, "cannot be written: File name too long"),
        (("-m", "plain", "-o", f"OUT/{'x' * 300}/"), 2, "cannot be written: File name too long"),
        (("-m", "plain", "-o", "COLOURS/"), 2, "cannot be written: File exists"),
        (("-m", "vae"), 2, "is for reconstruct, not for generate"),
        (("-m", "COLOURS"), 2, "is for classify, not for generate"),
        (("-m", "missing.onnx"), 2, "'missing.onnx' does not exist"),
        (("-m", "plain", "--device", "tpu"), 3, "no device 'tpu'"),
    ],
)
def test_a_wrong_command_is_one_or_two_lines_and_leaves_nothing(
    edgevision, model, write_colours, tmp_path, arguments, code, message
):
    place = tmp_path / "place"
    place.mkdir()
    words = [word.replace("OUT", str(place)).replace("COLOURS/", f"{write_colours()}/") for word in arguments]
    at = words.index("-m") + 1
    words[at] = write_colours() if words[at] == "COLOURS" else model(words[at]) if words[at] in MODELS else words[at]
    if "-o" not in words:
        words += ["-o", place / "out.png"]
    found, out, err = edgevision("run", "generate", *words, "-q")
    assert (found, out) == (code, ""), err
    assert err.startswith("error: ")
    assert message in err
    assert len(err.splitlines()) <= 2
    assert not list(place.iterdir())


# --- reconstruct ---


@pytest.fixture
def photo(tmp_path):
    Image.fromarray(noise()).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def photos(tmp_path):
    """A folder of three pictures, the second of which is a JPEG cut off in the middle."""
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(noise()).save(folder / "a.png")
    Image.fromarray(noise(9, 8)).save(folder / "c.png")
    stream = io.BytesIO()
    Image.fromarray(noise(200, 200)).save(stream, "JPEG")
    (folder / "b.jpg").write_bytes(stream.getvalue()[: len(stream.getvalue()) // 2])
    return folder


def seen(pixels):
    """What the network is given, float32 (3, 8, 8)."""
    return Preprocessor(IMAGE)(pixels)


def negative(pixels):
    return np.rint((1 - seen(pixels).transpose(1, 2, 0)) * 127.5)


def test_a_reconstruction_lies_beside_its_picture(edgevision, model, photo):
    code, out, err = edgevision("run", "reconstruct", photo, "-m", model("vae"))
    result = photo.with_name("photo-reconstructed.png")
    assert (code, out) == (0, f"{result}\n")
    assert "squeezer on cpu" in err
    close(pixels_of(result), negative(noise()))


def test_a_damaged_picture_in_a_folder_is_reported_and_the_rest_is_done(edgevision, model, photos, tmp_path):
    results = tmp_path / "results"
    code, out, err = edgevision("run", "reconstruct", photos, "-m", model("vae"), "-o", results)
    assert code == 1
    assert out.splitlines() == [str(results / name) for name in ("a.png", "c.png")]
    close(pixels_of(results / "c.png"), negative(noise(9, 8)))
    assert "b.jpg' is damaged or cut off" in err
    assert "1 of 3 pictures failed, the others were done" in err


def test_a_reconstruction_as_json(edgevision, model, photo, tmp_path):
    path = model("vae")
    code, out, err = edgevision("run", "reconstruct", photo, "-m", path, "-o", tmp_path / "r.png", "--json")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert (document["model"], document["name"], document["outputs"]) == (
        str(path),
        "squeezer",
        [str(tmp_path / "r.png")],
    )


# --- encode ---


def test_codes_are_written_in_the_order_of_the_pictures(edgevision, model, photos, tmp_path):
    (photos / "b.jpg").unlink()
    code, out, _ = edgevision("run", "encode", photos, "-m", model("encoder"), "-o", tmp_path / "codes.npy")
    assert (code, out) == (0, f"{tmp_path / 'codes.npy'}\n")
    codes = np.load(tmp_path / "codes.npy")
    assert (codes.shape, codes.dtype) == ((2, 3), np.float32)
    expected = [seen(noise()).mean((1, 2)), seen(noise(9, 8)).mean((1, 2))]
    np.testing.assert_allclose(codes, expected, rtol=1e-4, atol=1e-6)


def test_codes_as_json_say_how_many(edgevision, model, photo, tmp_path):
    arguments = ("-m", model("encoder"), "-o", tmp_path / "codes.npy", "--json")
    code, out, err = edgevision("run", "encode", photo, *arguments)
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert (document["count"], document["outputs"]) == (1, [str(tmp_path / "codes.npy")])


def test_one_damaged_picture_leaves_no_codes(edgevision, model, photos, tmp_path):
    code, out, err = edgevision("run", "encode", photos, "-m", model("encoder"), "-o", tmp_path / "codes.npy", "-q")
    assert (code, out) == (1, "") or (code, out) == (2, "")
    assert "b.jpg" in err
    assert not (tmp_path / "codes.npy").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("encode", "PHOTO", "-m", "encoder", "-o", "OUT/codes.txt"), "codes are written as .npy, not 'codes.txt'"),
        (("encode", "PHOTO", "-m", "encoder", "-o", "OUT/old.npy"), "exists already; --force overwrites it"),
        (("encode", "PHOTO", "-o", "OUT/codes.npy"), "no model ships for encode; train one with edgevision train vae"),
        (("encode", "PHOTO", "-m", "vae", "-o", "OUT/codes.npy"), "is for reconstruct, not for encode"),
        (("encode", "nowhere.png", "-m", "encoder", "-o", "OUT/codes.npy"), "nowhere.png"),
        (("reconstruct", "PHOTO"), "no model ships for reconstruct; train one with edgevision train vae, export it"),
        (("reconstruct", "PHOTO", "-m", "encoder"), "is for encode, not for reconstruct"),
        (("reconstruct", "PHOTO", "-m", "plain"), "is for generate, not for reconstruct"),
        (("reconstruct", "PHOTO", "PHOTO", "-m", "vae"), "name the folder for the results with -o"),
        (("reconstruct", "PHOTO", "-m", "vae", "-o", f"OUT/{'x' * 300}.png"), "File name too long"),
        (("reconstruct", "PHOTO", "-m", "vae", "-o", "PHOTO", "--force"), "is an input, which is never overwritten"),
    ],
)
def test_a_wrong_command_for_an_autoencoder_leaves_nothing(edgevision, model, photo, tmp_path, arguments, message):
    place = tmp_path / "place"
    place.mkdir()
    (place / "old.npy").write_bytes(b"old")
    before = photo.read_bytes()
    words = [str(photo) if word == "PHOTO" else word.replace("OUT", str(place)) for word in arguments]
    words = [model(word) if before == "-m" else word for before, word in zip(["", *words], words, strict=False)]
    code, out, err = edgevision("run", *words, "-q")
    assert (code, out) == (2, ""), err
    assert err.startswith("error: ")
    assert message in err
    assert [path.name for path in place.iterdir()] == ["old.npy"]
    assert (place / "old.npy").read_bytes() == b"old"
    assert photo.read_bytes() == before
    assert not list(tmp_path.glob("photo-*"))


# --- evaluate ---


@pytest.fixture
def gallery(tmp_path):
    """Forty pictures in folders of ants and bees."""
    generator = np.random.default_rng(1)
    for label in ("ant", "bee"):
        (tmp_path / "gallery" / label).mkdir(parents=True)
        for number in range(20):
            pixels = generator.integers(0, 256, (3, 3, 3), dtype=np.uint8).repeat(3, axis=0).repeat(3, axis=1)
            Image.fromarray(pixels).save(tmp_path / f"gallery/{label}/{number:02}.png")
    return tmp_path / "gallery"


@pytest.fixture
def write_judge(tmp_path):
    """Write a classifier whose features are the means of red, green and blue, and whose answer is the brightest."""

    def write(labels=LABELS):
        nodes = [
            node("ReduceMean", ["image", "axes"], ["features"], keepdims=0),
            node("Add", ["features", "features"], ["logits"]),
        ]
        outputs = {"logits": ("batch", 3), "features": ("batch", 3)}
        described = ModelMetadata(
            task="classify", name="eye", spec=ClassificationSpec(labels=labels), image=ImageSpec(size=(8, 8))
        )
        content = onnx_model(nodes, {"image": ("batch", 3, 8, 8)}, outputs, {"axes": np.int64([2, 3])}, described)
        (tmp_path / "judge.onnx").write_bytes(content)
        return tmp_path / "judge.onnx"

    return write


def test_a_generator_is_evaluated_beside_pictures(edgevision, model, write_judge, gallery):
    arguments = (model("classes"), gallery, "--judge", write_judge(), "--samples", 30)
    code, out, err = edgevision("evaluate", *arguments, "-q")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "classes.onnx on gallery, 30 pictures"
    assert lines[1] == "30 samples, seen through eye (not Inception: this is not FID)"
    named = ("classifier_frechet", "sample_precision", "sample_recall", "sample_variety", "class_agreement")
    assert [line.split()[0] for line in lines[2:7]] == list(named)
    assert [line.split()[:2] for line in lines[-3:]] == [["ant", "10"], ["bee", "10"], ["cow", "10"]]
    # There are no pictures of cows.
    assert lines[-1].split()[-1] == "-"
    code, out, err = edgevision("evaluate", *arguments, "--json")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert (document["samples"], document["images"], document["judge"]) == (30, 30, "eye")
    assert document["classifier_frechet"] == pytest.approx(float(lines[2].split()[1]), abs=1e-3)
    colours = drawn(latents(30), np.arange(30) % 3).mean((1, 2))
    assert document["class_agreement"] == pytest.approx(100 * np.mean(colours.argmax(1) == np.arange(30) % 3), abs=7)
    other = json.loads(edgevision("evaluate", *arguments, "--json", "--seed", 5)[1])
    assert other["classifier_frechet"] != document["classifier_frechet"]


def test_classes_that_the_judge_does_not_know_are_said(edgevision, model, write_judge, gallery):
    arguments = (model("classes"), gallery, "--judge", write_judge(("ant", "cat", "dog")), "--samples", 30)
    code, out, _ = edgevision("evaluate", *arguments, "-q")
    assert code == 0
    assert "no class agreement: eye does not know bee, cow" in out
    assert "class_agreement" not in out
    assert json.loads(edgevision("evaluate", *arguments, "--json")[1])["class_agreement"] is None


def test_an_unconditional_generator_has_no_classes_to_agree_with(edgevision, model, write_judge, gallery):
    code, out, _ = edgevision("evaluate", model(), gallery, "--judge", write_judge(), "--samples", 30, "-q")
    assert code == 0
    assert len(out.splitlines()) == 6


def test_the_judge_that_ships_needs_no_option(edgevision, model, gallery):
    code, out, err = edgevision("evaluate", model(), gallery, "-q", "--samples", 70)
    assert (code, out) == (2, "")
    assert "a covariance of 64 features takes more pictures than that" in err
    assert "gives 40" in err


def test_an_autoencoder_is_evaluated_by_its_reconstructions(edgevision, model, gallery):
    code, out, _ = edgevision("evaluate", model("vae"), gallery, "-q")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["vae.onnx", "psnr", "ssim", "mse"]
    document = json.loads(edgevision("evaluate", model("vae"), gallery, "--json")[1])
    assert document["images"] == len(document["pictures"]) == 40
    given = seen(np.asarray(Image.open(gallery / "ant/00.png")))
    assert document["pictures"][0]["mse"] == pytest.approx(np.mean(given**2), rel=1e-2)


def test_a_damaged_picture_ends_an_evaluation_with_1(edgevision, model, write_judge, gallery):
    (gallery / "ant/00.png").write_bytes(b"\x89PNG")
    for arguments in ((model(), gallery, "--judge", write_judge(), "--samples", 40), (model("vae"), gallery)):
        code, out, err = edgevision("evaluate", *arguments, "-q")
        assert code == 1
        assert "39 pictures" in out
        assert "ant/00.png" in err
        assert "1 pictures failed and are not counted" in err


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("plain", ("--samples", "64"), "a covariance of 64 features takes more samples than that, not 64"),
        ("plain", ("--judge", "COLOURS"), "'colours' shows no features, so it cannot judge; edgevision export"),
        ("plain", ("--judge", "missing.onnx"), "'missing.onnx' does not exist"),
        ("plain", ("--split", "test"), "has no split 'test'"),
        ("encoder", (), "only encodes, which shows nothing to compare; export the whole autoencoder"),
    ],
)
def test_an_evaluation_that_cannot_be_is_refused(edgevision, model, write_colours, gallery, name, arguments, message):
    words = [write_colours() if word == "COLOURS" else word for word in arguments]
    if "--split" in arguments:
        (gallery / "ant").rename(gallery / "train")
        (gallery / "bee").rename(gallery / "val")
        for folder in ("train", "val"):
            (gallery / folder / "x").mkdir()
            for path in (gallery / folder).glob("*.png"):
                path.rename(gallery / folder / "x" / path.name)
    code, out, err = edgevision("evaluate", model(name), gallery, *words, "-q")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
