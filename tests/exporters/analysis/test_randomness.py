"""A network that draws random numbers is told so, by the name of what draws."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgevision.core.errors import InputError
from edgevision.exporters.analysis.randomness import check_model_repeatable, check_repeatable
from edgevision.runtime.devices.opening import open_engine

IMAGE = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Computes(nn.Module):
    def __init__(self, compute: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.compute = compute

    def forward(self, image: Tensor) -> object:
        return self.compute(image)


def seeded(image: Tensor) -> Tensor:
    torch.manual_seed(0)
    return image + torch.rand(8)


def within(compute: Callable[[Tensor], object]) -> nn.Module:
    return nn.Sequential(nn.Identity(), Computes(compute)).eval()


@pytest.mark.parametrize(
    ("compute", "name"),
    [
        (F.dropout, "dropout in '1'"),
        (lambda x: x + torch.randn_like(x), "randn_like in '1'"),
        (lambda x: x + torch.randn(8), "randn in '1'"),
        (lambda x: x + x.new_empty(8).normal_(0, 0.1), "normal in '1'"),
        (lambda x: torch.bernoulli(x), "bernoulli in '1'"),
        (lambda x: F.rrelu(x - 0.5, training=True), "rrelu in '1'"),
        (lambda x: x + torch.randn(8, generator=torch.Generator().manual_seed(0)), "randn in '1'"),
        (seeded, "rand in '1'"),
        (lambda x: {"a": x, "b": [x, F.gumbel_softmax(x)]}, "exponential in '1'"),
        (lambda x: x + float(np.random.default_rng().normal()), "another answer each time"),
    ],
)
def test_what_draws_is_named(compute: Callable[[Tensor], object], name: str) -> None:
    with pytest.raises(InputError, match=f"the network .*{name}.*, which no model file can repeat"):
        check_repeatable(within(compute), [IMAGE])


def test_dropout_that_was_left_on_is_found_in_its_layer() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.ReLU(), nn.Dropout(0.5)))
    check_repeatable(network.eval(), [IMAGE])
    network[1][1].train()
    with pytest.raises(InputError, match=r"\(dropout in '1\.1'\)"):
        check_repeatable(network, [IMAGE])


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: x + 0 * torch.randn_like(x),
        lambda x: F.dropout(x, 0.5, training=False),
        lambda x: F.dropout(x, 0.0, training=True),
        lambda x: torch.log(x - 2),  # NaN is the same as NaN
        lambda x: x[:0],
        lambda x: torch.zeros(3),
    ],
)
def test_numbers_that_change_nothing_are_no_reason(compute: Callable[[Tensor], object]) -> None:
    check_repeatable(within(compute), [IMAGE])


def test_an_input_that_is_written_to_is_not_taken_for_chance() -> None:
    check_repeatable(within(lambda x: x.add_(1)), [IMAGE])


def test_a_network_that_does_not_run_is_left_to_who_runs_it() -> None:
    check_repeatable(nn.Conv2d(1, 1, 3), [IMAGE])
    check_repeatable(nn.Conv2d(3, 1, 3), [IMAGE])  # and no hook is left behind


SHAPE = [1, 64]  # two draws of as many bits are the same once in 2^64


def model_of(*nodes: onnx.NodeProto) -> onnx.ModelProto:
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, SHAPE) for name in ("x", "y")]
    graph = onnx.helper.make_graph(nodes, "g", values[:1], values[1:])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("operator", ["RandomNormalLike", "RandomUniformLike", "Bernoulli"])
def test_a_model_that_draws_is_told_so(tmp_path: Path, operator: str) -> None:
    draw = onnx.helper.make_node(operator, ["x"], ["n"])
    model = model_of(draw, onnx.helper.make_node("Add", ["x", "n"], ["y"]))
    onnx.save(model, tmp_path / "m.onnx")
    with open_engine(tmp_path / "m.onnx") as engine, pytest.raises(InputError, match=rf"random numbers \({operator}\)"):
        check_model_repeatable(model, engine, [torch.full(SHAPE, 0.5)])


def test_a_model_that_draws_and_does_not_use_it_is_not(tmp_path: Path) -> None:
    draw = onnx.helper.make_node("RandomNormalLike", ["x"], ["n"])
    model = model_of(draw, onnx.helper.make_node("Relu", ["x"], ["y"]))
    onnx.save(model, tmp_path / "m.onnx")
    with open_engine(tmp_path / "m.onnx") as engine:
        check_model_repeatable(model, engine, [torch.full(SHAPE, 0.5)])
