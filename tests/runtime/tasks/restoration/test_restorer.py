import numpy as np
import pytest
from PIL import Image

from edgevision.core.errors import ImageError, InputError, ModelFileError
from edgevision.imaging.pictures import Picture
from edgevision.imaging.samples import as_float
from edgevision.metrics.figures import psnr_db
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata, TileSpec
from edgevision.runtime.tasks.restoration.restorer import Restorer
from edgevision.runtime.tasks.restoration.spec import Prediction, RestorationSpec

STEP = 1 / 255


def metadata(color=Color.RGB, **changes):
    base = ModelMetadata(task="denoise", name="smoother", image=ImageSpec(color=color))
    return base.updated(tile=TileSpec(overlap=4, memory=100), **changes)


def noise(height, width, channels=3, dtype=np.uint8):
    generator = np.random.default_rng(height * width)
    return generator.integers(0, np.iinfo(dtype).max, (height, width, channels), dtype=dtype, endpoint=True)


def whole(restorer, pixels):
    return np.concatenate([rows for _, rows in restorer.restore(pixels)])


@pytest.fixture
def smooth(blur):
    """Four layers of 3x3: a pixel reaches 4 pixels far."""

    def network(image):
        for _ in range(4):
            image = blur(image)
        return image

    return network


@pytest.fixture
def identity(picture_engine):
    return picture_engine(lambda image: image)


def enlarged(image):
    return image.repeat(2, axis=2).repeat(2, axis=3)


def test_the_result_is_what_the_network_makes_of_the_picture(picture_engine):
    restored = Restorer(picture_engine(lambda image: 1 - image), metadata())(noise(20, 30))
    np.testing.assert_array_equal(restored.pixels, 255 - noise(20, 30))


@pytest.mark.parametrize("in_place", [False, True])
def test_strength_goes_a_part_of_the_way(picture_engine, in_place):
    restore = Restorer(picture_engine(lambda image: 1 - image), metadata())
    pixels = noise(200, 30)
    expected = np.rint(pixels * 0.75 + (255.0 - pixels) * 0.25)
    found = restore(Picture(pixels.copy()), strength=0.25, in_place=in_place).pixels
    np.testing.assert_allclose(found.astype(int), expected, atol=1)
    np.testing.assert_array_equal(restore(pixels, strength=0).pixels, pixels)
    with pytest.raises(InputError, match=r"from 0 to 1, not 1\.5"):
        restore(pixels, strength=1.5)


def test_what_is_enlarged_has_no_strength(picture_engine):
    restore = Restorer(picture_engine(enlarged), metadata(spec=RestorationSpec(scale=2)))
    with pytest.raises(InputError, match="has no strength"):
        restore(noise(8, 8), strength=0.5)


def test_every_kind_of_source_gives_the_same_picture(identity, tmp_path):
    pixels = noise(8, 9)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    sources = [pixels, Image.fromarray(pixels), tmp_path / "a.png", (tmp_path / "a.png").read_bytes(), Picture(pixels)]
    for source in sources:
        np.testing.assert_array_equal(Restorer(identity, metadata())(source).pixels, pixels)


@pytest.mark.parametrize("tile", [12, 16, 33])
@pytest.mark.parametrize("channels", [1, 3])
def test_tiles_leave_no_seam(picture_engine, smooth, tile, channels):
    pixels = noise(70, 95, channels)
    tiled = Restorer(picture_engine(smooth), metadata(), tile=tile)
    untiled = Restorer(picture_engine(smooth), metadata(), tile=0)
    np.testing.assert_allclose(whole(tiled, pixels), whole(untiled, pixels), atol=STEP)
    assert untiled.engine.calls == 1 < tiled.engine.calls


def test_tiles_leave_no_seam_in_an_enlarged_picture(picture_engine, smooth):
    pixels = noise(60, 45)
    spec = RestorationSpec(scale=2)
    results = [
        whole(
            Restorer(picture_engine(lambda image: enlarged(smooth(image))), metadata(spec=spec), tile=tile),
            pixels,
        )
        for tile in (16, 0)
    ]
    assert results[0].shape == (120, 90, 3)
    np.testing.assert_allclose(*results, atol=STEP)


