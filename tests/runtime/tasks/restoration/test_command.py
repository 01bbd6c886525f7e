import io
import json
import resource
import sys

import numpy as np
import pytest
from PIL import Image

from edgevision.core.errors import InputError
from edgevision.runtime.tasks.restoration.running import parse_tile


def noise(height=20, width=30, channels=3):
    generator = np.random.default_rng(height * width)
    # Without lights, which brightening would protect.
    pixels = generator.integers(0, 160, (height, width, channels), dtype=np.uint8)
    return pixels[:, :, 0] if channels == 1 else pixels


def pixels_of(path):
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture
def photo(tmp_path):
    Image.fromarray(noise()).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def mask(tmp_path):
    """A white box on black, and the same as bool."""
    holes = np.zeros((20, 30), bool)
    holes[5:11, 7:15] = True
    Image.fromarray(holes.astype(np.uint8) * 255).save(tmp_path / "mask.png")
    return tmp_path / "mask.png", holes


@pytest.fixture
def photos(tmp_path):
    """A folder of five pictures, the third of which is a JPEG cut off in the middle."""
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.png", "b.png", "d.png", "deep/e.png"):
        Image.fromarray(noise()).save(folder / name)
    stream = io.BytesIO()
    Image.fromarray(noise(200, 200)).save(stream, "JPEG")
    (folder / "c.jpg").write_bytes(stream.getvalue()[: len(stream.getvalue()) // 2])
    return folder


def blurred(pixels):
    padded = np.pad(pixels.astype(float), ((1, 1), (1, 1), (0, 0)))
    height, width = pixels.shape[:2]
    return sum(padded[y : y + height, x : x + width] for y in range(3) for x in range(3)) / 9


def brightened(pixels):
    x = pixels / 255
    return (x + 0.5 * x * (1 - x)) * 255


EXPECTED = {
    "denoise": blurred,
    "upscale": lambda pixels: pixels.repeat(2, axis=0).repeat(2, axis=1),
    "brighten": brightened,
}
ENDINGS = {"denoise": "denoised", "upscale": "upscaled", "brighten": "brightened"}


@pytest.mark.parametrize("task", EXPECTED)
def test_without_a_place_the_result_lies_beside_the_picture(edgevision, write_restorer, photo, task):
    code, out, err = edgevision("run", task, photo, "-m", write_restorer(task))
    result = photo.with_name(f"photo-{ENDINGS[task]}.png")
    assert code == 0
    assert out.splitlines() == [str(result)]
    assert " on cpu" in err
    assert ", ONNX Runtime" in err
    np.testing.assert_allclose(pixels_of(result), EXPECTED[task](noise()), atol=0.51)


@pytest.mark.parametrize("task", EXPECTED)
def test_a_place_is_taken_as_it_is(edgevision, write_restorer, photo, tmp_path, task):
    code, _, err = edgevision("run", task, photo, "-m", write_restorer(task), "-o", tmp_path / "out.tif", "-q")
    assert (code, err) == (0, "")
    np.testing.assert_allclose(pixels_of(tmp_path / "out.tif"), EXPECTED[task](noise()), atol=0.51)
    assert not photo.with_name(f"photo-{ENDINGS[task]}.png").exists()


def test_a_large_hole_is_filled_with_texture_or_smoothly(edgevision, write_restorer, tmp_path):
    """The network makes holes white."""
    pixels, holes = noise(100, 100), np.zeros((100, 100), np.uint8)
    holes[18:82, 18:82] = 255
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    Image.fromarray(holes).save(tmp_path / "mask.png")
    command = ("run", "inpaint", tmp_path / "photo.png", tmp_path / "mask.png", "-m", write_restorer("inpaint"), "-q")
    for fill in ("smooth", "texture"):
        edgevision(*command, "-o", tmp_path / f"{fill}.png", "--fill", fill, "--seed", "3")
    assert (pixels_of(tmp_path / "smooth.png")[holes > 0] == 255).all()
    assert pixels_of(tmp_path / "texture.png")[holes > 0].std() > 20
    code, _, err = edgevision(*command, "-o", tmp_path / "no.png", "--fill", "rough")
    assert code == 2
    assert "'rough'" in err


def test_inpainting_fills_what_is_white_in_the_mask(edgevision, write_restorer, photo, mask):
    model, (path, holes) = write_restorer("inpaint"), mask
    code, out, _ = edgevision("run", "inpaint", photo, path, "-m", model)
    result = photo.with_name("photo-inpainted.png")
    assert code == 0
    assert out.splitlines() == [str(result)]
    np.testing.assert_array_equal(pixels_of(result), np.where(holes[:, :, None], 255, noise()))


def test_inpainting_fills_what_is_black_on_demand(edgevision, write_restorer, photo, mask, tmp_path):
    model, (path, holes) = write_restorer("inpaint"), mask
    edgevision("run", "inpaint", photo, path, "-m", model, "-o", tmp_path / "out.png", "--invert-mask")
    np.testing.assert_array_equal(pixels_of(tmp_path / "out.png"), np.where(holes[:, :, None], noise(), 255))


def test_inpainting_fills_what_is_transparent(edgevision, write_restorer, mask, tmp_path):
    holes = mask[1]
    Image.fromarray(np.dstack([noise(), np.where(holes, 0, 255).astype(np.uint8)])).save(tmp_path / "torn.png")
    code, _, _ = edgevision(
        "run", "inpaint", tmp_path / "torn.png", "--mask-from-alpha", "-m", write_restorer("inpaint")
    )
    result = pixels_of(tmp_path / "torn-inpainted.png")
    assert code == 0
    np.testing.assert_array_equal(result[:, :, :3], np.where(holes[:, :, None], 255, noise()))
    np.testing.assert_array_equal(result[:, :, 3], 255)


@pytest.mark.parametrize("task", EXPECTED)
def test_a_damaged_picture_in_a_folder_is_reported_and_the_rest_is_done(
    edgevision, write_restorer, photos, tmp_path, task
):
    results = tmp_path / "results"
    code, out, err = edgevision("run", task, photos, "-m", write_restorer(task), "-o", results)
    assert code == 1
    assert out.splitlines() == [str(results / name) for name in ("a.png", "b.png", "d.png", "deep/e.png")]
    for line in out.splitlines():
        np.testing.assert_allclose(pixels_of(line), EXPECTED[task](noise()), atol=0.51)
    assert "c.jpg' is damaged or cut off" in err
    assert "1 of 5 pictures failed, the others were done" in err
    assert not (results / "c.jpg").exists()


@pytest.mark.parametrize("task", ["denoise", "brighten"])
def test_strength_is_how_far_the_result_is_from_the_picture(edgevision, write_restorer, photos, tmp_path, task):
    model, made = write_restorer(task), {}
    for strength in ("0", "0.5", "1"):
        path = tmp_path / f"{strength}.png"
        command = ("run", task, photos / "a.png", "-m", model, "-o", path, "-q", "--strength", strength)
        assert edgevision(*command)[0] == 0
        made[strength] = pixels_of(path).astype(float)
    np.testing.assert_array_equal(made["0"], pixels_of(photos / "a.png"))
    np.testing.assert_allclose(made["0.5"], (made["0"] + made["1"]) / 2, atol=1.01)
    assert np.abs(made["1"] - made["0"]).max() > 20


def test_the_only_picture_being_damaged_is_one_line(edgevision, write_restorer, photos):
    code, out, err = edgevision("run", "denoise", photos / "c.jpg", "-m", write_restorer("denoise"), "-q")
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert "c.jpg' is damaged or cut off" in err


def test_resuming_does_only_what_is_missing(edgevision, write_restorer, photos, tmp_path):
    model, results = write_restorer("denoise"), tmp_path / "results"
    edgevision("run", "denoise", photos, "-m", model, "-o", results)
    (results / "b.png").unlink()
    before = (results / "a.png").stat().st_mtime_ns
    code, out, err = edgevision("run", "denoise", photos, "-m", model, "-o", results, "--resume")
    assert code == 1  # the damaged picture is tried again
    assert out.splitlines() == [str(results / "b.png")]
    assert "1 of 2 pictures failed" in err
    assert (results / "a.png").stat().st_mtime_ns == before
    (photos / "c.jpg").unlink()
    code, out, err = edgevision("run", "denoise", photos, "-m", model, "-o", results, "--resume", "--json")
    assert (code, json.loads(out)["skipped"], json.loads(out)["results"]) == (0, 4, [])


def test_where_all_is_done_already_that_is_said_and_no_model_is_loaded(edgevision, photo, tmp_path):
    arguments = ("run", "denoise", photo, "-m", tmp_path / "nowhere.onnx", "-o", tmp_path / "out.png", "--resume")
    (tmp_path / "out.png").touch()
    assert edgevision(*arguments) == (0, "", "skipping 1 of 1 pictures, which are done already\n")
    assert edgevision(*arguments, "--quiet") == (0, "", "")


def test_without_a_place_a_jpeg_gives_a_jpeg_of_the_quality_asked_for(edgevision, write_restorer, tmp_path):
    model = write_restorer("denoise")
    sizes = []
    for quality in (30, 95):
        Image.fromarray(noise()).save(tmp_path / f"{quality}.jpg")
        code, out, _ = edgevision("run", "denoise", tmp_path / f"{quality}.jpg", "-m", model, "--quality", quality)
        result = tmp_path / f"{quality}-denoised.jpg"
        assert (code, out) == (0, f"{result}\n")
        with Image.open(result) as image:
            assert image.format == "JPEG"
        sizes.append(result.stat().st_size)
    assert sizes[0] < sizes[1]


def test_before_and_after_are_compared(edgevision, write_restorer, photo, photos, tmp_path):
    model = write_restorer("upscale")
    edgevision("run", "upscale", photo, "-m", model, "-o", tmp_path / "out.png", "--compare", tmp_path / "both.png")
    both = pixels_of(tmp_path / "both.png")
    assert both.shape == (40, 60 + 8 + 60, 3)
    np.testing.assert_array_equal(both[:, 68:], pixels_of(tmp_path / "out.png"))
    (photos / "c.jpg").unlink()
    code, _, _ = edgevision(
        "run", "upscale", photos, "-m", model, "-o", tmp_path / "out", "--compare", tmp_path / "both"
    )
    assert code == 0
    assert (tmp_path / "both/deep/e.png").is_file()


def test_the_mask_is_shown_in_the_comparison(edgevision, write_restorer, photo, mask, tmp_path):
    path, holes = mask
    edgevision("run", "inpaint", photo, path, "-m", write_restorer("inpaint"), "--compare", tmp_path / "both.png")
    both = pixels_of(tmp_path / "both.png")
    assert both.shape == (20, 3 * 30 + 2 * 8, 3)
    np.testing.assert_array_equal(both[:, 38:68, 0] == 255, holes)


def test_json_is_one_document_on_standard_output_and_nothing_else(edgevision, write_restorer, photos, tmp_path):
    (photos / "c.jpg").unlink()
    model = write_restorer("denoise")
    code, out, err = edgevision("run", "denoise", photos, "-m", model, "-o", tmp_path / "results", "--json")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert document["schema_version"] == 1
    assert (document["name"], document["device"], document["skipped"]) == ("blur", "cpu", 0)
    assert document["results"][-1] == {
        "input": str(photos / "deep/e.png"),
        "output": str(tmp_path / "results/deep/e.png"),
    }
    assert document["failures"] == []


def test_a_bad_file_is_in_the_json_too(edgevision, write_restorer, photos, tmp_path):
    code, out, _ = edgevision("run", "denoise", photos, "-m", write_restorer("denoise"), "-o", tmp_path / "r", "--json")
    document = json.loads(out)
    assert code == 1
    assert len(document["results"]) == 4
    assert [failure["input"] for failure in document["failures"]] == [str(photos / "c.jpg")]


def test_standard_input_is_a_picture(edgevision, write_restorer, photo, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(photo.read_bytes())))
    code, _, _ = edgevision("run", "denoise", "-", "-m", write_restorer("denoise"), "-o", tmp_path / "out.png")
    assert code == 0
    np.testing.assert_allclose(pixels_of(tmp_path / "out.png"), blurred(noise()), atol=0.51)


def test_cmyk_becomes_rgb(edgevision, write_restorer, tmp_path):
    flat = Image.new("RGB", (30, 20), (200, 100, 50)).convert("CMYK")
    flat.save(tmp_path / "print.jpg", quality=100)
    code, _, _ = edgevision("run", "upscale", tmp_path / "print.jpg", "-m", write_restorer("upscale"))
    assert code == 0
    result = pixels_of(tmp_path / "print-upscaled.jpg")
    np.testing.assert_allclose(result, np.broadcast_to([200, 100, 50], (40, 60, 3)), atol=4)


@pytest.mark.parametrize("transparent", [False, True])
def test_a_palette_becomes_colours(edgevision, write_restorer, tmp_path, transparent):
    image = Image.new("P", (30, 20), 1)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.save(tmp_path / "few.png", **({"transparency": 1} if transparent else {}))
    edgevision("run", "upscale", tmp_path / "few.png", "-m", write_restorer("upscale"))
    result = pixels_of(tmp_path / "few-upscaled.png")
    assert result.shape == (40, 60, 4 if transparent else 3)
    np.testing.assert_array_equal(result[0, 0], [200, 100, 50, 0][: result.shape[2]])


def test_gray_stays_gray_and_16_bits_stay_16_bits(edgevision, write_restorer, tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, (20, 30), dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    Image.fromarray(noise(channels=1)).save(tmp_path / "gray.png")
    model = write_restorer("upscale")
    for name in ("deep", "gray"):
        assert edgevision("run", "upscale", tmp_path / f"{name}.png", "-m", model)[0] == 0
    np.testing.assert_array_equal(pixels_of(tmp_path / "deep-upscaled.png")[::2, ::2], deep)
    np.testing.assert_array_equal(pixels_of(tmp_path / "gray-upscaled.png")[::2, ::2], noise(channels=1))


def test_quality_changes_the_size_of_a_jpeg(edgevision, write_restorer, photo, tmp_path):
    model, sizes = write_restorer("denoise"), []
    for quality in (20, 60, 100):
        path = tmp_path / f"{quality}.jpg"
        edgevision("run", "denoise", photo, "-m", model, "-o", path, "--quality", quality)
        sizes.append(path.stat().st_size)
    assert sizes == sorted(set(sizes))


def test_tiles_and_memory_change_nothing_but_the_way(edgevision, write_restorer, photo, tmp_path):
    model = write_restorer("denoise")
    results = []
    for number, options in enumerate([("--tile", "off"), ("--tile", "8"), ("--memory", "1KB")]):
        path = tmp_path / f"{number}.png"
        assert edgevision("run", "denoise", photo, "-m", model, "-o", path, *options)[0] == 0
        results.append(pixels_of(path).astype(int))
    np.testing.assert_allclose(results[1], results[0], atol=1)
    np.testing.assert_allclose(results[2], results[0], atol=1)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("denoise", "PHOTO", "-m", "DENOISE", "-o", "OLD"), 2, "exists already; --force overwrites it"),
        (("denoise", "PHOTO", "-m", "DENOISE", "-o", "PHOTO", "--force"), 2, "is an input, which is never overwritten"),
        (("denoise", "PHOTO", "PHOTO", "-m", "DENOISE"), 2, "name the folder for the results with -o"),
        (("denoise", "PHOTO", "-m", "UPSCALE"), 2, "is for upscale, not for denoise"),
        (("inpaint", "PHOTO", "PHOTO", "-m", "DENOISE"), 2, "is for denoise, not for inpaint"),
        (("brighten", "PHOTO", "-m", "INPAINT"), 2, "is for inpaint, not for brighten"),
        (("denoise", "PHOTO", "-m", "CLASSIFY"), 2, "is for classify, not for denoise"),
        (("classify", "PHOTO", "-m", "DENOISE"), 2, "is for denoise, not for classify"),
        (("denoise", "PHOTO", "-m", "missing.onnx"), 2, "'missing.onnx' does not exist"),
        (("denoise", "PHOTO", "-m", "DENOISE", "--device", "tpu"), 3, "no device 'tpu'"),
        (("denoise", "PHOTO", "-m", "DENOISE", "--tile", "many"), 2, "--tile is auto, off or a number of pixels"),
        (("denoise", "PHOTO", "-m", "DENOISE", "--tile", "3"), 2, "--tile must be at least 4"),
        (("denoise", "PHOTO", "-m", "DENOISE", "--memory", "some"), 2, "--memory is a size as 512MB or 1GB"),
        (("upscale", "PHOTO", "-m", "UPSCALE", "--scale", "2"), 2, "a --model has its own scale"),
        (("upscale", "PHOTO", "--scale", "3"), 2, "no model ships for upscale by 3"),
        (("inpaint", "PHOTO", "-m", "INPAINT"), 2, "--mask-from-alpha takes the mask"),
        (("inpaint", "PHOTO", "PHOTO", "-m", "INPAINT", "-o", "OLD"), 2, "exists already"),
        (("inpaint", "PHOTO", "MASK", "-m", "INPAINT", "-o", "MASK", "--force"), 2, "never overwritten"),
        (("inpaint", "PHOTO", "--mask-from-alpha", "-m", "INPAINT"), 1, "no transparency to take the mask from"),
        (("inpaint", "PHOTO", "WHITE", "-m", "INPAINT"), 1, "covers the whole picture"),
        (("inpaint", "PHOTO", "SQUARE", "-m", "INPAINT"), 1, "the proportions do not match"),
        (("inpaint", "PHOTO", "nowhere.png", "-m", "INPAINT"), 1, "'nowhere.png' does not exist"),
    ],
)
def test_a_wrong_command_is_one_or_two_lines_with_the_right_code(
    edgevision, write_restorer, write_colours, photo, mask, tmp_path, arguments, code, message
):
    Image.new("L", (30, 20), 255).save(tmp_path / "white.png")
    Image.new("L", (20, 20), 255).save(tmp_path / "square.png")
    (tmp_path / "old.png").write_bytes(b"old")
    words = {"PHOTO": photo, "MASK": mask[0], "CLASSIFY": write_colours()}
    words |= {name.upper(): tmp_path / f"{name}.png" for name in ("white", "square", "old")}
    words |= {name: write_restorer(name.lower()) for name in ("DENOISE", "UPSCALE", "INPAINT") if name in arguments}
    untouched = photo.read_bytes(), mask[0].read_bytes()
    found, out, err = edgevision("run", *(words.get(word, word) for word in arguments), "-q")
    assert (found, out) == (code, "")
    assert err.startswith("error: ")
    assert message in err
    assert len(err.splitlines()) <= 2
    assert (photo.read_bytes(), mask[0].read_bytes()) == untouched
    assert (tmp_path / "old.png").read_bytes() == b"old"
    assert not list(tmp_path.glob("photo-*"))


