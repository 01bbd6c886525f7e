"""Which layer of one model is which of another: by the names of what they give, else by what they are and where."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from edgevision.exporters.comparison.layer_graph import Layer

Shapes = Mapping[str, tuple[int, ...]]
"""Of what each layer gives for the same inputs, by its output."""

# Of layers whose outputs are called alike, fewer than this share being of one operator: the names are mere numbers.
_TRUSTED = 0.5


@dataclass(frozen=True)
class Match:
    """Two layers that give the same, were both models exact; ``by_name`` where their outputs are called alike."""

    first: Layer
    second: Layer
    by_name: bool


def match_layers(
    first: Sequence[Layer], second: Sequence[Layer], first_shapes: Shapes, second_shapes: Shapes
) -> list[Match]:
    """Pairs in the order of ``second``, each layer in one at most; shapes of both are equal.

    The names of tensors survive quantising and most rewritings. Of what has no name in common the longest common
    sequence of operators with outputs of the same shape is taken.
    """
    named = {name: layer for layer in first for name in layer.names}
    by_name: dict[str, Layer] = {}
    taken: set[str] = set()
    for layer in second:
        own = sorted(layer.names, key=lambda name: (name != layer.output, name))
        found = next((named[name] for name in own if name in named), None)
        if found is None or found.output in taken or first_shapes[found.output] != second_shapes[layer.output]:
            continue
        by_name[layer.output] = found
        taken.add(found.output)
    # Formats have other operators for the same; those say nothing.
    common = {layer.operator for layer in first} & {layer.operator for layer in second}
    same = Counter(
        found.operator == layer.operator
        for layer in second
        if (found := by_name.get(layer.output)) and {found.operator, layer.operator} <= common
    )
    if same[True] < _TRUSTED * same.total():
        by_name, taken = {}, set()
    matches = {layer.output: Match(by_name[layer.output], layer, True) for layer in second if layer.output in by_name}
    rest_first = [layer for layer in first if layer.output not in taken]
    rest_second = [layer for layer in second if layer.output not in matches]
    keys_first = [(layer.operator, first_shapes[layer.output]) for layer in rest_first]
    keys_second = [(layer.operator, second_shapes[layer.output]) for layer in rest_second]
    for block in SequenceMatcher(None, keys_first, keys_second, autojunk=False).get_matching_blocks():
        for offset in range(block.size):
            one, other = rest_first[block.a + offset], rest_second[block.b + offset]
            matches[other.output] = Match(one, other, False)
    return [matches[layer.output] for layer in second if layer.output in matches]
