"""Generation on an engine that can be followed by hand: every picture is the mean of its latent, in one shade."""

from collections.abc import Mapping

import numpy as np
import pytest
from fake_engine import FakeEngine

from edgevision.core.errors import InputError, ModelFileError
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.runtime.engines.batching import run_batched
from edgevision.runtime.tasks.generation.generator import Generator
from edgevision.runtime.tasks.generation.latents import draw_latents, interpolate
from edgevision.runtime.tasks.generation.spec import GenerationSpec, LatentSpec

SIZE = 6
LABELS = ("ant", "bee", "cow")


def latent_input(*sides, batch="batch", size=SIZE):
    return TensorSpec(name="latent", shape=(batch, size, *sides))


def metadata(**changes):
    output = TensorSpec(name="image", shape=("batch", 3, 4, 4), value_range=(-1.0, 1.0))
    base = {
        "task": "generate",
        "name": "drawer",
        "outputs": (output,),
        "spec": GenerationSpec(latent=LatentSpec(size=SIZE)),
    }
    return ModelMetadata(**(base | changes))


class Engine(FakeEngine):
    """Remembers what it was fed; like a real engine it refuses another batch than its fixed one."""

    def __init__(self, function, *inputs):
        self.feeds = []
        output = TensorSpec(name="image", shape=("batch", 3, 4, 4))
        super().__init__(inputs or (latent_input(),), (output,), function)

    def run(self, feeds: Mapping[str, np.ndarray]):
        assert list(feeds) == [spec.name for spec in self.inputs]
        for spec in self.inputs:
            batch = spec.shape[0]
            assert not isinstance(batch, int) or len(feeds[spec.name]) == batch
            assert feeds[spec.name].dtype == np.float32
        self.feeds.append({name: array.copy() for name, array in feeds.items()})
        return super().run(feeds)


def shades(latents):
    """-1 to 1 of the mean of each latent."""
    return np.clip(latents.reshape(len(latents), -1).mean(1), -1, 1)


def flat(feeds):
    """Pictures (N, 3, 4, 4) in one shade."""
    return [np.broadcast_to(shades(feeds["latent"])[:, None, None, None], (len(feeds["latent"]), 3, 4, 4))]


def expected(count, *, seed=0, **options):
    return np.rint((shades(draw_latents(LatentSpec(size=SIZE), count, seed=seed, **options)) + 1) * 127.5)


def by_class(feeds):
    """The shade is the class: 0, 0.1, 0.2."""
    shade = feeds["classes"].argmax(1) / 10
    return [np.broadcast_to(shade[:, None, None, None], (len(shade), 1, 4, 4))]


def conditional(labels=LABELS, classes=3):
    engine = Engine(by_class, latent_input(), TensorSpec(name="classes", shape=("batch", classes)))
    return Generator(engine, metadata(spec=GenerationSpec(latent=LatentSpec(size=SIZE), labels=labels)))


def classes_of(pictures):
    return np.rint((pictures.pixels[:, 0, 0, 0] / 127.5 - 1) * 10).astype(int).tolist()


# --- batches ---


def test_batches_are_cut_and_put_together_again():
    engine = Engine(flat)
    latents = draw_latents(LatentSpec(size=SIZE), 10, seed=0)
    (whole,) = run_batched(engine, [latents])
    assert [len(feeds["latent"]) for feeds in engine.feeds] == [10]
    (parts,) = run_batched(engine, [latents], most=4)
    assert [len(feeds["latent"]) for feeds in engine.feeds[1:]] == [4, 4, 2]
    np.testing.assert_array_equal(parts, whole)


