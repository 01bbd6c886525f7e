"""Averages over training are preferred wherever trainers keep them, and of several weights none is taken in silence."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgevision.core.errors import CheckpointError, InputError
from edgevision.exporters.checkpoints.contents import Contents
from edgevision.exporters.checkpoints.weights import load_weights

Weights = dict[str, Tensor]


class Net(nn.Module):
    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, width, 3), nn.BatchNorm2d(width)
        self.head = nn.Linear(width, 2)


def drawn(seed: int, width: int = 3) -> Net:
    """A network whose weights and statistics are those of no other seed."""
    torch.manual_seed(seed)
    network = Net(width)
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.uniform_(0.5, 2)
    return network


LAST, AVERAGE, OTHER = (drawn(seed).state_dict() for seed in range(3))
PARAMETERS = {name: AVERAGE[name] for name, _ in Net().named_parameters()}
COMPLETED = LAST | PARAMETERS


def under(prefix: str, weights: Mapping[str, Tensor]) -> Weights:
    return {prefix + name: value for name, value in weights.items()}


def without_dots(prefix: str, weights: Mapping[str, Tensor]) -> Weights:
    return {prefix + name.replace(".", ""): value for name, value in weights.items()}


def load(content: Any, wanted: str | None = None) -> tuple[Weights, list[str]]:
    network = Net()
    notes = load_weights(network, Contents.of(content), arch="a:net", file="'x.pt'", wanted=wanted)
    return network.state_dict(), notes


def holds(found: Weights, weights: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(found[name], value) for name, value in weights.items())


def averaged_model() -> Weights:
    network = Net()
    network.load_state_dict(AVERAGE)
    return torch.optim.swa_utils.AveragedModel(network).state_dict()


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": LAST, "state_dict_ema": AVERAGE},
        {"params": LAST, "params_ema": AVERAGE},
        {"model": LAST, "model_ema": under("module.", AVERAGE)},
        {"model": LAST, "ema": {"module": AVERAGE, "updates": 7}},
        {"model": under("module.", LAST), "swa_model": averaged_model()},
        {"model": LAST, "smooth": averaged_model()},
        averaged_model(),
        {"model": LAST, "ema": under("ema_model.", AVERAGE) | under("online_model.", LAST)},
        under("ema_model.", AVERAGE) | under("online_model.", LAST) | {"initted": torch.tensor(True)},
        {"state_dict": under("model.", LAST) | under("model_ema.", AVERAGE)},
        {"state_dict": under("net.", LAST) | under("averaged.", averaged_model())},
        {"state_dict": under("model.", LAST), "callbacks": {"EMACallback": {"weights": under("model.", AVERAGE)}}},
        {"g": LAST, "g_ema": AVERAGE, "d": nn.Linear(4, 4).state_dict()},
    ],
)
def test_averages_are_taken_rather_than_the_last_weights(content: Any) -> None:
    found, _ = load(content)
    assert holds(found, AVERAGE)


def test_a_note_says_that_averages_were_taken_and_where_the_last_weights_are() -> None:
    _, notes = load({"state_dict": LAST, "state_dict_ema": AVERAGE})
    assert notes[0] == "weights taken from 'state_dict_ema'"
    assert "averages over training, taken rather than the last weights at 'state_dict'" in notes[1]


@pytest.mark.parametrize(
    "content",
    [
        {"model": LAST, "ema": PARAMETERS},
        {"model": LAST, "ema": {"shadow_params": list(PARAMETERS.values()), "collected_params": []}},
        {"model": LAST, "ema": {"shadow_params": list(PARAMETERS.values()), "collected_params": list(LAST.values())}},
        {"model": LAST, "shadow_params": tuple(PARAMETERS.values())},
        {"state_dict": LAST, "optimizer_states": [{"state": {}, "ema": tuple(PARAMETERS.values())}]},
        {"state": {"model": LAST, "algorithms": [("EMA", {"ema_model": {"parameters": PARAMETERS}})]}},
        {
            "state_dict": under("model.unet.", LAST)
            | without_dots("model_ema.unet", PARAMETERS)
            | {"betas": torch.ones(9)}
        },
    ],
)
def test_averages_of_parameters_are_completed_by_the_last_statistics(content: Any) -> None:
    found, notes = load(content)
    assert holds(found, COMPLETED)
    assert notes[-1] == "2 that the averages lack taken from the last (norm.running_mean, norm.running_var)"


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": AVERAGE, "current_model_state": LAST, "averaging_state": {"n_averaged": torch.tensor(3)}},
        {"meta": {"mmengine_version": "0.10"}, "state_dict": AVERAGE, "ema_state_dict": under("module.", LAST)},
        {"state_dict": AVERAGE | {f"ema_{name.replace('.', '_')}": LAST[name] for name in PARAMETERS}},
    ],
)
def test_trainers_that_save_averages_in_the_place_of_the_last_weights_are_known(content: Any) -> None:
    found, _ = load(content)
    assert holds(found, AVERAGE)


def test_averages_that_lack_trained_weights_are_refused_and_the_last_can_be_asked_for() -> None:
    content = {"model": LAST, "ema": {name: value for name, value in AVERAGE.items() if "head" not in name}}
    with pytest.raises(CheckpointError, match=r"lack 2 trained weights of a:net \(head\.weight, .*--weights model"):
        load(content)
    assert holds(load(content, "model")[0], LAST)


@pytest.mark.parametrize(
    "kept",
    [
        {"shadow_params": list(PARAMETERS.values())[::-1]},
        {f"p{i}": value for i, value in enumerate(PARAMETERS.values())},
    ],
)
def test_averages_in_an_unknown_layout_are_not_passed_over(kept: Any) -> None:
    with pytest.raises(CheckpointError, match=r"averages over training at 'ema.*--weights model takes the last"):
        load({"model": LAST, "ema": kept})
    assert holds(load({"model": LAST, "ema": kept}, "model")[0], LAST)


@pytest.mark.parametrize("average", [drawn(5, width=4).state_dict(), list(drawn(5, width=4).parameters())])
def test_averages_of_another_network_do_not_matter(average: Any) -> None:
    content = {"generator": drawn(4, width=4).state_dict(), "generator_ema": average, "discriminator": OTHER}
    assert holds(load(content)[0], OTHER)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ({"netG_A": LAST, "netG_B": OTHER}, ("netG_A", "netG_B")),
        ({"teacher": under("backbone.", LAST), "student": OTHER}, ("teacher.backbone", "student")),
        ({"state_dict": under("a.", LAST) | under("b.", OTHER)}, ("state_dict.a", "state_dict.b")),
        ({"model": LAST, "ema_0.99": AVERAGE, "ema_0.999": OTHER}, ("ema_0.99", "ema_0.999")),
        ([LAST, OTHER], ("0", "1")),
    ],
)
def test_of_several_weights_one_has_to_be_named(content: Any, names: tuple[str, str]) -> None:
    words = f"several weights that are equally those of a:net: '{names[0]}', '{names[1]}'; .* --weights {names[0]}"
    with pytest.raises(CheckpointError, match=words):
        load(content)
    assert holds(load(content, names[1])[0], OTHER)


def test_the_network_decides_which_of_two_different_networks_is_meant() -> None:
    content = {"netG": drawn(4, width=4).state_dict(), "netD": OTHER, "epoch": 3}
    assert holds(load(content)[0], OTHER)


def test_the_same_weights_in_two_places_are_one_choice() -> None:
    copies = {name: value.clone() for name, value in LAST.items()}
    assert holds(load({"model": LAST, "state_dict": copies})[0], LAST)


def test_parts_in_dicts_of_their_own_are_put_together() -> None:
    parts = {
        part: {n.removeprefix(f"{part}."): v for n, v in LAST.items() if n.startswith(f"{part}.")}
        for part in ("conv", "norm", "head")
    }
    assert holds(load({"model": parts})[0], LAST)


def test_weights_are_not_taken_for_averages_by_their_optimizer() -> None:
    network = drawn(0)
    optimizer = torch.optim.Adam(network.parameters())
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    found, notes = load({"model": network.state_dict(), "optimizer": optimizer.state_dict()})
    assert holds(found, network.state_dict())
    assert notes == ["weights taken from 'model'"]


def test_nothing_at_the_named_place_says_what_there_is() -> None:
    with pytest.raises(InputError, match=re.escape("no weights at --weights ema; it holds 'model', 'epoch'")):
        load({"model": LAST, "epoch": 3}, "ema")


def test_the_same_dict_in_many_places_is_looked_through_once() -> None:
    content: Any = {"w": torch.ones(1)}
    for _ in range(30):
        content = {"a": content, "b": content}
    assert len(Contents.of(content).groups) == 1
