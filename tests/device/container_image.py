"""The stages of a Dockerfile, made without Docker: each instruction is carried out in a folder, by chroot.

The base is what Debian's own image is made by, debootstrap's smallest set; what is fetched comes by the host's
apt sources and pip settings. Layers are kept in the cache of :mod:`arm64_userland`, under a name that follows from the
instructions and from what they copy. For arm64 the stage ``debian`` is that module's userland, which has no shell.
"""

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from arm64_userland import PROJECT, UserlandError, cache, call, find_userland, make_whole

DOCKERFILE = PROJECT / "docker/Dockerfile"
_EMULATED_MINUTES = 60
_DEVICES = ("null", "zero", "random", "urandom")
_ARM64 = (
    r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00",
    r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff",
)
"""How the programs of arm64 begin, and which bits of that count, as binfmt_misc is told."""

_SEEN = "/run/host"
"""Where a root sees copies of what leads to the network and to the packages here."""


@dataclass
class Stage:
    """One stage: what it is made from, and its instructions as (word, rest)."""

    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Image:
    """What a stage became, and how it is run."""

    root: Path
    environment: dict[str, str]
    user: str
    folder: str
    entry: list[str]
    command: list[str]
    health: list[str]


def stages(text: str) -> dict[str, Stage]:
    """The stages of a Dockerfile by their names; arguments before the first have their defaults."""
    found: dict[str, Stage] = {}
    arguments: dict[str, str] = {}
    stage = Stage("")
    for word, rest in _instructions(text):
        if word == "ARG" and not found:
            name, _, default = rest.partition("=")
            arguments[name] = default
        elif word == "FROM":
            base, _, name = re.sub(r"\$\{(\w+)\}", lambda given: arguments[given[1]], rest).split()
            found[name] = stage = Stage(base)
        else:
            stage.instructions.append((word, rest))
    return found


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word.upper(), " ".join(rest.split())


def inherited(known: dict[str, Stage], name: str) -> list[tuple[str, str]]:
    """All instructions that a stage is made by, from its base's on."""
    stage = known[name]
    return [*(inherited(known, stage.base) if stage.base in known else []), *stage.instructions]


def build(name: str) -> Image:
    """The image of a stage.

    Raises:
        UserlandError: a step failed.
    """
    known = stages(DOCKERFILE.read_text())
    instructions = inherited(known, name)
    values = dict(instructions)
    health = values["HEALTHCHECK"].partition("CMD")[2]
    return Image(
        root=_made(known, name),
        environment=_environment(instructions),
        user=values["USER"],
        folder=values["WORKDIR"],
        entry=json.loads(values["ENTRYPOINT"]),
        command=json.loads(values["CMD"]),
        health=json.loads(health),
    )


def arm64_stage(name: str) -> tuple[Path, Path]:
    """The root that a stage becomes on arm64, and the program of the host that emulates it.

    Raises:
        UserlandError: a step failed.
    """
    emulator = find_userland().emulator
    return _made(stages(DOCKERFILE.read_text()), name, emulator), emulator


def _made(known: dict[str, Stage], name: str, emulator: Path | None = None) -> Path:
    """``emulator`` is what runs arm64's programs, for which the stage is made; without it is made for this machine."""
    stage = known[name]
    if emulator is not None and name == "debian":
        return find_userland().debian
    below = _made(known, stage.base, emulator) if stage.base in known else debian()
    before = inherited(known, stage.base) if stage.base in known else []
    environment = _environment([*before, *stage.instructions])
    copied = [_content(known, rest) for word, rest in stage.instructions if word == "COPY"]
    recipe = repr((below.name if emulator is None else str(below), stage.instructions, copied))
    layer = cache() / f"layer-{name}-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"

    def make(folder: Path) -> None:
        call("cp", "-a", "--reflink=auto", f"{below}/.", folder)
        (folder / "tmp").mkdir(exist_ok=True)  # which packages that are only unpacked have not
        (folder / "tmp").chmod(0o1777)
        place = dict(before).get("WORKDIR", "/")
        for word, rest in stage.instructions:
            if word == "WORKDIR":
                place = rest
                (folder / rest[1:]).mkdir(parents=True, exist_ok=True)
            elif word == "RUN":
                words = ["/bin/bash", "-o", "pipefail", "-ec", rest] if emulator is None else shlex.split(rest)
                in_root(folder, words, environment, folder=place, emulator=emulator)
            elif word == "COPY":
                _copy(known, rest, folder, place)

    make_whole(layer, make)
    return layer


def _copy(known: dict[str, Stage], rest: str, root: Path, place: str) -> None:
    option, source_root = "", PROJECT
    if rest.startswith("--from="):
        option, _, rest = rest.partition(" ")
        source_root = _made(known, option.partition("=")[2])
    *sources, target = rest.split()
    to = root / str(PurePosixPath(place, target)).lstrip("/")
    for source in sources:
        path = source_root / source.lstrip("/")
        if path.is_dir():
            ignored = shutil.ignore_patterns("__pycache__") if not option else None
            shutil.copytree(path, to, symlinks=True, ignore=ignored, dirs_exist_ok=True)
        else:
            to.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, to)


def _content(known: dict[str, Stage], rest: str) -> str:
    """What a COPY brings, in a word."""
    digest = hashlib.sha256()
    for source in rest.split()[:-1]:
        if source.startswith("--from="):
            digest.update(_made(known, source.partition("=")[2]).name.encode())
        path = PROJECT / source
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(PROJECT)}".encode() + file.read_bytes())
    return digest.hexdigest()


