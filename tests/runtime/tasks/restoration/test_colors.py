import numpy as np
import pytest

from edgevision.core.errors import ModelFileError
from edgevision.imaging.lab import to_lab
from edgevision.imaging.pictures import Picture
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata, Resize
from edgevision.runtime.tasks.restoration.colors import has_colors
from edgevision.runtime.tasks.restoration.restorer import Restorer
from edgevision.runtime.tasks.restoration.spec import Prediction, RestorationSpec
from edgevision.runtime.tasks.restoration.steadiness import Steadiness

SIDE = 32


def metadata():
    return ModelMetadata(
        task="colorize",
        name="colors",
        image=ImageSpec(color=Color.GRAY, size=(SIDE, SIDE), resize=Resize.STRETCH),
        spec=RestorationSpec(predicts=Prediction.CHROMA),
    )


@pytest.fixture
def colorizer(picture_engine):
    """The pipeline around a network that gives everything one colour (a, b), or what a function of the input says."""

    def build(answer):
        def network(image):
            return (
                answer(image)
                if callable(answer)
                else np.tile(np.array(answer, np.float32)[None, :, None, None], (1, 1, 8, 8))
            )

        return Restorer(picture_engine(network, channels=1), metadata())

    return build


def ramp(height=60, width=90, dtype=np.uint8):
    """Gray that rises from left to right, so bright and dark that it has room for colours."""
    low, high = 0.3 * np.iinfo(dtype).max, 0.7 * np.iinfo(dtype).max
    return np.tile(np.linspace(low, high, width).astype(dtype)[None, :, None], (height, 1, 1))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_gray_picture_gets_the_colours_and_keeps_its_lightness(colorizer, dtype):
    made = colorizer((20, -15))(Picture(ramp(dtype=dtype)))
    assert made.pixels.shape == (60, 90, 3)
    assert made.pixels.dtype == dtype
    lab = to_lab(made.pixels.astype(np.float32) / np.iinfo(dtype).max)
    np.testing.assert_allclose(lab[:, :, 1:], np.broadcast_to([20, -15], (60, 90, 2)), atol=0.8)
    gray = to_lab(np.repeat(ramp(dtype=dtype), 3, axis=2).astype(np.float32) / np.iinfo(dtype).max)
    np.testing.assert_allclose(lab[:, :, 0], gray[:, :, 0], atol=0.3)


def test_colours_take_over_the_edges_of_the_picture(colorizer):
    """The network says left green, right red, three pixels of the thumbnail off; in the picture the edge is sharp."""
    pixels = np.full((320, 320, 1), 90, np.uint8)
    pixels[:, 160:] = 170
    chroma = np.zeros((1, 2, SIDE, SIDE), np.float32)
    chroma[:, 0, :, : SIDE // 2 + 1] = -30
    chroma[:, 0, :, SIDE // 2 + 1 :] = 30
    a = to_lab(colorizer(lambda image: chroma)(Picture(pixels)).pixels.astype(np.float32) / 255)[:, :, 1]
    jump = np.abs(np.diff(a[160]))
    assert jump.argmax() == 159
    assert jump.max() > 20


def test_the_network_sees_gray_at_its_own_size(colorizer):
    seen = []

    def network(image):
        seen.append(image)
        return np.zeros((1, 2, 8, 8), np.float32)

    colorizer(network)(Picture(ramp()))
    assert seen[0].shape == (1, 1, SIDE, SIDE)
    assert (seen[0].min(), seen[0].max()) == pytest.approx((0.3, 0.7), abs=0.02)


@pytest.mark.parametrize("strength", [0, 0.5])
def test_strength_lies_between_gray_and_colours(colorizer, strength):
    gray, whole = np.repeat(ramp(), 3, axis=2).astype(float), colorizer((25, 25))(Picture(ramp())).pixels.astype(float)
    part = colorizer((25, 25))(Picture(ramp()), strength=strength).pixels
    np.testing.assert_allclose(part, gray + strength * (whole - gray), atol=1)


def test_alpha_stays_and_a_profile_of_grays_goes(colorizer):
    alpha = np.arange(60 * 90, dtype=np.uint8).reshape(60, 90)
    made = colorizer((10, 10))(Picture(ramp(), alpha, icc_profile=b"gray", exif=b"camera"))
    np.testing.assert_array_equal(made.alpha, alpha)
    assert (made.icc_profile, made.exif) == (None, b"camera")


def test_sepia_and_gray_in_three_channels_are_coloured_and_colours_stay(colorizer):
    gray = np.repeat(ramp(), 3, axis=2)
    sepia = (gray * [1.0, 0.85, 0.6]).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 4, gray.shape, np.uint8)
    green = colorizer((-30, 20))
    for toned in (gray, sepia, sepia + noise):
        assert not has_colors(toned)
        assert to_lab(green(Picture(toned)).pixels.astype(np.float32) / 255)[:, :, 1].max() < -25
    colored = gray.copy()
    colored[:30] = (colored[:30] * [0.6, 0.8, 1.0]).astype(np.uint8)
    colored[30:] = (colored[30:] * [1.0, 0.8, 0.5]).astype(np.uint8)
    assert has_colors(colored)
    np.testing.assert_array_equal(green(Picture(colored)).pixels, colored)
    assert (green(Picture(colored), always=True).pixels != colored).any()


def test_a_thumbnail_without_a_size_is_refused(picture_engine):
    engine = picture_engine(lambda image: image, channels=1)
    with pytest.raises(ModelFileError, match="does not say how a picture becomes a thumbnail"):
        Restorer(engine, metadata().updated(image=ImageSpec(color=Color.GRAY)))


def test_colours_of_frames_are_steady_until_a_cut(colorizer):
    guesses = iter([20.0, 22, 20, 5, 5])
    colorize = colorizer(lambda image: np.full((1, 2, 8, 8), next(guesses), np.float32))
    steady = Steadiness(0.75)
    for number, expected in enumerate((20, 20.5, 20.375, 5, 5)):
        frame = ramp() if number < 3 else ramp()[:, ::-1]
        made = colorize(Picture(frame.astype(np.uint16) * 257), steady=steady).pixels
        a = to_lab(made.astype(np.float32) / 65535)[:, :, 1]
        # In the middle of the ramp both scenes are alike.
        np.testing.assert_allclose(np.delete(a, np.s_[30:60], axis=1).mean(), expected, atol=0.1)