@pytest.mark.parametrize("count", [1, 4, 7, 8])
def test_a_fixed_batch_is_filled_up_and_what_filled_it_is_dropped(count):
    engine = Engine(flat, latent_input(batch=4))
    latents = draw_latents(LatentSpec(size=SIZE), count, seed=0)
    (found,) = run_batched(engine, [latents], most=32)
    assert engine.calls == -(-count // 4)
    np.testing.assert_array_equal(found[:, 0, 0, 0], shades(latents))


def test_every_output_is_put_together():
    engine = Engine(lambda feeds: [feeds["latent"], -feeds["latent"]])
    latents = draw_latents(LatentSpec(size=SIZE), 5, seed=0)
    same, opposite = run_batched(engine, [latents], most=2)
    np.testing.assert_array_equal(same, latents)
    np.testing.assert_array_equal(opposite, -latents)


# --- pictures ---


def test_pictures_are_what_the_network_makes_of_the_documented_latents():
    pictures = np.asarray(Generator(Engine(flat), metadata())(5, seed=3))
    assert pictures.shape == (5, 4, 4, 3)
    assert pictures.dtype == np.uint8
    np.testing.assert_array_equal(pictures[:, 0, 0, 0], expected(5, seed=3))
    np.testing.assert_array_equal(pictures, np.broadcast_to(pictures[:, :1, :1, :1], pictures.shape))


def test_channels_rows_and_columns_keep_their_places():
    image = np.linspace(-1, 1, 3 * 4 * 5, dtype=np.float32).reshape(1, 3, 4, 5)
    (picture,) = Generator(Engine(lambda _: [image]), metadata())()
    np.testing.assert_array_equal(picture, np.rint((image[0].transpose(1, 2, 0) + 1) * 127.5))


@pytest.mark.parametrize(
    ("value_range", "outputs", "pixels"),
    [
        ((-1.0, 1.0), (-1, 0, 1, -3, 3), (0, 128, 255, 0, 255)),
        ((0.0, 1.0), (0, 0.5, 1, -1, 2), (0, 128, 255, 0, 255)),
        ((0.0, 255.0), (0, 127.6, 255, -9, 300), (0, 128, 255, 0, 255)),
        (None, (-1, 0, 1, -3, 3), (0, 128, 255, 0, 255)),
    ],
)
def test_black_and_white_are_where_the_metadata_says(value_range, outputs, pixels):
    spec = TensorSpec(name="image", shape=("batch", 1, 1, 5), value_range=value_range)
    image = np.array(outputs, np.float32).reshape(1, 1, 1, 5)
    for specs in ((spec,), ()) if value_range is None else ((spec,),):
        (picture,) = Generator(Engine(lambda _: [image]), metadata(outputs=specs))()
        np.testing.assert_array_equal(picture.pixels.ravel(), pixels)


def test_one_picture_is_the_default():
    assert Generator(Engine(flat), metadata())().pixels.shape == (1, 4, 4, 3)


def test_a_thousand_samples_take_32_runs_and_do_not_lie_in_memory_together():
    engine = Engine(flat)
    batches = list(Generator(engine, metadata()).batches(1000))
    assert engine.calls == 32
    assert max(len(feeds["latent"]) for feeds in engine.feeds) == 32
    assert [len(batch) for batch in batches] == [32] * 31 + [8]
    np.testing.assert_array_equal(np.concatenate([batch.pixels for batch in batches])[:, 0, 0, 0], expected(1000))


def test_batches_are_drawn_when_they_are_wanted():
    engine = Engine(flat)
    batches = Generator(engine, metadata()).batches(10_000_000)
    assert len(next(batches)) == 32
    assert engine.calls == 1


@pytest.mark.parametrize("count", [1, 5, 33, 70])
def test_a_sample_does_not_depend_on_the_count_or_the_models_batch(count):
    free = Generator(Engine(flat), metadata())(70, seed=2)
    fixed = Generator(Engine(flat, latent_input(batch=8)), metadata())(count, seed=2)
    np.testing.assert_array_equal(fixed, free[:count])


def test_another_seed_draws_other_pictures():
    generator = Generator(Engine(flat), metadata())
    assert not np.array_equal(generator(8, seed=0), generator(8, seed=1))
    np.testing.assert_array_equal(generator(8, seed=1), generator(8, seed=1))


def test_truncation_and_distribution_reach_the_sampler():
    engine = Engine(flat)
    Generator(engine, metadata())(20, seed=1, truncation=0.4)
    latents = draw_latents(LatentSpec(size=SIZE), 20, seed=1, truncation=0.4)
    np.testing.assert_array_equal(engine.feeds[0]["latent"], latents)
    uniform = LatentSpec(size=SIZE, distribution="uniform")
    Generator(engine, metadata(spec=GenerationSpec(latent=uniform)))(20, seed=1)
    np.testing.assert_array_equal(engine.feeds[1]["latent"], draw_latents(uniform, 20, seed=1))


@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 8), (1, 1)])
def test_flattened_pictures_become_square(channels, side):
    image = np.random.default_rng(0).uniform(-1, 1, (2, channels, side, side)).astype(np.float32)
    pictures = Generator(Engine(lambda _: [image.reshape(2, -1)]), metadata())(2)
    assert pictures.pixels.shape == (2, side, side, channels)
    np.testing.assert_array_equal(pictures, np.rint((image.transpose(0, 2, 3, 1) + 1) * 127.5))