def _environment(instructions: list[tuple[str, str]]) -> dict[str, str]:
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    for word, rest in instructions:
        for pair in rest.split() if word == "ENV" else ():
            name, _, value = pair.partition("=")
            environment[name] = value.replace("$PATH", environment["PATH"])
    return environment


def in_root(
    root: Path,
    command: list[str],
    environment: dict[str, str],
    *,
    folder: str = "/",
    user: str = "0:0",
    emulator: Path | None = None,
) -> str:
    """Run a program in ``root``, in namespaces of its own with the host's network; what it says comes back.

    It gets copies of the host's settings, and nothing of the host that it could write: a package's script in there is
    root here too. ``emulator`` runs programs of arm64; only in there it is known.
    """
    for name in ("proc", "dev", _SEEN[1:]):
        (root / name).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as copies:
        Path(copies).chmod(0o755)
        steps = [] if emulator is None else _emulating(emulator)
        steps += [f"mount -t proc proc {root}/proc", f"mount -t tmpfs tmpfs {root}/dev"]
        for name in _DEVICES:
            steps += [f"touch {root}/dev/{name}", f"mount --bind /dev/{name} {root}/dev/{name}"]
        steps += [f"mount --bind {copies} {root}{_SEEN}", *_settings(root, Path(copies)), *_package_folders(root)]
        certificates = f"{_SEEN}/ca.crt" if (Path(copies) / "ca.crt").exists() else ""
        host = _variables() | ({"PIP_CERT": certificates, "SSL_CERT_FILE": certificates} if certificates else {})
        given = [f"{name}={value}" for name, value in (host | environment).items()]
        inside = shlex.join(["/usr/bin/env", "-i", "-C", folder, *given, *command])
        script = "; ".join([*steps, f"exec chroot --userspec={user} {root} {inside}"])
        spaces = ["--mount", "--pid", "--fork", "--kill-child"]
        if emulator is None:
            return call("unshare", *spaces, "/bin/sh", "-ec", script)
        # Its users are those of the host, by their numbers; only from outside that can be said.
        isolated = shlex.join(["unshare", "--user", *spaces, "/bin/sh", "-ec", script])
        mapped = _often("echo 0 0 65536 >/proc/$!/gid_map && echo 0 0 65536 >/proc/$!/uid_map")
        return call("/bin/sh", "-c", f"{isolated} & {mapped} 2>/dev/null; wait $!", minutes=_EMULATED_MINUTES)


def _emulating(emulator: Path) -> list[str]:
    """How a namespace of users, once it has some, learns to run arm64's programs (Linux 6.7)."""
    formats = "/proc/sys/fs/binfmt_misc"
    line = f":arm64:M::{':'.join(_ARM64)}:{emulator}:F"
    return [
        _often('[ "$(id -u)" = 0 ]'),
        f"mount -t binfmt_misc binfmt_misc {formats}",
        f"printf %s {shlex.quote(line)} >{formats}/register",
    ]


def _often(condition: str) -> str:
    """In a shell: try it for ten seconds at most."""
    return f"for try in $(seq 100); do {condition} && break; sleep 0.1; done"


def _settings(root: Path, copies: Path) -> list[str]:
    """Mounts of copies of the host's settings for names, certificates, apt and pip."""
    steps = []
    bundle = Path(os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt")
    if bundle.is_file():
        shutil.copy(bundle, copies / "ca.crt")
    for number, path in enumerate(map(Path, ("/etc/resolv.conf", "/etc/apt", "/etc/pip.conf", "/etc/xdg/pip"))):
        copy, place = copies / str(number), root / str(path)[1:]
        if path.is_dir():
            shutil.copytree(path, copy, ignore_dangling_symlinks=True)
            place.mkdir(parents=True, exist_ok=True)
        elif path.is_file():
            shutil.copy(path, copy)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
        if copy.exists():
            steps.append(f"mount --bind {copy} {place}")
    return steps


def _package_folders(root: Path) -> list[str]:
    """Mounts of the folders of packages that this host's pip is told of, which cannot be written from inside."""
    said = subprocess.run(["pip", "config", "list"], capture_output=True, text=True, check=False).stdout
    steps = []
    for folder in sorted({found.rstrip("/") for found in re.findall(r"(?:file://|')(/opt/[^\s']+)", said)}):
        if Path(folder).is_dir():
            steps += [f"mkdir -p {root}{folder}", f"mount --bind {folder} {root}{folder}"]
            steps.append(f"mount -o remount,bind,ro {root}{folder}")
    return steps


def _variables() -> dict[str, str]:
    names = ("PIP_", "http", "HTTP", "no_proxy", "NO_PROXY")
    return {name: value for name, value in os.environ.items() if name.startswith(names)}


def debian() -> Path:
    """What Debian's slim image is made of; :class:`UserlandError` where it cannot be had."""
    if os.geteuid() != 0:
        raise UserlandError("only root may chroot")

    def make(folder: Path) -> None:
        tool = _debootstrap()
        script = {"DEBOOTSTRAP_DIR": str(tool / "usr/share/debootstrap")}
        release = re.search(r"VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text())
        if release is None or release[1] != "bookworm":
            raise UserlandError("the host is not Debian 12, whose packages are wanted")
        call(
            tool / "usr/sbin/debootstrap",
            *("--variant=minbase", "bookworm", folder),
            environment=os.environ | script,
        )
        shutil.rmtree(folder / "var/cache/apt/archives")

    root = cache() / "debian-bookworm-1"
    make_whole(root, make)
    return root


def _debootstrap() -> Path:
    def make(folder: Path) -> None:
        call("apt-get", "download", "debootstrap", cwd=folder)
        call("dpkg-deb", "-x", next(folder.glob("*.deb")), folder)

    tool = cache() / "debootstrap"
    make_whole(tool, make)
    return tool
