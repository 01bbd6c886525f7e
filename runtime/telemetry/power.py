"""Totals over power rails."""

from collections.abc import Mapping

# Rails that feed all the others, and of what: Jetson Nano; TX1, TX2, Xavier NX, Orin NX and Nano; AGX Thor.
INPUT_RAILS = {"POM_5V_IN": "module", "VDD_IN": "module", "VIN": "board"}
_PI_RAIL = "3V7_WL_SW"


def total_power(rails: Mapping[str, float]) -> float | None:
    """The input rail where there is one, else the sum of all; ``None`` without rails."""
    rail = _input_rail(rails)
    if rail is not None:
        return rails[rail]
    return sum(rails.values()) if rails else None


def power_covers(rails: Mapping[str, float]) -> str | None:
    """In words what :func:`total_power` of these rails covers.

    A Raspberry Pi measures behind its own regulators only, so what hangs on the 5 V of the supply is not in the sum.
    """
    rail = _input_rail(rails)
    if rail is not None:
        return f"{rail}, the input of the whole {INPUT_RAILS[rail]}"
    if not rails:
        return None
    missing = "; what USB and other 5 V loads take is not in it" if _PI_RAIL in rails else ""
    return f"the sum of the rails {', '.join(rails)}{missing}"


def _input_rail(rails: Mapping[str, float]) -> str | None:
    return next((rail for rail in INPUT_RAILS if rail in rails), None)
