"""The running edgevision for a board: the code of its device side, and apart from it what that code requires.

So a board installs packages once, and gets a new archive of modules, a fraction of a megabyte, when the code changes.
Models are no part of either: a job brings those that it uses.

An installation and a checkout (editable, or merely on the path) give the same: modules come from where this program was
imported, the requirements from the distribution that is installed.
"""

import base64
import hashlib
import io
import os
import re
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

import edgevision
from edgevision.core.errors import DeviceError
from edgevision.core.installation import install_command

_BESIDE = ("exporters", "runtime")
# What a board never imports, and the models that ship.
_LEFT_OUT = ("exporters", "models", "training", "runtime/assets", "runtime/serving", "runtime/web")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w.-]+)['\"]")
_WHEEL = "Wheel-Version: 1.0\nGenerator: edgevision\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@dataclass(frozen=True)
class Code:
    """``archive`` is a zip file of the modules; ``key`` depends on them alone, not on how they were compressed."""

    key: str
    archive: bytes


@dataclass(frozen=True)
class RequirementsWheel:
    """A wheel without modules: installing it brings what edgevision and its extras require, as pip resolves it there.

    ``key`` depends on the requirements alone, so that a new version with the same ones needs no new environment.
    """

    name: str
    key: str
    data: bytes


@dataclass(frozen=True)
class Software:
    """What a board runs."""

    code: Code
    requirements: RequirementsWheel


def own_software(extras: Collection[str]) -> Software:
    """Pack the running version, with its requirements for any of the ``extras``.

    Raises:
        DeviceError: its metadata is nowhere, because it was never installed.
    """
    modules = _modules()
    return Software(Code(_hash(modules), _zipped(modules)), _requirements_wheel(extras))


def _modules() -> dict[str, bytes]:
    """The files of the package; in a checkout two of its sub-packages lie beside it."""
    package = Path(edgevision.__file__).parent
    beside = [Path(folder, name) for folder in edgevision.__path__ for name in _BESIDE]
    left_out = {Path(folder, name) for folder in (str(package), *edgevision.__path__) for name in _LEFT_OUT}
    found = {}
    roots = {package: "edgevision"} | {root: f"edgevision/{root.name}" for root in beside if root not in left_out}
    for root, name in roots.items():
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if name != "__pycache__" and Path(folder, name) not in left_out]
            for path in (Path(folder, name) for name in names):
                # Where git makes no links there are files of their names.
                if not path.name.startswith(".") and path not in beside:
                    found[f"{name}/{path.relative_to(root).as_posix()}"] = path.read_bytes()
    return found


def _requirements_wheel(extras: Collection[str]) -> RequirementsWheel:
    # Building leaves an .egg-info in a checkout, which Python finds first there and pip cannot install from.
    installed = next((one for one in distributions(name="edgevision") if one.read_text("METADATA")), None)
    if installed is None:
        raise DeviceError(
            "a board gets what the edgevision that runs here requires, and this one was never installed;"
            f" {install_command()}"
        )
    required = [
        f"Requires-Dist: {line}\n"
        for line in installed.metadata.get_all("Requires-Dist") or ()
        if (extra := _EXTRA.search(line)) is None or extra[1] in extras
    ]
    fields = "".join([*required, *(f"Provides-Extra: {extra}\n" for extra in sorted(extras))])
    version = edgevision.__version__
    info = f"edgevision-{version}.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: edgevision\nVersion: {version}\n{fields}".encode(),
        f"{info}/WHEEL": _WHEEL.encode(),
    }
    record = "".join(f"{name},sha256={_record_hash(data)},{len(data)}\n" for name, data in sorted(files.items()))
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    key = hashlib.sha256(fields.encode()).hexdigest()[:12]
    return RequirementsWheel(f"edgevision-{version}-py3-none-any.whl", key, _zipped(files))


def _record_hash(data: bytes) -> str:
    # https://packaging.python.org/en/latest/specifications/recording-installed-packages/
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def _hash(files: Mapping[str, bytes]) -> str:
    content = hashlib.sha256()
    for name, data in sorted(files.items()):
        content.update(f"{name}\0{len(data)}\0".encode() + data)
    return content.hexdigest()[:32]


def _zipped(files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            # The date that ZipInfo has by default, 1980, keeps the bytes the same from one packing to the next.
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return stream.getvalue()
