"""Tiles: what is cut up comes together again, without a seam and without a gap."""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgevision.imaging.tiling import Span, blend, cut, take
from edgevision.metrics.figures import psnr_db
from edgevision.modelfiles.metadata import TileSpec

Array = NDArray[np.float32]

multiples = st.sampled_from([1, 2, 3, 8, 16])


def picture(height: int, width: int, channels: int = 1) -> Array:
    return np.random.default_rng(height * 1000 + width).random((height, width, channels), np.float32)


def whole(
    pixels: Array, rows: tuple[Span, ...], columns: tuple[Span, ...], process: Callable[[Array], Array], scale: int = 1
) -> Array:
    """All bands of a picture whose every tile is what ``process`` makes of the input's tile."""
    height, width, channels = pixels.shape
    shape = (height * scale, width * scale, channels)
    bands = list(blend(rows, columns, shape, scale, lambda row, column: process(take(pixels, row, column))))
    tops = [top for top, _ in bands]
    assert tops == [0, *np.cumsum([len(band) for _, band in bands])[:-1]]
    return np.concatenate([band for _, band in bands])


def boxed(pixels: Array, radius: int) -> Array:
    """The mean over a box of ``2 radius + 1`` pixels, the picture mirrored at its border."""
    height, width = pixels.shape[:2]
    padded = np.pad(pixels.astype(np.float64), ((radius, radius), (radius, radius), (0, 0)), mode="reflect")
    side = 2 * radius + 1
    total = sum(padded[y : y + height, x : x + width] for y in range(side) for x in range(side))
    return (total / side**2).astype(np.float32)


@given(st.integers(1, 700), st.integers(1, 40), st.integers(0, 60), multiples)
def test_the_weights_of_all_spans_add_up_to_1_everywhere(length: int, units: int, overlap: int, multiple: int) -> None:
    size = units * multiple
    padded = math.ceil(length / multiple) * multiple
    assume(size >= padded or size >= 2 * (overlap + multiple))
    spans = cut(length, size, TileSpec(overlap=overlap, multiple=multiple))
    total = np.zeros(max(padded, size))
    for span in spans:
        assert span.length == len(span.weights) == size or span is spans[-1]
        assert span.start % multiple == 0
        assert span.weights.dtype == np.float32
        assert span.weights.min() >= 0
        total[span.start : span.stop] += span.weights
    np.testing.assert_allclose(total, 1, atol=1e-6)
    starts = [span.start for span in spans]
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert spans[-1].stop == max(padded, size)


@given(st.integers(30, 500), st.integers(2, 20), st.integers(1, 20), multiples)
def test_near_its_inner_ends_a_span_has_no_weight(length: int, units: int, overlap: int, multiple: int) -> None:
    size = units * multiple
    assume(length > size >= 2 * (overlap + multiple))
    spans = cut(length, size, TileSpec(overlap=overlap, multiple=multiple))
    quiet = 3 * overlap // 4
    for number, span in enumerate(spans):
        if number > 0:
            assert not span.weights[:quiet].any()
        if number < len(spans) - 1:
            assert not span.weights[size - quiet :].any()


def test_every_span_reaches_the_overlap_into_its_neighbours() -> None:
    spans = cut(1000, 128, TileSpec(overlap=20, multiple=8))
    shared = [left.stop - right.start for left, right in pairwise(spans)]
    assert min(shared) >= 2 * 20
    assert len(spans) == math.ceil((1000 - 128) / (128 - 2 * 20 - 8)) + 1


@pytest.mark.parametrize(("length", "multiple", "padded"), [(1, 1, 1), (1, 8, 8), (16, 8, 16), (17, 8, 24)])
def test_without_a_size_one_span_covers_everything(length: int, multiple: int, padded: int) -> None:
    (span,) = cut(length, None, TileSpec(overlap=1000, multiple=multiple))
    assert (span.start, span.stop) == (0, padded)
    assert (span.weights == 1).all()


def test_a_tile_larger_than_the_picture_is_the_only_one() -> None:
    (span,) = cut(20, 64, TileSpec(overlap=1000, multiple=8))
    assert (span.start, span.stop) == (0, 64)