def test_rows_come_from_top_to_bottom_and_only_once(picture_engine, smooth):
    parts = list(Restorer(picture_engine(smooth), metadata(), tile=16).restore(noise(70, 20)))
    assert len(parts) > 3
    assert [top for top, _ in parts] == list(np.cumsum([0, *(len(rows) for _, rows in parts)])[:-1])
    assert sum(len(rows) for _, rows in parts) == 70


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 2000), (2000, 3), (17, 1)])
@pytest.mark.parametrize("tile", [None, 64, 0])
def test_pictures_of_any_size_are_restored(picture_engine, height, width, tile):
    tiles = TileSpec(overlap=4, multiple=8)
    engine = picture_engine(lambda image: np.where(image.shape[2] % 8 or image.shape[3] % 8, np.nan, enlarged(image)))
    described = metadata(spec=RestorationSpec(scale=2)).updated(tile=tiles)
    restored = Restorer(engine, described, tile=tile)(noise(height, width))
    np.testing.assert_array_equal(restored.pixels, noise(height, width).repeat(2, axis=0).repeat(2, axis=1))


def test_tiles_are_as_large_as_the_memory_allows(identity):
    small, large = (Restorer(identity, metadata(), memory=100 * side**2) for side in (200, 400))
    side, same = small.network.tiles.sides(800, 800)
    assert side == same
    assert 50 < side <= 200
    assert large.network.tiles.sides(800, 800) == pytest.approx((2 * side, 2 * side), abs=2)
    assert small.network.tiles.sides(side, side) == (None, None)
    assert small.network.tiles.sides(side + 1, side + 1) == (side, side)


@pytest.mark.parametrize(("width", "scale"), [(20_000, 1), (5_000, 4)])
def test_a_row_of_tiles_fits_the_memory_too(identity, width, scale):
    described = metadata(spec=RestorationSpec(scale=scale), task="upscale" if scale > 1 else "denoise")
    rows, columns = Restorer(identity, described, memory=256 << 20).network.tiles.sides(5000, width)
    assert rows * width * scale**2 * 12 <= 128 << 20
    assert rows * columns * 100 * 2.5 == pytest.approx(256 << 20, rel=0.05)


@pytest.mark.parametrize("thickness", [1, 3, 20])
def test_tiles_of_a_thin_picture_are_as_much_longer_as_it_is_thinner(identity, thickness):
    described = metadata().updated(tile=TileSpec(overlap=4, memory=10_000))
    restorer = Restorer(identity, described, memory=10_000 * 200**2)
    side = restorer.network.tiles.sides(800, 800)[0]
    for shape in ((thickness, 100_000), (100_000, thickness)):
        (free,) = [found for found in restorer.network.tiles.sides(*shape) if found is not None]
        assert free * thickness == pytest.approx(side**2, rel=0.02)
        before = restorer.engine.calls
        assert np.asarray(restorer(noise(*shape))).shape[:2] == shape
        assert restorer.engine.calls - before <= 1.2 * thickness * 100_000 / side**2 + 1


def test_a_model_that_does_not_say_what_it_takes_is_taken_to_be_large(identity):
    unknown = Restorer(identity, metadata().updated(tile=TileSpec(overlap=4)), memory=768 * 200**2)
    known = Restorer(identity, metadata().updated(tile=TileSpec(overlap=4, memory=768)), memory=768 * 200**2)
    assert unknown.network.tiles.sides(5000, 5000) == known.network.tiles.sides(5000, 5000)


@pytest.mark.parametrize(("overlap", "multiple"), [(4, 1), (8, 8), (3, 4), (5, 8), (20, 16)])
def test_tiles_fit_the_network_however_little_memory_there_is(identity, overlap, multiple):
    described = metadata().updated(tile=TileSpec(overlap=overlap, multiple=multiple, memory=100))
    restorer = Restorer(identity, described, memory=1)
    assert all(side % multiple == 0 for side in restorer.network.tiles.sides(300, 200))
    np.testing.assert_array_equal(restorer(noise(300, 200)).pixels, noise(300, 200))


@pytest.mark.parametrize(
    ("tiles", "tile", "message"),
    [
        (TileSpec(overlap=4, multiple=8), 20, "multiple of 8 and at least 24 for 'smoother', not 20"),
        (TileSpec(overlap=4, multiple=8), 16, "multiple of 8 and at least 24 for 'smoother', not 16"),
        (TileSpec(), 512, "'smoother' looks at the whole picture at once and cannot be tiled; --tile off"),
        (None, 512, "cannot be tiled"),
    ],
)
def test_a_tile_that_does_not_fit_the_network_is_refused(identity, tiles, tile, message):
    with pytest.raises(InputError, match=message):
        Restorer(identity, metadata().updated(tile=tiles), tile=tile)


