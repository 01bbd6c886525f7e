import numpy as np
import pytest
from PIL import Image

from edgevision.core.errors import InputError
from edgevision.imaging.pictures import Picture
from edgevision.imaging.samples import as_float
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, Resize
from edgevision.runtime.tasks.restoration import curves as curve_network
from edgevision.runtime.tasks.restoration.restorer import Restorer
from edgevision.runtime.tasks.restoration.spec import Prediction, RestorationSpec


def metadata(**changes):
    base = ModelMetadata(
        task="brighten",
        name="curves",
        image=ImageSpec(size=(16, 16), resize=Resize.STRETCH),
        spec=RestorationSpec(predicts=Prediction.CURVES),
    )
    return base.updated(**changes)


def noise(height, width, channels=3, dtype=np.uint8):
    generator = np.random.default_rng(height * width)
    return generator.integers(0, np.iinfo(dtype).max, (height, width, channels), dtype=dtype, endpoint=True)


def dim_noise(height, width, channels=3):
    """Without lights, which would be protected."""
    return noise(height, width, channels) // 2


@pytest.fixture
def brightener(picture_engine):
    """The pipeline around a network that answers with the given curves (C, h, w) whatever it sees."""

    def build(curves):
        answer = np.asarray(curves, np.float32)[None]
        return Restorer(picture_engine(lambda image: answer), metadata())

    return build


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_curves_of_zero_leave_the_picture_as_it_is(brightener, dtype, channels):
    pixels = noise(150, 70, channels, dtype)
    restored = brightener(np.zeros((24, 2, 2)))(Picture(pixels))
    np.testing.assert_array_equal(restored.pixels, pixels)
    assert restored.pixels.dtype == dtype


def test_every_iteration_bends_what_the_last_one_gave(brightener):
    x = as_float(dim_noise(20, 30)).astype(np.float64)
    curves = np.array([0.5, -0.2, 1.0, 0.3, 0.1, -0.4]).reshape(6, 1, 1)
    for step in (curves[:3, 0, 0], curves[3:, 0, 0]):
        x = x + step * x * (1 - x)
    restored = brightener(np.broadcast_to(curves, (6, 2, 2)))(dim_noise(20, 30))
    np.testing.assert_allclose(restored.pixels, x * 255, atol=0.51)


def test_a_gray_picture_gets_the_mean_of_the_three_curves(brightener):
    pixels = dim_noise(20, 30, 1)
    x = as_float(pixels)
    curves = np.broadcast_to(np.array([0.0, 0.3, 0.6]).reshape(3, 1, 1), (3, 2, 2))
    restored = brightener(curves)(Picture(pixels))
    assert restored.pixels.shape == pixels.shape
    np.testing.assert_allclose(restored.pixels, (x + 0.3 * x * (1 - x)) * 255, atol=0.51)


@pytest.mark.parametrize(("height", "width"), [(300, 90), (129, 5), (7, 200), (12, 12), (13, 11), (2, 2), (1, 1)])
@pytest.mark.parametrize("side", [12, 1])
def test_strips_give_what_curves_stretched_over_the_whole_picture_give(brightener, height, width, side):
    curves = np.random.default_rng(3).uniform(-1, 1, (24, side, side)).astype(np.float32)
    pixels = dim_noise(height, width)
    strips = list(brightener(curves).restore(pixels))
    assert [top for top, _ in strips] == [0, *np.cumsum([len(rows) for _, rows in strips])[:-1]]
    whole = as_float(pixels).copy()
    stretched = [Image.fromarray(c).resize((width, height), Image.Resampling.BILINEAR) for c in curves]
    for first in range(0, 24, 3):
        step = np.stack([np.asarray(plane) for plane in stretched[first : first + 3]], axis=2)
        whole += step * whole * (1 - whole)
    np.testing.assert_allclose(np.concatenate([rows for _, rows in strips]), whole, atol=1e-4)
    assert np.abs(whole - as_float(pixels)).max() > 0.01


@pytest.mark.parametrize(("height", "width"), [(1, 900), (5, 300), (90, 70)])
def test_however_wide_the_picture_is_little_of_the_curves_is_stretched_at_once(brightener, monkeypatch, height, width):
    pixels, curves = noise(height, width), np.random.default_rng(3).uniform(-1, 1, (24, 12, 12))
    whole = np.concatenate([rows for _, rows in brightener(curves).restore(pixels)])
    sizes = []
    stretched = curve_network._stretched
    monkeypatch.setattr(curve_network, "_MAP_PIXELS", 200)
    monkeypatch.setattr(
        curve_network, "_stretched", lambda *arguments: sizes.append((plane := stretched(*arguments)).size) or plane
    )
    parts = np.concatenate([rows for _, rows in brightener(curves).restore(pixels)])
    np.testing.assert_allclose(parts, whole, atol=1e-5)
    assert max(sizes[1:]) <= 200  # the first is what share each row of the curves has


