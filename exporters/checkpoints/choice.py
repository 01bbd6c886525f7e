"""Which of the weights in a checkpoint are taken: averages over training first, and never one of several in silence."""

from dataclasses import dataclass

import torch
from torch import Tensor

from edgevision.core.errors import CheckpointError, InputError
from edgevision.exporters.checkpoints.contents import Contents, TensorGroup
from edgevision.exporters.checkpoints.names import COUNTERS, canonical, left_out
from edgevision.exporters.checkpoints.weight_sets import (
    Expected,
    WeightSet,
    in_order,
    largest_sets,
    named_sets,
    without_dots,
)


@dataclass(frozen=True)
class Choice:
    """The weights to load, the last ones where these are averages, and remarks on what they are."""

    weights: WeightSet
    last: WeightSet | None
    notes: tuple[str, ...]


def choose_weights(contents: Contents, expected: Expected, *, arch: str, file: str, wanted: str | None) -> Choice:
    """The weights of the network of ``arch`` in what a checkpoint holds.

    Those at the path ``wanted``, or else averages over training, or else the only ones. Averages are completed by the
    last weights: averages of parameters lack the statistics of normalisation.

    Raises:
        CheckpointError: there are none, or several of which none is to be preferred, or averages that do not fit.
        InputError: nothing lies at ``wanted``.
    """
    part = contents if wanted is None else contents.within(wanted)
    sets = named_sets(part, expected) or largest_sets(part, expected)
    averages = [found for found in sets if found.average]
    for group in part.groups:
        if group.ordered and (group.path == wanted or part.is_average(group.path)):
            averages += [found] if (found := in_order(group, expected)) else []
    averages = averages or list(without_dots(part, expected))
    plain = [found for found in sets if not found.average]
    if not averages and not plain:
        if wanted is not None:
            raise InputError(f"{file} has no weights at --weights {wanted}; it holds {contents.held}")
        raise CheckpointError(f"{file} holds no weights where trainers put them; it holds {contents.held}")
    if len(plain) > 1 and not averages and not any(any(found.score) for found in plain):
        raise CheckpointError(f"{file} holds no weights under names of {arch}; it holds {contents.held}")
    weights = _only(averages or plain, arch, file)
    if not weights.average:
        if wanted is None:
            _check_other_averages(part, weights, expected, arch, file)
        return Choice(weights, None, _notes(contents, weights, None, plain))
    last = max(
        (found for found in named_sets(contents, expected) if not found.average),
        key=lambda found: found.score,
        default=None,
    )
    return Choice(weights, last, _notes(contents, weights, last, [*averages, *plain]))


def _only(sets: list[WeightSet], arch: str, file: str) -> WeightSet:
    # How many names are related tells only where none is the network's own.
    best = max(found.score for found in sets)
    telling = slice(None if best.telling == len(best) - 1 else -1)
    first, *others = [found for found in sets if found.score[telling] == best[telling]]
    if all(_equal(first, other) for other in others):
        return first
    names = ", ".join(repr(found.path) for found in (first, *others)[:6])
    raise CheckpointError(
        f"{file} holds several weights that are equally those of {arch}: {names}; choose with --weights,"
        f" as --weights {first.path}"
    )


def _equal(a: WeightSet, b: WeightSet) -> bool:
    if a.tensors.keys() != b.tensors.keys():
        return False
    pairs = [(a.tensors[name], b.tensors[name]) for name in a.tensors]
    return all(x is y or (isinstance(x, Tensor) and isinstance(y, Tensor) and _same(x, y)) for x, y in pairs)


def _same(x: Tensor, y: Tensor) -> bool:
    return x.shape == y.shape and x.dtype == y.dtype and torch.equal(x, y)


def _check_other_averages(contents: Contents, chosen: WeightSet, expected: Expected, arch: str, file: str) -> None:
    """Refuse to pass over averages as large as the network that are kept in an order or under names not known here."""
    taken = set(chosen.places.values())
    for group in contents.groups:
        places = {place for _, place in group.paths()}
        size = sum(tensor.numel() for tensor in group.tensors.values() if isinstance(tensor, Tensor))
        if contents.is_average(group.path) and not places & taken and 2 * size >= expected.size:
            others = [other for other in contents.groups if not contents.is_average(other.path)]
            if any(_averages(group, other) for other in others if not taken & {place for _, place in other.paths()}):
                continue  # of another network, as of the generator beside a discriminator
            remedy = f"; --weights {chosen.path} takes the last weights" if chosen.path else ""
            raise CheckpointError(
                f"{file} holds averages over training at {group.path!r}, which are not in the order or under the names"
                f" of {arch}{remedy}"
            )


def _averages(group: TensorGroup, last: TensorGroup) -> bool:
    """Whether ``group`` can hold averages of the weights in ``last``."""
    if not group.ordered:
        return {canonical(name) for name in group.tensors} <= {canonical(name) for name in last.tensors}
    shapes = (tensor.shape for tensor in last.tensors.values() if isinstance(tensor, Tensor))
    return all(tensor.shape in shapes for tensor in group.tensors.values())


def _notes(contents: Contents, weights: WeightSet, last: WeightSet | None, others: list[WeightSet]) -> tuple[str, ...]:
    notes = [f"weights taken from {weights.container!r}"] if weights.container else []
    if weights.prefix:
        notes.append(f"prefix {weights.prefix!r} stripped from the names")
    if last is not None:
        notes.append(
            f"they are averages over training, taken rather than the last weights at {last.path or 'the top'!r}"
        )
    own = set(weights.places.values())
    known = own.union(*(found.places.values() for found in others))
    beside = [
        place
        for group in contents.groups
        if own & {place for _, place in group.paths()}
        for name, place in group.paths()
        if place not in known and place.rpartition(".")[2] not in COUNTERS
    ]
    return (*notes, *left_out(beside))
