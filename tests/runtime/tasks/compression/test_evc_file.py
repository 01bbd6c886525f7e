"""The file of a compressed picture: all of it comes back, and nothing else is taken for one."""

import struct
import zlib

import numpy as np
import pytest

from edgevision.core.errors import ImageError, TooLargeError
from edgevision.runtime.tasks.compression.evc_file import EvcFile

NAME = "0123456789abcdef"


def file(**changes):
    values = {"codec": NAME, "quality": 1, "height": 30, "width": 50, "gray": False, "deep": False, "symbols": b"abcd"}
    return EvcFile(**(values | changes))


def changed(content, place, new):
    """With other bytes in the header, and the checksum that belongs to them."""
    header = bytearray(content[:32])
    header[place : place + len(new)] = new
    return bytes(header) + struct.pack("<I", zlib.crc32(content[36:], zlib.crc32(header))) + content[36:]


@pytest.mark.parametrize("deep", [False, True])
def test_everything_comes_back(deep):
    alpha = (
        np.random.default_rng(0).integers(0, 65536 if deep else 256, (30, 50)).astype(np.uint16 if deep else np.uint8)
    )
    extras = {"icc_profile": b"colours" * 99, "exif": b"camera", "xmp": b"notes"}
    written = file(deep=deep, gray=True, alpha=alpha, extras=extras)
    read = EvcFile.read(written.to_bytes())
    assert vars(read) | {"alpha": None} == vars(written) | {"alpha": None}
    assert read.alpha.dtype == alpha.dtype
    assert np.array_equal(read.alpha, alpha)


def test_a_picture_without_extras_has_a_header_of_36_bytes():
    assert len(file().to_bytes()) == 40


@pytest.mark.parametrize(
    ("damage", "telling"),
    [
        (lambda c: b"", "was not made by edgevision run compress"),
        (lambda c: b"\xff\xd8\xff\xe0" + c, "was not made by edgevision run compress"),
        (lambda c: c[:5], "is cut off"),
        (lambda c: c[:35], "is cut off"),
        (lambda c: c[:-1], "is cut off or too long"),
        (lambda c: c + b"x", "is cut off or too long"),
        (lambda c: c[:-2] + b"xy", "checksum"),
        (lambda c: c[:20] + b"\x01" + c[21:], "checksum"),
        (lambda c: changed(c, 4, b"\x02"), "version 2"),
        (lambda c: changed(c, 6, b"\x00"), "quality 0"),
        (lambda c: changed(c, 5, b"\x04"), "its header says"),
        (lambda c: changed(c, 16, struct.pack("<I", 0)), "50x0"),
    ],
)
def test_a_damaged_file_is_an_error_that_names_it(damage, telling, tmp_path):
    path = tmp_path / "photo.evc"
    path.write_bytes(damage(file().to_bytes()))
    with pytest.raises(ImageError, match=telling) as raised:
        EvcFile.read(path)
    assert "photo.evc" in str(raised.value)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(ImageError, match="does not exist"):
        EvcFile.read(tmp_path / "none.evc")
    with pytest.raises(ImageError, match="cannot be read"):
        EvcFile.read(tmp_path)


def test_more_pixels_than_are_decoded_are_refused():
    with pytest.raises(TooLargeError):
        EvcFile.read(file(height=2**31, width=2**31).to_bytes())


@pytest.mark.parametrize(
    ("tag", "content", "telling"),
    [
        (b"ALPH", zlib.compress(bytes(30 * 50 + 1)), "inflates to more than 1500"),
        (b"ALPH", zlib.compress(bytes(30 * 50 - 1)), "opacity"),
        (b"ICCP", zlib.compress(bytes(17 << 20)), "inflates to more"),
        (b"EXIF", b"no zlib", "cannot be inflated"),
        (b"EXIF", zlib.compress(bytes(99))[:-5], "is cut off"),
    ],
)
def test_extras_are_no_larger_than_they_may_be(tag, content, telling):
    extras = struct.pack("<4sI", tag, len(content)) + content
    whole = file().to_bytes() + extras
    with pytest.raises(ImageError, match=telling):
        EvcFile.read(changed(whole, 28, struct.pack("<I", len(extras))))


def test_cut_extras_are_refused():
    with pytest.raises(ImageError, match="do not end"):
        EvcFile.read(changed(file().to_bytes() + b"ICCP", 28, struct.pack("<I", 4)))


def test_extras_that_no_release_knows_are_passed_over_unread():
    extras = struct.pack("<4sI", b"JUNK", 7) + b"no zlib"
    whole = file().to_bytes() + extras
    assert EvcFile.read(changed(whole, 28, struct.pack("<I", len(extras)))).extras == {}
