"""Boards that are this machine behind a real sshd on the loopback, each with a home of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest

from edgevision.runtime.remote.ssh import Connection

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

# What edgevision[cpu] asks for directly.
_NEEDED = ("numpy", "onnxruntime", "pillow", "rich", "typer")


class LoopbackBoard:
    """A board ``name``: an sshd that gives its sessions ``home`` and a PATH that holds ``bin`` alone."""

    def __init__(self, name: str, folder: Path, key: Path, *, before: str = "", python: bool = True) -> None:
        self.name, self.folder = name, folder
        self.home, self.bin = folder / "home", folder / "bin"
        self.home.mkdir(parents=True)
        self.bin.mkdir()
        for program in ("sh", "bash", "cat", "sleep"):
            (self.bin / program).symlink_to(shutil.which(program) or program)
        if python:
            put_python(self.bin)
        host_key = folder / "host_key"
        make_key(host_key)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        forced = f'ForceCommand {before} eval "$SSH_ORIGINAL_COMMAND"\n' if before else ""
        (folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {key}.pub\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin yes\n"
            f"KbdInteractiveAuthentication no\nSetEnv HOME={self.home} PATH={self.bin}\nPrintMotd no\n{forced}"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self.log = (folder / "sshd.log").open("wb")
        self.host_key = Path(f"{host_key}.pub").read_text().split(maxsplit=2)[:2]

    @property
    def cache(self) -> Path:
        return self.home / ".cache/edgevision"

    def sessions(self) -> list[int]:
        """The processes of sshd that serve a connection each."""
        return [int(pid) for pid in Path(f"/proc/{self.sshd.pid}/task/{self.sshd.pid}/children").read_text().split()]

    def jobs(self) -> list[Path]:
        return [path for path in (self.cache / "jobs").glob("*") if path.is_dir()]

    def up(self) -> None:
        """Start its sshd."""
        assert SSHD is not None
        self.sshd = subprocess.Popen([SSHD, "-D", "-e", "-f", self.folder / "sshd_config"], stderr=self.log)
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.sshd.poll() is None, (self.folder / "sshd.log").read_text()
            time.sleep(0.05)
        raise AssertionError("sshd did not come up")

    def drop(self) -> None:
        """Cut every connection."""
        for session in self.sessions():
            os.kill(session, signal.SIGKILL)

    def down(self) -> None:
        """Take it off the network; what runs on it goes on."""
        sessions = self.sessions()
        self.sshd.kill()
        self.sshd.wait()
        for session in sessions:
            os.kill(session, signal.SIGKILL)

    def stop(self) -> None:
        if self.sshd.poll() is None:
            self.down()
        self.log.close()


def put_python(folder: Path) -> None:
    """Let the Python of the tests be the ``python3`` of a board whose PATH holds ``folder``."""
    (folder / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (folder / "python3").chmod(0o755)


def make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)


class Network:
    """The boards of a test, and the user's side: an ``ssh`` in the PATH that reads ``config`` as ~/.ssh/config."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = folder / "key"
        make_key(self.key)
        self.known, self.config = folder / "known_hosts", folder / "config"
        self.known.touch()
        self.config.touch()
        self.bin = folder / "bin"
        self.bin.mkdir()
        ssh = self.bin / "ssh"
        ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {self.config} "$@"\n')
        ssh.chmod(0o755)
        self.boards: list[LoopbackBoard] = []

    def add(self, name: str, *, known: bool = True, key: Path | None = None, **options: object) -> LoopbackBoard:
        board = LoopbackBoard(name, self.folder / name, self.key, **options)  # type: ignore[arg-type]
        self.boards.append(board)
        if known:
            with self.known.open("a") as file:
                file.write(f"[127.0.0.1]:{board.port} {' '.join(board.host_key)}\n")
        self.describe(name, board.port, key or self.key)
        board.up()
        return board

    def describe(self, name: str, port: int, key: Path | None = None) -> None:
        """Write what a user's configuration would say of a host."""
        with self.config.open("a") as file:
            file.write(
                f"Host {name}\n HostName 127.0.0.1\n Port {port}\n IdentityFile {key or self.key}\n"
                f" IdentitiesOnly yes\n IdentityAgent none\n UserKnownHostsFile {self.known}\n"
                " GlobalKnownHostsFile /dev/null\n StrictHostKeyChecking yes\n"
            )


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels of what edgevision needs, which pip installs in no time: each only points to the packages of the tests."""
    folder = tmp_path_factory.mktemp("wheelhouse")
    packages = Path(distribution("numpy").locate_file(""))
    for name in _NEEDED:
        version = distribution(name).version
        info = f"{name}-{version}.dist-info"
        files = {
            f"zz_{name}.pth": f"{packages}\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
        with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            for file, text in files.items():
                wheel.writestr(file, text)
    return folder


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    if SSHD is None:
        pytest.skip("no sshd on this machine; openssh-server brings it")
    if shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        pytest.skip("no ssh on this machine; openssh-client brings it")
    network = Network(tmp_path_factory.mktemp("network"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{network.bin}:{os.environ['PATH']}")
        yield network
    for board in network.boards:
        board.stop()


@pytest.fixture(scope="session")
def board(network: Network) -> LoopbackBoard:
    """A board that has all it needs."""
    return network.add("board")


class LocalConnection(Connection):
    """A shell of this machine in the place of a connection, with a home of its own; it never breaks."""

    def __init__(self, home: Path, **environment: str) -> None:
        super().__init__("local")
        programs = home / "programs"
        programs.mkdir()
        put_python(programs)
        path = {"HOME": str(home), "PATH": f"{programs}:{os.environ['PATH']}"}
        self.environment = os.environ | path | environment

    def open(self) -> None:
        """Nothing is needed."""

    def run(self, command: str) -> subprocess.Popen[bytes]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(["sh", "-c", command], env=self.environment, **pipes)  # type: ignore[call-overload]


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalConnection]:
    """A connection to a board that needs no sshd."""
    connection = LocalConnection(tmp_path)
    yield connection
    connection.close()


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Wait until something holds, for at most half a minute."""

    def wait(holds: Callable[[], object]) -> None:
        for _ in range(600):
            if holds():
                return
            time.sleep(0.05)
        raise AssertionError("it never came to hold")

    return wait
