"""Metadata that lie: what cannot be, alone or with the graph, is refused when the file is opened, with its field."""

import json

import onnx
import pytest
from onnx import TensorProto, helper

from edgevision.core.errors import ModelFileError
from edgevision.modelfiles.metadata import METADATA_KEY, ModelMetadata, TensorSpec
from edgevision.modelfiles.metadata_check import check_graph, check_sense
from edgevision.modelfiles.model_facts import read_facts
from edgevision.modelfiles.model_file import check_model_file, read_metadata


def spec(name, *shape, dtype="float32"):
    return TensorSpec(name=name, shape=shape, dtype=dtype)


PICTURE, FREE = spec("x", "n", 3, 32, 32), spec("x", "n", 3, "h", "w")
MASK, WIDE = spec("m", "n", 1, "h", "w"), spec("y", "n", 3, "h2", "w2")
SCORES, LATENT, MAP = spec("y", "n", 4), spec("z", "n", 8), spec("z", "n", 8, "h", "w")
RGB = {"color": "rgb"}
CLASSIFY = {"image": RGB | {"size": [32, 32]}, "labels": list("abcd")}
DENOISE = {"image": RGB, "restoration": {}, "tile": {"overlap": 8}}
INPAINT, UPSCALE = DENOISE, DENOISE | {"restoration": {"scale": 2}}
CURVES = {"image": RGB | {"size": [64, 64]}, "restoration": {"predicts": "curves"}}
GENERATE = {"latent": {"size": 8}}
TEXTURE = {"latent": {"size": 8, "pixels": 32}}
ENCODE = {"image": RGB | {"size": [32, 32]}}


def check(task, document, inputs, outputs):
    whole = {"schema_version": 1, "task": task, "name": "tiny"} | document
    metadata = ModelMetadata.from_json(json.dumps(whole))
    check_sense(metadata)
    check_graph(metadata, tuple(inputs), tuple(outputs))


@pytest.mark.parametrize(
    ("task", "document", "inputs", "outputs"),
    [
        ("classify", CLASSIFY, [PICTURE], [SCORES]),
        ("classify", CLASSIFY, [PICTURE], [spec("y", "n", 4, 1, 1), spec("features", "n", 64)]),
        ("classify", CLASSIFY, [PICTURE], [spec("y", "n", "classes")]),
        ("classify", CLASSIFY | {"labels": ["no", "yes"]}, [PICTURE], [spec("y", "n", 1)]),
        ("classify", CLASSIFY | {"labels": ["yes"]}, [PICTURE], [spec("y", "n")]),
        ("classify", CLASSIFY, [spec("x", 1, 3, 32, 32)], [spec("y", 4)]),
        ("denoise", DENOISE, [FREE], [WIDE]),
        ("inpaint", INPAINT, [FREE, MASK], [WIDE]),
        ("upscale", UPSCALE, [spec("x", 1, 3, 8, 8)], [spec("y", 1, 3, 16, 16)]),
        ("brighten", CURVES, [FREE], [spec("y", "n", 24, 64, 64)]),
        ("generate", GENERATE, [LATENT], [spec("y", "n", 784)]),
        ("generate", GENERATE, [spec("z", "n", 8, 1, 1)], [WIDE]),
        ("generate", GENERATE | {"labels": ["a", "b"]}, [LATENT, spec("c", "n", 2)], [WIDE]),
        ("generate", TEXTURE, [MAP], [WIDE]),
        ("generate", GENERATE, [MAP], [WIDE]),
        ("encode", ENCODE, [PICTURE], [spec("code", "n", 16)]),
        ("reconstruct", ENCODE, [PICTURE], [PICTURE.updated(name="y"), spec("code", "n", 16)]),
        ("other", {}, [spec("a"), spec("b", "n", dtype="int64")], [spec("y", "n", 3)]),
    ],
)
def test_what_fits_is_taken(task, document, inputs, outputs):
    check(task, document, inputs, outputs)
    specs = {
        "inputs": [s.to_dict() for s in inputs],
        "outputs": [s.to_dict() for s in outputs],
    }
    check(task, document | specs, inputs, outputs)


