"""The verbs cutout, remove and replace, as they are typed."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from edgevision.cli.app import main
from edgevision.imaging.pictures import Picture


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The exit code, standard output and standard error of a verb."""

    def call(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["run", *map(str, words)])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


Run = Callable[..., tuple[int, str, str]]
Write = Callable[..., Path]


def test_a_person_is_cut_out_and_a_jpeg_becomes_a_png(run: Run, segmenter: Path, write_picture: Write) -> None:
    exif = Image.Exif()
    exif[271] = "maker"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = write_picture("photo.jpg", quality=95, exif=exif, icc_profile=profile)
    code, out, err = run("cutout", photo, "-m", segmenter)
    assert (code, out.strip()) == (0, str(photo.with_name("photo-cutout.png")))
    assert "no transparency: their results are PNG" in err
    with Image.open(out.strip()) as cut:
        assert cut.mode == "RGBA"
        assert cut.info["icc_profile"] == profile
        assert cut.getexif()[271] == "maker"
        alpha = np.asarray(cut)[:, :, 3]
    assert alpha[40, 32] == 255
    assert alpha[90, 10] == 0


def test_only_one_of_them_where_a_point_says_so(run: Run, segmenter: Path, write_picture: Write) -> None:
    photo = write_picture()
    assert run("cutout", photo, "-m", segmenter, "--point", "90,50", "-o", photo.with_name("one.png"))[0] == 0
    alpha = np.asarray(Image.open(photo.with_name("one.png")))[:, :, 3]
    assert alpha[50, 90] == 255
    assert alpha[40, 32] == 0


def test_backgrounds_and_the_matte_alone(run: Run, segmenter: Path, write_picture: Write, tmp_path: Path) -> None:
    photo, behind = write_picture(), write_picture("behind.png", np.full((10, 10, 3), 77, np.uint8))
    for value, corner in (("#0a141e", [10, 20, 30]), (behind, [77, 77, 77])):
        assert run("cutout", photo, "-m", segmenter, "-b", value, "-o", tmp_path / "on.jpg", "--force")[0] == 0
        pixels = np.asarray(Image.open(tmp_path / "on.jpg")).astype(int)
        assert np.abs(pixels[0, 0] - corner).max() < 4
        assert pixels[40, 32].min() > 230
    assert run("cutout", photo, "-m", segmenter, "-b", "blur", "-o", tmp_path / "blur.png")[0] == 0
    blurred = np.asarray(Image.open(tmp_path / "blur.png"))
    assert blurred[80:, :60].std() < 4
    assert run("cutout", photo, "-m", segmenter, "--mask-only", "-o", tmp_path / "matte.png")[0] == 0
    matte = Image.open(tmp_path / "matte.png")
    assert (matte.mode, matte.getextrema()) == ("L", (0, 255))


def test_a_folder_is_done_and_says_where_nobody_was_found(
    run: Run, segmenter: Path, write_picture: Write, tmp_path: Path
) -> None:
    write_picture("in/a.png")
    write_picture("in/deep/b.png")
    write_picture("in/c.png", np.zeros((50, 60, 3), np.uint8))
    code, out, err = run("cutout", tmp_path / "in", "-m", segmenter, "-o", f"{tmp_path / 'out'}/", "--json")
    document: dict[str, Any] = json.loads(out)
    assert code == 1
    assert document["models"]["segmenter"]["name"] == "bright"
    assert [Path(result["output"]).relative_to(tmp_path / "out") for result in document["results"]] == [
        Path("a.png"),
        Path("deep/b.png"),
    ]
    assert "c.png: no person was found in it" in err
    assert not (tmp_path / "out/c.png").exists()
    assert run("cutout", tmp_path / "in/c.png", "-m", segmenter, "-o", tmp_path / "c.png")[0] == 1


def test_masks_and_earlier_results_in_a_folder_are_no_pictures(
    run: Run, segmenter: Path, write_picture: Write, tmp_path: Path
) -> None:
    def done(*more: object) -> tuple[list[str], str]:
        _, out, err = run("cutout", tmp_path / "in", "-o", f"{tmp_path / 'out'}/", "--json", "--force", *more)
        inputs = [Path(result["input"]) for result in json.loads(out)["results"]]
        return [path.relative_to(tmp_path / "in").as_posix() for path in inputs], err

    write_picture("in/a.jpg")
    write_picture("in/b.jpg")
    assert run("cutout", tmp_path / "in/a.jpg", "-m", segmenter)[0] == 0  # in/a-cutout.png
    write_picture("in/masks/m.jpg", np.full((96, 128, 3), 255, np.uint8))
    inputs, err = done("--mask", tmp_path / "in/masks/m.jpg")
    assert inputs == ["a.jpg", "b.jpg"]
    assert "1 of 4 pictures are left out: they are masks of others" in err
    (tmp_path / "in/a-cutout.png").unlink()
    (tmp_path / "in/masks/m.jpg").unlink()
    for name in "ab":
        write_picture(f"in/{name}.png", np.full((96, 128, 3), 255, np.uint8))  # beside NAME.jpg
    assert done("-m", segmenter)[0] == ["a.jpg", "b.jpg"]


def test_a_picture_goes_through_a_pipe(run_python: Any, segmenter: Path, write_picture: Write, tmp_path: Path) -> None:
    import subprocess
    import sys

    photo = write_picture()
    done = subprocess.run(
        [sys.executable, "-m", "edgevision", "run", "cutout", "-", "-m", segmenter],
        input=photo.read_bytes(),
        capture_output=True,
        check=True,
    )
    assert Image.open(io.BytesIO(done.stdout)).mode == "RGBA"