@pytest.mark.parametrize(
    ("size", "overlap", "multiple", "message"),
    [
        (60, 0, 8, "a tile's side must be a multiple of 8, not 60"),
        (64, 25, 8, "a tile's side must be at least 66, not 64"),
        (8, 0, 8, "a tile's side must be at least 16, not 8"),
    ],
)
def test_a_size_that_cannot_work_is_refused(size: int, overlap: int, multiple: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cut(1000, size, TileSpec(overlap=overlap, multiple=multiple))


@pytest.mark.parametrize(("overlap", "multiple"), [(25, 8), (0, 8), (3, 2)])
def test_the_size_that_an_error_advises_works(overlap: int, multiple: int) -> None:
    advised = math.ceil(2 * (overlap + multiple) / multiple) * multiple
    assert len(cut(1000, advised, TileSpec(overlap=overlap, multiple=multiple))) > 1


@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from([16, 24, 48, None]),
    st.integers(0, 4),
    st.sampled_from([1, 4]),
    st.sampled_from([1, 2]),
)
def test_tiles_that_nothing_is_done_to_give_the_picture(
    height: int, width: int, size: int | None, overlap: int, multiple: int, scale: int
) -> None:
    pixels = picture(height, width, 3)
    rows, columns = (cut(side, size, TileSpec(overlap=overlap, multiple=multiple)) for side in (height, width))

    def enlarge(tile: Array) -> Array:
        return tile.repeat(scale, axis=0).repeat(scale, axis=1)

    result = whole(pixels, rows, columns, enlarge, scale)
    assert result.shape == (height * scale, width * scale, 3)
    assert result.dtype == np.float32
    assert psnr_db(enlarge(pixels), result) > 120


@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from([16, 20, 32]), st.sampled_from([1, 4]))
def test_a_filter_of_3_pixels_sees_no_seam(height: int, width: int, size: int, multiple: int) -> None:
    pixels = picture(height, width)
    rows, columns = (cut(side, size, TileSpec(overlap=2, multiple=multiple)) for side in (height, width))
    result = whole(pixels, rows, columns, lambda tile: boxed(tile, 1))
    assert np.abs(result - boxed(pixels, 1)).max() < 1e-5


@pytest.mark.parametrize("radius", [2, 5])
def test_an_overlap_of_twice_what_a_filter_sees_is_enough_and_none_is_not(radius: int) -> None:
    pixels = picture(79, 79)
    expected = boxed(pixels, radius)

    def worst(overlap: int) -> float:
        spans = cut(79, 40, TileSpec(overlap=overlap, multiple=1))
        return float(np.abs(whole(pixels, spans, spans, lambda tile: boxed(tile, radius)) - expected).max())

    assert worst(2 * radius) < 1e-5
    assert worst(0) > 0.01


def test_a_tile_of_nothing_stands_for_zeros() -> None:
    pixels = np.ones((50, 50, 1), np.float32)
    rows, columns = (cut(side, 20, TileSpec(overlap=2, multiple=1)) for side in (50, 50))

    def process(row: Span, column: Span) -> Array | None:
        return None if row is rows[1] else take(pixels, row, column)

    result = np.concatenate([band for _, band in blend(rows, columns, (50, 50, 1), 1, process)])
    empty = rows[1].weights == 1
    assert not result[rows[1].start : rows[1].stop][empty].any()
    assert (result[: rows[1].start] == 1).all()


def test_only_a_band_of_tiles_is_held_at_a_time() -> None:
    rows, columns = cut(1000, 40, TileSpec(overlap=4, multiple=1)), cut(30, 40, TileSpec(overlap=4, multiple=1))
    asked: list[int] = []

    def process(row: Span, column: Span) -> Array:
        asked.append(row.start)
        return np.ones((40, 40, 1), np.float32)

    bands = blend(rows, columns, (1000, 30, 1), 1, process)
    for number, (top, band) in enumerate(bands):
        assert asked == [row.start for row in rows[: number + 1]]
        assert top == rows[number].start
        assert len(band) <= 40


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 8), st.integers(1, 30))
def test_beyond_its_border_a_picture_is_mirrored(height: int, width: int, start: int, length: int) -> None:
    pixels = picture(height, width, 2)
    span = Span(start, start + length, np.ones(length, np.float32))
    tile = take(pixels, span, span)
    mirrored = np.pad(pixels, ((0, 60), (0, 60), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(tile, mirrored[start : start + length, start : start + length])


def test_a_tile_inside_the_picture_is_not_copied() -> None:
    pixels = picture(20, 20)
    (span,) = cut(10, 10, TileSpec(overlap=0, multiple=1))
    assert np.shares_memory(take(pixels, span, span), pixels)
