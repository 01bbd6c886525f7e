"""Random views: the maps stay with the pixels that they belong to."""

from typing import Any

import numpy as np
import pytest

from edgevision.training.mask_augmentation import GRAY, IGNORED, MappedPicture, draw_view, pasted, random_view
from edgevision.training.settings import SegmentationSettings


def settings(**changes: Any) -> SegmentationSettings:
    return SegmentationSettings(data="none", **({"crop": 64, "colour": 0.0} | changes))


def patches(seed: int = 0, size: tuple[int, int] = (96, 80)) -> MappedPicture:
    """Squares of 8 pixels, each of a class and of the brightness that belongs to it; the second map is the first."""
    classes = np.random.default_rng(seed).integers(0, 5, (size[0] // 8, size[1] // 8)).astype(np.uint8)
    whole = np.kron(classes, np.ones((8, 8), np.uint8))
    return MappedPicture(np.repeat(40 * whole[:, :, None], 3, axis=2), np.stack([whole, whole], axis=2))


@pytest.mark.parametrize(
    "changes", [{}, {"turn": True, "rotate": 180.0}, {"image_size": (48, 64)}, {"zoom": (2.0, 3.0)}]
)
def test_maps_stay_with_their_pixels(changes: dict[str, Any]) -> None:
    chosen = settings(**changes)
    for seed in range(8):
        view = random_view(patches(seed), chosen, np.random.default_rng(seed))
        assert view.pixels.shape == (*chosen.view_size, 3)
        assert view.maps.shape == (*chosen.view_size, 2)
        known = view.maps[:, :, 0] != IGNORED
        assert known.mean() > 0.2
        assert np.array_equal(view.maps[known, 0], view.maps[known, 1])
        # Between two squares pixels are interpolated.
        right = np.abs(view.pixels[known, 0].astype(int) - 40 * view.maps[known, 0]) <= 20
        assert right.mean() > 0.85
        assert set(view.pixels[~known, 0].tolist()) <= {GRAY} or np.median(view.pixels[~known, 0]) == GRAY


def test_a_view_is_made_again_by_its_seed() -> None:
    chosen = settings(colour=0.3, paste=0.5)
    first, second = (draw_view(patches(3), patches(4), chosen, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.maps, second.maps)


def test_only_pixels_are_recoloured() -> None:
    plain, coloured = (random_view(patches(), settings(colour=c), np.random.default_rng(1)) for c in (0.0, 0.5))
    assert np.array_equal(plain.maps, coloured.maps)
    assert not np.array_equal(plain.pixels, coloured.pixels)


def test_a_dark_picture_keeps_what_is_in_it() -> None:
    dark = patches()
    dark = dark._replace(pixels=dark.pixels // 16)
    views = [random_view(dark, settings(colour=0.3, zoom=(1.0, 1.0)), np.random.default_rng(s)) for s in range(20)]
    assert min(view.pixels.std() for view in views) > 0.4 * dark.pixels.std()


def test_what_is_pasted_brings_its_maps() -> None:
    view, other = patches(0, (64, 64)), patches(1, (64, 64))
    unknown = other.maps.copy()
    unknown[:8] = IGNORED
    both = pasted(view, other._replace(maps=unknown))
    front = (other.maps[:, :, 0] > 0) & (np.arange(64) >= 8)[:, None]
    assert np.array_equal(both.maps, np.where(front[:, :, None], other.maps, view.maps))
    assert np.array_equal(both.pixels[:, :, 0], 40 * both.maps[:, :, 0])
