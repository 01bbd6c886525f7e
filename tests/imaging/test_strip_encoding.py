import io

import numpy as np
import pytest
from PIL import Image

from edgevision.imaging import picture_writing
from edgevision.imaging.exif import read_exif
from edgevision.imaging.picture_formats import JPEG, PNG
from edgevision.imaging.pictures import Picture

# Several strips, and a last one that is no whole row of blocks.
HEIGHT, WIDTH = 301, 37


def sloped(channels, dtype=np.uint8, alpha=None):
    """A slope with noise on it, and what of it is opaque: ``None`` for all, or all or nothing, or anything."""
    generator, white = np.random.default_rng(0), np.iinfo(dtype).max
    slope = np.linspace(0, white, HEIGHT * WIDTH * channels).reshape(HEIGHT, WIDTH, channels)
    pixels = (slope + generator.normal(0, white / 40, slope.shape)).clip(0, white).astype(dtype)
    share = generator.random((HEIGHT, WIDTH))
    opacity = {None: None, "mask": np.where(share > 0.5, white, 0), "any": share * white}[alpha]
    camera = Image.Exif()
    camera[0x010F] = "Maker"
    return Picture(pixels, None if opacity is None else opacity.astype(dtype), exif=camera.tobytes())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("quality", [40, 95])
@pytest.mark.parametrize("kind", [PNG, JPEG], ids=lambda kind: kind.kind)
@pytest.mark.parametrize(
    "picture",
    [
        sloped(3),
        sloped(1),
        sloped(3, alpha="any"),
        sloped(1, alpha="any"),
        sloped(1, np.uint16),
        sloped(1, np.uint16, "mask"),
        sloped(1, np.uint16, "any"),
    ],
    ids=["colour", "gray", "colour and alpha", "gray and alpha", "deep", "deep and mask", "deep and alpha"],
)
def test_a_file_of_strips_holds_what_a_file_written_at_once_does(monkeypatch, picture, kind, quality):
    whole = Image.open(io.BytesIO(picture.encode(kind, quality=quality)))
    monkeypatch.setattr(picture_writing, "_PIXELS_AT_ONCE", 1)
    joined = picture.encode(kind, quality=quality)
    Image.open(io.BytesIO(joined)).verify()
    strips = Image.open(io.BytesIO(joined))
    assert strips.mode == whole.mode
    assert np.array_equal(np.asarray(strips), np.asarray(whole))
    assert strips.info.get("transparency") == whole.info.get("transparency")
    assert read_exif(strips) == read_exif(whole) is not None


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_pillow_never_gets_all_of_a_large_picture_to_write(monkeypatch, tmp_path, ending):
    rows = []
    fromarray = Image.fromarray
    monkeypatch.setattr(picture_writing, "_PIXELS_AT_ONCE", WIDTH * 128)
    monkeypatch.setattr(Image, "fromarray", lambda array: rows.append(len(array)) or fromarray(array))
    sloped(3).save(tmp_path / f"large.{ending}")
    assert max(rows) <= 129
    assert sum(rows) >= HEIGHT
