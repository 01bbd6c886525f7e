"""What the discriminator sees is varied, each picture in its own way, and the gradient comes back."""

import pytest
import torch
from torch import Tensor

from edgevision.training.diff_augment import augment
from edgevision.training.settings import DiffAugment

ALL = tuple(DiffAugment)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def pictures(count: int = 6, channels: int = 3, height: int = 8, width: int = 8) -> Tensor:
    return 2 * torch.rand(count, channels, height, width) - 1


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(("channels", "height", "width"), [(1, 8, 8), (3, 28, 28), (3, 16, 40)])
def test_every_kind_keeps_the_shape_and_varies_each_picture_by_itself(
    kind: DiffAugment, channels: int, height: int, width: int
) -> None:
    one = pictures(1, channels, height, width)
    varied = augment(one.expand(12, -1, -1, -1), (kind,))
    assert varied.shape == (12, channels, height, width)
    assert len({tuple(picture.flatten().tolist()) for picture in varied}) > 6


@pytest.mark.parametrize("kinds", [(DiffAugment.COLOR,), (DiffAugment.TRANSLATION,), (DiffAugment.CUTOUT,), ALL])
def test_the_gradient_passes_through(kinds: tuple[DiffAugment, ...]) -> None:
    images = pictures().requires_grad_()
    augment(images, kinds).square().sum().backward()
    assert images.grad is not None
    assert torch.isfinite(images.grad).all()
    assert (images.grad.flatten(1).abs().sum(dim=1) > 0).all()


def test_nothing_asked_for_changes_nothing() -> None:
    images = pictures()
    assert torch.equal(augment(images, ()), images)


def test_the_same_seed_varies_alike_and_kinds_are_applied_in_turn() -> None:
    images = pictures()
    torch.manual_seed(5)
    together = augment(images, ALL)
    torch.manual_seed(5)
    one_by_one = images
    for kind in ALL:
        one_by_one = augment(one_by_one, (kind,))
    assert torch.equal(together, one_by_one)
    assert not torch.equal(augment(images, ALL), together)


def test_brightness_moves_a_flat_gray_by_at_most_a_half() -> None:
    moved = augment(torch.full((500, 3, 4, 4), 0.2), (DiffAugment.COLOR,))
    # Neither saturation nor contrast can be seen in one shade of gray.
    shades = moved[:, 0, 0, 0]
    torch.testing.assert_close(moved, shades[:, None, None, None].expand_as(moved))
    assert shades.min() >= 0.2 - 0.5 - 1e-6
    assert shades.max() <= 0.2 + 0.5 + 1e-6
    assert shades.max() - shades.min() > 0.9


def test_saturation_and_contrast_stretch_a_picture_about_its_mean() -> None:
    flat_red = torch.tensor([0.6, 0.0, 0.0])[None, :, None, None].expand(500, 3, 4, 4)
    varied = augment(flat_red, (DiffAugment.COLOR,))[:, :, 0, 0]
    means = varied.mean(dim=1, keepdim=True)
    assert (means - 0.2).abs().max() <= 0.5 + 1e-6
    stretched = (varied - means)[:, 0] / 0.4
    torch.testing.assert_close(varied - means, stretched[:, None] * torch.tensor([0.4, -0.2, -0.2]))
    # 0 to 2 for the saturation times 0.5 to 1.5 for the contrast.
    assert stretched.min() >= 0
    assert stretched.max() <= 3
    assert stretched.min() < 0.2
    assert stretched.max() > 2

    gray = torch.tensor([-0.5, 0.5]).expand(500, 1, 1, 2)
    contrast = augment(gray, (DiffAugment.COLOR,))[:, 0, 0].diff(dim=1)
    assert contrast.min() >= 0.5 - 1e-6
    assert contrast.max() <= 1.5 + 1e-6
    assert contrast.max() - contrast.min() > 0.9


@pytest.mark.parametrize(("height", "width"), [(8, 16), (4, 4)])
def test_a_translated_picture_is_moved_by_an_eighth_and_black_comes_in(height: int, width: int) -> None:
    image = pictures(1, 3, height, width)
    down, right = max(1, height // 8), max(1, width // 8)
    canvas = torch.full((3, height + 2 * down, width + 2 * right), -1.0)
    canvas[:, down : down + height, right : right + width] = image[0]
    places = [(y, x) for y in range(2 * down + 1) for x in range(2 * right + 1)]
    possible = torch.stack([canvas[:, y : y + height, x : x + width] for y, x in places])
    moved = augment(image.expand(300, -1, -1, -1), (DiffAugment.TRANSLATION,))
    same = (moved[:, None] == possible[None]).flatten(2).all(dim=2)
    assert (same.sum(dim=1) == 1).all()
    assert same.any(dim=0).all()


@pytest.mark.parametrize(("height", "width"), [(8, 8), (8, 16)])
def test_a_cutout_blackens_a_box_of_half_the_side_that_may_reach_over_the_border(height: int, width: int) -> None:
    images = torch.full((400, 3, height, width), 0.5)
    cut = augment(images, (DiffAugment.CUTOUT,))
    assert set(cut.unique().tolist()) == {-1.0, 0.5}
    black = cut == -1
    assert torch.equal(black, black[:, :1].expand_as(black))
    rows, columns = black[:, 0].any(dim=2), black[:, 0].any(dim=1)
    # A box: every row that is hit is hit in the same columns.
    assert torch.equal(black[:, 0], rows[:, :, None] & columns[:, None, :])
    for hit, side in ((rows, height), (columns, width)):
        count = hit.sum(dim=1)
        assert int(count.max()) == side // 2
        assert int(count.min()) >= side // 4
        assert (hit[:, 1:] & ~hit[:, :-1]).sum(dim=1).max() <= 1  # in one piece
        assert hit.any(dim=0).all()