def test_what_exists_is_overwritten_by_force(edgevision, write_restorer, photo, tmp_path):
    (tmp_path / "old.png").write_bytes(b"old")
    code, _, _ = edgevision(
        "run", "denoise", photo, "-m", write_restorer("denoise"), "-o", tmp_path / "old.png", "--force"
    )
    assert code == 0
    assert pixels_of(tmp_path / "old.png").shape == (20, 30, 3)


def test_a_missing_mask_for_one_of_several_is_reported_and_the_rest_is_done(
    edgevision, write_restorer, photos, mask, tmp_path
):
    (photos / "c.jpg").unlink()
    masks = tmp_path / "masks"
    (masks / "deep").mkdir(parents=True)
    for name in ("a.png", "d.png", "deep/e.png"):
        (masks / name).write_bytes(mask[0].read_bytes())
    results = tmp_path / "results"
    code, out, err = edgevision("run", "inpaint", photos, masks, "-m", write_restorer("inpaint"), "-o", results)
    assert code == 1
    assert out.splitlines() == [str(results / name) for name in ("a.png", "d.png", "deep/e.png")]
    assert "b.png: " in err
    assert "holds no mask of that name" in err
    assert "1 of 4 pictures failed" in err
    np.testing.assert_array_equal(pixels_of(results / "deep/e.png"), np.where(mask[1][:, :, None], 255, noise()))


