"""Pictures come out as they went in, and what a format cannot hold is given up with a remark."""

import io
import logging
import os
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from edgevision.core.errors import ImageError, OutputError
from edgevision.imaging.picture_formats import BMP, JPEG, PNG, TIFF, WEBP, PictureFormat, written_format
from edgevision.imaging.pictures import Picture
from edgevision.metrics.figures import psnr_db

MAKER, ORIENTATION, EXIF_IFD, EXPOSURE = 0x010F, 0x0112, 0x8769, 0x829A
MAKER_NOTE, WIDTH, HEIGHT = 0x927C, 0xA002, 0xA003
PHOTOMETRIC, THRESHHOLDING, ROWS_PER_STRIP, PREDICTOR, COLOUR_MAP, INK_SET = 262, 263, 278, 317, 320, 332
LOSSLESS = (".png", ".tif", ".tiff", ".bmp", ".webp")


def noise(height: int, width: int, *channels: int, dtype: type = np.uint8) -> NDArray[np.uint8]:
    generator = np.random.default_rng(height * 1000 + width)
    return generator.integers(0, np.iinfo(dtype).max + 1, (height, width, *channels), dtype=dtype)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def camera(orientation: int | None = None) -> Image.Exif:
    exif = Image.Exif()
    exif[MAKER] = "Edge"
    exif.get_ifd(EXIF_IFD)[EXPOSURE] = 0.01
    if orientation is not None:
        exif[ORIENTATION] = orientation
    return exif


def remarks(records: Sequence[logging.LogRecord]) -> list[str]:
    return [record.getMessage() for record in records if record.name == "edgevision.imaging.picture_writing"]


def colours_of_lab(image: Image.Image) -> Image.Image:
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    converted = ImageCms.applyTransform(image, ImageCms.buildTransform(*profiles, "RGB", "LAB"))
    assert converted is not None
    return converted


