"""The virtual environment of a board: what it holds for the models and devices asked for, and what it is made of."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from edgevision.core.errors import InputError
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.runtime.devices.backends import BACKENDS, DeviceBackend, find_backends
from edgevision.runtime.remote.board_reports import BoardFacts
from edgevision.runtime.remote.job import digest_of
from edgevision.runtime.remote.software import Software, own_software

# PyPA's wheel names hold nothing else, and on the board this becomes a file name.
_WHEEL_NAME = re.compile(r"[\w.+!-]+\.whl", re.ASCII)

# Snapdragons are ARM, Intel's GPUs and NPUs are not; a name such as npu means the one that can be there.
_ELSEWHERE = {
    "x86_64": ("qnn:npu",),
    "aarch64": ("openvino:gpu", "openvino:npu", "ort-openvino:gpu", "ort-openvino:npu"),
}


@dataclass(frozen=True)
class Environment:
    """What ``software`` and its ``extras`` require; ``wheelhouse`` is where all of it comes from, if given.

    With ``system_site_packages`` it sees what the board's own Python has. The code is laid over it for each job.
    """

    software: Software
    extras: tuple[str, ...]
    system_site_packages: bool = False
    wheelhouse: Path | None = None

    @property
    def key(self) -> str:
        """Its folder's name on the board: equal for equal requirements."""
        parts = [*self.extras, self.software.requirements.key]
        return "-".join(["system", *parts] if self.system_site_packages else parts)

    @property
    def identity(self) -> str:
        """What runs there: equal for equal requirements and code."""
        return f"{self.key} {self.software.code.key}"

    @cached_property
    def wheels(self) -> dict[str, Path]:
        """The wheelhouse's wheels by name, without any of edgevision.

        Raises:
            InputError: the folder holds none, or one with an impossible name.
        """
        if self.wheelhouse is None:
            return {}
        found = {path.name: path for path in sorted(self.wheelhouse.glob("*.whl")) if path.is_file()}
        for name in found:
            if not _WHEEL_NAME.fullmatch(name):
                raise InputError(f"--wheelhouse holds {name!r}, which is no wheel's name; remove it")
        if not found:
            raise InputError(
                f"--wheelhouse {str(self.wheelhouse)!r} holds no wheels; fill it with pip download, for the board's"
                " --platform, --python-version and --only-binary=:all:"
            )
        return {name: path for name, path in found.items() if not name.startswith("edgevision-")}

    @cached_property
    def digests(self) -> dict[str, str]:
        """The sha256 of every wheel of the wheelhouse, by name."""
        return {name: digest_of(path) for name, path in self.wheels.items()}


@dataclass(frozen=True)
class Setup:
    """What boards are set up with: this edgevision and an engine for models of ``formats`` on ``devices``.

    ``more`` are extras that a board needs besides.
    """

    software: Software
    formats: Collection[ModelFormat]
    devices: Collection[str]
    wheelhouse: Path | None = None
    more: tuple[str, ...] = ()

    @property
    def may_use_cuda(self) -> bool:
        """Whether it is worth looking for CUDA in the board's own Python, which takes seconds."""
        return any(device.split(":")[0] not in ("cpu", "npu", "openvino") for device in self.devices)

    def environment(self, facts: BoardFacts) -> Environment:
        """The environment for a board; what its own Python has of CUDA is taken from there."""
        extras = required_extras(self.formats, self.devices, facts.architecture)
        if facts.has_cuda:
            extras = tuple(extra for extra in extras if extra not in ("cpu", "gpu"))
        return Environment(self.software, (*extras, *self.more), facts.has_cuda, self.wheelhouse)


def own_setup(
    formats: Collection[ModelFormat],
    devices: Collection[str],
    wheelhouse: Path | None,
    *,
    more: tuple[str, ...] = (),
) -> Setup:
    """With the edgevision that runs here.

    Raises:
        DeviceError: there is no device of such a name, or this edgevision was never installed.
    """
    for device in devices:
        if device != "auto":
            find_backends(device)  # a name that is none is said before anything is copied
    return Setup(
        own_software({*(backend.extra for backend in BACKENDS), *more}),
        formats or {ModelFormat.ONNX},
        devices,
        wheelhouse,
        more,
    )


def required_extras(formats: Collection[ModelFormat], devices: Collection[str], architecture: str) -> tuple[str, ...]:
    """The extras, sorted. What no format runs on is left to the board's own error.

    ``auto`` prepares for the CPU, and finds what else the board's own Python has.

    Raises:
        DeviceError: there is no device of such a name.
    """
    extras = {backend.extra for kind in formats for device in devices for backend in _first(device, kind, architecture)}
    # onnxruntime-gpu holds the CPU provider too, and the two overwrite each other.
    extras -= {"cpu"} if "gpu" in extras else set()
    return tuple(sorted(extras)) or ("cpu",)


def _first(device: str, kind: ModelFormat, architecture: str) -> list[DeviceBackend]:
    backends = find_backends("cpu" if device == "auto" else device)[0]
    fitting = [backend for backend in backends if kind in backend.engine.formats]
    here = [backend for backend in fitting if backend.name not in _ELSEWHERE.get(architecture, ())]
    return (here or fitting)[:1]
