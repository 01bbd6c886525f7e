"""Reading pictures: every mode and orientation upright in 8 bits, every damage one error."""

import io
import logging
import os
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, features

from edgevision.core.errors import ImageError, MissingExtraError
from edgevision.imaging.images import decode, read_image, to_array
from edgevision.modelfiles.metadata import Color

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "I;16", "I")


def noise(height: int, width: int, *channels: int) -> NDArray[np.uint8]:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, *channels), dtype=np.uint8)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("source", ["path", "text", "bytes", "picture", "array"])
def test_every_kind_of_source_gives_the_same_picture(tmp_path: Path, source: str) -> None:
    pixels = noise(5, 7, 3)
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    given = {
        "path": path,
        "text": str(path),
        "bytes": path.read_bytes(),
        "picture": Image.fromarray(pixels),
        "array": pixels,
    }
    np.testing.assert_array_equal(to_array(read_image(given[source])), pixels)


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, lambda stored: stored),
        (2, lambda stored: stored[:, ::-1]),
        (3, lambda stored: stored[::-1, ::-1]),
        (4, lambda stored: stored[::-1]),
        (5, lambda stored: stored.transpose(1, 0, 2)),
        (6, lambda stored: np.rot90(stored, -1)),
        (7, lambda stored: np.rot90(stored, 2).transpose(1, 0, 2)),
        (8, lambda stored: np.rot90(stored, 1)),
    ],
)
def test_the_exif_orientation_is_applied(orientation: int, upright) -> None:
    stored = noise(4, 6, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = read_image(encoded(Image.fromarray(stored), "PNG", exif=exif))
    np.testing.assert_array_equal(to_array(image), upright(stored))
    assert image.getexif().get(0x0112, 1) == 1  # so that nobody turns it twice


def test_16_bit_gray_is_scaled_and_not_clipped() -> None:
    samples = np.array([[0, 257, 128 * 257], [1000, 60000, 65535]], np.uint16)
    image = read_image(encoded(Image.fromarray(samples), "PNG"))
    expected = np.round(samples / 257).astype(np.uint8)
    np.testing.assert_array_equal(to_array(image, Color.GRAY)[:, :, 0], expected)
    np.testing.assert_array_equal(to_array(image), np.repeat(expected[:, :, None], 3, axis=2))


@pytest.mark.parametrize("color", Color)
@pytest.mark.parametrize("mode", ["LA", "RGBA", "P", "RGB", "L"])
def test_transparent_parts_are_shown_on_white(mode: str, color: Color) -> None:
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (40, 40, 40, 255))
    if mode in ("RGB", "L"):  # one value is declared to be transparent (tRNS of PNG)
        data = encoded(image.convert("RGB").convert(mode), "PNG", transparency=(0, 0, 0) if mode == "RGB" else 0)
    else:
        data = encoded(image.convert(mode), "PNG")
    decoded = read_image(data)
    assert decoded.mode == mode
    expected = to_array(Image.fromarray(np.array([[[255] * 3, [40] * 3]], np.uint8)), color)
    assert np.abs(to_array(decoded, color).astype(int) - expected).max() <= 1


def test_half_transparent_is_mixed_with_white() -> None:
    pixels = np.array([[[200, 100, 0, 51]]], np.uint8)
    expected = pixels[0, 0, :3] * (51 / 255) + 255 * (1 - 51 / 255)
    assert np.abs(to_array(read_image(pixels))[0, 0] - expected).max() <= 1


def test_cmyk_becomes_rgb() -> None:
    image = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    pixels = to_array(read_image(encoded(image, "JPEG", quality=95)))
    assert np.abs(pixels.astype(int) - (0, 255, 255)).max() <= 3


@given(st.sampled_from(MODES), st.sampled_from(Color), st.integers(1, 9), st.integers(1, 9))
def test_every_mode_becomes_8_bit_samples(mode: str, color: Color, height: int, width: int) -> None:
    array = to_array(Image.new(mode, (width, height)), color)
    assert array.shape == (height, width, color.channels)
    assert array.dtype == np.uint8


