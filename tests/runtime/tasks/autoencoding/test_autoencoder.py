"""Autoencoders on an engine that can be followed by hand: the code is the mean of each channel."""

import io

import numpy as np
import pytest
from PIL import Image

from edgevision.core.errors import ImageError, ModelFileError
from edgevision.imaging.pictures import Picture
from edgevision.imaging.preprocessing import Preprocessor
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata
from edgevision.runtime.tasks.autoencoding.autoencoder import Encoder, Reconstructor

IMAGE = ImageSpec(size=(8, 8), value_range=(-1.0, 1.0))


def metadata(task, image=IMAGE):
    return ModelMetadata(task=task, name="squeezer", image=image)


def noise(height=8, width=8, channels=3):
    generator = np.random.default_rng(height * width)
    return generator.integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.fixture
def engine(picture_engine):
    """Answers with ``function(image)`` and the means of the image's channels."""

    def build(function=lambda image: image, **options):
        fake = picture_engine(function, **options)
        answer = fake._function
        fake._function = lambda feeds: [*answer(feeds), feeds["image"].mean((2, 3))]
        return fake

    return build


def test_the_reconstruction_is_what_the_network_makes_of_the_picture(engine):
    made = Reconstructor(engine(lambda image: -image), metadata("reconstruct"))(noise())
    assert isinstance(made.picture, Picture)
    np.testing.assert_array_equal(made.picture.pixels, 255 - noise())
    assert made.code.values.dtype == np.float32
    np.testing.assert_allclose(made.code, noise().mean((0, 1)) / 127.5 - 1, rtol=1e-4)


def test_pictures_of_any_size_get_the_networks_own(engine):
    source = noise(40, 30)
    picture = Reconstructor(engine(), metadata("reconstruct"))(source).picture
    seen = Preprocessor(IMAGE)(source).transpose(1, 2, 0)
    np.testing.assert_array_equal(picture.pixels, np.rint((seen + 1) * 127.5))


@pytest.mark.parametrize(
    "image",
    [
        ImageSpec(size=(8, 8)),
        ImageSpec(size=(8, 8), mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.25)),
        ImageSpec(size=(8, 8), color=Color.GRAY, value_range=(-1.0, 1.0)),
        ImageSpec(size=(8, 8), color=Color.BGR, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.25)),
    ],
    ids=["plain", "normalised", "gray", "bgr"],
)
def test_a_perfect_reconstruction_is_the_picture(engine, image):
    channels = image.color.channels
    pixels = noise(channels=channels)
    picture = Reconstructor(engine(channels=channels), metadata("reconstruct", image))(pixels[:, :, :channels]).picture
    np.testing.assert_array_equal(picture.pixels, pixels)


def test_what_lies_beyond_black_and_white_is_clipped(engine):
    picture = Reconstructor(engine(lambda image: 3 * image), metadata("reconstruct"))(noise()).picture
    expected = np.clip(np.rint((3 * (noise() / 127.5 - 1) + 1) * 127.5), 0, 255)
    np.testing.assert_allclose(picture.pixels, expected, atol=1)


def test_every_kind_of_source_is_taken(engine, tmp_path):
    pixels = noise()
    Image.fromarray(pixels).save(tmp_path / "a.png")
    sources = [pixels, Image.fromarray(pixels), tmp_path / "a.png", (tmp_path / "a.png").read_bytes()]
    for source in sources:
        picture = Reconstructor(engine(), metadata("reconstruct"))(source).picture
        np.testing.assert_array_equal(picture.pixels, pixels)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_model_with_a_fixed_batch_takes_one_picture(engine, batch):
    fixed = engine(shape=(batch, 3, 8, 8))
    made = Reconstructor(fixed, metadata("reconstruct"))(noise())
    np.testing.assert_array_equal(made.picture.pixels, noise())
    assert made.code.values.shape == (3,)


@pytest.mark.parametrize("whole", [True, False])
def test_an_encoder_gives_the_code_of_its_last_output(engine, picture_engine, whole):
    # The encoder alone, or a whole autoencoder that is used as one.
    model = engine() if whole else picture_engine(lambda image: image.mean((2, 3)))
    code = Encoder(model, metadata("encode"))(noise(20, 20))
    assert (code.values.shape, code.values.dtype) == ((3,), np.float32)
    np.testing.assert_allclose(code, Preprocessor(IMAGE)(noise(20, 20)).mean((1, 2)), rtol=1e-5)


@pytest.mark.parametrize("pipeline", [Encoder, Reconstructor])
@pytest.mark.parametrize("image", [None, ImageSpec()], ids=["nothing", "no_size"])
def test_a_model_that_does_not_say_what_it_takes_is_refused(engine, pipeline, image):
    with pytest.raises(ModelFileError, match="'squeezer' does not say how a picture becomes an input"):
        pipeline(engine(), metadata("reconstruct", image))


def test_a_damaged_picture_is_an_image_error(engine):
    stream = io.BytesIO()
    Image.fromarray(noise(50, 50)).save(stream, "JPEG")
    with pytest.raises(ImageError):
        Reconstructor(engine(), metadata("reconstruct"))(stream.getvalue()[:300])


@pytest.mark.parametrize("pipeline", [Encoder, Reconstructor])
def test_the_engine_is_closed_with_the_pipeline(engine, pipeline):
    model = engine()
    with pipeline(model, metadata("reconstruct")):
        assert not model.closed
    assert model.closed
