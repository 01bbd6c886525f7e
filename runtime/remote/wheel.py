"""The wheel of the running edgevision, packed from its own files, for a board to install.

An installation and a checkout (editable, or merely on the path) give the same wheel: modules and assets come from
where this program was imported, the metadata from the distribution that is installed. The format is that of
https://packaging.python.org/en/latest/specifications/binary-distribution-format/.
"""

import base64
import hashlib
import io
import os
import zipfile
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

import edgevision
from edgevision.core.errors import DeviceError
from edgevision.core.installation import install_command

_METADATA = ("METADATA", "entry_points.txt", "licenses/LICENSE")
_WHEEL = "Wheel-Version: 1.0\nGenerator: edgevision\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@dataclass(frozen=True)
class Wheel:
    """A wheel in memory. ``content_hash`` depends on the packed files alone, not on how they were compressed."""

    name: str
    version: str
    content_hash: str
    data: bytes


def own_wheel() -> Wheel:
    """Pack the running version.

    Raises:
        DeviceError: its metadata is nowhere, because it was never installed.
    """
    # Building leaves an .egg-info in a checkout, which Python finds first there and pip cannot install from.
    installed = next((one for one in distributions(name="edgevision") if one.read_text("METADATA")), None)
    if installed is None:
        raise DeviceError(
            "a board gets the wheel of the edgevision that runs here, and this one was never installed;"
            f" {install_command()}"
        )
    files = _modules() | _metadata(installed)
    content = hashlib.sha256()
    for name, data in sorted(files.items()):
        content.update(f"{name}\0{len(data)}\0".encode() + data)
    version = installed.version
    name = f"edgevision-{version}-py3-none-any.whl"
    return Wheel(name, version, content.hexdigest(), _pack(files, f"edgevision-{version}.dist-info"))


def _modules() -> dict[str, bytes]:
    """The files of the package; in a checkout two of its sub-packages lie beside it."""
    package = Path(edgevision.__file__).parent
    beside = [Path(folder, name) for folder in edgevision.__path__ for name in ("exporters", "runtime")]
    found = {}
    for root, name in [(package, "edgevision"), *((root, f"edgevision/{root.name}") for root in beside)]:
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if name != "__pycache__"]
            for path in (Path(folder, name) for name in names):
                # Where git makes no links there are files of their names.
                if not path.name.startswith(".") and path not in beside:
                    found[f"{name}/{path.relative_to(root).as_posix()}"] = path.read_bytes()
    return found


def _metadata(installed: Distribution) -> dict[str, bytes]:
    folder = f"edgevision-{installed.version}.dist-info"
    texts = {name: installed.read_text(name) for name in _METADATA} | {"WHEEL": _WHEEL}
    return {f"{folder}/{name}": text.encode() for name, text in texts.items() if text is not None}


def _pack(files: dict[str, bytes], info: str) -> bytes:
    record = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip('=')},{len(data)}"
        for name, data in sorted(files.items())
    ]
    listed = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [*sorted(files.items()), (f"{info}/RECORD", listed)]:
            # The date that ZipInfo has by default, 1980, keeps the bytes the same from one packing to the next.
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return stream.getvalue()
