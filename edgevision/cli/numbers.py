"""Numbers as a user writes them: plain digits, finite, and no more of them than can be meant."""

import math
import re

LARGEST = 2**63 - 1
"""The largest whole number that anything here takes."""

_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")


def whole_number(text: str) -> int:
    """The number in ``text``; ValueError for other digits than 0 to 9 and beyond :data:`LARGEST`."""
    number = int(text) if _WHOLE.fullmatch(text) else LARGEST + 1
    if abs(number) > LARGEST:
        raise ValueError(f"{text!r} is no whole number of 64 bits")
    return number


def real_number(text: str) -> float:
    """The number in ``text``; ValueError for NaN, infinity, what overflows to it, and other digits than 0 to 9."""
    number = float(text) if text.isascii() and "_" not in text else math.nan
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is no finite number")
    return number


def positive_number(text: str, most: int) -> int:
    """A whole number from 1 to ``most``, without a sign; ValueError otherwise."""
    number = whole_number(text) if text.isdecimal() else 0
    if not 1 <= number <= most:
        raise ValueError(f"{text!r} is no whole number from 1 to {most}")
    return number
