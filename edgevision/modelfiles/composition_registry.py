"""What is made of several tasks, by name: the one table of verbs of ``edgevision run`` that have no model of their own.

A composition finds things with a model of whichever task gives masks or boxes, and fills holes with one of whichever
task does that: it asks the tasks what they are good for, and knows none of them by name.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

from edgevision.core.lazy_objects import load_object

_PLACE = "edgevision.runtime.compositions"


class Composition(NamedTuple):
    """``command`` is the verb, ``pipeline`` what opens its models, and ``served`` its :class:`.served.ServedTask`, if a
    server offers it. Each is ``"module:object"``."""

    command: str
    pipeline: str
    summary: str
    served: str | None = None


COMPOSITIONS: dict[str, Composition] = {
    "cutout": Composition(
        f"{_PLACE}.cutout_command:cutout",
        f"{_PLACE}.cutter:open_cutter",
        "Cut a subject out of its background.",
        f"{_PLACE}.served:CUTOUT",
    ),
    "remove": Composition(
        f"{_PLACE}.remove_command:remove",
        f"{_PLACE}.remover:open_remover",
        "Remove things, and fill their place.",
        f"{_PLACE}.served:REMOVE",
    ),
    "replace": Composition(
        f"{_PLACE}.replace_command:replace",
        f"{_PLACE}.replacer:open_replacer",
        "Put a cut-out into a picture.",
        f"{_PLACE}.served:REPLACE",
    ),
    "track": Composition(
        f"{_PLACE}.track_command:track", f"{_PLACE}.follower:open_follower", "Follow things through a video."
    ),
}


def open_composition(name: str, **options: Any) -> Any:
    """What does ``name``, to be called on pictures; it is a context manager, and leaving it frees the models."""
    opener = cast(Callable[..., Any], load_object(COMPOSITIONS[name].pipeline))
    return opener(**options)
