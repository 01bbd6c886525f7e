"""Engines on CPUs that are not at hand, by qemu-user: what they compute is right, how long they take says nothing."""

import shutil
import sys
from pathlib import Path

from edgevision.core.errors import DeviceError
from edgevision.exporters.engine_process import EngineProcess

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/device"))

from emulated_board import BOARDS, find_board

EMULATED = {name: name for name in BOARDS} | {"haswell": "x86-avx2"}
"""Their targets: the boards' CPUs are a Cortex-A72 (pi4) and a Cortex-A76 (pi5), and Haswell has AVX2 without VNNI."""


def emulated_process(cpu: str) -> EngineProcess:
    """A process on that CPU in which engines are opened.

    Raises:
        DeviceError: qemu for x86 is not installed.
        UserlandError: the boards cannot be had here.
    """
    if cpu not in BOARDS:
        emulator = shutil.which("qemu-x86_64-static") or shutil.which("qemu-x86_64")
        if emulator is None:
            raise DeviceError("qemu-x86_64 is not installed: apt install qemu-user-static")
        return EngineProcess(python=(emulator, "-cpu", "Haswell", sys.executable))
    return find_board(cpu).engine_process()
