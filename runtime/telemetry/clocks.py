"""The clocks of CPU and GPU and the limits that cooling puts on them, from the kernel's cpufreq and devfreq."""

import re
from pathlib import Path

from edgevision.runtime.telemetry.reading import Reading, Throttling
from edgevision.runtime.telemetry.system import SystemFile, read_text, whole_number

# "17000000.gpu" (Orin), "17000000.gv11b" (Xavier), "57000000.gpu" (Nano), "gpu-gpc-0" (Thor).
_GPU = re.compile(r"(?:[0-9a-f]+\.)?(?:gpu|gp10b|gv11b|ga10b|gb10b)|gpu-gpc-0")


class ClockLimit:
    """A file of cpufreq or devfreq that holds the limit."""

    def __init__(self, path: Path) -> None:
        self._file = SystemFile(path)
        self._at_first = self._file.number()

    def lowered(self) -> bool:
        """Whether it is lower than at the first look."""
        now = self._file.number()
        return now is not None and self._at_first is not None and now < self._at_first

    def close(self) -> None:
        self._file.close()


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


class GpuClock:
    """``/sys/class/devfreq``, the first device there that is a GPU.

    Cooling lowers its ``max_freq``; one that is lower than at the first look is reported as "frequency capped".
    """

    def __init__(self, root: Path) -> None:
        devices = sorted((root / "sys/class/devfreq").glob("*"))
        gpu = next((device for device in devices if _is_gpu(device)), root / "sys/class/devfreq/gpu")
        self._hertz = SystemFile(gpu / "cur_freq")
        self._limit = ClockLimit(gpu / "max_freq")
        self._per_mille = SystemFile(gpu / "device/load")

    def read(self) -> Reading:
        hertz, per_mille = self._hertz.number(), self._per_mille.number()
        return Reading(
            gpu_mhz=None if hertz is None or hertz < 0 else hertz / 1e6,
            gpu_load=per_mille / 1000 if per_mille is not None and 0 <= per_mille <= 1000 else None,
            throttled=(Throttling.FREQUENCY_CAPPED,) if self._limit.lowered() else (),
        )

    def close(self) -> None:
        for file in (self._hertz, self._limit, self._per_mille):
            file.close()


def _is_gpu(device: Path) -> bool:
    return any(_GPU.fullmatch(name) for name in (device.name, read_text(device / "device/of_node/name") or ""))
