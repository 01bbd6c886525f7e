"""Networks that were pickled whole are found in checkpoints, brought to what PyTorch is today, and never guessed."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from edgevision.core.errors import CheckpointError, InputError
from edgevision.exporters.checkpoints import read_checkpoint
from edgevision.exporters.checkpoints.contents import Contents
from edgevision.exporters.checkpoints.modules import choose_module


def choose(content: Any, wanted: str | None = None) -> tuple[nn.Module, list[str]] | None:
    return choose_module(Contents.of(content), file="'x.pt'", wanted=wanted)


@pytest.mark.parametrize("place", ["model", "net", "state.model"])
def test_a_network_inside_a_checkpoint_is_the_network(tmp_path: Path, place: str) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()).train()
    content: Any = network
    for key in reversed(place.split(".")):
        content = {"epoch": 50, key: content}
    torch.save(content, tmp_path / "whole.pth", _use_new_zipfile_serialization=False)
    read = read_checkpoint(tmp_path / "whole.pth", trust_pickle=True)
    assert torch.equal(read.network[0].weight, network[0].weight)
    assert not read.network.training
    assert read.notes == (f"network taken from {place!r}",)


def test_the_average_is_preferred_and_said() -> None:
    last, average = nn.Linear(2, 2), nn.Linear(2, 2)
    assert choose({"model": last, "ema": average}) == (
        average,
        ["network taken from 'ema'", "it is the average over training; the last weights are at 'model'"],
    )
    assert choose({"model": last, "ema": None}) == (last, ["network taken from 'model'"])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the compiler, about itself
def test_wrappers_are_taken_off() -> None:
    network = nn.Linear(2, 2)
    wrapped = torch.compile(nn.DataParallel(network))
    found = choose({"model": wrapped})
    assert found is not None
    assert found[0] is network


def test_of_several_networks_one_has_to_be_named() -> None:
    content = {"netG": nn.Linear(2, 2), "netD": nn.Linear(2, 2)}
    with pytest.raises(CheckpointError, match="several networks: 'netG', 'netD'; choose with --weights"):
        choose(content)
    assert choose(content, "netD") == (content["netD"], ["network taken from 'netD'"])
    with pytest.raises(InputError, match="nothing at --weights netE; it holds 'netG', 'netD'"):
        choose(content, "netE")


def test_losses_are_no_networks() -> None:
    network = nn.Linear(2, 2)
    content = {"model": network, "criterion": nn.CrossEntropyLoss(), "vgg_loss": nn.Linear(2, 2)}
    assert choose(content) == (network, ["network taken from 'model'"])


def test_bare_weights_are_no_network() -> None:
    assert choose({"model": nn.Linear(2, 2).state_dict()}) is None


def test_arch_overrules_the_network_that_was_pickled(tmp_path: Path, tiny_networks: Any) -> None:
    network = tiny_networks.restorer()
    torch.save(network, tmp_path / "whole.pt")
    read = read_checkpoint(tmp_path / "whole.pt", arch="tiny_networks:restorer", trust_pickle=True)
    assert read.network is not network
    assert torch.equal(read.network[0].weight, network[0].weight)


def test_layers_pickled_by_an_old_pytorch_get_the_options_they_lack() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Upsample(scale_factor=2), nn.GELU(), nn.AvgPool2d(2))
    del network[1].recompute_scale_factor, network[2].approximate, network[3].divisor_override
    with pytest.raises(AttributeError):
        network(torch.rand(1, 1, 8, 8))
    found = choose({"model": network})
    assert found is not None
    assert found[0](torch.rand(1, 1, 8, 8)).shape == (1, 1, 6, 6)
