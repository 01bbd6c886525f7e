"""A picture through both halves of a codec whose latents are means of squares."""

import numpy as np
import pytest
from PIL import Image
from small_codec import compressor, decompressor

from edgevision.core.errors import ImageError, InputError, OutputError
from edgevision.imaging.pictures import Picture

BLOCK = 16


def blocks(height, width, channels=3, dtype=np.uint8, seed=0):
    """A picture of squares of one colour each, which nothing is lost of but by rounding."""
    generator = np.random.default_rng(seed)
    most = 1 if dtype == np.float32 else np.iinfo(dtype).max
    rows, columns = -(-height // BLOCK), -(-width // BLOCK)
    colours = (generator.random((rows, columns, channels)) * most).astype(dtype)
    return colours.repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)[:height, :width]


def through(picture, quality=2, **tiles):
    return decompressor(**tiles)(compressor()(picture, quality=quality))


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (64, 64), (65, 200), (130, 48)])
@pytest.mark.parametrize(("quality", "error"), [(1, 0.8 / 8), (2, 0.8 / 50)])
def test_pictures_of_any_size_come_back_rounded(size, quality, error):
    picture = Picture(blocks(*size))
    restored = through(picture, quality)
    assert restored.pixels.shape == picture.pixels.shape
    # Squares at the edge that the picture does not fill are filled with its last pixels.
    whole = [side // BLOCK * BLOCK for side in size]
    difference = np.abs(restored.pixels.astype(int) - picture.pixels)[: whole[0], : whole[1]]
    assert difference.max(initial=0) <= 255 * error + 1


def test_a_better_quality_has_more_bits():
    picture = Picture(blocks(256, 256))
    sizes = [len(compressor()(picture, quality=quality).content) for quality in (1, 2)]
    assert sizes[0] < sizes[1]
    assert compressor()(picture).bits_per_pixel == pytest.approx(8 * sizes[0] / 256**2)


def test_depth_alpha_and_what_the_file_said_are_kept():
    alpha = np.random.default_rng(0).integers(0, 65536, (64, 80)).astype(np.uint16)
    picture = Picture(blocks(64, 80, 1, np.uint16), alpha, b"profile", b"camera", b"notes")
    restored = through(picture)
    assert (restored.pixels.dtype, restored.pixels.shape) == (np.uint16, (64, 80, 1))
    assert np.array_equal(restored.alpha, alpha)
    assert (restored.icc_profile, restored.exif, restored.xmp) == (b"profile", b"camera", b"notes")
    assert through(Picture(blocks(64, 64, 3, np.float32))).pixels.dtype == np.uint16


def test_tiles_give_the_bits_and_the_picture_of_the_whole():
    picture = Picture(blocks(300, 700))
    whole, tiled = compressor(), compressor(tile=256)
    content = whole(picture).content
    assert tiled(picture).content == content
    assert (whole.engine.calls, tiled.engine.calls > 4) == (1, True)
    pieces = decompressor(tile=12)
    assert np.array_equal(pieces(content).pixels, decompressor()(content).pixels)
    assert pieces.engine.calls > 4


def test_several_pictures_are_a_list(tmp_path):
    Image.fromarray(blocks(32, 32)).save(tmp_path / "a.png")
    made = compressor()([tmp_path / "a.png", blocks(16, 16)])
    assert [(one.width, one.height) for one in made] == [(32, 32), (16, 16)]
    assert [one.width for one in decompressor()(made)] == [32, 16]


def test_the_result_is_written_and_compared(tmp_path):
    small, large = (compressor()(blocks(64, 64), quality=quality) for quality in (1, 2))
    small.save(tmp_path / "small.evc")
    assert (tmp_path / "small.evc").read_bytes() == small.content
    with pytest.raises(OutputError, match=r"\.evc"):
        small.save(tmp_path / "small.png")
    assert large.compare(small)["bits_per_pixel"] > 0
    assert small.to_dict()["bytes"] == len(small.content)
    with pytest.raises(ValueError, match="one size"):
        small.compare(compressor()(blocks(32, 32)))


def test_there_is_no_other_quality():
    for quality in (0, 3):
        with pytest.raises(InputError, match="from 1 to 2"):
            compressor()(blocks(16, 16), quality=quality)


def test_the_half_of_another_codec_is_refused():
    content = compressor("aaaaaaaaaaaaaaaa")(blocks(64, 64)).content
    with pytest.raises(ImageError, match="aaaaaaaaaaaaaaaa"):
        decompressor()(content)


def test_analysis_may_differ_where_it_was_computed_and_the_bits_decode_all_the_same():
    """The compressing half runs on any engine in any precision: what it finds is rounded before it is written."""
    picture = Picture(blocks(128, 128))
    half, noise = compressor(), np.random.default_rng(0)
    exact = half.engine._function

    def rough(inputs):
        return [output + noise.normal(0, 0.01, output.shape).astype(np.float32) for output in exact(inputs)]

    half.engine._function = rough
    restored = decompressor()(half(picture, quality=2))
    assert np.abs(restored.pixels.astype(int) - picture.pixels).max() <= 255 * (0.8 / 50 + 0.05)