def test_a_network_that_sees_the_whole_picture_gets_all_of_it(identity):
    restorer = Restorer(identity, metadata().updated(tile=TileSpec()), memory=1)
    np.testing.assert_array_equal(restorer(noise(300, 200)).pixels, noise(300, 200))
    assert restorer.engine.calls == 1


@pytest.mark.parametrize(("height", "width"), [(100, 70), (10, 12), (16, 40), (1, 1)])
def test_a_model_of_one_size_gets_tiles_of_it(picture_engine, smooth, height, width):
    fixed = Restorer(picture_engine(smooth, shape=(1, 3, 32, 32)), metadata())
    free = Restorer(picture_engine(smooth), metadata(), tile=0)
    pixels = noise(height, width)
    inner = np.s_[: max(1, height - 4), : max(1, width - 4)]  # beyond the border one sees a mirror, the other black
    if min(height, width) > 32:
        np.testing.assert_allclose(whole(fixed, pixels), whole(free, pixels), atol=STEP)
    elif min(height, width) > 8:
        np.testing.assert_allclose(whole(fixed, pixels)[inner], whole(free, pixels)[inner], atol=STEP)
    assert fixed(pixels).pixels.shape[:2] == (height, width)


@pytest.mark.parametrize("tiles", [TileSpec(), None, TileSpec(overlap=16)])
def test_a_model_of_one_size_that_cannot_be_tiled_takes_what_fits_into_it(picture_engine, tiles):
    described = metadata().updated(tile=tiles)
    restorer = Restorer(picture_engine(lambda image: 1 - image, shape=(1, 3, 32, 48)), described)
    for shape in ((32, 48), (1, 1), (31, 5)):
        np.testing.assert_array_equal(restorer(noise(*shape)).pixels, 255 - noise(*shape))
    with pytest.raises(ImageError, match="takes 48x32 pixels only and cannot be laid over a picture of 32x48 in tiles"):
        restorer(noise(48, 32))


@pytest.mark.parametrize("shape", [(1, 3, 24, 48), (1, 3, 24, "width"), ("batch", 3, "height", 24)])
def test_tiles_may_be_oblong_and_one_side_of_them_free(picture_engine, smooth, shape):
    fixed = Restorer(picture_engine(smooth, shape=shape), metadata(), memory=100 * 24 * 80)
    free = Restorer(picture_engine(smooth), metadata(), tile=0)
    pixels = noise(100, 250)
    np.testing.assert_allclose(whole(fixed, pixels), whole(free, pixels), atol=STEP)
    assert fixed.engine.calls > 4


def test_a_model_whose_one_size_contradicts_its_multiple_is_refused(picture_engine):
    engine = picture_engine(lambda image: image, shape=(1, 3, 30, 30))
    with pytest.raises(ModelFileError, match=r"takes 30x30 pixels only, but says .* multiples of 4"):
        Restorer(engine, metadata().updated(tile=TileSpec(overlap=4, multiple=4)))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 50), (5, 3), (23, 24), (70, 101)])
def test_pictures_are_padded_to_the_least_side_and_the_multiple(picture_engine, height, width):
    def network(image):
        assert min(image.shape[2:]) >= 24
        assert not image.shape[2] % 12
        assert not image.shape[3] % 12
        return 1 - image

    described = metadata().updated(tile=TileSpec(overlap=4, multiple=12, minimum=18, memory=100))
    for options in ({}, {"memory": 1}, {"tile": 0}, {"tile": 48}):
        restorer = Restorer(picture_engine(network), described, **options)
        np.testing.assert_array_equal(restorer(noise(height, width)).pixels, 255 - noise(height, width))


@pytest.mark.parametrize("stride", [2, 5, 8, 24])
def test_tiles_start_on_the_stride_of_the_network(picture_engine, stride):
    def network(image):
        """The mean over cells counted from the corner; those that the end cuts are smaller."""
        starts = [np.arange(0, side, stride) for side in image.shape[2:]]
        total, count = image, np.ones_like(image)
        for axis, at in zip((2, 3), starts, strict=True):
            total, count = np.add.reduceat(total, at, axis), np.add.reduceat(count, at, axis)
        cells = total / count
        height, width = image.shape[2:]
        return cells.repeat(stride, axis=2).repeat(stride, axis=3)[:, :, :height, :width]

    described = metadata().updated(tile=TileSpec(overlap=stride, stride=stride, memory=100))
    pixels = noise(131, 203)
    whole_at_once = Restorer(picture_engine(network), described, tile=0)(pixels).pixels
    for options in ({"memory": 100 * 100 * 250}, {"tile": 4 * stride + 7}):
        tiled = Restorer(picture_engine(network), described, **options)
        difference = np.abs(tiled(pixels).pixels.astype(int) - whole_at_once)
        assert difference.max() <= 1  # where the sum of two shares of one value rounds otherwise
        assert np.mean(difference > 0) < 0.005
        assert tiled.engine.calls > 1


