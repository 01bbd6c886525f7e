"""What the models of a run are called."""

from collections.abc import Sequence
from pathlib import Path


def told_apart(models: Sequence[Path]) -> list[str]:
    """Each file's name, behind as many of its folders as tell files apart; one that is there again has its number."""
    places = [path.absolute().parts for path in models]
    names: list[str] = []
    for number, parts in enumerate(places):
        others = {other for other in places if other != parts}
        length = next(n for n in range(1, len(parts) + 1) if all(other[-n:] != parts[-n:] for other in others))
        before = places[:number].count(parts)
        names.append("/".join(parts[-length:]) + (f" #{before + 1}" if before else ""))
    return names