@pytest.fixture(scope="module")
def profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("ending", LOSSLESS)
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_8_bit_pictures_survive_a_round_trip(
    tmp_path: Path, mode: str, ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    channels = len(mode)
    pixels = noise(11, 14, channels)
    if channels in (2, 4):
        pixels[:, :, -1] |= 1  # lossless WebP forgets the colour of what is wholly transparent
    first = Picture.read(encoded(Image.fromarray(pixels if channels > 1 else pixels[:, :, 0])))
    assert (first.height, first.width) == (11, 14)
    assert first.maximum == 255
    gray = mode.startswith("L")
    np.testing.assert_array_equal(first.pixels, pixels[:, :, : 1 if gray else 3])
    assert first.pixels.shape == (11, 14, 1 if gray else 3)
    assert (first.alpha is not None) == mode.endswith("A")
    first.save(tmp_path / f"a{ending}", quality=100)
    again = Picture.read(tmp_path / f"a{ending}")
    if mode.endswith("A") and ending == ".bmp":
        assert len(remarks(caplog.records)) == 1
        return
    assert not remarks(caplog.records)
    # WebP knows no gray.
    np.testing.assert_array_equal(again.pixels, np.broadcast_to(first.pixels, again.pixels.shape))
    if first.alpha is not None:
        np.testing.assert_array_equal(first.alpha, pixels[:, :, -1])
        np.testing.assert_array_equal(again.alpha, first.alpha)


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_16_bit_gray_survives_a_round_trip(tmp_path: Path, ending: str) -> None:
    samples = noise(9, 12, dtype=np.uint16)
    first = Picture.read(encoded(Image.fromarray(samples)))
    assert (first.pixels.dtype, first.pixels.shape, first.maximum) == (np.uint16, (9, 12, 1), 65535)
    np.testing.assert_array_equal(first.pixels[:, :, 0], samples)
    first.save(tmp_path / f"a{ending}")
    np.testing.assert_array_equal(Picture.read(tmp_path / f"a{ending}").pixels, first.pixels)


def test_gray_samples_outside_of_16_bits_are_refused() -> None:
    for value in (-1, 65536):
        with pytest.raises(ImageError, match=rf"must lie in 0\.\.65535, not in {value}"):
            Picture.read(Image.new("I", (2, 2), value))
    assert Picture.read(Image.new("I", (2, 2), 65535)).pixels.dtype == np.uint16


def test_floating_point_pictures_are_refused() -> None:
    with pytest.raises(ImageError, match="no defined range"):
        Picture.read(Image.new("F", (2, 2)))


def test_a_bitmap_becomes_gray() -> None:
    bits = noise(6, 7) > 127
    picture = Picture.read(encoded(Image.fromarray(bits)))
    np.testing.assert_array_equal(picture.pixels[:, :, 0], np.where(bits, 255, 0))
    assert picture.alpha is None


def test_a_palette_with_transparency_becomes_colours_with_alpha() -> None:
    image = Image.fromarray(noise(6, 7) % 3).convert("P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    for transparency in (1, bytes([255, 0, 128])):
        picture = Picture.read(encoded(image, transparency=transparency))
        places = np.asarray(image)
        np.testing.assert_array_equal(picture.pixels, np.eye(3, dtype=np.uint8)[places] * 255)
        opacity = [255, 0, 255] if transparency == 1 else list(transparency)
        np.testing.assert_array_equal(picture.alpha, np.array(opacity, np.uint8)[places])
        again = Picture.read(picture.encode(PNG))
        np.testing.assert_array_equal(again.pixels, picture.pixels)
        np.testing.assert_array_equal(again.alpha, picture.alpha)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_colour_that_stands_for_transparent_becomes_alpha(mode: str) -> None:
    image = Image.new(mode, (3, 1), "white")
    image.putpixel((1, 0), 0 if mode == "L" else (0, 0, 0))
    picture = Picture.read(encoded(image, transparency=0 if mode == "L" else (0, 0, 0)))
    assert picture.pixels.shape == (1, 3, len(mode))
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[255, 0, 255]]


def test_cmyk_becomes_rgb_and_loses_the_profile_of_its_inks(profile: bytes, caplog: pytest.LogCaptureFixture) -> None:
    image = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    caplog.clear()
    picture = Picture.read(encoded(image, "JPEG", quality=95, icc_profile=profile), name="inks")
    assert [record.getMessage() for record in caplog.records] == ["inks is read as RGB instead of CMYK"]
    assert picture.icc_profile is None
    assert np.abs(picture.pixels.astype(int) - (0, 255, 255)).max() <= 3


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".tif"])
def test_the_colour_profile_is_kept(tmp_path: Path, ending: str, profile: bytes) -> None:
    first = Picture.read(encoded(Image.fromarray(noise(8, 8, 3)), icc_profile=profile))
    assert first.icc_profile == profile
    first.save(tmp_path / f"a{ending}")
    assert Picture.read(tmp_path / f"a{ending}").icc_profile == profile


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".tif"])
def test_the_cameras_data_are_kept(tmp_path: Path, ending: str) -> None:
    Picture.read(encoded(Image.fromarray(noise(8, 8, 3)), "JPEG", exif=camera())).save(tmp_path / f"a{ending}")
    with Image.open(tmp_path / f"a{ending}") as image:
        exif = image.getexif()
        assert exif[MAKER] == "Edge"
        assert float(exif.get_ifd(EXIF_IFD)[EXPOSURE]) == pytest.approx(0.01)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_orientation_is_applied_and_not_written_again(tmp_path: Path, kind: str, orientation: int) -> None:
    y, x = np.mgrid[:16, :24]
    stored = np.dstack([x * 10, y * 15, np.full_like(x, 90)]).astype(np.uint8)
    exif = Image.Exif()
    exif[MAKER], exif[ORIENTATION] = "Edge", orientation
    upright = np.rot90(stored, {1: 0, 3: 2, 6: -1, 8: 1}[orientation])
    picture = Picture.read(encoded(Image.fromarray(stored), kind, exif=exif))
    assert psnr_db(upright / 255, picture.pixels / 255) > 30
    picture.save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == upright.shape[1::-1]
        assert ORIENTATION not in image.getexif()
        assert image.getexif()[MAKER] == "Edge"
        np.testing.assert_array_equal(np.asarray(image), picture.pixels)