@pytest.mark.parametrize(("light", "protection"), [(255, 1), (204, 0.5), (160, 0)])
def test_where_a_picture_has_lights_what_is_bright_is_drawn_back(brightener, light, protection):
    pixels = np.full((40, 60, 3), 51, np.uint8)
    pixels[10:20, 10:20], pixels[20:30, 10:20] = light, (102, 51, 51)
    x = as_float(pixels)
    y = x + 0.8 * x * (1 - x)
    kept = protection * x.max(axis=2, keepdims=True) ** 2
    restored = brightener(np.full((3, 2, 2), 0.8))(pixels).pixels
    np.testing.assert_allclose(restored, 255 * (y + kept * (x - y)), atol=0.51)


def test_the_curves_lie_where_the_network_saw_them(brightener):
    curves = np.zeros((3, 4, 4))
    curves[:, 2:, :2] = 1  # lower left
    pixels = np.full((80, 80, 3), 128, np.uint8)
    restored = brightener(curves)(pixels).pixels.astype(int) - 128
    assert restored[-1, 0].min() > 50
    assert abs(restored[[0, 0, -1], [0, -1, -1]]).max() <= 1


def test_the_network_sees_a_thumbnail_however_large_the_picture_is(picture_engine):
    shapes = []
    engine = picture_engine(lambda image: shapes.append(image.shape) or np.zeros((1, 3, 2, 2), np.float32))
    for pixels in (noise(500, 400), noise(3, 5), noise(40, 40, 1), noise(40, 40, 1, np.uint16)):
        Restorer(engine, metadata(), tile=64, memory=1)(Picture(pixels))
    assert shapes == [(1, 3, 16, 16)] * 4


def test_a_16_bit_picture_looks_to_the_network_like_one_of_8_bits(picture_engine):
    seen = []
    engine = picture_engine(lambda image: seen.append(image) or np.zeros((1, 3, 2, 2), np.float32))
    pixels = noise(40, 40, 1)
    Restorer(engine, metadata())(Picture(pixels))
    Restorer(engine, metadata())(Picture(pixels.astype(np.uint16) * 257))
    np.testing.assert_allclose(seen[0], seen[1], atol=1e-6)


def test_a_picture_that_is_to_be_brightened_always_is_shown_darker_until_there_are_curves(picture_engine):
    seen = []

    def network(image):
        seen.append(float(image.mean()))
        return np.full((1, 3, 2, 2), 0.5 if image.mean() < 0.4 else 0, np.float32)

    pixels = np.full((20, 30, 3), 150, np.uint8)
    brighten = Restorer(picture_engine(network), metadata())
    np.testing.assert_array_equal(brighten(pixels).pixels, pixels)
    assert (brighten(pixels, always=True).pixels > pixels).all()
    assert seen == pytest.approx([0.588, 0.588, 0.498, 0.423, 0.358], abs=0.01)


def test_a_picture_that_gets_no_curves_however_dark_it_is_shown_stays(picture_engine):
    engine = picture_engine(lambda image: np.zeros((1, 3, 2, 2), np.float32))
    pixels = noise(20, 30)
    np.testing.assert_array_equal(Restorer(engine, metadata())(pixels, always=True).pixels, pixels)
    assert engine.calls == 8


def test_what_predicts_no_curves_cannot_always_brighten(picture_engine):
    restore = Restorer(picture_engine(lambda image: image), metadata(spec=RestorationSpec()))
    with pytest.raises(InputError, match="always is for curves and colours, which 'curves' does not predict"):
        restore(noise(20, 30), always=True)


def test_a_model_for_thumbnails_of_one_size_only_is_taken(picture_engine):
    engine = picture_engine(lambda image: np.zeros((1, 3, 2, 2), np.float32), shape=(1, 3, 16, 16))
    pixels = noise(50, 60)
    np.testing.assert_array_equal(Restorer(engine, metadata())(pixels).pixels, pixels)


def test_transparency_is_kept(brightener):
    rgba = noise(20, 30, 4)
    np.testing.assert_array_equal(brightener(np.ones((3, 2, 2)))(rgba).alpha, rgba[:, :, 3])