@pytest.mark.parametrize("problem", ["white", "square"])
def test_the_picture_whose_mask_is_wrong_is_named(edgevision, write_restorer, photos, mask, tmp_path, problem):
    (tmp_path / "masks").mkdir()
    for name in ("a", "b", "d"):
        (tmp_path / "masks" / f"{name}.png").write_bytes(mask[0].read_bytes())
    Image.new("L", (30, 20) if problem == "white" else (20, 20), 255).save(tmp_path / "masks/b.png")
    words = [photos / f"{name}.png" for name in ("a", "b", "d")]
    model = write_restorer("inpaint")
    code, _, err = edgevision("run", "inpaint", *words, tmp_path / "masks", "-m", model, "-o", tmp_path / "r", "-q")
    assert code == 1
    (line,) = [line for line in err.splitlines() if line.startswith("failed: ")]
    assert "b.png" in line


def test_a_full_disk_ends_with_1_and_leaves_nothing_half_written(edgevision, write_restorer, photos, tmp_path):
    (photos / "c.jpg").unlink()
    Image.fromarray(noise(300, 300)).save(photos / "b.png")
    model, results = write_restorer("denoise"), tmp_path / "results"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        code, _, err = edgevision("run", "denoise", photos, "-m", model, "-o", results, "-q")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == 1
    assert err.splitlines() == [
        f"error: no space left to write {str(results / 'b.png')!r}; nothing was kept, free some space and run again"
    ]
    left = [path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file()]
    assert "a.png" in left
    assert "b.png" not in left
    for name in left:
        assert pixels_of(results / name).shape == (20, 30, 3)


