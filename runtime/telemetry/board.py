"""Which board this is, in its own words."""

import re
from pathlib import Path

from edgevision.runtime.telemetry.source import read_text


def parse_model(cpuinfo: str) -> str | None:
    """The ``Model`` line of ``/proc/cpuinfo``. ``Hardware`` is no name: it says BCM2835 on a Raspberry Pi 5."""
    found = re.search(r"^Model\s*:[ \t]*(\S.*)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else None


def board_name(root: Path) -> str | None:
    """The device tree's model, or what the kernel says beside the processors; ``None`` on a PC."""
    return read_text(root / "proc/device-tree/model") or parse_model(read_text(root / "proc/cpuinfo") or "")