def profile_of_inks(lightness: int) -> bytes:
    """A profile (ICC.1:2001-04, lut8Type) by which all inks give the same gray, of ``lightness`` from 0 to 255."""
    ramp = bytes(range(256))
    matrix = struct.pack(">9i", *(65536 * (place % 4 == 0) for place in range(9)))
    lookup = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + ramp * 4 + bytes([lightness, 128, 128]) * 16 + ramp * 3
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    text = b"text" + bytes(4) + b"none\0"
    described = b"desc" + bytes(4) + struct.pack(">I", 5) + b"inks\0" + bytes(78)
    start, table, body = 132 + 12 * 4, b"", b""
    for name, content in ((b"desc", described), (b"cprt", text), (b"wtpt", white), (b"A2B0", lookup)):
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = struct.pack(
        ">I4sI4s4s4s12s4s", start + len(body), b"", 0x02400000, b"prtr", b"CMYK", b"Lab ", bytes(12), b"acsp"
    )
    header += bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I", 4) + table + body


def test_cmyk_becomes_rgb_by_the_profile_of_its_inks() -> None:
    image = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    decoded = read_image(encoded(image, "TIFF", icc_profile=profile_of_inks(128)))
    assert np.ptp(to_array(decoded)) == 0
    assert abs(int(to_array(decoded)[0, 0, 0]) - 119) <= 2  # half of the lightness
    assert "icc_profile" not in decoded.info


def test_bgr_is_rgb_backwards() -> None:
    pixels = noise(3, 4, 3)
    image = read_image(pixels)
    np.testing.assert_array_equal(to_array(image, Color.BGR), pixels[:, :, ::-1])


def test_gray_is_the_luma_of_bt_601() -> None:
    pixels = noise(6, 5, 3)
    luma = pixels @ np.array([0.299, 0.587, 0.114])
    assert np.abs(to_array(read_image(pixels), Color.GRAY)[:, :, 0] - luma).max() <= 1


def test_floating_point_pictures_are_refused() -> None:
    with pytest.raises(ImageError, match="no defined range"):
        to_array(Image.new("F", (2, 2)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM"])
def test_a_file_cut_off_anywhere_is_an_image_error(kind: str) -> None:
    data = encoded(Image.fromarray(noise(16, 16, 3)), kind)
    for length in range(0, len(data) * 3 // 4, 7):
        with pytest.raises(ImageError):
            read_image(data[:length])


@given(st.sampled_from(["JPEG", "PNG", "BMP", "TIFF", "GIF", "PPM"]), st.data())
def test_changed_bytes_give_a_picture_or_an_image_error(kind: str, draw: st.DataObject) -> None:
    data = bytearray(encoded(Image.fromarray(noise(8, 8, 3)), kind))
    for _ in range(3):
        data[draw.draw(st.integers(0, min(len(data), 150) - 1))] = draw.draw(st.integers(0, 255))
    try:
        image = read_image(bytes(data))
    except ImageError:
        return
    assert image.width > 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_error_names_the_damaged_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"photo.{kind.lower()}"
    data = encoded(Image.fromarray(noise(32, 32, 3)), kind)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError, match=rf"photo\.{kind.lower()}' is damaged or cut off"):
        read_image(path)


def test_text_that_is_called_a_picture_is_not_one(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_text("these are not the pixels you are looking for")
    with pytest.raises(ImageError, match=r"photo\.jpg' is not a picture"):
        read_image(path)


@pytest.mark.parametrize(
    "content",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n",
        b"%PDF-1.4\n",
        b"8BPS\0\1",
        b"PF\n2 2\n-1.0\n",
        b"\0\0\1\0\1\0",
    ],
)
def test_only_the_formats_of_the_table_are_decoded(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: object) -> None:
        raise AssertionError("Pillow was offered the file")

    Image.init()
    for kind in Image.OPEN:
        monkeypatch.setitem(Image.OPEN, kind, (opened, None))
    for name in ("photo.png", "photo.eps", "photo.tif"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ImageError, match=r"not a picture in a format that is read by its content \(PNG, JPEG"):
            read_image(tmp_path / name)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "AVIF", "JPEG2000"])
def test_the_content_decides_and_not_the_name(kind: str, tmp_path: Path) -> None:
    if kind in ("AVIF", "JPEG2000") and not features.check({"AVIF": "avif", "JPEG2000": "jpg_2000"}[kind]):
        pytest.skip(f"this Pillow has no {kind}")
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(Image.new("RGB", (32, 24), (200, 40, 90)), kind))
    assert np.abs(to_array(read_image(path)).astype(int) - (200, 40, 90)).max() <= 5


def test_a_format_that_pillow_was_built_without_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda feature: feature != "avif")
    with pytest.raises(ImageError, match=r"is AVIF, which this machine's Pillow was built without; .*pip install"):
        read_image(b"\0\0\0\x1cftypavif" + bytes(40))