def test_numbers_that_are_no_square_are_refused():
    with pytest.raises(ModelFileError, match="50 numbers are no square picture in gray or colour"):
        Generator(Engine(lambda _: [np.zeros((1, 50), np.float32)]), metadata())()


def test_a_vector_is_given_as_the_convolutions_of_a_dcgan_take_it():
    engine = Engine(flat, latent_input(1, 1))
    pictures = Generator(engine, metadata())(3)
    assert engine.feeds[0]["latent"].shape == (3, SIZE, 1, 1)
    np.testing.assert_array_equal(pictures.pixels[:, 0, 0, 0], expected(3))


# --- classes ---


def test_without_a_class_all_are_drawn_in_turn():
    generator = conditional()
    assert generator.labels == LABELS
    assert classes_of(generator(7)) == [0, 1, 2, 0, 1, 2, 0]


def test_the_turn_goes_on_from_batch_to_batch():
    assert classes_of(conditional()(70)) == [index % 3 for index in range(70)]


@pytest.mark.parametrize(("label", "index"), [("ant", 0), ("cow", 2)])
def test_the_class_asked_for_is_drawn(label, index):
    generator = conditional()
    assert classes_of(generator(40, label=label)) == [index] * 40
    np.testing.assert_array_equal(generator.engine.feeds[0]["classes"], np.eye(3, dtype=np.float32)[[index] * 32])


def test_the_class_changes_the_class_and_not_the_latent():
    generator = conditional()
    generator(4, seed=1, label="bee")
    generator(4, seed=1)
    np.testing.assert_array_equal(*(feeds["latent"] for feeds in generator.engine.feeds))


def test_an_unknown_class_lists_the_known_ones():
    with pytest.raises(InputError, match="'drawer' knows no class 'dog'; it knows ant, bee, cow"):
        conditional()(1, label="dog")


def test_a_class_cannot_be_asked_of_a_generator_without():
    for labels in ((), LABELS):  # labels alone make no generator conditional
        generator = Generator(Engine(flat), metadata(spec=GenerationSpec(latent=LatentSpec(size=SIZE), labels=labels)))
        assert generator.labels == ()
        with pytest.raises(InputError, match="'drawer' knows no classes, so none can be asked for; leave --class away"):
            generator(1, label="ant")


def test_classes_without_names_are_numbered():
    generator = conditional(labels=())
    assert generator.labels == ("class 0", "class 1", "class 2")
    assert classes_of(generator(2, label="class 2")) == [2, 2]


def test_own_latents_and_classes_can_be_decoded():
    generator = conditional()
    shares = np.array([[0, 1, 0], [0, 0, 1]], np.float32)
    assert classes_of(generator.decode(np.zeros((2, SIZE), np.float32), shares)) == [1, 2]


