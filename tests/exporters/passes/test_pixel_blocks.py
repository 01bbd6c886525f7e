"""Convolutions to few channels as strided ones that give blocks of pixels."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx.helper import make_node
from small_models import PICTURE, Shape, assert_same, constants_of, model_of, operators, random

from edgevision.exporters.passes.graph_pass import Rewriting
from edgevision.exporters.passes.pixel_blocks import convolve_in_blocks


def in_blocks(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """What it becomes; ``None`` where it is left alone."""
    result = Rewriting("in blocks", convolve_in_blocks)(model)
    return result.model if result.modified else None


def convolution(
    weight: tuple[int, ...] = (3, 3, 5, 3),
    pads: tuple[int, ...] = (2, 1, 2, 1),
    shape: Shape = PICTURE,
    *,
    after: tuple[str, dict[str, Any]] | None = None,
    biased: bool = True,
    **options: Any,
) -> onnx.ModelProto:
    """One layer, and ``after`` it an operator with constants by their names."""
    given = ["x", "weight", "bias"] if biased else ["x", "weight"]
    nodes = [make_node("Conv", given, ["c" if after else "y"], pads=list(pads), **options)]
    constants: dict[str, Any] = {"weight": random(*weight), "bias": random(weight[0])}
    if after is not None:
        nodes.append(make_node(after[0], ["c", *after[1]], ["y"]))
        constants |= after[1]
    return model_of(nodes, constants, shape)


@pytest.mark.parametrize("biased", [True, False])
def test_any_picture_gives_the_same_in_blocks(biased: bool) -> None:
    model = convolution(biased=biased)
    found = in_blocks(model)
    assert_same(model, found, random(1, 3, 8, 6), random(2, 3, 7, 6), random(1, 3, 9, 5), random(1, 3, 1, 1))
    assert found is not None
    assert operators(found) == {"Conv": 1, "DepthToSpace": 1, "Shape": 1, "Add": 1, "Slice": 1}
    shapes = {array.shape for array in constants_of(found).values()}
    assert (12, 3, 6, 4) in shapes


def test_options_that_say_what_goes_without_saying_change_nothing() -> None:
    model = convolution(strides=[1, 1], dilations=[1, 1], group=1, auto_pad="NOTSET", kernel_shape=[5, 3])
    assert_same(model, in_blocks(model), random(1, 3, 8, 6))


def test_nothing_is_cut_where_the_sides_are_known_to_be_even() -> None:
    model = convolution((4, 2, 3, 3), (0, 0, 0, 0), (1, 2, 10, 8))
    found = in_blocks(model)
    assert_same(model, found, random(1, 2, 10, 8))
    assert found is not None
    assert operators(found) == {"Conv": 1, "DepthToSpace": 1}


@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (1, 0, 2, 1)])
def test_a_picture_that_gets_smaller_or_larger_does_so_in_blocks(pads: tuple[int, ...]) -> None:
    model = convolution((3, 3, 3, 3), pads)
    assert_same(model, in_blocks(model), random(1, 3, 8, 6), random(2, 3, 7, 9))


def test_known_odd_sides_are_cut() -> None:
    model = convolution((1, 2, 3, 3), (1, 1, 1, 1), (1, 2, 9, 8))
    assert_same(model, in_blocks(model), random(1, 2, 9, 8))


@pytest.mark.parametrize(
    "after", [("Relu", {}), ("Clip", {"low": np.float32(-0.5), "high": np.float32(1)}), ("Tanh", {})]
)
def test_an_activation_that_engines_fuse_stays_with_its_convolution(after: tuple[str, dict[str, Any]]) -> None:
    model = convolution(after=after)
    found = in_blocks(model)
    assert_same(model, found, random(1, 3, 8, 6), random(1, 3, 5, 7))
    assert found is not None
    order = [node.op_type for node in found.graph.node if node.op_type not in ("Add", "Shape")]
    fused = ["Conv", after[0], "DepthToSpace", "Slice"]
    assert order == (["Conv", "DepthToSpace", "Slice", "Tanh"] if after[0] == "Tanh" else fused)


@pytest.mark.parametrize(
    "model",
    [
        convolution((5, 3, 3, 3), (1, 1, 1, 1)),
        convolution((3, 3, 1, 1), (0, 0, 0, 0)),
        convolution((3, 1, 3, 3), (1, 1, 1, 1), group=3),
        convolution((3, 3, 3, 3), (1, 1, 1, 1), strides=[2, 2]),
        convolution((3, 3, 3, 3), (2, 2, 2, 2), dilations=[2, 2]),
        model_of([make_node("Conv", ["x", "weight"], ["y"], auto_pad="SAME_UPPER")], {"weight": random(3, 3, 3, 3)}),
        model_of([make_node("Mul", ["x", "x"], ["w"]), make_node("Conv", ["x", "w"], ["y"])], shape=(3, 3, 3, 3)),
    ],
    ids=["many channels", "1x1", "groups", "strides", "dilations", "auto_pad", "computed weights"],
)
def test_other_convolutions_are_left_alone(model: onnx.ModelProto) -> None:
    assert in_blocks(model) is None