@pytest.mark.parametrize("brands", [b"heic\0\0\0\0mif1heic", b"mif1\0\0\0\0mif1miafheic"])
def test_a_telephones_picture_without_its_extra_says_how_to_install_it(
    brands: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(MissingExtraError, match=r"\[heif\]"):
        read_image(b"\0\0\0\x20ftyp" + brands + bytes(40))


def test_a_telephones_picture_is_read() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    stream = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (32, 24), (200, 40, 90))).save(stream, quality=95)
    assert np.abs(to_array(read_image(stream.getvalue())).astype(int) - (200, 40, 90)).max() <= 5


@pytest.mark.parametrize(
    ("kind", "word"), [("GIF", "frames"), ("WEBP", "frames"), ("PNG", "frames"), ("TIFF", "pages")]
)
def test_more_than_one_frame_is_said_once(kind: str, word: str, caplog: pytest.LogCaptureFixture) -> None:
    frames = [Image.new("L", (8, 8), value) for value in (0, 100, 200)]
    several = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    for _ in range(2):
        assert np.abs(to_array(read_image(several, name=kind))).max() <= 2
    read_image(encoded(frames[0], kind))
    assert [record.getMessage() for record in caplog.records] == [f"{kind} has several {word}, only the first is read"]


def tiff(samples: NDArray[np.generic], bits: int, photometric: int, sample_format: int = 1, order: str = "<") -> bytes:
    """One uncompressed strip of gray."""
    data = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    height, width = samples.shape
    entries = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 8), (277, 1)]
    entries += [(278, height), (279, len(data)), (339, sample_format)]
    directory = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in entries)
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8 + len(data))
    return start + data + struct.pack(order + "H", len(entries)) + directory + bytes(4)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 16])
def test_white_as_zero_is_never_read_inverted(bits: int, order: str) -> None:
    gray = (np.arange(48).reshape(6, 8) * 5).astype(np.uint8)
    stored = (255 - gray).astype(np.uint8) if bits == 8 else (65535 - gray.astype(np.uint16) * 257).astype(np.uint16)
    try:
        image = read_image(tiff(stored, bits, 0, order=order))
    except ImageError:
        assert (bits, order) == (16, ">")  # which Pillow does not read at all
        return
    np.testing.assert_array_equal(to_array(image, Color.GRAY)[:, :, 0], gray)


def test_signed_samples_are_refused_unless_none_is_negative() -> None:
    ramp = np.arange(48).reshape(6, 8)
    with pytest.raises(ImageError, match="signed samples"):
        read_image(tiff(ramp.astype(np.int8), 8, 1, 2))
    with pytest.raises(ImageError, match=r"must lie in 0\.\.65535, not in -9"):
        read_image(tiff((ramp - 9).astype(np.int16), 16, 1, 2))
    assert read_image(tiff(ramp.astype(np.int16), 16, 1, 2)).mode == "I;16"


