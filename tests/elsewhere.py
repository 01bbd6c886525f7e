"""Python as it is on Windows or macOS, as far as that can be had here: without the calls, modules and files of Linux.

Run as ``python elsewhere.py windows VERB...``: the command line of edgevision in such a Python.
"""

import builtins
import errno
import io
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

# What Python lacks there, by its documentation's "Availability".
_NOT_ON_MACOS = {
    os: "sched_getaffinity sched_setaffinity memfd_create pidfd_open posix_fallocate posix_fadvise eventfd",
    signal: "sigtimedwait sigwaitinfo",
}
_NOT_ON_WINDOWS = {
    os: "fork forkpty killpg getpgid setsid getuid geteuid getgid getegid uname getloadavg sysconf statvfs fstatvfs"
    " pread pwrite mkfifo nice wait wait3 wait4 chown fchmod fchown sched_yield O_NOFOLLOW O_DIRECTORY O_CLOEXEC"
    " O_NONBLOCK set_blocking ctermid openpty ttyname",
    signal: "SIGKILL SIGHUP SIGALRM SIGPIPE SIGUSR1 SIGUSR2 SIGCHLD SIGSTOP setitimer alarm pthread_kill"
    " pthread_sigmask",
    time: "tzset pthread_getcpuclockid",
}
_MODULES = ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "readline")
_FOLDERS = ("/proc", "/sys", "/dev/fd", "/dev/shm")


def take_away(system: str) -> None:
    """Leave only what a Python on that system has."""
    missing = [_NOT_ON_MACOS] + [_NOT_ON_WINDOWS] * (system == "windows")
    for each in missing:
        for module, names in each.items():
            for name in names.split():
                if hasattr(module, name):
                    delattr(module, name)
    if system == "windows":
        for name in _MODULES:
            sys.modules[name] = None  # type: ignore[assignment]
        os.symlink = _refused  # type: ignore[assignment]
        os.link = _refused  # type: ignore[assignment]
    _hide_folders()


def _refused(*_: Any, **__: Any) -> None:
    raise OSError(errno.EPERM, "a required privilege is not held by the client")


def _hide_folders() -> None:
    def hidden(opener: Any) -> Any:
        def looked_for(path: Any, *rest: Any, **options: Any) -> Any:
            if isinstance(path, str | bytes | Path) and os.fsdecode(path).startswith(_FOLDERS):
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
            return opener(path, *rest, **options)

        return looked_for

    io.open = builtins.open = hidden(open)
    for name in ("open", "stat", "listdir", "scandir", "readlink"):
        setattr(os, name, hidden(getattr(os, name)))


if __name__ == "__main__":
    import platform
    from contextlib import suppress
    from importlib import import_module

    # What is not edgevision's is here in its form for Linux, and looks for what there is when it is imported.
    for module in (
        *(
            "asyncio",
            "multiprocessing.context",
            "subprocess",
            "tempfile",
            "numpy",
            "numpy.random",
            "PIL.Image",
            "rich.console",
        ),
        *("typer", "onnxruntime", "openvino", "cryptography"),
    ):
        with suppress(ImportError):
            import_module(module)
    platform.uname()
    take_away(sys.argv[1])
    from edgevision.cli.app import main

    main(sys.argv[2:])
