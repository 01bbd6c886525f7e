"""What NVIDIA's own tools tell of a Jetson: ``tegrastats``, ``nvpmodel``, ``jetson_clocks``; and which release it runs.

``tegrastats`` is read in the forms it has had from Jetson TX1 to Thor. Of a rail's two or three values the first is the
present one; it is in mW with or without the unit. Of a sensor's one or two temperatures it is the first as well.
"""

import re

from edgevision.runtime.telemetry.linux import plausible
from edgevision.runtime.telemetry.reading import Reading, total_power
from edgevision.runtime.telemetry.system import Lines

_MEMORY = re.compile(r"(?<!\S)RAM ([0-9]{1,8})/([0-9]{1,8})MB(?!\S)")
_CPU = re.compile(r"(?<!\S)CPU \[([^\]]*)\]")
_CORE = re.compile(r"[0-9]{1,3}%@([0-9]{1,5})")
# "0%" without root, "62%@612", "63%@[621]" with a clock for each cluster, "@[1000,1000,1000]" without the load.
_GPU = re.compile(r"(?<!\S)GR3D_FREQ (?:([0-9]{1,3})%)?(?:@\[?([0-9]{1,5}(?:,[0-9]{1,5})*)\]?)?(?!\S)")
_TEMPERATURE = re.compile(r"(?<!\S)([A-Za-z]\w{0,30})@(-?[0-9]{1,4}(?:\.[0-9]{1,6})?)C(?=/|\s|$)")
_RAIL = re.compile(r"(?<!\S)([A-Za-z]\w{0,30}) ([0-9]{1,7})(?:mW)?(?:/[0-9]{1,7}(?:mW)?){1,2}(?!\S)")
# A channel that is wired to nothing.
_NOT_CONNECTED = "NC"


def parse_tegrastats(line: str) -> Reading:
    """What one line says; the load of the CPU is left out, as it is known better from ``/proc/stat``."""
    memory, cpu, gpu = _MEMORY.search(line), _CPU.search(line), _GPU.search(line)
    cores = [_CORE.fullmatch(core.strip()) for core in cpu[1].split(",")] if cpu else []
    gpu_load, gpu_clocks = gpu.groups() if gpu else (None, None)
    rails = {name: int(milliwatts) / 1000 for name, milliwatts in _RAIL.findall(line) if name != _NOT_CONNECTED}
    return Reading(
        cpu_mhz=tuple(float(core[1]) for core in cores if core),
        temperatures=plausible((name, float(celsius)) for name, celsius in _TEMPERATURE.findall(line)),
        memory_available_mb=float(max(0, int(memory[2]) - int(memory[1]))) if memory else None,
        gpu_load=min(1.0, int(gpu_load) / 100) if gpu_load else None,
        gpu_mhz=max(float(clock) for clock in gpu_clocks.split(",")) if gpu_clocks else None,
        power_w=rails,
        total_power_w=total_power(rails),
    )


class Tegrastats:
    """A running ``tegrastats``; each line is read as long as it is the newest."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def read(self) -> Reading:
        return parse_tegrastats(self._lines.latest() or "")

    def close(self) -> None:
        self._lines.close()


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