def test_a_tile_of_another_size_than_the_models_is_refused(picture_engine):
    engine = picture_engine(lambda image: image, shape=(1, 3, 32, 32))
    with pytest.raises(InputError, match="tiles of 32x32 pixels only, not --tile 64"):
        Restorer(engine, metadata(), tile=64)
    np.testing.assert_array_equal(Restorer(engine, metadata(), tile=32)(noise(50, 40)).pixels, noise(50, 40))


def test_a_gray_network_for_single_samples_restores_a_colour_picture(picture_engine):
    engine = picture_engine(lambda image: 1 - image, shape=(1, 1, "height", "width"))
    restored = Restorer(engine, metadata(Color.GRAY))(noise(20, 30))
    np.testing.assert_array_equal(restored.pixels, 255 - noise(20, 30))
    assert engine.calls == 3


def test_predicted_noise_is_subtracted(picture_engine):
    engine = picture_engine(lambda image: np.full_like(image, 10 / 255))
    described = metadata(spec=RestorationSpec(predicts=Prediction.NOISE))
    restored = Restorer(engine, described)(noise(20, 30))
    np.testing.assert_array_equal(restored.pixels, np.maximum(noise(20, 30), 10) - 10)


def test_predicted_noise_is_subtracted_in_the_networks_own_range(picture_engine):
    engine = picture_engine(lambda image: np.full_like(image, 2 * 10 / 255))
    described = metadata(spec=RestorationSpec(predicts=Prediction.NOISE))
    restored = Restorer(engine, described.updated(image=ImageSpec(value_range=(-1.0, 1.0))))(noise(20, 30))
    np.testing.assert_array_equal(restored.pixels, np.maximum(noise(20, 30), 10) - 10)


def test_an_answer_in_a_range_of_its_own_is_read_as_such(picture_engine):
    described = metadata(spec=RestorationSpec(output_range=(-1.0, 1.0)))
    restored = Restorer(picture_engine(lambda image: 2 * image - 1), described)(noise(20, 30))
    np.testing.assert_array_equal(restored.pixels, noise(20, 30))


def test_answers_beyond_black_and_white_are_clipped(picture_engine):
    restored = Restorer(picture_engine(lambda image: 3 * image - 1), metadata())(noise(20, 30))
    expected = np.clip(3 * noise(20, 30).astype(int) - 255, 0, 255)
    np.testing.assert_array_equal(restored.pixels, expected)


def test_sixteen_bits_of_gray_stay_sixteen_bits(identity, tmp_path):
    pixels = noise(20, 30, 1, np.uint16)
    Image.fromarray(pixels[:, :, 0]).save(tmp_path / "deep.png")
    restored = Restorer(identity, metadata())(tmp_path / "deep.png")
    assert restored.pixels.dtype == np.uint16
    np.testing.assert_array_equal(restored.pixels, pixels)


def test_transparency_is_kept(identity):
    rgba = noise(20, 30, 4)
    restored = Restorer(identity, metadata())(rgba)
    seen = rgba[:, :, 3] >= 16  # fainter colours are those around them
    np.testing.assert_array_equal(restored.pixels[seen], rgba[seen, :3])
    np.testing.assert_array_equal(restored.alpha, rgba[:, :, 3])


def disk(hidden: int, dtype: type = np.uint8, channels: int = 3):
    """A light disk with a smooth edge on nothing, whose colour where nothing is seen is ``hidden``."""
    y, x = np.mgrid[:40, :48]
    alpha = np.clip(15.5 - np.hypot(x - 23.5, y - 19.5), 0, 1)
    maximum = np.iinfo(dtype).max
    pixels = np.where(alpha[:, :, None] > 0, round(maximum * 0.98), hidden).repeat(channels, 2)
    return Picture(pixels.astype(dtype), np.round(alpha * maximum).astype(dtype))


