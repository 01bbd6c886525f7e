"""An arm64 Debian userland, unpacked from the distribution's own packages, with the device side's aarch64 wheels.

Everything is fetched by the host's ``apt-get`` and ``pip`` and unpacked: nothing is installed on the host, no script of
a package runs, and no rights are needed. It is made once and kept in ``$XDG_CACHE_HOME/edgevision-tests``, under a name
that follows from what is in it; a userland is there whole or not at all, also when its making is interrupted or two
processes want it at once.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
CPUS = ("cortex-a72", "cortex-a76")

# libstdc++ is for the wheels; python3-venv lets a board make virtual environments of its own.
_PACKAGES = ("python3", "python3-venv", "libstdc++6", "coreutils")
_PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64")
_RECIPE = 1
_MINUTES = 10


class UserlandError(Exception):
    """The userland cannot be had here; the message is the reason."""


@dataclass(frozen=True)
class Userland:
    """What was made: ``emulator`` is a program of the host, the rest are folders.

    Attributes:
        debian: the root of the unpacked packages.
        wheels: the aarch64 wheels, as ``pip install --no-index --find-links`` wants them.
        site: the same wheels unpacked, for ``PYTHONPATH``.
    """

    folder: Path
    emulator: Path

    @property
    def debian(self) -> Path:
        return self.folder / "debian"

    @property
    def wheels(self) -> Path:
        return self.folder / "wheels"

    @property
    def site(self) -> Path:
        return self.folder / "site"

    @property
    def python(self) -> Path:
        """The arm64 interpreter itself, ``python3.X``."""
        return (self.debian / "usr/bin/python3").resolve()


def find_userland() -> Userland:
    """The userland, made now if this is the first time: some 100 MB are fetched, half a minute with a fast network.

    Raises:
        UserlandError: a program or the network is missing, or the host's distribution has no such packages.
    """
    recipe = repr((_RECIPE, _PACKAGES, _requirements(), (PROJECT / "constraints.txt").read_text()))
    folder = cache() / f"arm64-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"
    make_whole(folder, _make)
    own = folder / "emulator"
    emulator = own if own.exists() else _installed_emulator()
    if emulator is None:
        raise UserlandError(f"the qemu that {str(folder)!r} was made for is gone; remove that folder")
    return Userland(folder, emulator)


def cache() -> Path:
    """Where userlands are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgevision-tests"


def make_whole(target: Path, make: Callable[[Path], None]) -> None:
    """Unless the folder ``target`` exists, let ``make`` fill a folder that becomes it only when that has ended well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            return
        for left_behind in target.parent.glob(f"{target.name}.partial-*"):
            shutil.rmtree(left_behind)
        partial = Path(tempfile.mkdtemp(prefix=f"{target.name}.partial-", dir=target.parent))
        try:
            make(partial)
            partial.chmod(0o755)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def unpack_wheels(wheels: Iterable[Path], site: Path) -> None:
    """Put the modules of ``wheels`` into the folder ``site``."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)


def call(
    *command: str | Path,
    environment: dict[str, str] | None = None,
    cwd: Path | None = None,
    minutes: float = _MINUTES,
) -> str:
    """Run a program of the host; what it says on standard output comes back.

    Raises:
        UserlandError: it is not there, fails, or does not end; with the last line of what it said.
    """
    if shutil.which(command[0]) is None:
        raise UserlandError(f"{command[0]} is not installed")
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            timeout=minutes * 60,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UserlandError(f"{command[0]} did not end within {minutes:g} minutes") from error
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()] or ["nothing said"]
        raise UserlandError(f"{Path(command[0]).name} {command[1]} failed: {said[-1].strip()}")
    return done.stdout


