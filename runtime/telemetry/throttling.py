"""What holds back a board, in words."""

from enum import StrEnum


class Throttling(StrEnum):
    """The first four are the firmware's of a Raspberry Pi, and "frequency capped" any lowered limit of the clock."""

    UNDER_VOLTAGE = "under-voltage"
    FREQUENCY_CAPPED = "frequency capped"
    THROTTLED = "throttled"
    SOFT_TEMPERATURE_LIMIT = "soft temperature limit"
    THERMAL_COOLING = "thermal cooling"
    OVER_CURRENT = "over-current"