def test_own_latents_may_be_of_any_kind_of_number():
    latents = draw_latents(LatentSpec(size=SIZE), 2, seed=0)
    engine = Engine(flat)
    generator = Generator(engine, metadata())
    expected = generator.decode(latents)
    for given in (latents.astype(np.float64), latents.tolist(), latents[:, :, None, None]):
        np.testing.assert_array_equal(generator.decode(given), expected)
    assert {feeds["latent"].dtype for feeds in engine.feeds} == {np.dtype(np.float32)}
    assert {feeds["latent"].ndim for feeds in engine.feeds} == {2}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_latents_that_are_not_finite_are_refused(value):
    with pytest.raises(InputError, match="all of its numbers must be finite"):
        Generator(Engine(flat), metadata()).decode(np.full((1, SIZE), value, np.float32))


def test_many_own_latents_are_decoded_in_batches():
    engine = Engine(flat)
    latents = draw_latents(LatentSpec(size=SIZE), 70, seed=0)
    assert Generator(engine, metadata()).decode(latents).pixels.shape == (70, 4, 4, 3)
    assert [len(feeds["latent"]) for feeds in engine.feeds] == [32, 32, 6]


@pytest.mark.parametrize(
    ("latents", "classes", "message"),
    [
        ((2, SIZE + 1), (2, 3), r"takes latents of 6 numbers, not of \(7,\)"),
        ((SIZE,), (1, 3), "takes latents of 6 numbers"),
        ((2, SIZE, 1, 2), (2, 3), "takes latents of 6 numbers"),
        ((0, SIZE), (0, 3), "at least one latent is needed"),
        ((2, SIZE), (2, 4), r"'drawer' takes classes of shape \(2, 3\), not \(2, 4\)"),
        ((2, SIZE), (1, 3), r"takes classes of shape \(2, 3\), not \(1, 3\)"),
        ((2, SIZE), (3,), r"takes classes of shape \(2, 3\), not \(3,\)"),
        ((2, SIZE), None, r"takes classes of shape \(2, 3\), not None"),
    ],
)
def test_own_latents_of_another_size_are_refused(latents, classes, message):
    given = None if classes is None else np.zeros(classes, np.float32)
    with pytest.raises(InputError, match=message):
        conditional().decode(np.zeros(latents, np.float32), given)


def test_classes_for_a_generator_without_are_refused():
    with pytest.raises(InputError, match="takes classes of shape None, not"):
        Generator(Engine(flat), metadata()).decode(np.zeros((1, SIZE), np.float32), np.zeros((1, 3), np.float32))


# --- from one seed to another ---


def test_the_way_from_seed_to_seed_is_the_documented_one():
    engine = Engine(flat)
    pictures = Generator(engine, metadata()).between((2, 9), 5, truncation=1.5)
    start, end = (draw_latents(LatentSpec(size=SIZE), 1, seed=seed, truncation=1.5)[0] for seed in (2, 9))
    np.testing.assert_array_equal(engine.feeds[0]["latent"], interpolate(start, end, 5))
    assert pictures.pixels.shape == (5, 4, 4, 3)
    assert pictures.pixels[0, 0, 0, 0] == expected(1, seed=2, truncation=1.5)[0]
    assert pictures.pixels[-1, 0, 0, 0] == expected(1, seed=9, truncation=1.5)[0]


@pytest.mark.parametrize(("label", "index"), [(None, 0), ("cow", 2)])
def test_the_way_stays_with_one_class(label, index):
    assert classes_of(conditional().between((0, 1), 4, label=label)) == [index] * 4


def test_a_long_way_is_run_in_batches():
    engine = Engine(flat)
    assert len(Generator(engine, metadata()).between((0, 1), 70)) == 70
    assert engine.calls == 3


# --- textures ---


def enlarged(feeds):
    """Every place of the map as 8x8 pixels."""
    shade = np.clip(feeds["latent"].mean(1, keepdims=True), -1, 1)
    return [shade.repeat(8, axis=2).repeat(8, axis=3).repeat(3, axis=1)]


