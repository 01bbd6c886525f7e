"""CPU clocks and governors, from the kernel's cpufreq policies."""

from pathlib import Path

from edgevision.runtime.telemetry.clock_limit import ClockLimit
from edgevision.runtime.telemetry.reading import Reading
from edgevision.runtime.telemetry.source import SystemFile, whole_number
from edgevision.runtime.telemetry.throttling import Throttling


class CpuFrequency:
    """``/sys/devices/system/cpu/cpufreq/policy*``: absent on most virtual machines, where it reads as nothing.

    A thermal governor lowers a policy's ``scaling_max_freq``; one that is lower than at the first look is reported as
    "frequency capped".

    Args:
        clocks: leave them out where something else measures them.
    """

    def __init__(self, root: Path, *, clocks: bool = True) -> None:
        self._clocks = clocks
        folders = sorted((root / "sys/devices/system/cpu/cpufreq").glob("policy*"), key=_number_of)
        self._policies = [_Policy(folder) for folder in folders]

    def read(self) -> Reading:
        clocks: list[float] = []
        for policy in self._policies:
            khz = policy.current.number() if self._clocks else None
            if khz is not None and khz > 0:
                clocks += [khz / 1000] * policy.online()
        lowered = any(policy.limit.lowered() for policy in self._policies)
        return Reading(
            cpu_mhz=tuple(clocks),
            governors=tuple(policy.governor.text() or "" for policy in self._policies),
            throttled=(Throttling.FREQUENCY_CAPPED,) if lowered else (),
        )

    def close(self) -> None:
        for policy in self._policies:
            policy.close()


class _Policy:
    def __init__(self, folder: Path) -> None:
        self.current = SystemFile(folder / "scaling_cur_freq")
        self.governor = SystemFile(folder / "scaling_governor")
        self.limit = ClockLimit(folder / "scaling_max_freq")
        self._affected = SystemFile(folder / "affected_cpus")

    def online(self) -> int:
        """How many online cores the policy drives."""
        cores = self._affected.text()
        return 1 if cores is None else len(cores.split())

    def close(self) -> None:
        for file in (self.current, self.governor, self.limit, self._affected):
            file.close()


def _number_of(folder: Path) -> int:
    return whole_number(folder.name.removeprefix("policy")) or 0
