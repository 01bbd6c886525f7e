"""What a network's own load_state_dict() takes is taken; what does not fit is named in one sentence."""

import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, spectral_norm, weight_norm

from edgevision.core.errors import CheckpointError
from edgevision.exporters.checkpoints.contents import Contents
from edgevision.exporters.checkpoints.weights import load_weights

INPUT = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))


def body() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(64, 2))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = body()

    def forward(self, image: Tensor) -> Tensor:
        return self.body(image)


class RenamesInAHook(Net):
    def __init__(self) -> None:
        super().__init__()
        self._register_load_state_dict_pre_hook(self._rename)

    def _rename(self, state: dict[str, Any], prefix: str, *_: Any) -> None:
        for name in [name for name in state if name.startswith(f"{prefix}layers.")]:
            state[f"{prefix}body.{name.removeprefix(f'{prefix}layers.')}"] = state.pop(name)


class RenamesByItself(Net):
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:  # type: ignore[override]
        super().load_state_dict({n.replace("layers.", "body."): v for n, v in state_dict.items()}, strict=False)


class CutsItsPrefix(Net):
    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> Any:  # type: ignore[override]
        return super().load_state_dict({name[7:]: value for name, value in state_dict.items()}, strict)


class CopiesByItself(Net):
    """Takes what it knows, and says nothing of the rest, as some have done since long."""

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> None:  # type: ignore[override]
        own = self.state_dict()
        for name, value in state_dict.items():
            if name in own and own[name].shape == value.shape:
                own[name].copy_(value)


class AsksForTheVersion(Net):
    _version = 2

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, metadata: dict[str, Any], *rest: Any) -> None:
        if metadata.get("version", 1) < 2:
            state[f"{prefix}body.3.bias"] = -state[f"{prefix}body.3.bias"]
        super()._load_from_state_dict(state, prefix, metadata, *rest)


class KeepsExtraState(Net):
    scale = 1.0

    def get_extra_state(self) -> dict[str, float]:
        return {"scale": self.scale}

    def set_extra_state(self, state: dict[str, float]) -> None:
        self.scale = state["scale"]


class MakesABuffer(Net):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("index", torch.arange(4), persistent=False)


class Lazy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(2))

    def forward(self, image: Tensor) -> Tensor:
        return self.body(image)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(3, 3, bias=False), nn.BatchNorm1d(3), nn.Linear(3, 3, bias=False)
        self.last.weight = self.first.weight


class Scaled(Net):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))


def drawn(make: Callable[[], nn.Module], seed: int = 1) -> nn.Module:
    torch.manual_seed(seed)
    network = make()
    network(INPUT)
    with torch.no_grad():
        for value in network.state_dict().values():
            if isinstance(value, Tensor) and value.is_floating_point():
                value.uniform_(0.5, 2)
    return network.eval()


def load(network: nn.Module, content: Any) -> list[str]:
    return load_weights(network, Contents.of(content), arch="a:net", file="'x.pt'", wanted=None)


def renamed(network: nn.Module, *pairs: tuple[str, str]) -> dict[str, Any]:
    state = network.state_dict()
    for old, new in pairs:
        state = {name.replace(old, new): value for name, value in state.items()}
    return dict(state)


def check_same(found: nn.Module, wanted: nn.Module) -> None:
    torch.testing.assert_close(found.eval()(INPUT), wanted(INPUT), rtol=0, atol=0)


# --- hooks ---


@pytest.mark.parametrize("wrapper", ["", "module.", "module.model."])
@pytest.mark.parametrize("kind", [RenamesInAHook, RenamesByItself])
def test_names_that_only_the_network_knows_are_left_to_it(kind: type[Net], wrapper: str) -> None:
    wanted, found = drawn(Net), kind()
    load(found, {"state_dict": renamed(wanted, ("body.", f"{wrapper}layers."))})
    check_same(found, wanted)


def test_a_network_that_cuts_its_prefix_gets_it() -> None:
    wanted, found = drawn(Net), CutsItsPrefix()
    load(found, renamed(wanted, ("body.", "module.body.")))
    check_same(found, wanted)


def test_the_versions_of_layers_reach_their_hooks_through_wrappers() -> None:
    wanted, found = drawn(AsksForTheVersion), AsksForTheVersion()
    load(found, {"model": nn.DataParallel(wanted).state_dict()})
    check_same(found, wanted)
    load(found, {"model": renamed(wanted, ("body.", "module.body."))})
    assert torch.equal(found.body[3].bias, -wanted.body[3].bias)


NORMS = {
    "weight": (weight_norm, parametrizations.weight_norm),
    "spectral": (spectral_norm, parametrizations.spectral_norm),
}


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("was", [0, 1])
@pytest.mark.parametrize("becomes", [0, 1])
def test_norms_of_weights_are_read_in_their_old_and_new_form(norm: str, was: int, becomes: int) -> None:
    def make(which: int) -> nn.Module:
        network = body()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            NORMS[norm][which](network[0])
            NORMS[norm][which](network[3])
        return network

    torch.manual_seed(1)
    wanted, found = make(was), make(becomes)
    wanted(INPUT)
    load(found, {f"module.{name}": value for name, value in wanted.eval().state_dict().items()})
    torch.testing.assert_close(found.eval()(INPUT), wanted(INPUT), rtol=1e-5, atol=1e-6)


