"""Which units to compute in int8 if each saves a known time and every change between int8 and float costs one."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping

_SOURCE, _SINK = "", "\0"


def fastest_split(gain: Mapping[str, float], borders: Iterable[tuple[str, str, float]]) -> frozenset[str]:
    """The set of names with the largest sum of ``gain`` less the costs of ``borders`` between it and the others.

    This is a minimum cut (Greig et al. 1989, "Exact maximum a posteriori estimation", section 2): a name that gains is
    tied to the source, one that loses to the sink, and what is cut off from the source stays float.

    Args:
        gain: what each name saves, negative where it costs.
        borders: pairs of names and what it costs if only one of both is in the set.
    """
    capacity: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for name, value in gain.items():
        one, other = (_SOURCE, name) if value > 0 else (name, _SINK)
        capacity[one][other] += abs(value)
        capacity[other][one] += 0.0
    for one, other, cost in borders:
        capacity[one][other] += cost
        capacity[other][one] += cost
    while (path := _shortest(capacity)) is not None:
        flow = min(capacity[one][other] for one, other in path)
        for one, other in path:
            capacity[one][other] -= flow
            capacity[other][one] += flow
    return frozenset(_reached(capacity)) - {_SOURCE}


def _reached(capacity: Mapping[str, Mapping[str, float]]) -> dict[str, str]:
    """Every name with capacity left from the source to it, and where it is reached from."""
    before = {_SOURCE: _SOURCE}
    queue = deque([_SOURCE])
    while queue:
        name = queue.popleft()
        for other, left in capacity[name].items():
            if left > 1e-9 and other not in before:
                before[other] = name
                queue.append(other)
    return before


def _shortest(capacity: Mapping[str, Mapping[str, float]]) -> list[tuple[str, str]] | None:
    before = _reached(capacity)
    if _SINK not in before:
        return None
    path, name = [], _SINK
    while name != _SOURCE:
        path.append((before[name], name))
        name = before[name]
    return path
