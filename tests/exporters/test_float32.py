"""Networks of other precisions become networks of float32 that compute the same."""

import copy

import onnx
import pytest
import torch
from torch import Tensor, nn

from edgevision.exporters.float32 import cast_in_float32, in_float32
from edgevision.exporters.onnx_conversion import convert_to_onnx

IMAGE = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Casts(nn.Module):
    """Casts its input to what its weights were, and a constant of its own to float64."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.first = nn.Conv2d(3, 4, 3).to(dtype)
        self.last = nn.Conv2d(4, 2, 1).double()

    def forward(self, image: Tensor) -> Tensor:
        hidden = self.first(image.to(self.dtype)).relu()
        return self.last(hidden.double() + torch.full((1,), 0.5, dtype=torch.float64))


class Autocast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3)

    def forward(self, image: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden = self.layer(image)
        return hidden.float().sigmoid()


def sqnr(reference: Tensor, found: Tensor) -> float:
    return float(10 * torch.log10((reference**2).sum() / ((reference - found) ** 2).sum().clamp_min(1e-300)))


@torch.inference_mode()
@pytest.mark.parametrize(
    ("dtype", "least"), [(torch.float16, 50.0), (torch.bfloat16, 30.0), (torch.float64, 100.0)], ids=str
)
def test_a_network_that_casts_by_itself_computes_in_float32(dtype: torch.dtype, least: float) -> None:
    torch.manual_seed(0)
    network = Casts(dtype)
    before = network(IMAGE)
    named = " and ".join(sorted({str(dtype).removeprefix("torch."), "float64"}))
    assert in_float32(network) == [f"the network is of {named}: exported, and compared, in float32"]
    after = network(IMAGE)
    assert {value.dtype for value in (after, *network.parameters())} == {torch.float32}
    assert sqnr(before, after) > least


def test_it_is_exported_in_float32() -> None:
    network = Casts(torch.float16)
    in_float32(network)
    conversion = convert_to_onnx(network.eval(), (IMAGE,), input_names=["image"], output_names=["output"])
    assert {value.data_type for value in conversion.model.graph.initializer} == {onnx.TensorProto.FLOAT}
    assert [spec.dtype for spec in conversion.outputs] == ["float32"]


@torch.inference_mode()
def test_a_network_of_float32_stays_as_it_is() -> None:
    network = nn.Conv2d(3, 4, 3)
    state = copy.deepcopy(network.state_dict())
    assert in_float32(network) == []
    assert cast_in_float32(network, [IMAGE]) == []
    assert "forward" not in vars(network)
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


@torch.inference_mode()
def test_half_precision_inside_a_network_of_float32_is_found_by_running_it() -> None:
    torch.manual_seed(0)
    network = Autocast().eval()
    exact = torch.sigmoid(network.layer(IMAGE))
    assert cast_in_float32(network, [IMAGE]) == ["the network computes in bfloat16: exported, and compared, in float32"]
    assert sqnr(exact, network(IMAGE)) > 120
    # Others still cast automatically.
    assert Autocast()(IMAGE).dtype is torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert network.layer(IMAGE).dtype is torch.bfloat16


def test_a_network_that_does_not_run_is_left_to_who_runs_it() -> None:
    assert cast_in_float32(nn.Conv2d(1, 1, 3), [IMAGE]) == []