def texture():
    spec = LatentSpec(size=SIZE, pixels=8)
    return Generator(Engine(enlarged, latent_input("height", "width")), metadata(spec=GenerationSpec(latent=spec)))


@pytest.mark.parametrize(
    ("size", "sides"), [((16, 24), (2, 3)), ((17, 23), (3, 3)), ((1, 1), (1, 1)), (None, (32, 32))]
)
def test_a_texture_has_the_size_asked_for(size, sides):
    generator = texture()
    pictures = generator(2, **({} if size is None else {"height": size[0], "width": size[1]}))
    height, width = size or (256, 256)
    assert (pictures.height, pictures.width) == (height, width)
    assert pictures.pixels.shape == (2, height, width, 3)
    # One at a time: a large one fills the memory by itself.
    assert [feeds["latent"].shape for feeds in generator.engine.feeds] == [(1, SIZE, *sides)] * 2
    latents = draw_latents(generator.latent, 2, seed=0, sides=sides)
    np.testing.assert_array_equal(np.concatenate([feeds["latent"] for feeds in generator.engine.feeds]), latents)
    corner = np.rint((np.clip(latents[:, :, 0, 0].mean(1), -1, 1) + 1) * 127.5)
    np.testing.assert_allclose(pictures.pixels[:, 0, 0, 0], corner, atol=1)


def test_textures_are_interpolated_too():
    pictures = texture().between((0, 1), 3, height=10, width=20)
    assert pictures.pixels.shape == (3, 10, 20, 3)
    assert len(np.unique(pictures.pixels.reshape(3, -1), axis=0)) == 3


@pytest.mark.parametrize("size", [(0, 5), (5, -1)])
def test_a_texture_without_pixels_is_refused(size):
    with pytest.raises(InputError, match="a texture's sides must be at least 1"):
        texture()(1, height=size[0], width=size[1])


def test_other_pictures_have_one_size():
    with pytest.raises(InputError, match="'drawer' draws pictures of one size; --size is for textures"):
        Generator(Engine(flat), metadata())(1, width=8)


# --- what is refused ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "the count must be at least 1, not 0"),
        ({"count": -3}, "the count must be at least 1, not -3"),
        ({"seed": -1}, "the seed must not be negative, -1 is"),
        ({"truncation": 0.0}, r"the truncation must be at least 0\.01, not 0\.0"),
        ({"truncation": -2.0}, "the truncation must be at least"),
        ({"truncation": float("nan")}, "the truncation must be at least"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_anything_is_run(options, message):
    engine = Engine(flat)
    with pytest.raises(InputError, match=message):
        Generator(engine, metadata())(**({"count": 2} | options))
    assert engine.calls == 0


@pytest.mark.parametrize(
    ("seeds", "count", "message"),
    [
        ((0, 1), 1, "from one seed to another takes at least 2 pictures, not 1"),
        ((0, -1), 3, "the seed must not be negative"),
        ((-1, 0), 3, "the seed must not be negative"),
    ],
)
def test_a_way_that_cannot_be_gone_is_refused(seeds, count, message):
    with pytest.raises(InputError, match=message):
        Generator(Engine(flat), metadata()).between(seeds, count)


def test_a_model_that_does_not_say_what_its_latent_is_is_refused():
    with pytest.raises(ModelFileError, match="'drawer' does not say what its latent is drawn from"):
        Generator(Engine(flat), metadata(spec=None))


def test_a_latent_that_contradicts_the_model_is_refused():
    with pytest.raises(ModelFileError, match="'drawer' takes a latent of 6, its metadata say 9"):
        Generator(Engine(flat), metadata(spec=GenerationSpec(latent=LatentSpec(size=9))))


def test_labels_that_contradict_the_model_are_refused():
    with pytest.raises(ModelFileError, match="'drawer' takes 4 classes and has 3 labels"):
        conditional(classes=4)


def test_the_engine_is_closed_with_the_generator():
    engine = Engine(flat)
    with Generator(engine, metadata()) as generator:
        assert not engine.closed
        generator()
    assert engine.closed