def test_evaluate_prints_the_figures_before_and_after(edgevision, write_restorer, tmp_path):
    (tmp_path / "good").mkdir()
    Image.new("RGB", (60, 50), (120, 130, 140)).save(tmp_path / "good/a.png")
    model = write_restorer("denoise")
    code, out, _ = edgevision("evaluate", model, tmp_path / "good", "--sigma", 10)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "denoise.onnx on good, 1 picture"
    assert lines[1].split()[:2] == ["before", "restored"]
    assert "sigma 10" in lines[1]
    name, before, restored, unit = lines[2].split()
    assert (name, unit) == ("psnr", "dB")
    assert float(before) == pytest.approx(20 * np.log10(255 / 10), abs=0.3)
    assert float(restored) != float(before)
    code, out, err = edgevision("evaluate", model, tmp_path / "good", "--sigma", 10, "--json")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert document["figures"]["psnr"] == pytest.approx(float(restored), abs=1e-3)
    assert document["before"]["psnr"] == pytest.approx(float(before), abs=1e-3)
    assert document["pictures"][0]["name"] == "a.png"


@pytest.mark.parametrize("task", ["inpaint", "upscale", "brighten"])
def test_evaluate_measures_every_kind_of_restoration(edgevision, write_restorer, tmp_path, task):
    (tmp_path / "good").mkdir()
    y, x = np.mgrid[:60, :80]
    Image.fromarray(np.dstack([x + 50, y + 50, x + y]).astype(np.uint8)).save(tmp_path / "good/a.png")
    code, out, _ = edgevision("evaluate", write_restorer(task), tmp_path / "good", "--holes", "boxes", "-q")
    assert code == 0
    figures = {line.split()[0] for line in out.splitlines()[2:]}
    assert figures == {"psnr", "ssim"} | ({"psnr_y", "psnr_y_studio"} if task == "upscale" else set())


def test_evaluate_of_a_restorer_with_a_damaged_picture_ends_with_1(edgevision, write_restorer, photos):
    code, out, err = edgevision("evaluate", write_restorer("denoise"), photos, "-q")
    assert code == 1
    assert "4 pictures" in out
    assert "c.jpg" in err


def test_the_json_of_a_perfect_result_is_still_json(edgevision, write_restorer, tmp_path):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    (tmp_path / "good").mkdir()
    Image.new("RGB", (60, 50), (120, 130, 140)).save(tmp_path / "good/a.png")
    code, out, _ = edgevision("evaluate", write_restorer("upscale"), tmp_path / "good", "--json")
    assert code == 0
    assert json.loads(out, parse_constant=refuse)["images"] == 1


@pytest.mark.parametrize(("text", "pixels"), [("auto", None), ("off", 0), ("256", 256)])
def test_a_tile_is_auto_off_or_a_number(text, pixels):
    assert parse_tile(text) == pixels


@pytest.mark.parametrize("text", ["0", "-5", "1.5", "", "big", "256px", "²"])
def test_a_tile_of_anything_else_is_refused(text):
    with pytest.raises(InputError, match="--tile is auto, off or a number of pixels"):
        parse_tile(text)
