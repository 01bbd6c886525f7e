"""How far a pixel reaches, measured on networks whose reach is known."""

import pytest
import torch
from fake_engine import FakeEngine
from torch import Tensor, nn

from edgevision.exporters.analysis.receptive_field import receptive_radius
from edgevision.exporters.torch_engine import EngineNetwork
from edgevision.modelfiles.metadata import TensorSpec


def averages(depth: int) -> nn.Module:
    """Convolutions of 3x3 that take the mean, so that every pixel within ``depth`` has its influence."""
    layers = [nn.Conv2d(1, 1, 3, padding=1, bias=False) for _ in range(depth)]
    for layer in layers:
        nn.init.constant_(layer.weight, 1 / 9)
    return nn.Sequential(*layers)


class Shift(nn.Module):
    """A third of its output comes from ``distance`` columns away."""

    def __init__(self, distance: int, gain: float = 1 / 3) -> None:
        super().__init__()
        self.distance, self.gain = distance, gain

    def forward(self, image: Tensor) -> Tensor:
        return image + self.gain * torch.roll(image, self.distance, -1)


class Whole(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image + image.mean((2, 3), keepdim=True)


class Masked(nn.Module):
    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return image * (1 - mask) + mask * torch.roll(image, 12, -2)


class Saturated(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return (torch.roll(image, 20, -1) + image + 2).clamp(0, 1)


class Opposite(nn.Module):
    """What one channel gains from afar the other loses."""

    def forward(self, image: Tensor) -> Tensor:
        far = torch.roll(image[:, :1], 20, -1)
        return torch.cat((image[:, :1] + far, image[:, 1:] - far), dim=1)


def radius(network: nn.Module, *, channels: int = 1, side: int = 64, step: int = 1) -> int | None:
    image = torch.rand(1, channels, side, side, generator=torch.Generator().manual_seed(0))
    return receptive_radius(network, (image,), limit=side // 2 - 2, step=step)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_stack_of_convolutions_reaches_a_pixel_a_layer(depth: int) -> None:
    assert radius(averages(depth)) == depth


def test_what_hardly_arrives_does_not_count() -> None:
    network = averages(12)
    found = radius(network)
    assert found is not None
    assert 6 < found < 12
    with torch.no_grad():
        image = torch.zeros(1, 1, 64, 64)
        beyond = torch.ones(1, 1, 64, 64)
        beyond[..., 32 - found : 33 + found, 32 - found : 33 + found] = 0
        # All that lies beyond turned from black to white.
        assert 0 < float((network(image + beyond) - network(image))[0, 0, 32, 32]) < 0.5 / 255


@pytest.mark.parametrize(("distance", "expected"), [(3, 8), (8, 8), (9, 16), (-17, 24)])
def test_the_radius_is_the_multiple_of_the_step_that_covers(distance: int, expected: int) -> None:
    assert radius(Shift(distance), step=8) == expected


@pytest.mark.parametrize(("gain", "expected"), [(0.4 / 255, 8), (0.6 / 255, 24)])
def test_less_than_half_a_step_of_8_bits_does_not_count(gain: float, expected: int) -> None:
    assert radius(Shift(20, gain), step=8) == expected


def test_a_network_that_looks_everywhere_has_no_radius() -> None:
    assert radius(Whole()) is None


def test_a_radius_beyond_the_limit_is_none() -> None:
    assert radius(Shift(30)) == 30
    assert radius(Shift(31)) is None


def test_finer_pixels_are_measured_in_pixels_of_the_input() -> None:
    network = nn.Sequential(averages(2), nn.Upsample(scale_factor=3))
    assert radius(network) == 2


def test_the_second_input_is_passed_on() -> None:
    image, mask = torch.rand(1, 1, 64, 64), torch.ones(1, 1, 64, 64)
    assert receptive_radius(Masked(), (image, mask), limit=30, step=1) == 12
    assert receptive_radius(Masked(), (image, 0 * mask), limit=30, step=1) == 1


def test_a_clipped_output_hides_nothing() -> None:
    assert radius(Saturated()) in (20, None)


def test_channels_do_not_make_up_for_each_other() -> None:
    assert radius(Opposite(), channels=2) == 20


@pytest.mark.parametrize("convolutions", [1, 4, 13])
def test_the_reach_seen_by_running_covers_the_one_by_derivatives(convolutions: int) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(convolutions)))
    for convolution in network:
        nn.init.constant_(convolution.weight, 1 / 27)
    spec = TensorSpec(name="x", shape=("n", 3, "h", "w"), value_range=(0.0, 1.0))
    with torch.inference_mode():
        engine = FakeEngine((spec,), (spec,), lambda feeds: [network(torch.from_numpy(feeds["x"])).detach().numpy()])
        picture = torch.rand(1, 3, 128, 128)
        seen = receptive_radius(EngineNetwork(engine), (picture,), limit=48, step=4)
    assert seen is not None
    derived = receptive_radius(network, (picture.clone(),), limit=48, step=4)
    assert seen <= 4 * -(-convolutions // 4)
    assert seen >= derived - 4
