"""A picture that a board sent is decoded to its end before anybody believes it."""

import io
from pathlib import Path

import pytest
from PIL import Image

from edgevision.runtime.remote.picture_check import picture_check


def encoded(kind, size=(6, 4), **options):
    stream = io.BytesIO()
    Image.effect_noise(size, 40).save(stream, kind, **options)
    return stream.getvalue()


def film(frames):
    pictures = [Image.effect_noise((6, 4), 40) for _ in range(frames)]
    stream = io.BytesIO()
    pictures[0].save(stream, "GIF", save_all=True, append_images=pictures[1:])
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "telling"),
    [
        (encoded("PNG"), None),
        (b"not a picture", "is not a picture"),
        (b"", "is not a picture"),
        (encoded("PNG")[:-30], "no whole PNG"),
        (encoded("JPEG"), "no PNG"),
        (encoded("PNG", (4, 6)), "4x6 pixels instead of 6x4"),
        (encoded("PNG", (6, 4), save_all=True, append_images=[Image.new("L", (6, 4))]), "2 frames"),
    ],
    ids=["whole", "text", "nothing", "cut off", "JPEG", "turned", "film"],  # what is drawn differs between processes
)
def test_a_picture_is_whole_and_of_its_format_and_size(refusal, content, telling):
    said = refusal(picture_check(Path("o.png"), lambda: (4, 6)), content)
    assert said is None if telling is None else telling in said


@pytest.mark.parametrize(
    ("name", "content", "taken"),
    [
        ("o.JPG", encoded("JPEG"), True),
        ("o.webp", encoded("WEBP"), True),
        ("o.tif", encoded("TIFF", compression="tiff_lzw"), True),
        ("o.webp", encoded("WEBP")[:-9], False),
        ("o.jpg", encoded("JPEG", (64, 64))[:-200], False),
        ("o.gif", film(4), True),
        ("o.gif", film(5), False),
    ],
    ids=["JPEG", "WebP", "TIFF", "cut WebP", "cut JPEG", "film", "long film"],
)
def test_every_format_is_decoded_to_its_end(refusal, name, content, taken):
    assert (refusal(picture_check(Path(name), most_frames=4), content) is None) == taken