def test_removing_leaves_every_other_pixel_as_it_was(run: Run, segmenter: Path, write_picture: Write) -> None:
    photo = write_picture()
    empty = photo.with_name("empty.png")
    code, _, err = run("remove", photo, "--class", "person", "--segmenter", segmenter, "-o", empty)
    assert code == 0
    assert "bright on cpu" in err
    assert "inpaint" in err
    before, after = np.asarray(Image.open(photo)), np.asarray(Image.open(empty))
    assert after.max() < 150
    changed = (before != after).any(axis=2)
    # The masks of 32 pixels are grown by 2 and a network's cell of 4.
    allowed = np.zeros_like(changed)
    allowed[18:62, 10:54] = allowed[34:78, 74:118] = True
    assert not changed[~allowed].any()


def test_a_box_a_point_and_a_mask_are_removed(run: Run, segmenter: Path, write_picture: Write, tmp_path: Path) -> None:
    photo = write_picture()
    white = np.zeros((96, 128), np.uint8)
    white[24:56, 16:48] = 255
    mask = write_picture("mask.png", white)
    for number, words in enumerate((["--box", "16,24,48,56"], ["--mask", mask], ["--point", "30,40", "-m", segmenter])):
        target = tmp_path / f"{number}.png"
        assert run("remove", photo, *words, "-o", target)[0] == 0
        after = np.asarray(Image.open(target))
        assert after[:, :64].max() < 150
        assert after[:, 64:].max() == 250


def test_another_is_put_in_its_place_and_on_the_ground(
    run: Run, segmenter: Path, write_picture: Write, tmp_path: Path
) -> None:
    photo = write_picture()
    green = np.zeros((40, 20, 4), np.uint8)
    green[4:36, 2:18] = (0, 200, 0, 255)
    other = write_picture("green.png", green)
    words = ["replace", photo, "--with", other, "--blend", "alpha"]
    target = tmp_path / "replaced.png"
    assert run(*words, "--point", "30,40", "-m", segmenter, "-o", target)[0] == 0
    pixels = np.asarray(Image.open(target)).astype(int)
    is_green = pixels[:, :, 1] - pixels[:, :, 0] > 100
    rows, columns = (np.flatnonzero(is_green.any(axis=axis)) for axis in (1, 0))
    assert abs(rows[0] - 24) <= 2
    assert abs(rows[-1] - 55) <= 2
    assert abs(columns.mean() - 31.5) <= 2
    assert run(*words, "--at", "64,20", "--scale", "0.5", "-o", target, "--force")[0] == 0
    pixels = np.asarray(Image.open(target)).astype(int)
    assert (pixels[13:27, 61:67, 1] > 190).all()
    np.testing.assert_array_equal(pixels[40:], np.asarray(Image.open(photo))[40:])


def test_the_person_of_another_photograph_is_put_in(
    run: Run, segmenter: Path, write_picture: Write, tmp_path: Path, pixels: np.ndarray
) -> None:
    photo, other = write_picture("dark.png", np.full((96, 128, 3), 40, np.uint8)), write_picture("other.png")
    code, out, _ = run("replace", photo, "--with", other, "-m", segmenter, "-o", tmp_path / "both.png", "--json")
    assert code == 0
    assert json.loads(out)["models"].keys() == {"segmenter"}
    assert np.asarray(Image.open(tmp_path / "both.png")).max() > 200


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cutout", "photo.png", "-m", "classify"], "is for classify; a model that gives masks is for segment"),
        (["cutout", "photo.png", "-m", "SEGMENTER", "--class", "cat"], "'cat' is no class that 'bright' knows"),
        (["cutout", "photo.png", "-m", "SEGMENTER", "-b", "nocolour"], "--background is a colour, blur or a picture's"),
        (["cutout", "photo.png", "-m", "SEGMENTER", "-b", "red", "--mask-only"], "leave one of them out"),
        (["cutout", "photo.png", "--point", "1", "-m", "SEGMENTER"], "--point is x,y in pixels, as 120,80, not '1'"),
        (["cutout", "photo.png", "--mask", "m.png", "--class", "person"], "--mask says by itself what is meant"),
        (["cutout", "photo.png", "-o", "-", "--json", "--mask", "m.png"], "--json has standard output for itself"),
        (["remove", "photo.png"], "say what is to be removed: --class person, --point x,y"),
        (["remove", "photo.png", "--box", "1,2,3"], "--box is left,top,right,bottom in pixels"),
        (
            ["remove", "photo.png", "--box", "1,2,9,9", "--inpainter", "denoise"],
            "holes are filled by a model for inpaint",
        ),
        (["replace", "photo.png", "--with", "none.png"], "'none.png' does not exist"),
        (["replace", "photo.png", "--with", "photo.png", "--at", "x"], "--at is x,y in pixels"),
    ],
)
def test_what_cannot_be_meant_ends_with_2_and_says_why(
    run: Run, segmenter: Path, write_picture: Write, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    write_picture()
    write_picture("m.png", np.full((96, 128), 255, np.uint8))
    monkeypatch.chdir(segmenter.parent)
    code, out, err = run(*(str(segmenter) if word == "SEGMENTER" else word for word in words))
    assert (code, out) == (2, "")
    assert message in err
    assert "fault of edgevision" not in err


def test_sixteen_bits_and_their_transparency_are_kept(segmenter: Path, pixels: np.ndarray) -> None:
    import edgevision

    deep = pixels.astype(np.uint16) * 257
    with edgevision.load("cutout", segmenter=segmenter) as cut_out:
        cut: Picture = cut_out(deep)
    assert cut.alpha is not None
    assert (cut.pixels.dtype, cut.alpha.dtype) == (np.uint16, np.uint16)
    assert cut.alpha.max() == 65535
