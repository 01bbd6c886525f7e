"""Run a program on this machine as a Raspberry Pi 4 or 5 would: arm64 Debian under qemu-user.

    python tests/device/emulated_board.py --board pi4 -- edgevision devices

The CPU is a Cortex-A72 (Pi 4) or a Cortex-A76 (Pi 5), so instructions that the board has not are not there either; what
it computes is right, how long it takes says nothing. The same way is used with and without root: ``qemu -L``, which
looks for every file below the board's folder first and then on the host. So the host's files can be read and written
under their own names, and the board shows its own /proc/cpuinfo and /proc/device-tree. What is not emulated are the
number of cores, the memory and /sys: those are the host's.

Programs of the board are started by small scripts in its ``bin``, which any program of host or board can execute: a
shell, a ``#!`` line, or the ``bin/python`` of a virtual environment made on the board. ``shell`` is a login shell with
these first in PATH, for a session over SSH; what the board has no program for is the host's.
"""

import argparse
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache as remembered
from pathlib import Path
from types import MappingProxyType
from typing import Any

from arm64_userland import (
    CPUS,
    PROJECT,
    Userland,
    UserlandError,
    cache,
    call,
    find_userland,
    make_whole,
    unpack_wheels,
)

from edgevision.exporters.engine_process import EngineProcess

_DAY = 86400


@dataclass(frozen=True, kw_only=True)
class BoardKind:
    """What tells a board from another: the ``cpu`` in qemu's words, and what its kernel shows of it."""

    cpu: str
    model: str
    features: str
    variant: str
    part: str
    revision: int

    @property
    def cpuinfo(self) -> str:
        """As the kernel of Raspberry Pi OS prints /proc/cpuinfo."""
        core = (
            "BogoMIPS\t: 108.00\n"
            f"Features\t: {self.features}\n"
            "CPU implementer\t: 0x41\nCPU architecture: 8\n"
            f"CPU variant\t: {self.variant}\nCPU part\t: {self.part}\nCPU revision\t: {self.revision}\n\n"
        )
        return "".join(f"processor\t: {index}\n{core}" for index in range(4)) + f"Model\t\t: {self.model}\n"


BOARDS: Mapping[str, BoardKind] = MappingProxyType(
    {
        "pi4": BoardKind(
            cpu=CPUS[0],
            model="Raspberry Pi 4 Model B Rev 1.4",
            features="fp asimd evtstrm crc32 cpuid",
            variant="0x0",
            part="0xd08",
            revision=3,
        ),
        "pi5": BoardKind(
            cpu=CPUS[1],
            model="Raspberry Pi 5 Model B Rev 1.0",
            features="fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop "
            "asimddp",
            variant="0x4",
            part="0xd0b",
            revision=1,
        ),
    }
)

# Those whose answer differs from what the host's program of that name says.
_PROGRAMS = ("cat", "uname")

_LAUNCHER = """#!/bin/sh
# {name} of the emulated {board}. Under the name it was called by, as an environment's python is known by its place.
unset LD_LIBRARY_PATH LD_PRELOAD PYTHONHOME
export PYTHONNOUSERSITE=1
exec {emulator} -L {root} -cpu {cpu} -0 "$0" {program} "$@"
"""

_SHELL = """#!/bin/sh
# A session on the emulated {board}: shell [-c COMMAND].
unset LD_LIBRARY_PATH LD_PRELOAD PYTHONHOME PYTHONPATH VIRTUAL_ENV
export PATH={root}/bin:/usr/bin:/bin
exec /bin/sh "$@"
"""


