"""Which tensors of a checkpoint are weights of a network: those below a path whose names are the network's."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from edgevision.exporters.checkpoints.contents import Contents, TensorGroup, below, join
from edgevision.exporters.checkpoints.names import canonical, without_wrappers


@dataclass(frozen=True)
class Expected:
    """What a network calls its weights, and their shapes; ``None`` where the checkpoint has to tell it.

    ``parameters`` are in their order, each with whether it is trained. ``by_canonical`` finds a name by what all names
    of that weight have in common.
    """

    shapes: dict[str, tuple[int, ...] | None]
    parameters: dict[str, bool]
    modules: frozenset[str]
    by_canonical: dict[str, str]

    @property
    def size(self) -> int:
        """The number of values in the parameters, as far as their shapes are known."""
        return sum(math.prod(self.shapes[name] or ()) for name in self.parameters)

    @classmethod
    def by(cls, network: nn.Module) -> "Expected":
        """What ``network`` expects."""
        shapes = {name: _shape(value) for name, value in network.state_dict().items()}
        parameters = {name: parameter.requires_grad for name, parameter in network.named_parameters()}
        modules = frozenset(without_wrappers(name) for name, _ in network.named_modules()) - {""}
        names = Counter(map(canonical, shapes))
        # Names that only the wrappers tell apart keep them.
        known = {canonical(name) if names[canonical(name)] == 1 else name: name for name in shapes}
        return cls(shapes, parameters, modules, known)

    def score(self, tensors: Mapping[str, Any], related: int = 0) -> "Score":
        """How well tensors fit that are called by names of the network."""
        matched = [name for name, value in tensors.items() if self.fits(name, value)]
        return Score(sum(name in self.parameters for name in matched), len(matched), len(tensors), related)

    def fits(self, name: str, value: Any) -> bool:
        """Whether a tensor has the shape that the network expects, or one that PyTorch takes for it."""
        shape = self.shapes[name]
        found = _shape(value)
        return shape is None or found == shape or (not shape and found == (1,))


class Score(NamedTuple):
    """How well weights fit: the number of parameters and of all names whose shapes are right, of names that are known,
    and of names in a layer that is known. The first that is not zero for the best tells.
    """

    parameters: int
    matched: int
    named: int
    related: int = 0

    @property
    def telling(self) -> int:
        """The place of the first that is not zero."""
        return next((place for place, count in enumerate(self) if count), len(self) - 1)


@dataclass(frozen=True)
class WeightSet:
    """Tensors for :meth:`torch.nn.Module.load_state_dict`, by its names, out of what lies below ``path``.

    Attributes:
        container: the dict they lie in, and ``path`` is it or within it.
        places: where each tensor lies.
        average: whether they are averages over training.
    """

    path: str
    container: str
    tensors: dict[str, Any]
    places: dict[str, str]
    score: Score
    average: bool
    versions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """What stands before the names within the container."""
        return f"{self.path[len(self.container) :].lstrip('.')}." if self.path != self.container else ""


def named_sets(contents: Contents, expected: Expected) -> list[WeightSet]:
    """A set for each path below which names of the network are found; the hooks of layers may know the others."""
    covers: dict[str, dict[str, str]] = defaultdict(dict)
    related: dict[str, list[TensorGroup]] = defaultdict(list)
    group_of, values = {}, {}
    for group in contents.groups:
        for name, place in group.paths():
            group_of[place], values[place] = group, group.tensors[name]
            for path, inner in _splits(place):
                known = expected.by_canonical.get(canonical(inner)) or (inner if inner in expected.shapes else None)
                if known is not None and (known == inner or known not in covers[path]):
                    covers[path][known] = place
                elif without_wrappers(inner).rpartition(".")[0] in expected.modules:
                    related[path].append(group)
    # Of paths that lead to the same weights the longest: what stands before all names is no part of them.
    longest: dict[frozenset[str], str] = {}
    for path in covers | related:
        places = frozenset(covers.get(path, {}).values()) or frozenset({f"{path}."})
        longest[places] = max(longest.get(places, ""), path, key=len)
    scores = {}
    for path in longest.values():
        cover = covers.get(path, {})
        scores[path] = expected.score({name: values[place] for name, place in cover.items()}, len(related[path]))
    best = max(scores.values(), default=Score(0, 0, 0))
    sets = []
    for path, score in scores.items():
        # Averages may lack a part.
        if 2 * score[best.telling] >= best[best.telling] > 0:
            cover = covers.get(path, {})
            groups = [group_of[place] for place in cover.values()] or related[path]
            sets.append(_weight_set(path, _unique(groups), cover, score, average=contents.is_average(path)))
    return sets


def largest_sets(contents: Contents, expected: Expected) -> list[WeightSet]:
    """The largest groups of tensors, several where they are equally large, for networks whose hooks know all names."""
    named = [group for group in contents.groups if not group.ordered]
    most = max((len(group.tensors) for group in named), default=0)
    largest = [group for group in named if len(group.tensors) == most]
    return [
        _weight_set(group.path, [group], {}, Score(0, 0, 0), average=contents.is_average(group.path))
        for group in largest
    ]


def other_readings(contents: Contents, weights: WeightSet) -> Iterator[WeightSet]:
    """The same tensors under other names: as they are, and without what they begin with in common."""
    for group in contents.groups:
        if group.path == weights.container and not group.ordered:
            yield replace(weights, path=group.path, tensors=dict(group.tensors), versions=group.versions)
            for path in _stems(group):
                yield _weight_set(path, [group], {}, weights.score, average=weights.average)


def in_order(group: TensorGroup, expected: Expected) -> WeightSet | None:
    """A list of tensors as the network's parameters, all or the trained ones, in their order, where the shapes fit."""
    values = list(group.tensors.values())
    for names in (list(expected.parameters), [name for name, trained in expected.parameters.items() if trained]):
        if len(names) == len(values) and all(map(expected.fits, names, values)):
            tensors = dict(zip(names, values, strict=True))
            places = dict(zip(names, (place for _, place in group.paths()), strict=True))
            return WeightSet(group.path, group.path, tensors, places, expected.score(tensors), average=True)
    return None


