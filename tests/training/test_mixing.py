"""Mixed pictures: what is in a picture is what its label says."""

import pytest
import torch
from torch import Tensor

from edgevision.training.mixing import mix
from edgevision.training.settings import Mix


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def flat_pictures(classes: int = 5, height: int = 16, width: int = 24) -> tuple[Tensor, Tensor]:
    """Picture i is of class i, and bright in channel i only."""
    labels = torch.arange(classes)
    return torch.eye(classes)[:, :, None, None].expand(-1, -1, height, width).contiguous(), labels


@pytest.mark.parametrize("kind", Mix)
def test_the_shares_are_those_of_the_pictures(kind: Mix) -> None:
    images, labels = flat_pictures()
    seen = set()
    for _ in range(40):
        mixed, shares = mix(images, labels, [kind], 5)
        torch.testing.assert_close(mixed.mean(dim=(2, 3)), shares)
        torch.testing.assert_close(shares.sum(dim=1), torch.ones(5))
        seen.add(round(float(shares[0, 0]), 3))
    assert len(seen) > 20
    assert min(seen) < 0.5


def test_mixup_is_a_weighted_mean_and_cutmix_a_box() -> None:
    images, labels = flat_pictures()
    blended, pasted = (mix(images, labels, [kind], 5)[0] for kind in (Mix.MIXUP, Mix.CUTMIX))
    assert (blended.flatten(2).std(dim=2) < 1e-6).all()
    assert set(pasted.unique().tolist()) == {0.0, 1.0}


def test_either_of_two_kinds_is_drawn_for_a_batch() -> None:
    images, labels = flat_pictures()
    binary = [set(mix(images, labels, list(Mix), 5)[0].unique().tolist()) == {0.0, 1.0} for _ in range(40)]
    assert 8 < sum(binary) < 32


def test_pictures_that_were_mixed_in_are_not_changed_themselves() -> None:
    images, labels = flat_pictures()
    before = images.clone()
    for kind in Mix:
        mix(images, labels, [kind], 5)
    assert torch.equal(images, before)