@pytest.mark.parametrize(
    ("task", "document", "inputs", "outputs", "message"),
    [
        ("classify", {}, [PICTURE], [SCORES], "metadata.image is missing"),
        ("classify", CLASSIFY | {"labels": ["a"]}, [PICTURE], [SCORES], "labels is .'a'., .* 4 outputs for these 1"),
        ("classify", {"image": {"color": "gray"}}, [PICTURE], [SCORES], "image.color is 'gray'"),
        ("classify", {"image": {"size": [4000, 4000]}}, [PICTURE], [SCORES], "image.size is .4000, 4000."),
        ("classify", {"image": {"size": [30000, 30000]}}, [FREE], [SCORES], "image.size.0. is 30000"),
        ("classify", {"image": {"size": [8000, 8000]}}, [FREE], [SCORES], "at most 16,777,216 pixels"),
        ("classify", CLASSIFY, [spec("x", "n", 32, 32, 3, dtype="uint8")], [SCORES], "image.color is 'rgb'"),
        ("classify", CLASSIFY, [spec("x")], [SCORES], r"'x' is \(\) in its graph"),
        ("classify", CLASSIFY, [PICTURE, MASK], [SCORES], "2 inputs .'x', 'm'., and classify needs 1"),
        ("classify", CLASSIFY, [PICTURE], [spec("y", "n", 4, 7, 7)], "one score each"),
        ("classify", CLASSIFY, [PICTURE], [spec("y", "n", dtype="int64")], "'y' is int64"),
        ("classify", CLASSIFY, [PICTURE], [], "no outputs"),
        ("classify", CLASSIFY, [], [SCORES], "no inputs"),
        ("classify", CLASSIFY, [spec("", "n", 3, 32, 32)], [SCORES], "each has to have its own"),
        ("other", {}, [spec("a", 1), spec("a", 2)], [SCORES], "each has to have its own"),
        ("other", {}, [spec("a", 0, 3)], [SCORES], "no side may be 0"),
        ("other", {"inputs": [{"name": "b", "shape": [1]}]}, [spec("a", 1)], [SCORES], "inputs.0..name is 'b'"),
        ("other", {"inputs": [{"name": "a", "shape": [2]}]}, [spec("a", 1)], [SCORES], "inputs.0..shape is .2,."),
        ("other", {"inputs": [{"name": "a", "shape": [1, 1]}]}, [spec("a", 1)], [SCORES], "inputs.0..shape"),
        ("other", {"inputs": [{"name": "a", "shape": [1], "dtype": "int8"}]}, [spec("a", 1)], [SCORES], "'int8'"),
        ("other", {"outputs": [{"name": "y", "shape": []}] * 2}, [spec("a", 1)], [SCORES], "outputs is .'y', 'y'."),
        ("denoise", {"image": RGB}, [FREE], [WIDE], "metadata.spec is missing"),
        ("denoise", {"image": RGB, "restoration": {"output_range": [-1e308, 1]}}, [FREE], [WIDE], r"output_range\[0\]"),
        ("denoise", {"image": RGB, "restoration": {"sigma": [0, 1e6]}}, [FREE], [WIDE], "metadata.spec.sigma is"),
        ("denoise", {"restoration": {}}, [FREE], [WIDE], "metadata.image is missing"),
        ("denoise", DENOISE | {"restoration": {"scale": 5}}, [FREE], [WIDE], "scale is 5, but for denoise it is 1"),
        ("denoise", DENOISE | {"restoration": {"scale": 1000}}, [FREE], [WIDE], "scale is 1000"),
        ("upscale", DENOISE, [FREE], [WIDE], "scale is 1, but for upscale it is 2 or more"),
        ("upscale", UPSCALE, [spec("x", 1, 3, 8, 8)], [spec("y", 1, 3, 24, 24)], "scale is 2, but in its graph"),
        ("denoise", DENOISE, [FREE], [spec("y", "n", 1, "h", "w")], "image.color is 'rgb'"),
        ("denoise", DENOISE, [FREE], [spec("y", "n", 3)], "pictures are"),
        ("denoise", DENOISE | {"tile": {"multiple": 7}}, [PICTURE], [PICTURE], "tile.multiple is 7"),
        ("inpaint", INPAINT, [FREE], [WIDE], "1 inputs .'x'., and inpaint needs 2"),
        ("inpaint", INPAINT, [FREE, spec("m", "n", 3, "h", "w")], [WIDE], "a mask has one channel"),
        ("inpaint", CURVES, [FREE, MASK], [WIDE], "curves brighten, which is not inpaint"),
        ("brighten", CURVES, [FREE], [spec("y", "n", 4, 64, 64)], "not three a curve"),
        ("brighten", CURVES | {"image": RGB}, [FREE], [WIDE], "metadata.image.size is missing"),
        ("generate", {}, [LATENT], [WIDE], "metadata.spec.latent is missing"),
        ("generate", {"latent": {"size": 7}}, [LATENT], [WIDE], "latent.size is 7, but its input 'z'"),
        ("generate", {"latent": {"size": 2 * 10**9}}, [spec("z", "n", "k")], [WIDE], "latent.size is 2000000000"),
        ("generate", TEXTURE, [LATENT], [WIDE], "latent.pixels is 32"),
        ("generate", GENERATE, [spec("z", "n", 8, 2, 2)], [WIDE], "latent.pixels is None"),
        ("generate", TEXTURE, [spec("z", 1, 8, 2, 2)], [spec("y", 1, 3, 32, 32)], "latent.pixels is 32"),
        ("generate", GENERATE, [LATENT], [spec("y", "n", 4, 8, 8)], "1 or 3 channels"),
        ("generate", GENERATE | {"labels": ["a"]}, [LATENT, spec("c", "n", 2)], [WIDE], "takes 2 classes"),
        ("encode", {"image": RGB}, [PICTURE], [SCORES], "metadata.image.size is missing"),
        ("reconstruct", ENCODE, [PICTURE], [WIDE], "needs the picture and its code"),
    ],
)  # fmt: skip
def test_what_contradicts_the_graph_is_refused_by_its_field(task, document, inputs, outputs, message):
    with pytest.raises(ValueError, match=message):
        check(task, document, inputs, outputs)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"tile": {"memory": -1}}, "tile.memory"),
        ({"tile": {"multiple": 10**6}}, "tile.multiple"),
        ({"tile": {"memory": 10**400}}, "tile.memory"),
        ({"tile": {"overlap": 10**9}}, "tile.overlap"),
        ({"image": {"mean": [1e300, 0, 0]}}, r"image.mean\[0\]"),
        ({"image": {"std": [1e-300, 1, 1]}}, "image.std"),
        ({"image": {"value_range": [0.5, 0.5]}}, "image.value_range"),
        ({"quality": {"top1": 1e308}}, "quality.top1"),
        ({"outputs": [{"name": "y", "shape": [1], "value_range": [1, 1]}]}, r"outputs\[0\].value_range"),
    ],
)  # fmt: skip
def test_numbers_beyond_all_sense_are_refused_by_their_field(document, field):
    with pytest.raises(ValueError, match=rf"metadata\.{field} is"):
        check("other", document, [spec("a", 1)], [SCORES])


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_numbers_that_are_none_are_refused(text, tmp_path):
    path = model_with(tmp_path, [f'{{"schema_version": 1, "task": "other", "name": "n", "quality": {{"a": {text}}}}}'])
    with pytest.raises(ModelFileError, match=r"is no number|has to be finite"):
        read_metadata(path)


