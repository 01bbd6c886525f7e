"""The segmentation network: any size of its multiple, and what its options change."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from edgevision.core.errors import InputError
from edgevision.models import SEGMENTERS, SegmentationUNet, UNet, build_model

TINY: dict[str, Any] = {"widths": (4, 6), "blocks": (1, 1)}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("name", SEGMENTERS)
def test_every_segmenter_has_at_most_two_million_weights_and_lists_its_options(name: str) -> None:
    assert 100_000 < sum(weights.numel() for weights in build_model(name).parameters()) < 2_000_000
    with pytest.raises(InputError, match=f"the model {name} has no option 'num_classes'"):
        build_model(name, num_classes=3)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "context": lambda: SegmentationUNet(outputs=3, context=True, **TINY),
    "no context": lambda: SegmentationUNet(outputs=3, **TINY),
    "unet": lambda: UNet(outputs=3, widths=(4, 6, 8)),
}


@pytest.mark.parametrize("size", [(8, 8), (24, 40)])
@pytest.mark.parametrize("name", NETWORKS)
def test_maps_have_the_size_of_the_picture(size: tuple[int, int], name: str) -> None:
    network = NETWORKS[name]().eval()
    assert network.multiple == 4
    assert network(torch.rand(2, 3, *size)).shape == (2, 3, *size)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradient_reaches_every_weight(name: str) -> None:
    network = NETWORKS[name]()
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(0.1 * torch.randn_like(weights))
    network(torch.rand(2, 3, 16, 16)).square().sum().backward()
    assert all(weights.grad is not None and weights.grad.abs().sum() > 0 for weights in network.parameters())


def test_only_with_context_a_far_corner_is_heard() -> None:
    image = torch.rand(1, 3, 256, 256)
    other = image.clone()
    other[:, :, -8:, -8:] = 0
    for context in (False, True):
        network = SegmentationUNet(context=context, **TINY).eval()
        with torch.inference_mode():
            same = torch.equal(network(image)[..., :8, :8], network(other)[..., :8, :8])
        assert same != context


def test_the_square_root_lifts_what_is_dark() -> None:
    plain = SegmentationUNet(**TINY).eval()
    rooted = SegmentationUNet(square_root=True, **TINY).eval()
    rooted.load_state_dict(plain.state_dict())
    image = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(rooted(image), plain(image.sqrt()))


def test_widths_and_blocks_belong_together() -> None:
    with pytest.raises(InputError, match="widths and blocks must be equally long"):
        build_model("segmentation_unet", widths=(4, 8), blocks=(1,))
