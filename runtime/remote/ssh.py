"""One SSH connection to a board, made by the system's OpenSSH, over which any number of commands run."""

import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from edgevision.core.errors import DeviceError, InputError
from edgevision.runtime.remote.ssh_failures import explain

# The user's configuration decides about keys, agents, jump hosts, ports and host keys. A dead link is to be noticed
# within a quarter of a minute, and nothing of this machine is to be reachable from the board.
_OPTIONS = {
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
    "ConnectTimeout": "15",
    "LogLevel": "ERROR",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "ClearAllForwardings": "yes",
    "PermitLocalCommand": "no",
    "RemoteCommand": "none",
    "ControlPersist": "no",
}
# ssh puts a socket there, whose name may have 104 characters on some systems, 17 of which it adds for a while.
_LONGEST_FOLDER = 80
_LONGEST_LOGIN_S = 40.0
# Somebody may have to look a password up.
_LONGEST_LOGIN_BY_HAND_S = 300.0
_MOST_SAID = 1 << 16
# Ctrl-C goes to every process of a terminal, and the connection is still needed then, to end what runs on the board.
_UNINTERRUPTED = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
# A user of a Windows domain, as in CORP\user@board.
_DOMAIN = re.compile(r"^[\w.-]+\\(?=[\w.-]+@)", re.ASCII)

_one_prompt_at_a_time = threading.Lock()


def check_host(host: str) -> None:
    """Raise :class:`InputError` unless it can only be a host to ssh: ``board``, ``pi@board``, ``ssh://...``."""
    plain = _DOMAIN.sub("", host)
    if not plain or host.startswith("-") or not plain.isprintable() or any(c in plain for c in " '\"`$\\;&|<>()!*?"):
        raise InputError(f"--on is a host as ssh takes it, such as pi@raspberrypi.local, not {host!r}")


class Connection:
    """An authenticated connection to ``host``; each command is a session in it and costs no new handshake.

    On a terminal ssh may ask for a password, a passphrase or the confirmation of a host key, once a connection;
    elsewhere it never asks and fails instead. :meth:`open` and :meth:`close` may follow each other again and again.
    """

    def __init__(self, host: str) -> None:
        check_host(host)
        self.host = host
        self._folder = tempfile.mkdtemp(prefix="edgevision-")
        if len(self._folder) > _LONGEST_FOLDER:
            Path(self._folder).rmdir()
            self._folder = tempfile.mkdtemp(prefix="edgevision-", dir="/tmp")
        self._socket = Path(self._folder, "s")
        self._master: subprocess.Popen[bytes] | None = None

    def open(self) -> None:
        """Log in.

        Raises:
            UnreachableError: the board does not answer; it may later.
            DeviceError: it answers and does not let us in, or there is no ssh here.
        """
        self._close_master()
        on_terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
        if on_terminal:
            with _one_prompt_at_a_time:
                self._log_in(batch=False)
        else:
            self._log_in(batch=True)

    def run(self, command: str) -> subprocess.Popen[bytes]:
        """Start a command of the board's login shell, with pipes to its standard input, output and error."""
        # Were the connection gone, ssh would quietly make another one, and perhaps ask for a password.
        options = ["-S", str(self._socket), "-o", "BatchMode=yes", "-o", "ProxyCommand=false"]
        return subprocess.Popen(
            [*_UNINTERRUPTED, "ssh", "-T", *options, *_as_options(_OPTIONS), "--", self.host, command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )

    def sever(self) -> None:
        """From any thread: end the connection at once, whatever runs over it."""
        master = self._master
        if master is not None:
            master.kill()

    def failure(self, said: str) -> DeviceError:
        """The error for a command whose ssh failed itself and ``said`` why."""
        if self._master is not None and self._master.poll() is not None:
            said = self._said() or said
        return explain(self.host, said)

    def close(self) -> None:
        """Log out and leave nothing behind; not to be opened again after that."""
        self._close_master()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _log_in(self, *, batch: bool) -> None:
        if platform.system() == "Windows":  # whose ssh has no connection that several commands share
            raise DeviceError("boards are reached from Linux and macOS; on Windows run edgevision in WSL for it")
        if shutil.which("ssh") is None:
            raise DeviceError("boards are reached with OpenSSH's ssh, which is not installed; install openssh-client")
        options = ["-M", "-S", str(self._socket), "-o", f"BatchMode={'yes' if batch else 'no'}"]
        # What it runs ends with its standard input, thus with this program, even if that is killed.
        command = [*_UNINTERRUPTED, "ssh", "-T", *options, *_as_options(_OPTIONS), "--", self.host, "exec cat"]
        with self._log.open("wb") as log:
            self._master = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log, bufsize=0
            )
        longest = _LONGEST_LOGIN_S if batch else _LONGEST_LOGIN_BY_HAND_S
        deadline = time.monotonic() + longest
        while not self._socket.exists():
            if self._master.poll() is not None:
                raise explain(self.host, self._said())
            if time.monotonic() > deadline:
                self._close_master()
                raise explain(self.host, f"login timed out after {longest:.0f} s")
            time.sleep(0.02)

    def _close_master(self) -> None:
        if self._master is not None:
            assert self._master.stdin is not None
            self._master.stdin.close()
            self._master.terminate()
            try:
                self._master.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._master.kill()
                self._master.wait()
            self._master = None
        self._socket.unlink(missing_ok=True)

    def _said(self) -> str:
        if not self._log.exists():
            return ""
        with self._log.open("rb") as log:
            log.seek(max(0, self._log.stat().st_size - _MOST_SAID))
            return log.read(_MOST_SAID).decode(errors="replace")

    @property
    def _log(self) -> Path:
        return Path(self._folder, "log")


def end_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process of :meth:`Connection.run`, with what it started."""
    if process.poll() is None:
        if hasattr(os, "killpg"):  # which Windows has not
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()


def _as_options(options: dict[str, str]) -> list[str]:
    return [argument for name, value in options.items() for argument in ("-o", f"{name}={value}")]
