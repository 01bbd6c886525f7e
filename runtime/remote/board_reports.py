"""What the program on a board reports: its facts, and what it could not do, as an error with a remedy."""

import errno
from collections.abc import Mapping, Sequence
from typing import Any

from edgevision.core.errors import DeviceError
from edgevision.core.printable import printable
from edgevision.core.records import Record, record

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LONGEST = 200
# Of a host's name; the other facts are shorter.
_LONGEST_NAME = 255

_SPACE_SAID = ("No space left on device", "[Errno 28]", "[Errno 122]", "[Errno 27]", "Disk quota exceeded")
_NETWORK_SAID = (
    "NewConnectionError",
    "Temporary failure in name resolution",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "Max retries exceeded",
    "ProxyError",
)
_NO_WHEEL_SAID = (
    "No matching distribution found",
    "Could not find a version",
    "is not a supported wheel on this platform",
    "ResolutionImpossible",
)


@record
class BoardFacts(Record):
    """``python`` is a path there, ``bits`` those of its Python, ``has_cuda`` is of an onnxruntime of its own."""

    system: str
    python: str
    version: str
    architecture: str
    bits: int
    name: str
    free_bytes: int
    has_venv: bool
    has_cuda: bool

    def __post_init__(self) -> None:
        for text in (self.system, self.version, self.architecture, self.name):
            if len(text) > _LONGEST_NAME:
                raise ValueError(f"a fact of {len(text)} characters")

    def check(self, host: str) -> None:
        """Raise :class:`DeviceError` where no environment can be prepared."""
        if self.system != "linux":
            raise DeviceError(f"a board runs Linux, and {host!r} is {self.system!r}; run edgevision on it itself")
        if not self.has_venv:
            raise DeviceError(
                f"Python {self.version} on {host!r} lacks venv or ensurepip; sudo apt install python3-venv there"
            )


def explain_failure(host: str, facts: BoardFacts, report: Mapping[str, Any], *, offline: bool) -> DeviceError:
    """The error for a report of the board; ``offline`` says that a wheelhouse was used."""
    kind = report.get("kind")
    message = printable(str(report.get("message", "")))[:_LONGEST]
    lines = [printable(str(line)) for line in report["lines"]] if isinstance(report.get("lines"), list) else []
    if kind == "space" or (kind == "os" and report.get("errno") in _FULL):
        return _no_space(host, message)
    if kind == "os":
        return DeviceError(f"{host!r} cannot keep files in ~/.cache/edgevision; give its user that folder ({message})")
    if kind == "damaged":
        return DeviceError(f"what was copied to {host!r} arrived damaged; check its disk and memory, and run again")
    if kind == "stopped":
        return DeviceError(f"what ran on {host!r} was stopped by another who had begun the same work; run again")
    if kind == "pip":
        return _not_installed(host, facts, lines, offline=offline)
    if kind == "venv":
        return DeviceError(f"{host!r} could not make a virtual environment ({_telling(lines)}); see what it said above")
    return DeviceError(f"{host!r} failed in a way that this version does not know: {printable(str(report))[:_LONGEST]}")


def _not_installed(host: str, facts: BoardFacts, lines: Sequence[str], *, offline: bool) -> DeviceError:
    said = "\n".join(lines)
    platform = f"{facts.architecture}, {facts.bits}-bit Python {facts.version}"
    if any(words in said for words in _SPACE_SAID):
        return _no_space(host, _telling(lines))
    if not offline and any(words in said for words in _NETWORK_SAID):
        return DeviceError(
            f"{host!r} could not download the packages ({_telling(lines)}); connect it to the internet, set its proxy"
            " in pip's configuration there, or bring the wheels with --wheelhouse"
        )
    if any(words in said for words in _NO_WHEEL_SAID):
        remedy = "use a 64-bit system and a Python for which they are published"
        if "onnxruntime-gpu" in _telling(lines):
            remedy = "on a Jetson install NVIDIA's onnxruntime-gpu into its own Python, which is then used"
        elif offline:
            remedy = f"fill the wheelhouse with wheels for {platform}"
        return DeviceError(f"{host!r} is {platform}, for which a package has no wheel ({_telling(lines)}); {remedy}")
    return DeviceError(f"pip failed on {host!r} ({_telling(lines)}); see what it said above")


def _no_space(host: str, message: str) -> DeviceError:
    return DeviceError(f"no space left on {host!r} ({message}); free some, ~/.cache/edgevision there can be removed")


def _telling(lines: Sequence[str]) -> str:
    """The line to quote: the last error, else the last of all."""
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["nothing was said"])[-1].strip()[:_LONGEST]
