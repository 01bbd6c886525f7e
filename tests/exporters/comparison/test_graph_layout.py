"""Drawn graphs can be read: boxes keep apart, lines lead downwards and pass beside the boxes, chains are straight."""

import itertools
import random

import pytest

from edgevision.exporters.comparison.graph_layout import BOX_HEIGHT, BOX_WIDTH, Layout, lay_out

Edges = list[tuple[str, str]]


def names(count: int) -> list[str]:
    return [f"n{index}" for index in range(count)]


def residual(count: int, block: int) -> Edges:
    """A chain with a shortcut over each ``block``."""
    return [(f"n{i}", f"n{i + 1}") for i in range(count - 1)] + [
        (f"n{i}", f"n{i + block}") for i in range(0, count - block, block)
    ]


def branched(count: int, seed: int) -> Edges:
    """Every node reads one or a few of those close before it."""
    generator = random.Random(seed)
    edges = {
        (f"n{generator.randint(max(0, i - 6), i - 1)}", f"n{i}")
        for i in range(1, count)
        for _ in range(generator.choice((1, 1, 1, 2, 3)))
    }
    return sorted(edges)


def check(layout: Layout, count: int, edges: Edges) -> None:
    assert len(layout.boxes) == count
    for (x, y), (u, v) in itertools.combinations(layout.boxes.values(), 2):
        assert abs(y - v) >= BOX_HEIGHT or abs(x - u) >= BOX_WIDTH
    for x, y in layout.boxes.values():
        assert -1e-6 <= x <= layout.width - BOX_WIDTH + 1e-6
        assert -1e-6 <= y <= layout.height - BOX_HEIGHT + 1e-6
    assert set(layout.lines) == set(edges)
    for (first, second), points in layout.lines.items():
        (x, y), (u, v) = layout.boxes[first], layout.boxes[second]
        assert points[0] == pytest.approx((x + BOX_WIDTH / 2, y + BOX_HEIGHT))
        assert points[-1] == pytest.approx((u + BOX_WIDTH / 2, v))
        assert all(below > above for (_, above), (_, below) in itertools.pairwise(points))
        # In a row of boxes a line is straight, and beside all of them.
        for (left, top), (right, bottom) in itertools.pairwise(points):
            if bottom - top == pytest.approx(BOX_HEIGHT):
                assert left == right
                row = [a for a, b in layout.boxes.values() if b == pytest.approx(top)]
                assert all(left < a or left > a + BOX_WIDTH for a in row)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count", [5, 40, 200])
def test_boxes_keep_apart_and_lines_lead_downwards_beside_them(count: int, seed: int) -> None:
    edges = branched(count, seed)
    check(lay_out(names(count), edges), count, edges)


def test_a_chain_is_straight() -> None:
    layout = lay_out(names(30), residual(30, 40))
    assert len({x for x, _ in layout.boxes.values()}) == 1
    assert layout.width == BOX_WIDTH


@pytest.mark.parametrize("block", [2, 3, 5])
def test_shortcuts_do_not_make_a_staircase(block: int) -> None:
    edges = residual(201, block)
    layout = lay_out(names(201), edges)
    check(layout, 201, edges)
    assert layout.width < 2 * BOX_WIDTH


def test_what_need_not_cross_does_not() -> None:
    # Two chains, whose nodes stand in turns.
    edges = [(f"n{i}", f"n{i + 2}") for i in range(18)]
    layout = lay_out(names(20), edges)
    first, second = ({x for (x, _) in list(layout.boxes.values())[start::2]} for start in (0, 1))
    assert max(first) < min(second) or max(second) < min(first)


def test_an_input_stands_close_to_the_only_layer_that_reads_it() -> None:
    layout = lay_out(["x", "a", "b", "late", "sum"], [("x", "a"), ("a", "b"), ("b", "sum"), ("late", "sum")])
    assert layout.boxes["late"][1] == layout.boxes["b"][1]


def test_nothing_is_no_trouble() -> None:
    assert lay_out([], []) == Layout({}, {}, 0, 0)
    assert lay_out(["alone"], [("alone", "alone")]).boxes == {"alone": (0, 0)}
