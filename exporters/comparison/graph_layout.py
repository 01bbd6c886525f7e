"""Where the boxes and lines of a drawn graph go: in layers from the top to the bottom, with few crossings.

The method of Sugiyama, Tagawa and Toda 1981 ("Methods for visual understanding of hierarchical system structures"):
layers by the longest path, their order by barycentres, then places that keep lines straight.
"""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

BOX_WIDTH, BOX_HEIGHT = 146.0, 40.0
_BESIDE, _BELOW, _LINE_WIDTH = 18.0, 26.0, 10.0
_ORDERINGS, _PLACINGS = 12, 10
# Of a line on the box that it comes from or leads to, and of that on the line, where alike pull alike with 1.
_SIDE_PULL = 0.02

Point = tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """The left upper corners of boxes by name, and the lines by their ends, each a list of points downwards."""

    boxes: Mapping[str, Point]
    lines: Mapping[tuple[str, str], Sequence[Point]]
    width: float
    height: float


def lay_out(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> Layout:
    """Boxes for ``names``, which stand in an order in which every edge leads forward; no two cover each other.

    Every line begins under its first box, ends above its second, and passes beside all boxes between.
    """
    if not names:
        return Layout({}, {}, 0, 0)
    edges = [edge for edge in dict.fromkeys(edges) if edge[0] != edge[1]]
    ranks = _ranks(names, edges)
    layers, links, routes = _with_lines(names, edges, ranks)
    _order(layers, links)
    centres = _places(layers, links)
    left = min(centres[item] - _half(item) for layer in layers for item in layer)
    right = max(centres[item] + _half(item) for layer in layers for item in layer)
    row = BOX_HEIGHT + _BELOW
    boxes = {name: (centres[name] - left - BOX_WIDTH / 2, ranks[name] * row) for name in names}
    lines: dict[tuple[str, str], Sequence[Point]] = {}
    for edge, route in routes.items():
        points: list[Point] = [(centres[edge[0]] - left, ranks[edge[0]] * row + BOX_HEIGHT)]
        for item in route:
            top = item[1] * row
            points += [(centres[item] - left, top), (centres[item] - left, top + BOX_HEIGHT)]
        points.append((centres[edge[1]] - left, ranks[edge[1]] * row))
        lines[edge] = points
    return Layout(boxes, lines, right - left, len(layers) * row - _BELOW)


# A box by its name, or the part of the lines from one that passes a layer.
_Item = str | tuple[str, int]
_Links = Mapping[_Item, Sequence[_Item]]


def _ranks(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The layer of each: behind all it reads; what has little to wait for stands close to what reads it."""
    before, behind = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for first, second in edges:
        before[second].append(first)
        behind[first].append(second)
    ranks: dict[str, int] = {}
    for name in names:
        ranks[name] = 1 + max((ranks[other] for other in before[name]), default=-1)
    for name in reversed(names):
        if behind[name] and len(before[name]) < len(behind[name]) + (not before[name]):
            ranks[name] = max(ranks[name], min(ranks[other] for other in behind[name]) - 1)
    return ranks


def _with_lines(
    names: Sequence[str], edges: Sequence[tuple[str, str]], ranks: Mapping[str, int]
) -> tuple[list[list[_Item]], dict[_Item, list[_Item]], dict[tuple[str, str], list[tuple[str, int]]]]:
    """The layers with places for lines that pass, what is linked with what below it, and the way of each edge.

    Lines that come from one box share their way.
    """
    layers: list[list[_Item]] = [[] for _ in range(1 + max(ranks.values()))]
    for name in names:
        layers[ranks[name]].append(name)
    links: dict[_Item, list[_Item]] = defaultdict(list)
    routes: dict[tuple[str, str], list[tuple[str, int]]] = {}
    passing: set[tuple[str, int]] = set()
    for first, second in edges:
        route = [(first, rank) for rank in range(ranks[first] + 1, ranks[second])]
        for item in route:
            if item not in passing:
                passing.add(item)
                layers[item[1]].append(item)
        routes[first, second] = route
        way: list[_Item] = [first, *route, second]
        for upper, lower in pairwise(way):
            if lower not in links[upper]:
                links[upper].append(lower)
    return layers, links, routes


def _order(layers: list[list[_Item]], links: _Links) -> None:
    """Sort every layer by where its neighbours above stand, then by those below, as long as that crosses less."""
    above: dict[_Item, list[_Item]] = defaultdict(list)
    for upper, lowers in links.items():
        for lower in lowers:
            above[lower].append(upper)
    best, fewest = [layer[:] for layer in layers], _crossings(layers, links)
    for turn in range(_ORDERINGS):
        if not fewest:
            break
        downwards = turn % 2 == 0
        neighbours: _Links = above if downwards else links
        for index in range(1, len(layers)) if downwards else range(len(layers) - 2, -1, -1):
            fixed = layers[index - 1 if downwards else index + 1]
            place = {item: float(position) for position, item in enumerate(fixed)}
            # What has no neighbour there stays where it is.
            centre = {
                item: _mean([place[other] for other in neighbours.get(item, ())], float(position))
                for position, item in enumerate(layers[index])
            }
            layers[index].sort(key=lambda item: centre[item])
        crossings = _crossings(layers, links)
        if crossings < fewest:
            best, fewest = [layer[:] for layer in layers], crossings
    for layer, kept in zip(layers, best, strict=True):
        layer[:] = kept


def _crossings(layers: Sequence[Sequence[_Item]], links: _Links) -> int:
    count = 0
    for upper, lower in pairwise(layers):
        place = {item: position for position, item in enumerate(lower)}
        ends: list[int] = []
        for item in upper:
            own = sorted(place[other] for other in links.get(item, ()))
            count += sum(len(ends) - bisect_right(ends, end) for end in own)
            for end in own:
                insort(ends, end)
    return count


def _places(layers: Sequence[Sequence[_Item]], links: _Links) -> dict[_Item, float]:
    """The middle of each: near those of its neighbours, in the order of the layers, with room between."""
    above: dict[_Item, list[_Item]] = defaultdict(list)
    for upper, lowers in links.items():
        for lower in lowers:
            above[lower].append(upper)
    centres: dict[_Item, float] = {}
    for layer in layers:
        centres |= dict(zip(layer, _apart(layer, [(1.0, 0.0)] * len(layer)), strict=True))
    for turn in range(_PLACINGS):
        downwards = turn % 2 == 0
        neighbours: _Links = above if downwards else links
        for layer in layers if downwards else reversed(layers):
            pulls = [_pull(item, neighbours.get(item, ()), centres) for item in layer]
            centres |= dict(zip(layer, _apart(layer, pulls), strict=True))
    return centres


def _pull(item: _Item, neighbours: Sequence[_Item], centres: Mapping[_Item, float]) -> tuple[float, float]:
    """How strongly its neighbours want it where: boxes pull boxes, and lines pull lines, more than each other.

    Otherwise every shortcut would shift what stands behind it, and a residual network would become a staircase.
    """
    pulls = [(1.0 if isinstance(item, str) == isinstance(other, str) else _SIDE_PULL, other) for other in neighbours]
    total = sum(weight for weight, _ in pulls)
    if not pulls:
        return _SIDE_PULL, centres[item]
    return total, sum(weight * centres[other] for weight, other in pulls) / total


def _apart(layer: Sequence[_Item], pulls: Sequence[tuple[float, float]]) -> list[float]:
    """Places as near as can be to those that are wanted, by weighted least squares, with room for all.

    Without the room between they must not fall, which is isotonic regression: neighbours in the wrong order are pooled.
    """
    offsets = [0.0]
    for one, other in pairwise(layer):
        offsets.append(offsets[-1] + _half(one) + _half(other) + _BESIDE)
    pools: list[tuple[float, float, int]] = []  # weight, mean, count
    for (strength, place), offset in zip(pulls, offsets, strict=True):
        pool = (strength, place - offset, 1)
        while pools and pools[-1][1] > pool[1]:
            weight, mean, count = pools.pop()
            total = weight + pool[0]
            pool = (total, (weight * mean + pool[0] * pool[1]) / total, count + pool[2])
        pools.append(pool)
    means = [mean for _, mean, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _half(item: _Item) -> float:
    return (BOX_WIDTH if isinstance(item, str) else _LINE_WIDTH) / 2


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