def model_with(folder, documents, inputs=("x",)):
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in inputs]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", values, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for document in documents:
        model.metadata_props.add(key=METADATA_KEY, value=document)
    path = folder / "m.onnx"
    onnx.save(model, path)
    return path


GOOD = '{"schema_version": 1, "task": "other", "name": "n"}'


def test_metadata_that_are_there_twice_are_refused(tmp_path):
    for documents in ([GOOD, GOOD], [GOOD.replace('"name"', '"task": "classify", "name"')]):
        with pytest.raises(ModelFileError, match=r"2 times|'task' is there twice"):
            read_metadata(model_with(tmp_path, documents))


def test_endless_metadata_are_refused_unread(tmp_path):
    labels = ", ".join(['"label"'] * 2_000_000)
    path = model_with(tmp_path, [GOOD.replace("{", '{"labels": [' + labels + "], ", 1)])
    with pytest.raises(ModelFileError, match="at most 16,000,000"):
        read_metadata(path)


def test_names_that_are_no_utf_8_and_a_graph_without_outputs_are_refused(tmp_path):
    path = model_with(tmp_path, [GOOD])
    path.write_bytes(path.read_bytes().replace(b"\n\x01x", b"\n\x01\xf9"))
    with pytest.raises(ModelFileError, match="not in UTF-8"):
        check_model_file(path)
    model = onnx.load(model_with(tmp_path, []))
    del model.graph.output[:]
    onnx.save(model, path)
    with pytest.raises(ModelFileError, match="no output"):
        check_model_file(path)


def test_a_files_name_that_is_no_utf_8_is_refused_before_an_engine_stumbles_over_it(tmp_path):
    path = model_with(tmp_path, [GOOD]).rename(tmp_path / "m\udcff.onnx")
    with pytest.raises(ModelFileError, match="rename the file"):
        check_model_file(path)


def test_what_cannot_be_right_is_still_shown_with_the_reason(tmp_path):
    path = model_with(tmp_path, [GOOD.replace('"other"', '"classify"')])
    with pytest.raises(ModelFileError, match=r"'m\.onnx' cannot be right: metadata\.image is missing"):
        read_metadata(path)
    facts = read_facts(path)
    assert facts.contradiction is not None
    assert facts.metadata is not None
