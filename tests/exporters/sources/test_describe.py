"""The metadata of a model about to be exported."""

from typing import Any

import pytest

from edgevision.core.errors import InputError
from edgevision.exporters.sources.describe import describe
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata, Resize, TensorSpec
from edgevision.runtime.tasks.classification.spec import ClassificationSpec
from edgevision.runtime.tasks.generation.spec import LatentSpec

OWN = ModelMetadata(
    task="classify",
    name="own",
    inputs=(TensorSpec(name="image", shape=("batch", 3, 32, 24)),),
    image=ImageSpec(size=(32, 24), mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2)),
    spec=ClassificationSpec(labels=("a", "b")),
    extra={"later": 1},
)


def foreign(given: dict[str, Any], shape: tuple[int, ...] | None) -> tuple[ModelMetadata, tuple[int, ...]]:
    return describe(None, given, name="net", input_shape=shape)


def test_an_own_checkpoint_says_everything_itself() -> None:
    assert describe(OWN, {}, name="ignored", input_shape=None) == (OWN, (3, 32, 24))


def test_what_is_given_goes_over_what_the_checkpoint_says_field_by_field() -> None:
    metadata, shape = describe(OWN, {"licence": "MIT", "image": {"resize": "pad"}}, name="ignored", input_shape=None)
    assert metadata == OWN.updated(
        licence="MIT", image=ImageSpec(size=(32, 24), mean=(0.5,) * 3, std=(0.2,) * 3, resize=Resize.PAD)
    )
    assert shape == (3, 32, 24)


def test_another_input_shape_is_the_size_that_pictures_get() -> None:
    metadata, shape = describe(OWN, {}, name="ignored", input_shape=(1, 3, 48, 40))
    assert metadata.image is not None
    assert (metadata.image.size, shape) == ((48, 40), (3, 48, 40))


def test_dynamic_axes_are_the_size_that_pictures_get() -> None:
    own = OWN.updated(inputs=(TensorSpec(name="image", shape=("batch", 3, "height", "width")),))
    assert describe(own, {}, name="ignored", input_shape=None)[1] == (3, 32, 24)


def test_a_foreign_classifier_takes_size_and_colour_from_the_shape() -> None:
    metadata, shape = foreign({"task": "classify"}, (1, 3, 20, 30))
    assert metadata == ModelMetadata(task="classify", name="net", image=ImageSpec(size=(20, 30)))
    assert shape == (3, 20, 30)


def test_a_foreign_restorer_of_gray_pictures_takes_any_size() -> None:
    metadata, shape = foreign({"task": "denoise"}, (1, 1, 20, 30))
    assert metadata.image == ImageSpec(color=Color.GRAY)
    assert shape == (1, 20, 30)


@pytest.mark.parametrize("shape", [(1, 64), (1, 64, 1, 1)])
def test_a_foreign_generator_has_a_latent_of_the_shapes_size(shape: tuple[int, ...]) -> None:
    metadata, found = foreign({"task": "generate"}, shape)
    assert metadata.spec.latent == LatentSpec(size=64)
    assert metadata.image is None
    assert found == shape[1:]


def test_a_generator_may_say_how_its_latent_is_drawn() -> None:
    metadata, _ = foreign({"task": "generate", "latent": {"size": 64, "distribution": "uniform"}}, (1, 64))
    assert metadata.spec.latent == LatentSpec(size=64, distribution="uniform")


def test_a_generators_colours_are_those_of_its_pictures() -> None:
    metadata, _ = foreign({"task": "generate", "image": {"color": "rgb"}}, (1, 64))
    assert metadata.image == ImageSpec()


@pytest.mark.parametrize(
    ("given", "shape", "words"),
    [
        ({}, (1, 3, 8, 8), "does not say what it is for; give --task"),
        ({"task": "classify"}, None, "size is unknown; give --input-shape, as 1x3x224x224"),
        ({"task": "knit"}, (1, 3, 8, 8), "a task is one of classify, .* not 'knit'"),
        ({"task": "classify"}, (1, 4, 8, 8), "is 1x3xHxW, or 1x1xHxW for gray, not 1x4x8x8"),
        ({"task": "classify"}, (1, 3, 8), "is 1x3xHxW"),
        ({"task": "classify"}, (3,), "at least one size"),
        ({"task": "generate"}, (64,), "at least one size"),
        ({"task": "classify", "image": {"color": "gray"}}, (1, 3, 8, 8), "color gray has 1 channels, the input 3"),
        ({"task": "classify", "image": {"mean": [0.5]}}, (1, 3, 8, 8), "mean needs 3 numbers for rgb"),
        ({"task": "classify", "image": {"resize": "melt"}}, (1, 3, 8, 8), "metadata.image.resize must be one of"),
        ({"task": "classify", "image": 5}, (1, 3, 8, 8), "image must be an object, not 5"),
        ({"task": "classify", "image": None}, (1, 3, 8, 8), "image must be an object, not None"),
        ({"task": "classify", "labels": "cat"}, (1, 3, 8, 8), "metadata.spec.labels must be"),
    ],
)
def test_what_is_missing_or_contradictory_is_named(
    given: dict[str, Any], shape: tuple[int, ...] | None, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        foreign(given, shape)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dtype": "foo"}, "the input 'y' among the metadata is 'foo', not float32, float16"),
        ({"dtype": "tensor(bfloat16)"}, r"the input 'y' among the metadata is 'tensor\(bfloat16\)', not float32"),
        ({"shape": ["batch", -5]}, r"the input 'y' among the metadata is \('batch', -5\): a side is at least 1"),
        ({"shape": ["batch", 0]}, r"the input 'y' among the metadata is \('batch', 0\): a side is at least 1"),
        ({"name": "x"}, r"are \['x', 'x'\]: each has to have a name of its own"),
        ({"name": ""}, r"are \['x', ''\]: each has to have a name of its own"),
    ],
)
def test_inputs_of_which_no_example_can_be_made_are_refused(changes: dict[str, Any], words: str) -> None:
    inputs = [{"name": "x", "shape": ["batch", 4]}, {"name": "y", "shape": ["batch", 5]} | changes]
    with pytest.raises(InputError, match=words):
        foreign({"task": "other", "inputs": inputs}, (1, 4))


def test_a_head_that_nobody_knows_is_refused_before_anything_is_converted() -> None:
    given = {"task": "keypoints", "spec": {"layout": "simcc3"}}
    with pytest.raises(InputError, match="'simcc3' is no layout that is known: heatmaps"):
        foreign(given, (1, 3, 64, 64))
    metadata, _ = foreign(given | {"spec": {"layout": "simcc"}}, (1, 3, 64, 64))
    assert metadata.task == "keypoints"