def without_dots(contents: Contents, expected: Expected) -> Iterator[WeightSet]:
    """Averages that are buffers of a module, whose names cannot hold dots: ``model_ema.netconv0weight``."""
    plain = {name.replace(".", ""): name for name in expected.parameters}
    leaves: dict[str, dict[str, str]] = defaultdict(dict)
    values: dict[str, Any] = dict(contents.tensors())
    for place in values:
        path, _, leaf = place.rpartition(".")
        if contents.is_average(path):
            leaves[path][leaf] = place
    telling = max(plain, key=len, default="")
    for path, places in leaves.items():
        for lead in (leaf.removesuffix(telling) for leaf in places if leaf.endswith(telling)):
            found = {name: places[lead + leaf] for leaf, name in plain.items() if lead + leaf in places}
            tensors = {name: values[place] for name, place in found.items()}
            score = expected.score(tensors)
            if 2 * score.parameters > len(plain):
                yield WeightSet(path, path, tensors, found, score, average=True)


def _weight_set(
    path: str,
    groups: list[TensorGroup],
    cover: Mapping[str, str],
    score: Score,
    *,
    average: bool,
) -> WeightSet:
    names = {place: name for name, place in cover.items()}
    tensors, places, versions = {}, {}, {}
    for group in groups:
        for name, place in group.paths():
            if below(place, path):
                known = names.get(place) or without_wrappers(place[len(path) :].lstrip("."))
                # Two names that differ in a wrapper only: the one that was chosen stays.
                if place in names or known not in tensors:
                    tensors[known], places[known] = group.tensors[name], place
        for name, version in group.versions.items():
            place = join(group.path, name)
            if below(place, path):
                versions[without_wrappers(place[len(path) :].lstrip("."))] = version
    container = groups[0].path if len(groups) == 1 and below(path, groups[0].path) else path
    return WeightSet(path, container, tensors, places, score, average, versions)


def _unique(groups: Iterable[TensorGroup]) -> list[TensorGroup]:
    return list({id(group): group for group in groups}.values())


def _splits(place: str) -> Iterator[tuple[str, str]]:
    """All ways to read a path as one that leads to a network, and a name in it."""
    start = 0
    while True:
        yield place[: max(start - 1, 0)], place[start:]
        start = place.find(".", start) + 1
        if not start:
            return


def _stems(group: TensorGroup) -> Iterator[str]:
    """The path of a group with ever more of what all its names begin with."""
    path, names = group.path, list(group.tensors)
    while True:
        yield path
        heads = {name.split(".")[0] for name in names}
        if len(heads) != 1 or any("." not in name for name in names):
            return
        head = heads.pop()
        path, names = join(path, head), [name.removeprefix(f"{head}.") for name in names]


def _shape(value: Any) -> tuple[int, ...] | None:
    return None if not isinstance(value, Tensor) or is_lazy(value) else tuple(value.shape)
