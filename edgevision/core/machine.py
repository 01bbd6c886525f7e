"""Which machine this is: what a figure measured on it has to be read with."""

import os
import platform
import re
import struct
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Self

from edgevision.core.errors import InputError
from edgevision.core.records import Record, record

# What decides how fast a CPU multiplies: vector width, half precision and bfloat16, int8 dot products (VNNI, asimddp,
# i8mm).
_TELLING = (
    "ssse3",
    "avx2",
    "fma",
    "f16c",
    "avx512f",
    "avx_vnni",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_int8",
    "amx_bf16",
    "amx_fp16",
    "asimd",
    "asimdhp",
    "asimddp",
    "i8mm",
    "bf16",
)

# Entry of the auxiliary vector (AT_HWCAP, AT_HWCAP2) and bit in it, from Linux' arch/arm64/include/uapi/asm/hwcap.h.
_ARM64_BITS = {"asimd": (16, 1), "asimdhp": (16, 10), "asimddp": (16, 20), "i8mm": (26, 13), "bf16": (26, 14)}

# As numpy names what the processor itself answers (CPUID, getauxval, sysctl), and what cannot be there without it.
_ASKED = {
    "ssse3": "SSSE3",
    "avx2": "AVX2",
    "fma": "FMA3",
    "f16c": "F16C",
    "avx512f": "AVX512F",
    "avx_vnni": "AVX2",
    "avx512_vnni": "AVX512VNNI",
    "avx512_bf16": "AVX512F",
    "avx512_fp16": "AVX512F",
    "amx_int8": "AVX512F",
    "amx_bf16": "AVX512F",
    "amx_fp16": "AVX512F",
    "asimd": "ASIMD",
    "asimdhp": "ASIMDHP",
    "asimddp": "ASIMDDP",
}
_IMPLIED = {"avx_vnni", "avx512_bf16", "avx512_fp16", "amx_int8", "amx_bf16", "amx_fp16"}

_CPU_KINDS = {
    "amx_int8": "AMX",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX-VNNI",
    "avx512f": "AVX-512 without VNNI",
    "avx2": "AVX2",
    "ssse3": "SSSE3",
    "i8mm": "arm64 with i8mm",
    "asimddp": "arm64 with dot products",
    "asimd": "arm64",
}

INT8_ON_X86 = frozenset({"avx_vnni", "avx512_vnni", "amx_int8"})
"""The features any of which lets x86 add products of int8 in 32 bits; without them it adds two of them in 16."""


@record
class Machine(Record):
    """Facts read from the system: ``features`` are the CPU flags that matter for inference, as Linux names them."""

    processor: str
    cores: int
    memory_gb: float
    system: str
    features: tuple[str, ...] = ()

    @property
    def processor_and_cores(self) -> str:
        """As in ``Cortex-A76, 4 cores``."""
        return f"{self.processor}, {self.cores} core{'s' * (self.cores != 1)}"

    @property
    def cpu_kind(self) -> str:
        """What this CPU multiplies int8 with, the best that it has, as in ``AVX-512 VNNI``."""
        return next((kind for feature, kind in _CPU_KINDS.items() if feature in self.features), "neither x86 nor arm64")

    @property
    def int8_sums_saturate(self) -> bool:
        """Whether int8 kernels may add products of u8 and s8 in 16 bits here, where not all sums of two fit.

        pmaddubsw does (SSSE3, AVX2, AVX-512 without VNNI); what VNNI, AMX and Arm have does not. Of a CPU that says
        nothing the worse is taken: that costs time at most.
        """
        return not INT8_ON_X86.union({"asimd"}) & set(self.features)

    @classmethod
    def this(cls) -> Self:
        """The machine the program runs on."""
        cpuinfo = _read("/proc/cpuinfo")
        present = _features(cpuinfo)
        return cls(
            processor=_processor(cpuinfo),
            cores=usable_cores(),
            memory_gb=_memory_bytes() / 2**30,
            system=f"{platform.system()} {platform.release()} {platform.machine()}, Python {platform.python_version()}",
            features=tuple(name for name in _TELLING if name in present),
        )


def usable_cores() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep_to_cores(cores: set[int]) -> None:
    """Let this process, with every thread that it has and will have, run on these CPU cores only.

    Raises:
        InputError: this machine has no such core, or its system cannot do that.
    """
    if not hasattr(os, "sched_setaffinity"):
        raise InputError(f"{platform.system()} cannot keep a process to some cores; leave --cores out")
    allowed = os.sched_getaffinity(0)
    if not cores <= allowed:
        raise InputError(
            f"there is no core {min(cores - allowed)} here; there are {', '.join(map(str, sorted(allowed)))}"
        )
    # A thread inherits it, but importing numpy has started some.
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it has just ended
            os.sched_setaffinity(int(thread.name), cores)


def peak_memory_mb() -> float | None:
    """The most resident memory this process ever had, in MB of 2^20 bytes; ``None`` where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if platform.system() == "Darwin" else peak / 2**10


def arm64_features(auxiliary_vector: bytes) -> frozenset[str]:
    """What the auxiliary vector of a 64-bit Arm process, pairs of type and value, says of the CPU; see getauxval(3)."""
    whole = len(auxiliary_vector) // 16 * 16
    entries = dict(struct.iter_unpack("<QQ", auxiliary_vector[:whole]))
    return frozenset(name for name, (entry, bit) in _ARM64_BITS.items() if entries.get(entry, 0) >> bit & 1)


def _features(cpuinfo: str) -> frozenset[str]:
    arm = platform.machine().lower() in ("aarch64", "arm64")
    # The engines choose their kernels by the auxiliary vector, and where a CPU is emulated /proc/cpuinfo is often that
    # of the machine below. Of a 32-bit process the bits mean other things.
    if arm and struct.calcsize("P") == 8:
        try:
            present = arm64_features(Path("/proc/self/auxv").read_bytes())
        except OSError:
            present = frozenset()
        if present:
            return present
    answers = _answers()
    listed = re.search(rf"^{'Features' if arm else 'flags'}\s*:(.*)$", cpuinfo, re.MULTILINE)
    if listed is None:  # another system than Linux, or x86 emulated on Arm
        return frozenset(name for name, question in _ASKED.items() if name not in _IMPLIED and answers.get(question))
    return frozenset(name for name in listed[1].split() if answers.get(_ASKED.get(name, ""), True))


def _answers() -> dict[str, bool]:
    """What the processor says when it is asked, by numpy's names; nothing where numpy has stopped to tell."""
    # The second is where it was before numpy 2.
    for module in ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath"):
        with suppress(ImportError, AttributeError):
            return dict(import_module(module).__cpu_features__)
    return {}


def _processor(cpuinfo: str) -> str:
    board = _read("/proc/device-tree/model").strip("\0\n ")
    names = re.findall(r"^(?:model name|Model)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return board or (names[0].strip() if names else platform.processor() or platform.machine())


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows
        return 0


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
