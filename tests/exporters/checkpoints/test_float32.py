"""Networks of other precisions become networks of float32 that compute the same."""

import copy
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor, nn

from edgevision.core.errors import CheckpointError
from edgevision.exporters.checkpoints import read_checkpoint
from edgevision.exporters.checkpoints.float32 import cast_in_float32, in_float32
from edgevision.exporters.conversion.onnx_conversion import convert_to_onnx

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


class Shifts(nn.Module):
    """There and back, which in float32 loses what is small beside the number."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = number

    def forward(self, image: Tensor) -> Tensor:
        return ((image.double() + self.number) - self.number).float()


@torch.inference_mode()
def test_float64_inside_a_network_is_kept_only_where_it_is_needed() -> None:
    note = ["the network computes in float64: exported, and compared, in float32"]
    assert cast_in_float32(Shifts(1.0), [IMAGE]) == note
    precise = Shifts(1e9)
    assert cast_in_float32(precise, [IMAGE]) == []
    torch.testing.assert_close(precise(IMAGE), IMAGE, rtol=0, atol=1e-6)


def test_complex_answers_are_refused() -> None:
    class Turns(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return image * 1j

    with pytest.raises(CheckpointError, match="answers in complex numbers"):
        cast_in_float32(Turns(), [IMAGE])


def test_a_network_that_does_not_run_is_left_to_who_runs_it() -> None:
    assert cast_in_float32(nn.Conv2d(1, 1, 3), [IMAGE]) == []


@torch.inference_mode()
@pytest.mark.parametrize("trusted", [False, True])
def test_an_exported_program_computes_in_float32(tmp_path: Path, trusted: bool) -> None:
    torch.manual_seed(0)
    network = Casts(torch.bfloat16).eval()
    torch.export.save(torch.export.export(network, (IMAGE,)), tmp_path / "program.pt2")
    read = read_checkpoint(tmp_path / "program.pt2", trust_pickle=trusted).network
    before, after = network(IMAGE), read(IMAGE)
    assert after.dtype is torch.float32
    assert 30 < sqnr(before, after) < 80  # not what bfloat16 gives
    torch.export.export(read, (IMAGE,))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_torchscript_program_of_another_precision_is_refused(
    trace: Callable[[nn.Module, Tensor], torch.jit.ScriptModule], dtype: torch.dtype
) -> None:
    program = trace(nn.Conv2d(3, 4, 3).to(dtype).eval(), IMAGE.to(dtype))
    name = str(dtype).removeprefix("torch.")
    for image in (IMAGE, IMAGE.to(dtype)):
        with pytest.raises(CheckpointError, match=rf"TorchScript program is of {name}, .* after its \.float\(\)"):
            cast_in_float32(program, [image])
    assert cast_in_float32(trace(nn.Conv2d(3, 4, 3).eval(), IMAGE), [IMAGE]) == []
