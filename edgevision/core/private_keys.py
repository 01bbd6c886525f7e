"""Private keys, which nothing prints and which no command line holds: every user of a machine can read those."""

import os
import re
import shlex
import subprocess
from threading import Thread

from edgevision.core.errors import InputError
from edgevision.core.printable import shortened

PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|AGE-SECRET-KEY-1", re.IGNORECASE)
"""How a private key begins: in PEM, or of age."""

_LONGEST_COMMAND_S = 60.0
_SECONDS_TO_CLOSE = 1.0
_LONGEST_KEY = 4096


def refuse_key_itself(text: str, option: str, remedy: str) -> None:
    """Raise where ``text``, which ``option`` got, is a private key in place of where one is; the error has none of it.

    Raises:
        InputError: it is.
    """
    if PRIVATE_KEY.search(text):
        raise InputError(f"{option} got a private key itself, which no command line may hold; {remedy}")


def held_by(variable: str, form: str) -> str:
    """What an environment variable holds, a private key of that ``form``; :class:`InputError` where it is empty."""
    text = os.environ.get(variable, "")
    if not text.strip():
        raise InputError(f"the environment variable {variable!r} is empty; it holds a private key{form}")
    return text


def said_by(command: str, option: str) -> str:
    """What a program prints that fetches the key, as from a TPM, a keyring or an agent.

    Raises:
        InputError: it names none, fails, does not end, or prints what is no key; the error has none of it.
    """
    if not command.strip():
        raise InputError(f"{option} 'command:' names no program; write 'command:PROGRAM ARGUMENT ...'")
    try:
        process = subprocess.Popen(shlex.split(command), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise _no_key(command, error.strerror) from error
    except ValueError as error:
        raise _no_key(command, "it cannot be parsed, as where a quote is not closed") from error
    said: list[bytes] = []

    def read() -> None:
        assert process.stdout is not None
        with process.stdout as pipe:
            said.append(pipe.read(_LONGEST_KEY + 1))

    # In a thread, for what the program has started may keep the pipe open when it has ended itself.
    reading = Thread(target=read, daemon=True)
    reading.start()
    reading.join(_LONGEST_COMMAND_S)
    try:
        if not said:
            raise _no_key(command, f"it did not end within {_LONGEST_COMMAND_S:g} s")
        if len(said[0]) > _LONGEST_KEY:
            raise _no_key(command, f"it prints more than {_LONGEST_KEY} bytes")
        try:
            code = process.wait(_LONGEST_COMMAND_S)
        except subprocess.TimeoutExpired as error:
            raise _no_key(command, f"it did not end within {_LONGEST_COMMAND_S:g} s") from error
        if code:
            raise _no_key(command, f"it ended with code {code}")
        return said[0].decode()
    except UnicodeDecodeError:
        raise _no_key(command, "it prints no text") from None
    finally:
        process.kill()
        process.wait()
        reading.join(_SECONDS_TO_CLOSE)


def _no_key(command: str, reason: str | None) -> InputError:
    return InputError(f"the command {shortened(command)} gives no key: {reason}")