def test_extra_state_of_layers_is_kept() -> None:
    wanted, found = drawn(KeepsExtraState), KeepsExtraState()
    wanted.scale = 2.5
    load(found, {"model": renamed(wanted, ("body.", "module.body."), ("_extra", "module._extra"))})
    assert found.scale == 2.5


def test_lazy_layers_take_their_sizes_from_the_checkpoint() -> None:
    wanted, found = drawn(Lazy), Lazy()
    load(found, renamed(wanted, ("body.", "module.body.")))
    check_same(found, wanted)


@pytest.mark.parametrize("kept", ["first.weight", "last.weight"])
def test_of_tied_weights_one_is_enough(kept: str) -> None:
    wanted, found = Tied(), Tied()
    load(found, {name: value for name, value in wanted.state_dict().items() if "norm" in name or name == kept})
    assert torch.equal(found.first.weight, wanted.first.weight)
    assert found.last.weight is found.first.weight


def test_averages_of_tied_weights_are_not_overwritten_by_the_last() -> None:
    last, average, found = Tied(), Tied(), Tied()
    load(found, {"model": last.state_dict(), "ema": dict(average.named_parameters())})
    assert torch.equal(found.last.weight, average.first.weight)


def test_a_buffer_that_the_network_makes_by_itself_is_not_needed() -> None:
    wanted, found = drawn(Net), MakesABuffer()
    notes = load(found, {**wanted.state_dict(), "index": torch.arange(4)})
    check_same(found, wanted)
    assert notes == ["1 left out that are no weights of the network (index)"]


def test_a_number_may_be_a_tensor_of_one() -> None:
    network = Scaled()
    load(network, {**network.state_dict(), "scale": torch.tensor([3.0])})
    assert network.scale.item() == 3


# --- names ---


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("body.0", "body._orig_mod.0"),
        ("body", "net._orig_mod.body"),
        ("body.3", "body.module.3"),
        ("body.", "_fsdp_wrapped_module.body._checkpoint_wrapped_module."),
    ],
)
def test_wrappers_are_stripped_anywhere_in_a_name(old: str, new: str) -> None:
    wanted, found = drawn(Net), Net()
    load(found, {"state_dict": renamed(wanted, (old, new))})
    check_same(found, wanted)


@pytest.mark.parametrize("wrapper", ["", "module."])
def test_a_network_that_is_wrapped_itself_takes_either_name(wrapper: str) -> None:
    wanted, found = drawn(Net), nn.DataParallel(Net())
    load(found, renamed(wanted, ("body.", f"{wrapper}body.")))
    check_same(found, wanted)


@pytest.mark.parametrize(
    "name", ["criterion.weight", "lpips.net.0.weight", "train_acc.tp", "body.0.total_ops", "total_params", "vgg_loss.a"]
)
@pytest.mark.parametrize("prefix", ["", "model."])
def test_weights_of_losses_metrics_and_counters_are_named_and_left_out(name: str, prefix: str) -> None:
    wanted, found = drawn(Net), Net()
    notes = load(found, {**renamed(wanted, ("body.", f"{prefix}body.")), name: torch.ones(2)})
    check_same(found, wanted)
    assert notes[-1] == f"1 left out that are no weights of the network ({name})"


# --- what does not fit ---


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"neck.weight": torch.ones(1)}, "1 surplus (neck.weight)"),
        ({"body.0.weight": None}, "1 missing (body.0.weight)"),
        ({"body.0.weight": torch.ones(3)}, "1 of another shape (body.0.weight is (3,), not (4, 3, 3, 3))"),
        ({"body.3.weight": torch.ones(2, 64, dtype=torch.int8)}, "1 of another type (body.3.weight is int8)"),
        ({"body.3.weight": torch.ones(2, 64, dtype=torch.complex64)}, "1 of another type (body.3.weight is complex64)"),
    ],
)
@pytest.mark.parametrize("kind", [Net, CopiesByItself])
def test_what_does_not_fit_is_named(kind: type[Net], changes: dict[str, Tensor | None], words: str) -> None:
    state = {name: value for name, value in {**drawn(Net).state_dict(), **changes}.items() if value is not None}
    with pytest.raises(CheckpointError, match=rf"'x\.pt' do not fit a:net: {re.escape(words)}"):
        load(kind(), {"state_dict": {f"module.{name}": value for name, value in state.items()}})


def test_a_network_that_fails_while_it_loads_is_named_with_its_error() -> None:
    class Fails(Net):
        def load_state_dict(self, *_: Any, **__: Any) -> Any:
            raise KeyError("neck")

    with pytest.raises(CheckpointError, match=r"its load_state_dict\(\) fails with KeyError: 'neck'"):
        load(Fails(), drawn(Net).state_dict())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_precision_are_cast_with_a_remark(dtype: torch.dtype) -> None:
    wanted, found = drawn(Net).to(dtype), Net()
    notes = load(found, wanted.state_dict())
    assert torch.equal(found.body[0].weight, wanted.body[0].weight.float())
    assert notes == [f"weights are {str(dtype).removeprefix('torch.')} in the checkpoint, float32 in the network"]