def test_a_picture_without_camera_data_gets_none(tmp_path: Path) -> None:
    Picture.read(noise(8, 8, 3)).save(tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        assert not image.getexif()
        assert "icc_profile" not in image.info


def test_other_pixels_keep_the_rest(profile: bytes) -> None:
    data = encoded(Image.fromarray(noise(8, 8, 4)), icc_profile=profile, exif=camera())
    first = Picture.read(data)
    other = first.with_pixels(noise(16, 16, 3), None)
    assert (other.height, other.width) == (16, 16)
    assert other.alpha is None
    assert (other.icc_profile, other.exif) == (first.icc_profile, first.exif)
    assert other.exif is not None


@pytest.mark.parametrize("ending", [".jpg", ".webp", ".bmp"])
def test_16_bits_become_8_with_a_remark(tmp_path: Path, ending: str, caplog: pytest.LogCaptureFixture) -> None:
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (32, 1))
    Picture.read(encoded(Image.fromarray(ramp))).save(tmp_path / f"a{ending}", quality=95)
    (remark,) = remarks(caplog.records)
    assert "no 16 bits, written with 8" in remark
    assert f"a{ending}" in remark
    again = Picture.read(tmp_path / f"a{ending}")
    assert again.pixels.dtype == np.uint8
    assert psnr_db(ramp / 65535, again.pixels[:, :, 0] / 255) > 40


def test_of_an_opaque_alpha_nothing_is_lost_and_nothing_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Picture.read(encoded(Image.new("RGBA", (16, 16), (40, 40, 40, 255)))).save(tmp_path / "a.jpg")
    assert not remarks(caplog.records)


@pytest.mark.parametrize("ending", [".jpg", ".bmp"])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_is_laid_on_white_with_a_remark(
    tmp_path: Path, mode: str, ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    channels = len(mode)
    pixels = np.full((16, 16, channels), 40, np.uint8)
    pixels[:8, :, -1] = 255
    pixels[8:, :, -1] = 51
    Picture.read(encoded(Image.fromarray(pixels))).save(tmp_path / f"a{ending}")
    (remark,) = remarks(caplog.records)
    assert "no transparency, laid on white" in remark
    again = Picture.read(tmp_path / f"a{ending}")
    assert again.alpha is None
    expected = np.full_like(again.pixels, 40)
    expected[8:] = round(40 * 0.2 + 255 * 0.8)
    assert psnr_db(expected / 255, again.pixels / 255) > 35


def test_the_format_follows_the_ending(tmp_path: Path) -> None:
    picture = Picture.read(noise(8, 8, 3))
    for ending, kind in {".png": "PNG", ".JPG": "JPEG", ".jpeg": "JPEG", ".tiff": "TIFF", ".bmp": "BMP"}.items():
        path = tmp_path / f"a{ending}"
        assert written_format(path).kind == kind
        picture.save(path)
        with Image.open(path) as image:
            assert image.format == kind


@pytest.mark.parametrize("name", ["a.gif", "a", "a.png.txt", ".png"])
def test_an_unknown_ending_is_refused_and_lists_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"does not end in a format that can be written \(\.png, \.jpg") as caught:
        Picture.read(noise(4, 4)).save(tmp_path / name)
    assert repr(name) in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_higher_quality_is_nearer_to_the_picture() -> None:
    y, x = np.mgrid[:64, :64]
    pixels = np.dstack([x * 4, y * 4, (x ^ y) * 4]).astype(np.uint8)
    picture = Picture.read(pixels)

    def quality(kind: PictureFormat, number: int) -> float:
        return psnr_db(pixels / 255, Picture.read(picture.encode(kind, quality=number)).pixels / 255)

    for kind in (JPEG, WEBP):
        assert quality(kind, 30) < quality(kind, 60) < quality(kind, 95) < quality(kind, 100)


