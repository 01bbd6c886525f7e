"""What a Jetson says of itself once: its power mode, whether its clocks are locked, its release of Linux for Tegra."""

import re


def parse_power_mode(text: str) -> str | None:
    """The name in the answer of ``nvpmodel -q``, among warnings and, on some boards, a long account."""
    found = re.findall(r"NV Power Mode:[ \t]*(\S{1,60})", text)
    return found[-1] if found else None


def parse_clocks_locked(text: str) -> bool | None:
    """Whether ``jetson_clocks --show`` tells of pinned clocks: lowest and highest alike, of online cores and the GPU.

    ``None`` where the answer does not hold both; one range that is open decides alone.
    """
    cores = re.findall(r"^cpu[0-9]+:\s+Online=1 .*?MinFreq=([0-9]+) MaxFreq=([0-9]+)", text, re.MULTILINE)
    gpus = re.findall(r"^GPU MinFreq=([0-9]+) MaxFreq=([0-9]+)", text, re.MULTILINE)
    if any(lowest != highest for lowest, highest in cores + gpus):
        return False
    return True if cores and gpus else None


def parse_release(text: str) -> str | None:
    """The version in ``/etc/nv_tegra_release``: release 36, revision 4.3 is 36.4.3."""
    found = re.search(r"#\s*R([0-9]{1,4}) \(release\), REVISION: ([0-9.]{1,20})", text)
    return f"{found[1]}.{found[2].strip('.')}" if found else None
