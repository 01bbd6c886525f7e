"""Ready-made restorers and generators in ONNX are given a task; what is needed for it is found out by running them."""

from itertools import pairwise

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgevision.core.errors import ImageError, InputError
from edgevision.exporters.export import export
from edgevision.imaging.pictures import Picture
from edgevision.runtime.load import load


def picture_model(nodes, *, channels=3, sides=("h", "w"), initializers=(), mask=False, opset=17):
    """A model from "x" (and a mask "m") to "y"."""
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", channels, *sides])]
    if mask:
        inputs.append(helper.make_tensor_value_info("m", TensorProto.FLOAT, ["n", 1, *sides]))
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", channels, "a", "b"])
    graph = helper.make_graph(list(nodes), "g", inputs, [output], list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def tensor(name, values):
    return numpy_helper.from_array(np.asarray(values, np.float32), name)


BLUR = tensor("k", np.full((3, 1, 3, 3), 1 / 9))


def blurring(times, source="x"):
    names = [source, *(f"t{i}" for i in range(times - 1)), "y"]
    pads = {"group": 3, "pads": [1, 1, 1, 1]}
    return [helper.make_node("Conv", [a, "k"], [b], **pads) for a, b in pairwise(names)]


@pytest.fixture
def given(tmp_path):
    def build(model, task, **metadata):
        onnx.save(model, tmp_path / "given.onnx")
        return export(tmp_path / "given.onnx", tmp_path / "o.onnx", metadata={"task": task} | metadata, force=True)

    return build


def photo(height, width):
    return Picture(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_a_denoiser_says_how_far_it_looks_and_tiles_do_not_show(given, tmp_path):
    report = given(picture_model(blurring(3), initializers=[BLUR], opset=9), "denoise")
    assert {"height", "width"} <= set(report.dynamic)
    assert report.metadata.tile.overlap == 8
    assert report.metadata.tile.memory > 0
    picture = photo(70, 90)
    with load(tmp_path / "o.onnx") as whole, load(tmp_path / "o.onnx", tile=32) as tiled:
        assert np.abs(whole(picture).pixels.astype(int) - tiled(picture).pixels).max() <= 1


def test_a_network_that_looks_at_everything_is_not_cut(given):
    mean = [helper.make_node("GlobalAveragePool", ["x"], ["p"]), helper.make_node("Sub", ["x", "p"], ["y"])]
    report = given(picture_model(mean), "brighten")
    assert report.metadata.tile.overlap is None
    assert any("whole picture" in note for note in report.notes)


def test_an_enlarger_says_how_often(given, tmp_path):
    nodes = [
        helper.make_node("Concat", ["x"] * 9, ["c"], axis=1),
        helper.make_node("DepthToSpace", ["c"], ["y"], blocksize=3),
    ]
    report = given(picture_model(nodes), "upscale")
    assert report.metadata.spec.scale == 3
    with load(tmp_path / "o.onnx") as upscale:
        assert np.asarray(upscale(photo(20, 30))).shape == (60, 90, 3)
    with pytest.raises(InputError, match="enlarges 3 times, which is --task upscale"):
        given(picture_model(nodes), "denoise")


def test_ranges_and_predicted_noise_are_the_users_facts(given, tmp_path):
    zero = [helper.make_node("Mul", ["x", "zero"], ["y"])]
    given(
        picture_model(zero, initializers=[tensor("zero", [0])]), "denoise",
        image={"value_range": [0, 255]}, restoration={"predicts": "noise"},
    )  # fmt: skip
    picture = photo(16, 16)
    with load(tmp_path / "o.onnx") as denoise:
        np.testing.assert_array_equal(denoise(picture).pixels, picture.pixels)


def test_a_style_network_of_one_size_takes_pictures_up_to_it(given, tmp_path):
    mean = [helper.make_node("GlobalAveragePool", ["x"], ["p"]), helper.make_node("Add", ["x", "p"], ["y"])]
    given(picture_model(mean, sides=(32, 32)), "brighten")
    with load(tmp_path / "o.onnx") as style:
        assert style(photo(32, 32)).pixels.shape[:2] == (32, 32)
        assert style(photo(20, 30)).pixels.shape[:2] == (20, 30)
        with pytest.raises(ImageError, match="cannot be laid over"):
            style(photo(33, 32))


def test_an_inpainter_takes_picture_and_mask(given, tmp_path):
    fill = [helper.make_node("Max", ["x", "m"], ["y"])]
    report = given(picture_model(fill, mask=True), "inpaint")
    assert [spec.name for spec in report.metadata.inputs] == ["x", "m"]
    holes = np.zeros((40, 40), bool)
    holes[10:20, 10:20] = True
    with load(tmp_path / "o.onnx") as inpaint:
        assert (inpaint(photo(40, 40), holes).pixels[holes] == 255).all()
    with pytest.raises(InputError, match="inpaint needs 2"):
        given(picture_model(blurring(1), initializers=[BLUR]), "inpaint")


def test_a_generator_says_its_range(given, tmp_path):
    nodes = [
        helper.make_node("MatMul", ["z", "w"], ["f"]),
        helper.make_node("Sigmoid", ["f"], ["s"]),
        helper.make_node("Reshape", ["s", "shape"], ["y"]),
    ]
    weights = [
        tensor("w", np.random.default_rng(0).standard_normal((6, 48))),
        numpy_helper.from_array(np.array([-1, 3, 4, 4], np.int64), "shape"),
    ]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, 4, 4])], weights,
    )  # fmt: skip
    report = given(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "generate")
    assert report.metadata.spec.latent.size == 6
    assert report.metadata.outputs[0].value_range == (0.0, 1.0)
    with load(tmp_path / "o.onnx") as generate:
        assert generate(5).pixels.shape == (5, 4, 4, 3)