@pytest.mark.parametrize("tile", [None, 32])
@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize(("dtype", "channels"), [(np.uint8, 3), (np.uint8, 1), (np.uint16, 1)])
@pytest.mark.parametrize("hidden", [0, 255])
def test_what_is_transparent_does_not_bleed_into_the_edge(picture_engine, blur, tile, scale, dtype, channels, hidden):
    def network(image):  # every one looks around
        return enlarged(blur(image)) if scale == 2 else blur(image)

    described = metadata(spec=RestorationSpec(scale=scale))
    restored = Restorer(picture_engine(network), described, tile=tile)(disk(hidden, dtype, channels))
    assert restored.pixels.dtype == dtype
    inside = restored.pixels[2:-2, 2:-2]  # this network darkens the border
    np.testing.assert_allclose(inside / restored.maximum, 0.98, atol=0.01)


def test_transparency_grows_with_the_picture(picture_engine):
    alpha = np.zeros((10, 12), np.uint8)
    alpha[:, 6:] = 255
    rgba = np.dstack([noise(10, 12), alpha])
    restored = Restorer(picture_engine(enlarged), metadata(spec=RestorationSpec(scale=2)))(rgba)
    assert restored.alpha.shape == (restored.height, restored.width) == (20, 24)
    assert restored.alpha.dtype == np.uint8
    np.testing.assert_array_equal(restored.alpha[:, [0, -1]], [[0, 255]] * 20)


def test_alpha_is_enlarged_by_the_network_and_does_not_ring(picture_engine):
    alpha = np.full((20, 24), 200, np.uint8)
    alpha[:, 11:13] = 128
    alpha[:, 13:] = 40
    network = picture_engine(lambda image: enlarged(1.5 * image - 0.25))
    restorer = Restorer(network, metadata(spec=RestorationSpec(scale=2)))
    made = restorer(np.dstack([noise(20, 24), alpha])).alpha
    np.testing.assert_array_equal(made[:, :22], 200)  # which the network alone makes 236
    np.testing.assert_array_equal(made[:, 22:26], 128)
    np.testing.assert_array_equal(made[:, 26:], 40)


def test_the_colour_profile_and_the_camera_stay(identity):
    picture = Picture(noise(5, 6), icc_profile=b"profile", exif=b"camera")
    restored = Restorer(identity, metadata())(picture)
    assert (restored.icc_profile, restored.exif) == (b"profile", b"camera")


def test_a_luma_network_keeps_the_colours_of_an_enlarged_picture(picture_engine):
    flat = np.full((12, 12, 3), (200, 100, 50), np.uint8)
    engine = picture_engine(enlarged, channels=1)
    restored = Restorer(engine, metadata(Color.LUMA, spec=RestorationSpec(scale=2)), tile=0)(flat)
    np.testing.assert_allclose(restored.pixels, np.broadcast_to([200, 100, 50], (24, 24, 3)), atol=2)


@pytest.mark.parametrize("color", [Color.LUMA, Color.GRAY, Color.YCBCR, Color.BGR])
def test_a_seam_shows_in_no_colour_space(picture_engine, smooth, color):
    pixels = noise(50, 60)
    results = [
        whole(Restorer(picture_engine(smooth, color.channels), metadata(color), tile=tile), pixels) for tile in (16, 0)
    ]
    assert psnr_db(results[0], results[1]) > 50
    assert psnr_db(as_float(pixels), results[0]) < 30  # and the network did run


@pytest.mark.parametrize("color", [Color.LUMA, Color.GRAY, Color.BGR])
@pytest.mark.parametrize("tile", [0, 16])
def test_the_answer_is_to_be_had_in_the_networks_own_colours(identity, picture_engine, color, tile):
    engine = picture_engine(lambda image: image, color.channels)
    restorer = Restorer(engine, metadata(color), tile=tile)
    pixels = noise(30, 40)
    rows = np.concatenate([rows for _, rows in restorer.network.restore(pixels, network_colors=True)])
    expected = {Color.LUMA: as_float(pixels) @ np.array([[0.299], [0.587], [0.114]]), Color.GRAY: as_float(pixels)}
    np.testing.assert_allclose(rows, expected.get(color, as_float(pixels)[:, :, ::-1]), atol=STEP)


def test_metadata_without_a_picture_is_refused(identity):
    with pytest.raises(ModelFileError, match="'smoother' does not say how a picture becomes an input"):
        Restorer(identity, metadata().updated(image=None))


def test_a_damaged_picture_is_named(identity, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no more")
    with pytest.raises(ImageError, match=r"broken\.jpg"):
        Restorer(identity, metadata())(tmp_path / "broken.jpg")


def test_leaving_the_restorer_closes_its_engine(identity):
    with Restorer(identity, metadata()):
        assert not identity.closed
    assert identity.closed
