"""Heights and widths that a network takes are found out by asking for a few of them."""

from collections.abc import Callable

import pytest
import torch

from edgevision.exporters.analysis.picture_sizes import PictureSizes, find_picture_sizes, repeated


@pytest.mark.parametrize("multiple", [1, 2, 3, 8, 12, 24])
@pytest.mark.parametrize("least", [1, 7, 20, 48])
def test_the_multiple_and_the_least_side_are_found(multiple: int, least: int) -> None:
    sides = find_picture_sizes(lambda h, w: not h % multiple and not w % multiple and min(h, w) >= least, 96, 48)
    assert sides.dynamic == ("height", "width")
    assert sides.multiple == multiple
    assert sides.minimum == -(-least // multiple) * multiple


def test_both_sides_get_the_multiple_that_suits_both() -> None:
    assert find_picture_sizes(lambda h, w: not h % 4 and not w % 6, 96, 96).multiple == 12


def test_a_multiple_that_is_known_is_the_least_that_is_tried() -> None:
    asked: list[int] = []

    def takes(height: int, width: int) -> bool:
        asked.append(height)
        return True

    assert find_picture_sizes(takes, 96, 96, multiple=8).multiple == 8
    assert all(height % 8 == 0 for height in asked)


@pytest.mark.parametrize(
    ("takes", "dynamic"),
    [
        (lambda h, w: (h, w) == (64, 48), ()),
        (lambda h, w: w == 48, ("height",)),
        (lambda h, w: h == 64, ("width",)),
        (lambda h, w: h % 32 == 0 and (h, w) in ((64, 48), (80, 64)), ()),
        (lambda h, w: max(h, w) <= 70, ()),
    ],
)
def test_a_side_that_cannot_be_dynamic_is_not(takes: Callable[[int, int], bool], dynamic: tuple[str, ...]) -> None:
    assert find_picture_sizes(takes, 64, 48).dynamic == dynamic


def test_a_dense_network_is_asked_three_times_only() -> None:
    asked: list[tuple[int, int]] = []

    def takes(height: int, width: int) -> bool:
        asked.append((height, width))
        return False

    find_picture_sizes(takes, 224, 224)
    assert len(asked) == 3


@pytest.mark.parametrize(
    "sides", [PictureSizes(96, 96, ("height", "width")), PictureSizes(48, 72, ("height", "width"), 8, 16)]
)
def test_other_sizes_are_small_and_large_upright_and_lying(sides: PictureSizes) -> None:
    others = sides.others()
    assert all(h % sides.multiple == w % sides.multiple == 0 and min(h, w) >= sides.minimum for h, w in others)
    assert any(h > w for h, w in others)
    assert any(h < w for h, w in others)
    assert (sides.minimum, sides.minimum) in others
    assert any((h // sides.multiple) % 2 for h, _ in others)
    assert (sides.height, sides.width) not in others


def test_a_side_that_is_not_free_stays() -> None:
    assert {height for height, _ in PictureSizes(32, 96, ("width",)).others()} == {32}
    assert PictureSizes(32, 96, ("width",)).larger() == (32, 192)


@pytest.mark.parametrize(
    ("size", "multiple", "larger"), [((8, 8), 1, (12, 16)), ((7, 5), 1, (11, 10)), ((8, 12), 4, (12, 24))]
)
def test_a_larger_size_keeps_the_multiple(size: tuple[int, int], multiple: int, larger: tuple[int, int]) -> None:
    assert PictureSizes(*size, ("height", "width"), multiple).larger() == larger


def test_examples_are_repeated_and_cut() -> None:
    image, mask = repeated((torch.arange(6.0).reshape(1, 1, 2, 3), torch.ones(1, 1, 2, 3)), 3, 2)
    assert image[0, 0].tolist() == [[0, 1], [3, 4], [0, 1]]
    assert mask.shape == (1, 1, 3, 2)