@dataclass(frozen=True)
class Board:
    """An emulated board: ``root`` is its folder, ``userland`` what it shares with the others."""

    name: str
    root: Path
    userland: Userland

    @property
    def shell(self) -> Path:
        """A program of the host that is a login shell on the board."""
        return self.root / "shell"

    def command(self, *arguments: str | Path) -> list[str]:
        """The host's command line for ``edgevision ...`` or ``python3 ...`` on the board, this project installed."""
        program, *rest = map(str, arguments)
        path = f"PYTHONPATH={_installed_project()}:{self.userland.site}"
        words = ("python3", "-m", "edgevision") if program == "edgevision" else (program,)
        return ["env", path, str(self.root / "bin" / words[0]), *words[1:], *rest]

    def run(self, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run :meth:`command`; both streams come back as text."""
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, **options)

    def engine_process(self) -> EngineProcess:
        """A process on the board in which :class:`.ProcessEngine` opens models of the host's files."""
        path = self.run("python3", "-c", "import json, sys; print(json.dumps(sys.path))").stdout
        return EngineProcess(python=self.command("python3"), path=json.loads(path))


def find_board(name: str) -> Board:
    """The board of that name, made if this is the first time.

    Raises:
        KeyError: there is none of that name in :data:`BOARDS`.
        UserlandError: it cannot be had here.
    """
    kind, userland = BOARDS[name], find_userland()
    recipe = repr((kind, userland.emulator, _PROGRAMS, _LAUNCHER, _SHELL))
    target = userland.folder / f"{name}-{hashlib.sha256(recipe.encode()).hexdigest()[:8]}"
    board = Board(name, target, userland)

    def make(folder: Path) -> None:
        _write_board(folder, kind, board)

    make_whole(target, make)
    return board


def _write_board(folder: Path, kind: BoardKind, board: Board) -> None:
    debian, python = board.userland.debian, board.userland.python
    for name in ("bin", "usr", "proc/device-tree"):
        (folder / name).mkdir(parents=True)
    # The board has the distribution's libraries, but of its programs only the launchers: the host's kernel cannot start
    # the others.
    for name, target in {
        "lib": debian / "usr/lib",
        "usr/lib": debian / "usr/lib",
        "usr/share": debian / "usr/share",
        "usr/bin": Path("../bin"),
        "bin/python3": Path(python.name),
    }.items():
        (folder / name).symlink_to(target)
    (folder / "proc/cpuinfo").write_text(kind.cpuinfo)
    (folder / "proc/device-tree/model").write_text(f"{kind.model}\0")
    words = {"board": board.name, "root": board.root, "cpu": kind.cpu, "emulator": board.userland.emulator}
    quoted = {key: shlex.quote(str(value)) for key, value in words.items()}
    scripts = {f"bin/{name}": (name, debian / "bin" / name) for name in _PROGRAMS}
    scripts[f"bin/{python.name}"] = (python.name, python)
    for path, (name, program) in scripts.items():
        (folder / path).write_text(_LAUNCHER.format(name=name, program=shlex.quote(str(program)), **quoted))
    (folder / "shell").write_text(_SHELL.format(**quoted))
    for path in (*scripts, "shell"):
        (folder / path).chmod(0o755)


@remembered
def _installed_project() -> Path:
    """The folder with the wheel of the project as it is now, unpacked."""
    sources = [PROJECT / name for name in ("pyproject.toml", "README.md", "LICENSE")]
    for name in ("edgevision", "exporters", "runtime"):
        sources += sorted(path for path in (PROJECT / name).rglob("*") if path.is_file())
    sources = [path for path in sources if "__pycache__" not in path.parts]
    digest = hashlib.sha256()
    for path in sources:
        digest.update(repr((str(path.relative_to(PROJECT)), path.stat().st_size)).encode() + path.read_bytes())
    target = cache() / f"project-{digest.hexdigest()[:16]}"

    def make(folder: Path) -> None:
        for old in cache().glob("project-*/"):
            if time.time() - old.stat().st_mtime > _DAY:
                shutil.rmtree(old, ignore_errors=True)
        with tempfile.TemporaryDirectory() as name:
            copy = Path(name) / "source"
            for path in sources:
                (copy / path.relative_to(PROJECT)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy / path.relative_to(PROJECT))
            options = ("--no-deps", "--no-build-isolation", "--wheel-dir", name)
            call(sys.executable, "-m", "pip", "wheel", *options, copy)
            unpack_wheels(Path(name).glob("*.whl"), folder)

    make_whole(target, make)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--board", choices=BOARDS, default="pi4")
    parser.add_argument("command", nargs="*", metavar="-- COMMAND", help="without one, a shell on the board")
    arguments = parser.parse_args()
    try:
        board = find_board(arguments.board)
        words = board.command(*arguments.command) if arguments.command else [str(board.shell)]
    except UserlandError as error:
        sys.exit(f"no emulated board here: {error}")
    os.execvp(words[0], words)


if __name__ == "__main__":
    main()