def png(depth: int, colour_type: int, row: bytes, width: int, transparent: bytes) -> bytes:
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, 1, depth, colour_type, 0, 0, 0)), (b"tRNS", transparent))
    chunks += ((b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b""))
    packed = (
        struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks if d or k == b"IEND"
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


@pytest.mark.parametrize(
    ("depth", "row", "value"),
    [(1, b"\x40", 1), (2, b"\x10", 1), (4, b"\x03\x00", 3), (8, b"\x00\x03\x00\x00", 3), (16, b"\0\0\0\3\0\0\0\0", 3)],
)
def test_the_gray_that_stands_for_transparent_is_that_of_the_file(depth: int, row: bytes, value: int) -> None:
    image = read_image(png(depth, 0, row, 4, struct.pack(">H", value)))
    assert to_array(image, Color.GRAY).ravel().tolist() == [0, 255, 0, 0]


def test_more_bits_than_are_read_are_known() -> None:
    pixel = struct.pack(">3H", 0x1234, 0x5678, 0x9ABC)
    assert decode(png(16, 2, pixel, 1, b"")).lost == ("read with 8 bits a sample, only gray keeps 16",)
    assert len(decode(png(16, 2, pixel, 1, pixel)).lost) == 2
    assert decode(png(8, 2, pixel[:3], 1, b"")).lost == decode(png(16, 0, pixel[:2], 1, b"")).lost == ()
    deep = decode(png(16, 4, pixel[:4], 1, b""))
    assert (deep.image.mode, len(deep.lost)) == ("LA", 1)
    assert len(decode(b"P6 1 1 65535\n" + pixel).lost) == 1


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_texts_that_unpack_to_too_much_do_not_cost_the_picture(kind: bytes, caplog: pytest.LogCaptureFixture) -> None:
    packed = zlib.compress(bytes(3 << 20), 9)
    content = {b"zTXt": b"k\0\0", b"iTXt": b"XML:com.adobe.xmp\0\1\0\0\0", b"iCCP": b"k\0\0"}[kind] + packed
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    whole = encoded(Image.new("L", (4, 4), 70), "PNG")
    image = read_image(whole[:33] + chunk + whole[33:], name=f"{kind!r}")
    assert np.unique(to_array(image)).tolist() == [70]
    (remark,) = (record.getMessage() for record in caplog.records)
    assert remark == f"{kind!r}: its texts and colour profile are damaged or too large, left out"


def test_a_jpeg_of_very_many_scans_is_refused() -> None:
    whole = encoded(Image.fromarray(noise(32, 32, 3)), "JPEG", progressive=True)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    for more, following in ((5, b""), (5, b"\xff\xda\0\2" * 500)):  # a film may be appended
        assert read_image(whole[:-2] + last * more + whole[-2:] + following).size == (32, 32)
    with pytest.raises(ImageError, match="more than 100 scans"):
        read_image(whole[:-2] + last * 100 + whole[-2:])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("tag", [273, 324])
def test_a_tiff_of_very_many_strips_is_refused_before_they_are_read(tag: int, big: bool, order: str) -> None:
    entry = struct.pack(order + ("HHQQ" if big else "HHII"), tag, 4, 10**6, 8)
    directory = struct.pack(order + ("Q" if big else "H"), 1) + entry + bytes(8)
    head = struct.pack(order + ("HHHQ" if big else "HI"), *((43, 8, 0, 16) if big else (42, 8)))
    with pytest.raises(ImageError, match="cut into 1000000 strips or tiles; at most 524288"):
        read_image({"<": b"II", ">": b"MM"}[order] + head + directory)


def test_a_comment_without_end_is_no_header() -> None:
    assert read_image(b"P5 # a comment\n1 # another\n1\n255\n\x07").getpixel((0, 0)) == 7
    with pytest.raises(ImageError, match="not a picture"):
        read_image(b"P5 #" + b"a" * 10_000 + b"\n1 1 255\n\x07")


def test_what_pillow_logs_is_not_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # as on the command line
    entries = [(256, 8), (257, 8), (258, 8), (259, 1), (262, 1), (273, 8), (277, 65535), (278, 8), (279, 64)]
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    with pytest.raises(ImageError, match="TIFF of a sort that is not read"):
        read_image(b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4))
    assert capsys.readouterr().err == ""


def test_damaged_camera_data_do_not_cost_the_picture() -> None:
    for exif in (b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0nonsense", b"Exif\0\0"):
        assert read_image(encoded(Image.new("RGB", (8, 8)), "JPEG", exif=exif)).size == (8, 8)


def test_a_path_without_a_picture_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ImageError, match="is a folder"):
        read_image(tmp_path)
    with pytest.raises(ImageError, match="does not exist"):
        read_image(tmp_path / "missing.png")
    with pytest.raises(ImageError, match="cannot be read: Not a directory"):
        read_image(tmp_path / "file" / "photo.png")
    with pytest.raises(ImageError, match="cannot be read: File name too long"):
        read_image(tmp_path / ("a" * 300))
    with pytest.raises(ImageError, match="not a picture"):
        read_image(b"")


def test_a_decompression_bomb_is_refused() -> None:
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 1, 0, 0, 0, 0)
    chunk = struct.pack(">I", len(header)) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    with pytest.raises(ImageError, match="too large to decode safely"):
        read_image(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + bytes(4))


def test_a_large_picture_below_the_limit_is_no_reason_to_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 60)
    assert read_image(encoded(Image.new("L", (10, 10)), "PNG")).size == (10, 10)


def test_something_else_is_refused() -> None:
    with pytest.raises(TypeError, match="not int"):
        read_image(3)  # type: ignore[arg-type]


@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([(), (1,), (3,)]))
def test_an_array_comes_back_as_it_was(height: int, width: int, channels: tuple[int, ...]) -> None:
    pixels = noise(height, width, *channels)
    color = Color.RGB if channels == (3,) else Color.GRAY
    np.testing.assert_array_equal(to_array(read_image(pixels), color), pixels.reshape(height, width, -1))


def test_a_pipe_or_device_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", Path("/dev/zero")):
        with pytest.raises(ImageError, match=f"'{path}' cannot be read: it is a pipe, a socket or a device"):
            read_image(path)
