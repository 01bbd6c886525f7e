"""The files of ONNX Runtime for browsers: fetched from npm when a site is made, or taken from a package at hand."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from edgevision.core.atomic_files import atomic_file
from edgevision.core.errors import InputError
from edgevision.core.file_system import rename_over
from edgevision.core.printable import shortened
from edgevision.core.user_cache import user_cache

PACKAGE = "onnxruntime-web"
VERSION = "1.30.0"
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""Of the package's file, as npm states it."""

LICENCE = "MIT"
_LICENCE_FILE = Path(__file__).parent / "onnxruntime_licence.txt"
_ADDRESS = f"https://registry.npmjs.org/{PACKAGE}/-/{PACKAGE}-{VERSION}.tgz"

# What a page loads: for WebAssembly, and for WebGPU in browsers that can wait in WebAssembly.
_FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.webgpu.min.mjs",
    "ort-wasm-simd-threaded.jspi.mjs",
    "ort-wasm-simd-threaded.jspi.wasm",
)

_PATIENCE = 60


def runtime_files(source: Path | None = None) -> dict[str, bytes]:
    """The files by the names that they have on a site.

    Modules end in ``.js`` there: many servers do not know ``.mjs``, and browsers then refuse it.

    Args:
        source: the package as npm unpacks it, or its ``.tgz``; without, it comes from the cache, else from npm.

    Raises:
        InputError: it cannot be had, or is not the version that this release was tested with.
    """
    if source is not None and source.is_dir():
        found = _from_folder(source)
    else:
        found = _from_archive(_fetched() if source is None else source)
    files = {_site_name(name): content for name, content in found.items()}
    return files | {"LICENCE.txt": _licence().encode()}


def runtime_facts() -> dict[str, str]:
    """What a site says of where it is from."""
    return {"package": PACKAGE, "version": VERSION, "integrity": INTEGRITY, "licence": LICENCE}


def _site_name(name: str) -> str:
    return name.removesuffix(".mjs") + ".js" if name.endswith(".mjs") else name


def _licence() -> str:
    return (
        f"These files are from {PACKAGE} {VERSION} of npm ({INTEGRITY}),\n"
        "https://github.com/microsoft/onnxruntime; what it is built from is in its ThirdPartyNotices.txt there.\n\n"
        + _LICENCE_FILE.read_text("utf-8")
    )


def _from_folder(folder: Path) -> dict[str, bytes]:
    package = folder / "package.json"
    try:
        described: Any = json.loads(package.read_text("utf-8"))
        version = described.get("version")
        if version != VERSION:
            raise InputError(f"{str(folder)!r} holds {PACKAGE} {shortened(version)}; this release takes {VERSION}")
        return {name: (folder / "dist" / name).read_bytes() for name in _FILES}
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(
            f"{str(folder)!r} is not the package {PACKAGE} as npm unpacks it, with package.json and dist/: {error}"
        ) from error


def _from_archive(archive: Path) -> dict[str, bytes]:
    try:
        content = archive.read_bytes()
    except OSError as error:
        raise InputError(f"the runtime {str(archive)!r} cannot be read: {error.strerror}") from error
    if _integrity(content) != INTEGRITY:
        raise InputError(
            f"{str(archive)!r} is not {PACKAGE} {VERSION} as npm has it: its {_integrity(content)[:24]}... is another"
        )
    with tarfile.open(archive, "r:gz") as package:
        return {name: package.extractfile(f"package/dist/{name}").read() for name in _FILES}  # type: ignore[union-attr]


def _integrity(content: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


def _fetched() -> Path:
    """The package's file in the cache, brought there from npm the first time."""
    archive = user_cache() / "packages" / f"{PACKAGE}-{VERSION}.tgz"
    if archive.is_file():
        return archive
    if os.environ.get("EDGEVISION_OFFLINE", "") not in ("", "0"):
        raise InputError(f"{PACKAGE} {VERSION} is not in the cache, and EDGEVISION_OFFLINE forbids to fetch it")
    try:
        archive.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(archive) as temporary:
            # npm knows the user's registry and how to log in there.
            program = shutil.which("npm")
            if program is None:
                _download(temporary)
            else:
                _pack(program, temporary)
            if _integrity(temporary.read_bytes()) != INTEGRITY:
                raise InputError(f"what npm gives for {PACKAGE} {VERSION} is not what this release was tested with")
    except (OSError, subprocess.SubprocessError) as error:
        raise InputError(
            f"{PACKAGE} {VERSION} cannot be fetched from npm: {_reason(error)}; where there is a network, run"
            f" npm pack {PACKAGE}@{VERSION}, and name its file with --runtime"
        ) from error
    return archive


def _pack(program: str, target: Path) -> None:
    command = [program, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", str(target.parent)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=10 * _PATIENCE)
    packed = target.parent / f"{PACKAGE}-{VERSION}.tgz"
    if packed != target:
        rename_over(packed, target)


def _download(target: Path) -> None:
    from urllib.request import urlopen

    with urlopen(_ADDRESS, timeout=_PATIENCE) as response, target.open("wb") as output:
        shutil.copyfileobj(response, output)


def _reason(error: Exception) -> str:
    said = str(getattr(error, "stderr", "") or getattr(error, "reason", "") or error).strip().splitlines()
    return shortened(
        next((line for line in said if "code" in line or "network" in line), said[0] if said else "it failed")
    )
