"""Augmentation: the class survives, and so do the shape and the range."""

import pytest
import torch
from torch import Tensor

from edgevision.training.augmentation import build_augmentation
from edgevision.training.settings import Augmentation


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def pictures(channels: int = 3, height: int = 16, width: int = 24, count: int = 64) -> Tensor:
    return torch.rand(1, channels, height, width).expand(count, -1, -1, -1).contiguous()


@pytest.mark.parametrize("kind", Augmentation)
@pytest.mark.parametrize("channels", [1, 3])
def test_shape_type_and_range_stay(kind: Augmentation, channels: int) -> None:
    images = pictures(channels)
    changed = build_augmentation([kind], (16, 24), channels)(images)
    assert changed.shape == images.shape
    assert changed.dtype == torch.float32
    assert changed.min() >= -1e-6
    assert changed.max() <= 1 + 1e-6


@pytest.mark.parametrize("kind", Augmentation)
def test_each_picture_of_a_batch_is_changed_differently(kind: Augmentation) -> None:
    changed = build_augmentation([kind], (16, 24), 3)(pictures())
    different = len({tuple(image.flatten().tolist()) for image in changed})
    assert different == 2 if kind is Augmentation.FLIP else different > 10


def test_erase_makes_a_box_black_in_a_quarter_of_them() -> None:
    changed = build_augmentation([Augmentation.ERASE], (16, 24), 3)(torch.ones(400, 3, 16, 24))
    erased = (changed == 0).all(dim=1).flatten(1).float().mean(dim=1)
    assert 60 < (erased > 0).sum() < 140  # more than four standard deviations of 400 draws
    assert erased[erased > 0].min() > 0.01
    assert erased.max() < 0.4


def test_flip_mirrors_about_half_of_them_left_to_right() -> None:
    images = pictures(count=400)
    changed = build_augmentation([Augmentation.FLIP], (16, 24), 3)(images)
    flipped = torch.tensor([torch.equal(a, b.flip(-1)) for a, b in zip(changed, images, strict=True)])
    kept = torch.tensor([torch.equal(a, b) for a, b in zip(changed, images, strict=True)])
    assert (flipped ^ kept).all()
    assert 140 < flipped.sum() < 260  # six standard deviations of 400 coin tosses


def test_shift_moves_by_whole_pixels_up_to_an_eighth_of_each_side() -> None:
    height, width = 16, 24
    down, right = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    image = ((down * width + right) / (height * width)).float()  # every pixel has its own value
    changed = build_augmentation([Augmentation.SHIFT], (height, width), 1)(image.expand(300, 1, -1, -1).contiguous())
    moves = set()
    for picture in changed[:, 0]:
        position = round(float(picture[height // 2, width // 2]) * height * width)
        moves.add((position // width - height // 2, position % width - width // 2))
    assert {dy for dy, _ in moves} == set(range(-2, 3))
    assert {dx for _, dx in moves} == set(range(-3, 4))


def test_nothing_asked_for_changes_nothing() -> None:
    images = pictures()
    assert build_augmentation([], (16, 24), 3)(images) is images


def test_the_same_seed_draws_the_same_changes() -> None:
    augmentation = build_augmentation(list(Augmentation), (16, 24), 3)
    torch.manual_seed(5)
    first = augmentation(pictures())
    torch.manual_seed(5)
    assert torch.equal(augmentation(pictures()), first)
