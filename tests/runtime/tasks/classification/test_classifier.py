import io

import numpy as np
import pytest
from fake_engine import FakeEngine
from PIL import Image

import edgevision
from edgevision.core.errors import ImageError, ModelFileError
from edgevision.metrics.figures import softmax
from edgevision.modelfiles.metadata import ImageSpec, TensorSpec
from edgevision.runtime.tasks.classification.classifier import Classification, Classifier
from edgevision.runtime.tasks.classification.spec import ClassificationSpec

COLOURS = ("red", "green", "blue")


@pytest.mark.parametrize("name", ["colours.onnx", "colours.xml"])
@pytest.mark.parametrize("colour", COLOURS)
def test_a_picture_of_one_colour_gets_its_name(write_colours, paint, name, colour):
    with edgevision.load(write_colours(name)) as classify:
        answer = classify(paint(colour))
    assert answer.label == colour
    expected = np.exp(10 * 200 / 255) / (np.exp(10 * 200 / 255) + 2)
    assert answer.probability == pytest.approx(expected, rel=1e-5)


def test_every_kind_of_source_gives_the_same_answer(write_colours, paint, tmp_path):
    array = paint("green")
    image = Image.fromarray(array)
    image.save(tmp_path / "green.png")
    encoded = (tmp_path / "green.png").read_bytes()
    with edgevision.load(write_colours()) as classify:
        answers = classify([array, image, encoded, tmp_path / "green.png", str(tmp_path / "green.png")])
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer.probabilities, answers[0].probabilities)


def test_a_list_gives_what_the_single_pictures_give(write_colours, paint):
    pictures = [paint(colour) for colour in COLOURS] * 15  # more than one batch
    with edgevision.load(write_colours()) as classify:
        together = classify(pictures)
        alone = [classify(picture) for picture in pictures]
    assert [answer.label for answer in together] == list(COLOURS) * 15
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, rtol=1e-6)


def test_a_list_runs_in_batches_where_the_model_allows_it(paint):
    engine = colour_engine("batch")
    Classifier(engine, metadata())([paint("red")] * 40)
    assert engine.calls == 2


@pytest.mark.parametrize(("batch", "calls"), [(1, 5), (2, 3), (8, 1)])
def test_a_fixed_batch_is_filled_up_and_gives_no_more_answers_than_pictures(write_colours, paint, batch, calls):
    pictures = [paint(colour) for colour in (*COLOURS, "red", "blue")]
    engine = colour_engine(batch)
    Classifier(engine, metadata())(pictures)
    assert engine.calls == calls
    with edgevision.load(write_colours(batch=batch)) as classify:
        assert [answer.label for answer in classify(pictures)] == [*COLOURS, "red", "blue"]
        assert classify(paint("green")).label == "green"


def test_an_empty_list_gives_an_empty_list():
    assert Classifier(colour_engine("batch"), metadata())([]) == []


def test_top_sorts_and_stops_at_the_number_of_labels():
    answer = Classification(("a", "b", "c"), np.array([0.2, 0.7, 0.1], np.float32))
    assert [label for label, _ in answer.top(2)] == ["b", "a"]
    assert len(answer.top(9)) == 3


def test_probabilities_of_the_model_are_not_softmaxed_again(paint):
    engine = colour_engine("batch", scale=1.0)
    outputs = (TensorSpec(name="probabilities", shape=("batch", 3), value_range=(0.0, 1.0)),)
    answer = Classifier(engine, metadata(outputs=outputs))(paint("red"))
    np.testing.assert_allclose(answer.probabilities, [200 / 255, 0, 0], atol=1e-6)


def test_extreme_logits_give_finite_probabilities():
    probabilities = softmax(np.array([[1e4, -1e4, 0]], np.float32))
    np.testing.assert_array_equal(probabilities, [[1, 0, 0]])


def test_a_model_without_labels_numbers_its_classes(paint):
    assert (
        Classifier(colour_engine("batch"), metadata(spec=ClassificationSpec(labels=())))(paint("blue")).label
        == "class 2"
    )


def test_labels_that_do_not_fit_the_output_are_refused():
    with pytest.raises(ModelFileError, match="3 scores, and there are 2 labels"):
        Classifier(colour_engine("batch"), metadata(spec=ClassificationSpec(labels=("a", "b"))))


def test_metadata_without_a_picture_is_refused():
    with pytest.raises(ModelFileError, match="how a picture becomes an input"):
        Classifier(colour_engine("batch"), metadata(image=None))


def test_a_damaged_picture_is_named(write_colours, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no more")
    with edgevision.load(write_colours()) as classify, pytest.raises(ImageError, match=r"broken\.jpg"):
        classify(tmp_path / "broken.jpg")


def test_leaving_the_pipeline_closes_its_engine():
    engine = colour_engine("batch")
    with Classifier(engine, metadata()):
        assert not engine.closed
    assert engine.closed


def test_a_picture_on_the_way_to_the_network_is_resized_as_the_metadata_says(write_colours):
    # Left half red, right half blue, twice as wide as high: the crop keeps the middle, half of each.
    pixels = np.zeros((10, 20, 3), np.uint8)
    pixels[:, :10, 0] = pixels[:, 10:, 2] = 255
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    with edgevision.load(write_colours()) as classify:
        red, green, blue = classify(stream.getvalue()).probabilities
    assert red == pytest.approx(blue, rel=1e-3)
    assert green < red


def metadata(**changes):
    from edgevision.modelfiles.metadata import ModelMetadata

    base = ModelMetadata(
        task="classify", name="colours", image=ImageSpec(size=(8, 8)), spec=ClassificationSpec(labels=COLOURS)
    )
    return base.updated(**changes)


def colour_engine(batch, scale=10.0):
    return FakeEngine(
        (TensorSpec(name="image", shape=(batch, 3, 8, 8)),),
        (TensorSpec(name="logits", shape=(batch, 3)),),
        lambda feeds: [scale * feeds["image"].mean(axis=(2, 3))],
    )