def _make(folder: Path) -> None:
    fetched = folder / "fetched"
    apt = _private_apt(fetched)
    options = ("-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=30")
    # An archive that cannot be reached is only a warning: what matters is whether the packages can be had.
    call("apt-get", *options, "update", environment=apt)
    call("apt-get", *options, "install", "--download-only", "--yes", *_PACKAGES, environment=apt)
    debian = folder / "debian"
    for name in ("bin", "lib", "sbin"):
        (debian / "usr" / name).mkdir(parents=True)
        (debian / name).symlink_to(f"usr/{name}")
    for package in sorted((fetched / "cache/archives").glob("*.deb")):
        _unpack(package, debian)
    if _installed_emulator() is None:
        architecture = call("dpkg", "--print-architecture").strip()
        call("apt-get", *options, "download", f"qemu-user-static:{architecture}", environment=apt, cwd=fetched)
        _unpack(next(fetched.glob("qemu-user-static*.deb")), fetched, "./usr/bin/qemu-aarch64-static")
        (fetched / "usr/bin/qemu-aarch64-static").rename(folder / "emulator")
    python = (debian / "usr/bin/python3").resolve().name.removeprefix("python")
    _fetch_wheels(folder / "wheels", python)
    unpack_wheels((folder / "wheels").glob("*.whl"), folder / "site")
    shutil.rmtree(fetched)


def _private_apt(folder: Path) -> dict[str, str]:
    """The environment in which apt-get sees the host's Debian archives as arm64, with its state in ``folder``."""
    for name in ("lists/partial", "cache/archives/partial", "sources"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    etc = Path("/etc/apt")
    for source in (*etc.glob("sources.list"), *sorted(etc.glob("sources.list.d/*"))):
        # Other archives often have nothing for arm64, and are none of our business.
        if source.suffix in (".list", ".sources") and re.search(r"/debian\b", source.read_text(errors="replace")):
            shutil.copy(source, folder / "sources")
    if not any((folder / "sources").iterdir()):
        raise UserlandError("/etc/apt names no Debian archive")
    native = call("dpkg", "--print-architecture").strip()
    configuration = folder / "apt.conf"
    configuration.write_text(
        f"""
        APT::Architecture "arm64";
        APT::Architectures {{ "arm64"; "{native}"; }};
        APT::Install-Recommends "false";
        APT::Sandbox::User "";
        Dir::Etc::sourcelist "/dev/null";
        Dir::Etc::sourceparts "{folder}/sources";
        Dir::State "{folder}";
        Dir::State::lists "{folder}/lists";
        Dir::State::status "{folder}/status";
        Dir::Cache "{folder}/cache";
        """
    )
    return os.environ | {"APT_CONFIG": str(configuration), "LC_ALL": "C"}


def _unpack(package: Path, root: Path, *members: str) -> None:
    # Not dpkg-deb -x: /lib is a link to /usr/lib, and has to stay one.
    with subprocess.Popen(("dpkg-deb", "--fsys-tarfile", package), stdout=subprocess.PIPE) as reading:
        subprocess.run(
            ("tar", "-x", "--keep-directory-symlink", "-C", root, *members),
            stdin=reading.stdout,
            check=True,
        )
    if reading.returncode:
        raise UserlandError(f"{package.name} cannot be unpacked")


def _fetch_wheels(folder: Path, python: str) -> None:
    platforms = [word for name in _PLATFORMS for word in ("--platform", name)]
    call(
        sys.executable,
        *("-m", "pip", "download", "--dest", folder, "--only-binary", ":all:", "--python-version", python),
        *(*platforms, "--constraint", PROJECT / "constraints.txt", *_requirements()),
    )


def _requirements() -> list[str]:
    """The project's own, with the engine for CPUs."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["cpu"]]


def _installed_emulator() -> Path | None:
    """The host's own qemu, if there is one that knows the CPUs."""
    for name in ("qemu-aarch64-static", "qemu-aarch64"):
        found = shutil.which(name)
        # Not call(): qemu 7.2 prints the list and ends with 1.
        if found and set(CPUS) <= set(_said_by(found, "-cpu", "help").split()):
            return Path(found)
    return None


def _said_by(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False).stdout
