"""ModelMetadata: the JSON document inside every checkpoint and model file."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevision.core.errors import ModelFileError
from edgevision.modelfiles.measured_engine import InferencePrecision, MeasuredEngine
from edgevision.modelfiles.metadata import (
    SCHEMA_VERSION,
    Color,
    ImageSpec,
    ModelMetadata,
    Precision,
    Provenance,
    Resample,
    Resize,
    TensorSpec,
    TileSpec,
)
from edgevision.runtime.tasks.classification.spec import Activation, ClassificationSpec
from edgevision.runtime.tasks.generation.spec import GenerationSpec, LatentSpec
from edgevision.runtime.tasks.restoration.spec import Prediction, RestorationSpec

finite = st.floats(allow_nan=False, allow_infinity=False)
sizes = st.integers(1, 4096)


def image_specs() -> st.SearchStrategy[ImageSpec]:
    def of_color(color: Color) -> st.SearchStrategy[ImageSpec]:
        positive = st.floats(1e-3, 10)
        return st.builds(
            ImageSpec,
            color=st.just(color),
            size=st.none() | st.tuples(sizes, sizes),
            resize=st.sampled_from(Resize),
            resample=st.sampled_from(Resample),
            value_range=st.tuples(finite, finite),
            mean=st.just(()) | st.tuples(*[finite] * color.channels),
            std=st.just(()) | st.tuples(*[positive] * color.channels),
        )

    return st.sampled_from(Color).flatmap(of_color)


tensors = st.builds(
    TensorSpec,
    name=st.text(),
    shape=st.lists(sizes | st.text(), max_size=4).map(tuple),
    value_range=st.none() | st.tuples(finite, finite),
)
rising = st.tuples(finite, finite).filter(lambda ends: ends[0] < ends[1])
restorations = st.builds(RestorationSpec, predicts=st.sampled_from(Prediction)) | st.builds(
    RestorationSpec, scale=sizes, output_range=st.none() | rising
)
tiles = st.builds(
    TileSpec,
    size=sizes,
    multiple=sizes,
    overlap=st.none() | st.integers(0, 4096),
    memory=st.none() | sizes,
)
generators = st.builds(
    GenerationSpec,
    latent=st.none() | st.builds(LatentSpec, size=sizes),
    labels=st.lists(st.text(), max_size=3).map(tuple),
)
tasks_and_specs = (
    st.tuples(st.sampled_from(("inpaint", "denoise", "upscale", "brighten")), st.none() | restorations)
    | st.tuples(st.sampled_from(("generate", "reconstruct")), st.none() | generators)
    | st.tuples(
        st.just("classify"), st.none() | st.builds(ClassificationSpec, labels=generators.map(lambda g: g.labels))
    )
    | st.tuples(st.sampled_from(("encode", "other")), st.none())
)
measurements = st.builds(
    MeasuredEngine,
    engine=st.text(),
    inference_precision=st.sampled_from(InferencePrecision),
    speedup=st.none() | finite,
    processor=st.text(),
    features=st.lists(st.text(), max_size=2).map(tuple),
    threads=st.none() | sizes,
)
parts = st.builds(
    dict,
    name=st.text(),
    inputs=st.lists(tensors, max_size=2).map(tuple),
    outputs=st.lists(tensors, max_size=2).map(tuple),
    image=st.none() | image_specs(),
    tile=st.none() | tiles,
    precision=st.sampled_from(Precision),
    target=st.none() | st.text(),
    measured_in=st.none() | measurements,
    quality=st.dictionaries(st.text(), finite, max_size=3),
    licence=st.none() | st.text(),
    provenance=st.builds(
        Provenance, hours=st.none() | finite, versions=st.dictionaries(st.text(), st.text(), max_size=2)
    ),
)

metadata_values = st.builds(
    lambda task_and_spec, parts: ModelMetadata(task=task_and_spec[0], spec=task_and_spec[1], **parts),
    tasks_and_specs,
    parts,
)


def document(**changes: Any) -> str:
    return json.dumps({"schema_version": SCHEMA_VERSION, "task": "classify", "name": "net"} | changes)


@given(metadata_values)
def test_metadata_survives_json(metadata: ModelMetadata) -> None:
    assert ModelMetadata.from_json(metadata.to_json()) == metadata


def test_the_schema_version_comes_first() -> None:
    text = ModelMetadata(task="classify", name="net").to_json()
    assert next(iter(json.loads(text).items())) == ("schema_version", SCHEMA_VERSION)
    assert "\n" not in text


def test_the_schema_version_is_that_of_this_release_whatever_a_user_gave() -> None:
    text = ModelMetadata.from_dict({"task": "classify", "name": "net", "schema_version": 9}).to_json()
    assert next(iter(json.loads(text).items())) == ("schema_version", SCHEMA_VERSION)
    assert ModelMetadata.from_json(text).name == "net"


def test_labels_of_any_script_stay_readable() -> None:
    assert (
        "Käfer, 甲虫"
        in ModelMetadata(task="classify", name="net", spec=ClassificationSpec(labels=("Käfer, 甲虫",))).to_json()
    )


def test_an_unknown_key_survives_a_round_trip() -> None:
    text = document(mood="calm", image={"color": "gray", "gamma": 2.2}, provenance={"river": {"name": "Spree"}})
    back = json.loads(ModelMetadata.from_json(text).to_json())
    assert back["mood"] == "calm"
    assert back["image"]["gamma"] == 2.2
    assert back["provenance"]["river"] == {"name": "Spree"}


def test_a_copy_with_changes_keeps_unknown_keys() -> None:
    metadata = ModelMetadata.from_json(document(mood="calm")).updated(precision=Precision.INT8)
    assert metadata.precision is Precision.INT8
    assert metadata.extra == {"mood": "calm"}


def test_a_newer_schema_is_refused_with_the_way_out() -> None:
    with pytest.raises(
        ModelFileError, match=rf"net\.onnx .*schema {SCHEMA_VERSION + 1}.*(git -C .* pull|pip install --upgrade)"
    ):
        ModelMetadata.from_json(document(schema_version=SCHEMA_VERSION + 1), "net.onnx")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            document(image={"color": "purple"}),
            r"net\.onnx: metadata\.image\.color must be one of rgb, bgr, gray, ycbcr, luma",
        ),
        (document(image={"size": [32, "32"]}), r"metadata\.image\.size\[1\] must be int"),
        (document(image={"size": [0, 32]}), r"size must be positive"),
        (document(image={"color": "gray", "mean": [0.1, 0.2, 0.3]}), r"mean needs 1 numbers"),
        (document(image={"std": [1, 0, 1]}), r"std must be positive"),
        (
            document(task="denoise", spec={"predicts": "future"}),
            r"predicts must be one of image, noise, curves, chroma, not 'future'",
        ),
        (document(task="denoise", spec={"scale": 0}), r"scale is 1, or more where an image is predicted, not 0"),
        (document(task="denoise", spec={"scale": 2, "predicts": "noise"}), r"scale is 1.*not 2"),
        (
            document(task="denoise", spec={"predicts": "curves", "output_range": [0, 1]}),
            r"output_range is that of a predicted",
        ),
        (document(task="denoise", spec={"output_range": [1, 1]}), r"output_range must rise from black to white"),
        (document(task="denoise", spec={"output_range": [0]}), r"metadata\.spec\.output_range must be"),
        (document(tile={"size": 0}), r"stride and minimum must be positive"),
        (document(tile={"multiple": 0}), r"stride and minimum must be positive"),
        (document(tile={"stride": 0}), r"stride and minimum must be positive"),
        (document(tile={"overlap": -1}), r"overlap must not be negative"),
        (document(labels="cat"), r"metadata\.spec\.labels must be"),
        (document(labels=["cat", 3]), r"metadata\.spec\.labels\[1\] must be str, not 3"),
        (document(restoration=5), r"metadata\.restoration must be an object, not 5"),
        (document(inputs=[{"shape": [1]}]), r"metadata\.inputs\[0\] lacks name"),
        (document(quality={"top1": None}), r"metadata\.quality\.top1 must be float"),
        (document(task="cook"), r"metadata\.task: a task is one of classify"),
        (json.dumps({"schema_version": 1, "name": "net"}), r"metadata lacks task$"),
        (json.dumps({"schema_version": 1}), r"metadata lacks task, name$"),
        (json.dumps({"task": "classify", "name": "net"}), "without a schema_version"),
        (json.dumps({"schema_version": "1", "task": "classify", "name": "net"}), "without a schema_version"),
        ("[]", "without a schema_version"),
        ("{", "not JSON"),
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        (document(quality={"top1": 10**400}), "too large"),
        ('{"schema_version": ' + "9" * 5000 + "}", "not JSON"),
    ],
)
def test_bad_metadata_says_what_is_wrong_and_in_which_file(text: str, message: str) -> None:
    with pytest.raises(ModelFileError, match=message) as caught:
        ModelMetadata.from_json(text, "net.onnx")
    assert "net.onnx" in str(caught.value)


@pytest.mark.parametrize("color", Color)
def test_only_gray_and_luma_have_one_channel(color: Color) -> None:
    assert color.channels == (1 if color in ("gray", "luma") else 3)


def test_a_tile_may_reach_nowhere_or_everywhere_into_its_neighbours() -> None:
    everywhere, nowhere = (
        ModelMetadata.from_json(document(tile=tile)).tile for tile in ({"multiple": 8}, {"multiple": 8, "overlap": 0})
    )
    assert everywhere == TileSpec(multiple=8, overlap=None)
    assert nowhere == TileSpec(multiple=8, overlap=0)


def test_the_noise_a_denoiser_is_for_rises():
    assert RestorationSpec(sigma=(0.0, 50.0)).to_dict()["sigma"] == [0.0, 50.0]
    with pytest.raises(ValueError, match="sigma must rise"):
        RestorationSpec(sigma=(25.0, 5.0))


def test_what_schema_1_says_of_a_task_is_read_as_its_own_part() -> None:
    old = {"schema_version": 1, "name": "net", "image": {"color": "gray"}}
    classifier = ModelMetadata.from_json(
        json.dumps(old | {"task": "classify", "labels": ["a", "b"], "classification": {"activation": "softmax"}})
    )
    assert classifier.spec == ClassificationSpec(labels=("a", "b"), activation=Activation.SOFTMAX)
    drawer = ModelMetadata.from_json(json.dumps(old | {"task": "generate", "labels": ["a"], "latent": {"size": 8}}))
    assert drawer.spec == GenerationSpec(labels=("a",), latent=LatentSpec(size=8))
    restorer = ModelMetadata.from_json(
        json.dumps(old | {"task": "upscale", "restoration": {"scale": 2, "mood": "calm"}})
    )
    assert restorer.spec == RestorationSpec(scale=2, extra={"mood": "calm"})
    assert ModelMetadata.from_json(json.dumps(old | {"task": "denoise"})).spec is None
    assert ModelMetadata.from_json(restorer.to_json()) == restorer
