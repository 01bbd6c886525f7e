"""Values of options that are written in a way of their own: cores, shapes, shares, sizes, times, JSON objects."""

import json
import math
import re
from typing import Any

from edgevision.cli.numbers import LARGEST, positive_number, real_number, whole_number
from edgevision.core.errors import InputError
from edgevision.core.printable import shortened

_LAST_CORE = 8191
"""The largest number that Linux gives a core."""

_LARGEST_INPUT = 2**28
"""Values of an input, which are a gigabyte."""

_LARGEST_SIZE = 2**40

_SECONDS = {"ms": 0.001, "s": 1, "": 1, "m": 60, "h": 3600}
_LONGEST_TIME = 365 * 24 * 3600


def json_object(text: str, option: str) -> dict[str, Any]:
    """The value of an option that takes a JSON object; :class:`InputError` names ``option`` where it is none."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{option} must be a JSON object, not {shortened(text)}: {error}") from error
    if not isinstance(document, dict):
        raise InputError(f"{option} must be a JSON object, not {shortened(text)}")
    return document


def parse_share(text: str, option: str) -> float:
    """``2%`` or ``0.02`` as 0.02; :class:`InputError` names ``option`` where it is not that."""
    try:
        share = real_number(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = math.nan
    if not 0 < share < 1:
        raise InputError(f"{option} is a share between 0 and 100 %, as 2%, not {shortened(text)}")
    return share


def parse_cores(text: str) -> set[int]:
    """``0-2,5`` as numbers; :class:`InputError` where it is not that."""
    cores: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        try:
            low, high = whole_number(first), whole_number(last if dash else first)
        except ValueError:
            low, high = -1, -1
        if not (0 <= low <= _LAST_CORE and 0 <= high <= _LAST_CORE):
            raise InputError(f"--cores is numbers from 0 to {_LAST_CORE} and ranges as 0-2,5, not {shortened(text)}")
        cores |= set(range(low, high + 1))
    if not cores:
        raise InputError(f"--cores names no core: {shortened(text)}")
    return cores


def parse_shape(text: str) -> tuple[int, ...]:
    """``1x3x224x224`` as numbers; :class:`InputError` where it is not that."""
    try:
        shape = tuple(positive_number(side, LARGEST) for side in text.lower().split("x"))
    except ValueError:
        shape = ()
    if not shape or math.prod(shape) > _LARGEST_INPUT:
        raise InputError(
            f"a shape is positive numbers joined by x, as 1x3x224x224, {_LARGEST_INPUT} values in all at most, not"
            f" {shortened(text)}"
        )
    return shape


def parse_size(text: str, option: str) -> int:
    """Bytes of ``512MB``, ``1GB`` or ``4000000``, units of 1024; :class:`InputError` names ``option`` otherwise."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)i?B?", text.strip(), re.IGNORECASE | re.ASCII)
    size = float(found[1]) * 1024 ** ("KMG".index(found[2].upper()) + 1 if found[2] else 0) if found else 0
    if not 1 <= size <= _LARGEST_SIZE:
        raise InputError(f"{option} is a size as 512MB or 1GB, up to {_LARGEST_SIZE >> 30}GB, not {shortened(text)}")
    return int(size)


def parse_time(text: str, option: str) -> float:
    """Seconds of ``5ms``, ``90``, ``30s``, ``10m`` or ``2h``; :class:`InputError` names ``option`` otherwise."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|)", text.strip(), re.IGNORECASE | re.ASCII)
    seconds = float(found[1]) * _SECONDS[found[2].lower()] if found else math.inf
    if seconds > _LONGEST_TIME:
        raise InputError(f"{option} is a time as 5ms, 30s, 10m or 2h, up to a year, not {shortened(text)}")
    return seconds
