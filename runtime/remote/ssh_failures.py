"""What it means when ``ssh`` ends with 255: the one table from what it says to an error with a remedy.

The texts are those of OpenSSH 7.6 to 10; they are not translated.
"""

import shlex
from typing import NamedTuple

from edgevision.core.errors import DeviceError, UnreachableError
from edgevision.core.printable import printable

_LONGEST = 300


class _Failure(NamedTuple):
    """``telling`` words, any of which is in what ssh said, and what is to be said of ``{host}``."""

    telling: tuple[str, ...]
    error: type[DeviceError]
    message: str


# In this order: a refused host key is also followed by a closed connection.
_FAILURES = (
    _Failure(
        ("REMOTE HOST IDENTIFICATION HAS CHANGED", "Host key for"),
        DeviceError,
        "the host key of {host} is not the one known; another machine may answer for it. If the board was installed"
        " anew, forget the old key with ssh-keygen -R, and log in once with ssh {quoted}",
    ),
    _Failure(
        ("Host key verification failed", "host key is known for", "differs from the key for the IP address"),
        DeviceError,
        "{host} is not a known host, and its key is not accepted unseen; log in once with ssh {quoted} and compare the"
        " fingerprint",
    ),
    _Failure(
        ("Permission denied", "Too many authentication failures", "No supported authentication methods"),
        DeviceError,
        "{host} accepted none of your keys; ssh-copy-id {quoted} puts yours there, ssh-add unlocks one with a"
        " passphrase, and a password is asked for only on a terminal",
    ),
    _Failure(
        ("Could not resolve hostname", "Name or service not known", "nodename nor servname"),
        UnreachableError,
        "no address is known for {host}; check the name, or give the board's IP address",
    ),
    _Failure(
        ("Connection refused",),
        UnreachableError,
        "{host} refused the connection; switch its SSH server on (on a Raspberry Pi: sudo raspi-config), or give the"
        " port in ~/.ssh/config",
    ),
    _Failure(
        ("timed out", "No route to host", "Network is unreachable", "Host is down"),
        UnreachableError,
        "{host} does not answer; check that it is switched on and in this network",
    ),
    _Failure(
        ("onnection closed", "onnection reset", "Broken pipe", "closed by remote host", "Timeout, server"),
        UnreachableError,
        "{host} closed the connection; its SSH server or the network between says why",
    ),
    _Failure(
        ("onfiguration option", "terminating,", "Bad owner or permissions"),
        DeviceError,
        "ssh refuses your configuration for {host}; mend ~/.ssh/config",
    ),
)


def explain(host: str, said: str) -> DeviceError:
    """The error for what ssh ``said`` about ``host``, as the user calls it; its last line comes with it."""
    lines = [printable(line).strip() for line in said.replace("\r", "\n").splitlines()]
    last = next((line for line in reversed(lines) if line.strip("@")), "nothing was said")[:_LONGEST]
    last = last.removeprefix("ssh: ")
    quoted = shlex.quote(host)  # to be pasted into a shell
    for failure in _FAILURES:
        if any(words in said for words in failure.telling):
            return failure.error(f"{failure.message.format(host=repr(host), quoted=quoted)} (ssh: {last})")
    return UnreachableError(f"ssh could not reach {host!r}; try ssh {quoted} by hand (ssh: {last})")
