"""The clock and load of an embedded GPU, from the kernel's devfreq."""

import re
from pathlib import Path

from edgevision.runtime.telemetry.clock_limit import ClockLimit
from edgevision.runtime.telemetry.reading import Reading
from edgevision.runtime.telemetry.source import SystemFile, read_text
from edgevision.runtime.telemetry.throttling import Throttling

# "17000000.gpu" (Orin), "17000000.gv11b" (Xavier), "57000000.gpu" (Nano), "gpu-gpc-0" (Thor).
_GPU = re.compile(r"(?:[0-9a-f]+\.)?(?:gpu|gp10b|gv11b|ga10b|gb10b)|gpu-gpc-0")


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
