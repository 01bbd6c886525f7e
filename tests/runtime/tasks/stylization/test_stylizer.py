import numpy as np
import pytest
from fake_engine import FakeEngine

from edgevision.core.errors import InputError
from edgevision.imaging.pictures import Picture
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec, TileSpec
from edgevision.runtime.tasks.stylization.spec import StylizationSpec
from edgevision.runtime.tasks.stylization.stylizer import Stylizer, style_shares
from edgevision.runtime.tasks.stylization.task import STYLIZE

STYLES = ("wave", "starry")
INPUTS = (
    TensorSpec(name="image", shape=("batch", 3, "height", "width")),
    TensorSpec(name="shares", shape=("batch", 2)),
    TensorSpec(name="statistics", shape=("batch", 2, 3)),
)
OUTPUTS = (TensorSpec(name="painted", shape=INPUTS[0].shape), TensorSpec(name="own", shape=INPUTS[2].shape))


def metadata(styles=STYLES, overlap=8):
    return ModelMetadata(
        task="stylize",
        name="styles",
        image=ImageSpec(),
        spec=StylizationSpec(styles=styles),
        tile=TileSpec(multiple=4, overlap=overlap),
    )


@pytest.fixture
def stylizer():
    """A network whose first style is the picture without its mean, whose second is red; and what it was given."""
    seen = []

    def run(feeds):
        image, shares, statistics = (feeds[spec.name] for spec in INPUTS)
        seen.append((image.shape, shares, statistics))
        own = np.stack((image.mean(axis=(2, 3)), image.var(axis=(2, 3))), axis=1)
        mean = np.where(statistics[:, 1] > 0, statistics[:, 0], own[:, 0])[:, :, None, None]
        red = np.array([1, 0, 0], np.float32)[None, :, None, None]
        wave, starry = shares[:, 0, None, None, None], shares[:, 1, None, None, None]
        return [(wave * (image - mean + np.float32(0.5)) + starry * red).astype(np.float32), own.astype(np.float32)]

    def build(**options):
        return Stylizer(FakeEngine(INPUTS, OUTPUTS, run), metadata(), **options), seen

    return build


def noise(height=40, width=60, channels=3):
    return np.random.default_rng(0).integers(60, 180, (height, width, channels), dtype=np.uint8)


def test_styles_are_chosen_by_name_and_mixed_by_shares(stylizer):
    stylize, seen = stylizer()
    assert stylize.styles == STYLES
    first = stylize(Picture(noise())).pixels.astype(float)
    np.testing.assert_array_equal(stylize(Picture(noise()), style="wave").pixels, first)
    np.testing.assert_array_equal(stylize(Picture(noise()), style="starry").pixels, np.tile([255, 0, 0], (40, 60, 1)))
    mixed = stylize(Picture(noise()), style="wave:3,starry:1").pixels
    np.testing.assert_allclose(mixed, 0.75 * first + 0.25 * np.array([255, 0, 0]), atol=1)
    np.testing.assert_array_equal(stylize(Picture(noise()), style={"wave": 3, "starry": 1}).pixels, mixed)
    np.testing.assert_allclose(seen[-1][1], [[0.75, 0.25]])


@pytest.mark.parametrize(
    ("style", "message"),
    [
        ("scream", "has the styles wave, starry, not 'scream'"),
        ("wave:much", "NAME or NAME:SHARE,NAME:SHARE, not 'wave:much'"),
        ({"wave": -1}, "must be a number from 0 on, not -1"),
        ({"wave": float("nan")}, "must be a number from 0 on, not nan"),
        ("wave:0,starry:0", "the shares of the styles are all 0"),
        ("", "has the styles wave, starry, not ''"),
        ("wave:0.6,wave:0.4", "the style 'wave' is given twice"),
    ],
)
def test_a_style_that_cannot_be_is_refused(style, message):
    with pytest.raises(InputError, match=message):
        style_shares(style, STYLES, "styles")


def test_shares_whose_sum_no_number_holds_are_shares_too():
    np.testing.assert_array_equal(style_shares("wave:1e308,starry:1e308", STYLES, "styles"), [0.5, 0.5])


def test_a_network_of_one_style_has_none_to_choose():
    assert style_shares(None, (), "mosaic") is None
    with pytest.raises(InputError, match="'mosaic' has one style only"):
        style_shares("wave", (), "mosaic")


def test_tiles_are_all_normalised_by_the_statistics_of_the_whole_picture(stylizer):
    """The left half is dark and the right one bright: tiles by themselves would both become middle gray."""
    pixels = np.full((48, 200, 3), 60, np.uint8)
    pixels[:, 100:] = 180
    tiled, seen = stylizer(tile=48)
    whole, _ = stylizer(tile=0)
    made = tiled(Picture(pixels)).pixels
    assert len(seen) > 3
    assert seen[0][2].max() == 0
    given = np.array([statistics for _, _, statistics in seen[1:]])
    assert (given[:, 0, 1] > 0).all()
    np.testing.assert_array_equal(given, np.broadcast_to(given[0], given.shape))
    np.testing.assert_allclose(made, whole(Picture(pixels)).pixels, atol=1)


def test_a_large_picture_is_normalised_by_a_thumbnail(stylizer):
    stylize, seen = stylizer(tile=256)
    stylize(Picture(noise(300, 1500)))
    assert seen[0][0] == (1, 3, 128, 640)


def test_gray_becomes_colours_and_alpha_and_depth_stay(stylizer):
    stylize, _ = stylizer()
    alpha = np.full((40, 60), 30000, np.uint16)
    gray = Picture(noise(channels=1).astype(np.uint16) * 257, alpha, icc_profile=b"gray", exif=b"camera")
    made = stylize(gray, style="starry")
    assert (made.pixels.shape, made.pixels.dtype) == ((40, 60, 3), np.uint16)
    np.testing.assert_array_equal(made.pixels[0, 0], [65535, 0, 0])
    np.testing.assert_array_equal(made.alpha, alpha)
    assert (made.icc_profile, made.exif) == (None, b"camera")
    half = stylize(gray, style="starry", strength=0.5).pixels.astype(float)
    np.testing.assert_allclose(half, gray.pixels / 2 + np.array([65535, 0, 0]) / 2, atol=1)


def test_metadata_that_contradict_the_graph_are_refused():
    STYLIZE.check(metadata(), INPUTS, OUTPUTS)
    STYLIZE.check(metadata(styles=()), INPUTS[:1], OUTPUTS[:1])
    with pytest.raises(ValueError, match=r"its input 'shares' is \('batch', 2\)"):
        STYLIZE.check(metadata(styles=("wave", "starry", "scream")), INPUTS, OUTPUTS)
    with pytest.raises(ValueError, match="its graph has 1 inputs"):
        STYLIZE.check(metadata(), INPUTS[:1], OUTPUTS[:1])
    with pytest.raises(ValueError, match="styles must have each a name of its own"):
        StylizationSpec(styles=("wave", "wave"))