@pytest.mark.parametrize(("ending", "size"), [(".jpg", (65536, 1)), (".jpg", (1, 65536)), (".webp", (16384, 1))])
def test_a_picture_too_large_for_the_format_is_refused_and_an_earlier_file_stays(
    tmp_path: Path, ending: str, size: tuple[int, int]
) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match=rf"a\{ending}: \w+ cannot hold this picture of {size[0]}x{size[1]}"):
        Picture.read(Image.new("L", size)).save(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def exif_of(data: bytes) -> Image.Exif:
    with Image.open(io.BytesIO(data)) as image:
        return image.getexif()


def test_makers_notes_too_long_for_the_format_are_left_out_with_a_remark(caplog: pytest.LogCaptureFixture) -> None:
    exif = camera()
    exif.get_ifd(EXIF_IFD)[MAKER_NOTE] = b"M" * 90_000
    picture = Picture.read(encoded(Image.new("L", (4, 4)), exif=exif))
    kept = exif_of(picture.encode(PNG))
    assert kept.get_ifd(EXIF_IFD)[MAKER_NOTE] == b"M" * 90_000
    assert not remarks(caplog.records)
    written = exif_of(picture.encode(JPEG))
    assert MAKER_NOTE not in written.get_ifd(EXIF_IFD)
    assert written[MAKER] == "Edge"
    (remark,) = remarks(caplog.records)
    assert "JPEG cannot hold the maker's notes and comments" in remark


def test_camera_data_too_long_for_the_format_are_left_out_with_a_remark(caplog: pytest.LogCaptureFixture) -> None:
    exif = Image.Exif()
    exif[MAKER] = "E" * 70_000
    assert not exif_of(Picture.read(encoded(Image.new("L", (4, 4)), exif=exif)).encode(JPEG))
    (remark,) = remarks(caplog.records)
    assert remark.endswith("JPEG cannot hold the camera data, left out")


def test_a_format_without_metadata_says_what_it_leaves_out(profile: bytes, caplog: pytest.LogCaptureFixture) -> None:
    Picture.read(encoded(Image.new("RGB", (4, 4)), exif=camera(), icc_profile=profile)).encode(BMP)
    assert [r.split(": ")[1] for r in remarks(caplog.records)] == [
        "BMP cannot hold the colour profile and the camera data, left out"
    ]


@pytest.mark.parametrize("ending", [".tif", ".png", ".jpg", ".webp"])
@pytest.mark.parametrize("mode", ["P", "CMYK", "LAB", "1", "RGBA"])
def test_tags_that_describe_the_samples_never_travel(tmp_path: Path, mode: str, ending: str) -> None:
    image = Image.fromarray(noise(40, 30, 3))
    image = colours_of_lab(image) if mode == "LAB" else image.convert(mode)
    tags = {MAKER: "Edge", ROWS_PER_STRIP: 1, PREDICTOR: 2, THRESHHOLDING: 1}
    picture = Picture.read(encoded(image, "TIFF", tiffinfo=tags))
    large = picture.with_pixels(
        *(None if p is None else p.repeat(4, 0).repeat(4, 1) for p in (picture.pixels, picture.alpha))
    )
    large.save(tmp_path / f"a{ending}", quality=100)
    with Image.open(tmp_path / f"a{ending}") as written:
        tags = dict(written.getexif())
        assert written.getexif()[MAKER] == "Edge"
        if ending != ".tif":
            assert set(tags) == {MAKER}
        else:
            assert not {PREDICTOR, THRESHHOLDING, COLOUR_MAP, INK_SET} & set(tags)
            assert tags[PHOTOMETRIC] == (1 if mode == "1" else 2)
        assert (
            psnr_db(np.asarray(written.convert("RGB")) / 255, np.asarray(large.to_pillow().convert("RGB")) / 255) > 25
        )


XMP = (
    b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF><rdf:Description tiff:Make='Edge' exif:PixelYDimension='6000'"
    b' tiff:Orientation="6" exif:PixelXDimension="6000" xmp:Rating="5"><tiff:ImageWidth>6000</tiff:ImageWidth>'
    b"<dc:title>Cat</dc:title></rdf:Description></rdf:RDF></x:xmpmeta>"
)


def notes_of(path: Path) -> bytes:
    with Image.open(path) as image:
        image.load()
        notes = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
        return notes.encode() if isinstance(notes, str) else notes


@pytest.mark.parametrize("ending", [".jpg", ".png", ".tif", ".webp"])
def test_the_owners_notes_are_kept_but_for_what_they_say_of_the_samples(tmp_path: Path, ending: str) -> None:
    Image.new("RGB", (6, 4)).save(tmp_path / "first.jpg", xmp=XMP, exif=camera())
    first = Picture.read(tmp_path / "first.jpg")
    assert (first.height, first.width) == (6, 4)  # which is turned, as the notes say
    path = tmp_path / f"a{ending}"
    first.save(path)
    again = Picture.read(path)
    again.save(path)
    notes = notes_of(path)
    assert all(kept in notes for kept in (b"tiff:Make='Edge'", b'xmp:Rating="5"', b"<dc:title>Cat</dc:title>"))
    assert not any(word in notes for word in (b"Orientation", b"6000"))
    with Image.open(path) as image:
        assert image.getexif()[MAKER] == "Edge"


def test_notes_too_long_for_the_format_are_left_out_and_the_camera_data_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Image.new("RGB", (6, 4)).save(tmp_path / "first.webp", xmp=XMP + b" " * 70_000, exif=camera())
    Picture.read(tmp_path / "first.webp").save(tmp_path / "a.jpg")
    assert notes_of(tmp_path / "a.jpg") == b""
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.getexif()[MAKER] == "Edge"
    assert remarks(caplog.records) == ["a.jpg: JPEG cannot hold the notes (XMP), left out"]


def test_the_size_in_the_camera_data_is_that_of_the_result() -> None:
    exif = camera()
    exif.get_ifd(EXIF_IFD).update({WIDTH: 6, HEIGHT: 4})
    picture = Picture.read(encoded(Image.new("RGB", (6, 4)), "JPEG", exif=exif))
    inner = exif_of(picture.with_pixels(noise(8, 12, 3), None).encode(JPEG)).get_ifd(EXIF_IFD)
    assert (inner[WIDTH], inner[HEIGHT]) == (12, 8)


def test_a_profile_of_other_colours_than_the_result_is_left_out_with_a_remark(
    profile: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    picture = Picture.read(encoded(Image.new("L", (4, 4)), icc_profile=profile))
    with Image.open(io.BytesIO(picture.encode(PNG))) as image:
        assert "icc_profile" not in image.info
    (remark,) = remarks(caplog.records)
    assert "PNG cannot hold the colour profile (of other colours), left out" in remark


@pytest.mark.parametrize(("ending", "depth"), [(".png", np.uint16), (".tif", np.uint8), (".webp", np.uint8)])
def test_transparent_16_bit_gray_stays_transparent(
    tmp_path: Path, ending: str, depth: type, caplog: pytest.LogCaptureFixture
) -> None:
    samples = noise(6, 7, dtype=np.uint16)
    samples[:2] = 1234
    picture = Picture.read(encoded(Image.fromarray(samples), transparency=1234))
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, np.where(samples == 1234, 0, 65535))
    picture.save(tmp_path / f"a{ending}", quality=100)
    again = Picture.read(tmp_path / f"a{ending}")
    assert again.pixels.dtype == depth
    np.testing.assert_array_equal(again.alpha, np.where(samples == 1234, 0, np.iinfo(depth).max))
    assert bool(remarks(caplog.records)) == (depth == np.uint8)
    seen = samples != 1234
    np.testing.assert_allclose(again.pixels[seen][:, 0] / np.iinfo(depth).max, samples[seen] / 65535, atol=1 / 255)


@pytest.mark.parametrize(("channels", "kind"), [(1, TIFF), (3, TIFF), (3, WEBP)])
def test_half_transparent_16_bits_are_written_with_8_where_it_cannot_be_helped(
    channels: int, kind: PictureFormat, caplog: pytest.LogCaptureFixture
) -> None:
    samples = noise(6, 7, channels, dtype=np.uint16)
    again = Picture.read(Picture(samples, np.full((6, 7), 32896, np.uint16)).encode(kind, quality=100))
    assert again.alpha is not None
    assert np.unique(again.alpha).tolist() == [128]
    assert "written with 8" in remarks(caplog.records)[0]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("size", [(6, 7), (1, 1), (700, 900)])
def test_a_png_holds_16_bits_of_colours_and_transparency(
    channels: int, transparent: bool, size: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    samples = noise(*size, channels, dtype=np.uint16)
    alpha = noise(*size, 1, dtype=np.uint16)[:, :, 0] if transparent else None
    exif = camera().tobytes()
    data = Picture(samples, alpha, exif=exif).encode(PNG)
    assert not remarks(caplog.records)
    header = struct.unpack(">IIBB", data[16:26])
    assert header == (*size[::-1], 16, (0, 2)[channels == 3] + 4 * transparent)
    caplog.clear()
    again = Picture.read(data)  # of colours the high bytes only
    np.testing.assert_array_equal(again.pixels.astype(int), samples if header[3] == 0 else samples >> 8)
    if alpha is not None:
        assert again.alpha is not None
        np.testing.assert_array_equal(again.alpha, alpha >> 8)
    assert again.exif is not None


@pytest.mark.parametrize("transparent", [False, True])
def test_other_programs_read_all_16_bits(transparent: bool) -> None:
    cv2 = pytest.importorskip("cv2")
    samples = noise(30, 40, 3, dtype=np.uint16)
    alpha = noise(30, 40, 1, dtype=np.uint16)[:, :, 0] if transparent else None
    data = Picture(samples, alpha).encode(PNG)
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read[:, :, 2::-1], samples)
    if alpha is not None:
        np.testing.assert_array_equal(read[:, :, 3], alpha)


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="such files are Linux's")
def test_a_limit_on_the_size_of_files_never_cuts_a_picture() -> None:
    import resource

    picture = Picture(noise(90, 90, 3))
    whole = picture.encode(JPEG)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) // 2, limits[1]))
    try:
        assert picture.encode(JPEG) == whole
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_missing_folder_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        Picture.read(noise(4, 4)).save(tmp_path / "no" / "a.png")


def test_changed_bytes_in_camera_data_give_a_picture_or_an_image_error() -> None:
    generator = np.random.default_rng(0)
    exif = camera().tobytes()
    data = encoded(Image.new("RGB", (8, 8)), "JPEG", exif=exif)
    start = data.index(exif) + 6
    read = 0
    for _ in range(200):
        damaged = bytearray(data)
        for place in generator.integers(start, start + len(exif) - 6, 3):
            damaged[place] = generator.integers(256)
        try:
            picture = Picture.read(bytes(damaged))
        except ImageError:
            continue
        assert Picture.read(picture.encode(PNG)).pixels.shape[:2] == (8, 8)
        read += 1
    assert read > 50
