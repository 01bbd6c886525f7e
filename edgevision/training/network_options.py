"""The keywords of a network that is trained."""

from collections.abc import Mapping
from typing import Any

from edgevision.core.errors import InputError


def network_options(decided: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What the data and other settings have ``decided``, as the number of classes, and what else was ``given``.

    Raises:
        InputError: ``given`` contradicts it; the network would not fit its data.
    """
    for name, value in decided.items():
        if name in given and given[name] != value:
            raise InputError(
                f"--model-options gives {name} {given[name]!r}, and by the data and the other options it is {value!r};"
                " leave it out"
            )
    return {**decided, **given}
