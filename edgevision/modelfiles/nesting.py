"""What a stranger's containers hold in each other: bounded, so that whoever walks through them comes to an end."""

from collections.abc import Collection, Iterable
from typing import Any

# A checkpoint nests some five containers; walking without a bound of its own stays inside Python's recursion limit.
_DEEPEST = 100
# A container that is held in many places counts in each of them: twice in each of 60 levels is 10^18.
_MOST_ITEMS = 20_000_000


def check_nesting(content: Any) -> None:
    """Refuse dicts, lists, tuples and sets that hold themselves, or that are too deep or too many to be walked through.

    Raises:
        ValueError: says which.
    """
    walked: dict[int, tuple[int, int]] = {}
    on_the_way: set[int] = set()
    steps = [(content, False)] if _is_container(content) else []
    while steps:
        container, is_done = steps.pop()
        identity = id(container)
        if is_done:
            on_the_way.remove(identity)
            depth, items = 1, 1 + len(container)
            for part in _values(container):
                if _is_container(part):
                    part_depth, part_items = walked[id(part)]
                    depth, items = max(depth, 1 + part_depth), items + part_items
            if depth > _DEEPEST:
                raise ValueError(f"it nests more than {_DEEPEST} containers in each other")
            if items > _MOST_ITEMS:
                raise ValueError(f"it holds the same containers in more than {_MOST_ITEMS} places")
            walked[identity] = depth, items
        elif identity in on_the_way:
            raise ValueError(f"it is a {type(container).__name__} that holds itself")
        elif identity not in walked:
            on_the_way.add(identity)
            steps.append((container, True))
            # Each once, however often it is held.
            different = {id(part): part for part in _values(container) if _is_container(part)}
            steps.extend((part, False) for part in different.values())


def _values(container: Collection[Any]) -> Iterable[Any]:
    return dict.values(container) if isinstance(container, dict) else container


def _is_container(value: Any) -> bool:
    return isinstance(value, dict | list | tuple | set | frozenset)
