"""The stages of a Dockerfile, made without Docker: each instruction is carried out in a folder, by chroot.

The base is what Debian's own image is made by, debootstrap's smallest set; what is fetched comes by the host's
apt sources and pip settings. Layers are kept in the cache of :mod:`arm64_userland`, under a name that follows from the
instructions and from what they copy.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from arm64_userland import PROJECT, UserlandError, cache, call, make_whole

DOCKERFILE = PROJECT / "docker/Dockerfile"
_MOUNTED = ("dev", "proc", "sys")


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


def _made(known: dict[str, Stage], name: str) -> Path:
    stage = known[name]
    below = _made(known, stage.base) if stage.base in known else debian()
    before = inherited(known, stage.base) if stage.base in known else []
    environment = _environment([*before, *stage.instructions])
    copied = [_content(known, rest) for word, rest in stage.instructions if word == "COPY"]
    recipe = repr((below.name, stage.instructions, copied))
    layer = cache() / f"layer-{name}-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"

    def make(folder: Path) -> None:
        call("cp", "-a", "--reflink=auto", f"{below}/.", folder)
        place = dict(before).get("WORKDIR", "/")
        for word, rest in stage.instructions:
            if word == "WORKDIR":
                place = rest
                (folder / rest[1:]).mkdir(parents=True, exist_ok=True)
            elif word == "RUN":
                in_root(folder, ["/bin/bash", "-o", "pipefail", "-ec", rest], environment, folder=place)
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
    root: Path, command: list[str], environment: dict[str, str], *, folder: str = "/", user: str = "0:0"
) -> str:
    """Run a program in ``root``, in namespaces of its own with the host's network; what it says comes back."""
    mounts = "".join(f"mount --rbind /{name} {root}/{name}; " for name in _MOUNTED)
    given = " ".join(_quoted(f"{name}={value}") for name, value in (_pip_settings() | environment).items())
    words = " ".join(_quoted(word) for word in command)
    script = (
        f"{mounts}{_host_files(root)}exec chroot --userspec={user} {root} /usr/bin/env -i {given} "
        f"/bin/sh -c {_quoted(f'cd {folder} && exec ' + words)}"
    )
    return call("unshare", "--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-ec", script)


def _host_files(root: Path) -> str:
    """Mounts, for as long as a command runs, of what leads to the network and to the packages here."""
    steps = []
    for path in ("/etc/resolv.conf", "/etc/ssl/certs", "/etc/apt", "/etc/pip.conf", "/etc/xdg/pip", *_links()):
        if Path(path).exists():
            make = f"mkdir -p {root}{path}" if Path(path).is_dir() else f"mkdir -p {root}{Path(path).parent}; "
            touch = "" if Path(path).is_dir() else f"touch {root}{path}"
            steps.append(f"{make}{touch}; mount --rbind {path} {root}{path}; ")
    return "".join(steps)


def _pip_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "http", "HTTP", "no_proxy"))}


def _links() -> list[str]:
    """Folders of packages that this host's pip is told of."""
    said = subprocess.run(["pip", "config", "list"], capture_output=True, text=True, check=False).stdout
    return sorted({found.rstrip("/") for found in re.findall(r"(?:file://|')(/opt/[^\s']+)", said)})


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


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
