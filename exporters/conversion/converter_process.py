"""A converter in a process of its own: what it needs contradicts what others need, so it may live in another
environment, and some end the process where their compiler fails.

Its program imports nothing of edgevision. Each line that it reads is a JSON list, what is to be done; the line that it
answers is ``null``, or a JSON text with what went wrong. The first line says hello.
"""

import atexit
import json
import os
import subprocess
import sys
from contextlib import suppress
from threading import Lock

from edgevision.core.errors import EdgevisionError, InputError


class ConverterProcess:
    """Started when it is first asked, as its imports take seconds, and ended with this process."""

    def __init__(self, name: str, program: str, variable: str, missing: EdgevisionError) -> None:
        """What is to be started.

        Args:
            name: of the converter, for errors.
            program: the Python file.
            variable: of the environment, which names the Python that has the converter where that is another.
            missing: raised where it does not, and this Python has none.
        """
        self._name, self._program, self._variable, self._missing = name, program, variable, missing
        self._lock = Lock()
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, unless it runs.

        Raises:
            InputError: the Python that the variable names has no such converter.
            EdgevisionError: nor has this one.
        """
        with self._lock:
            self._started()

    def ask(self, *request: object) -> None:
        """Have something done; :class:`InputError` with its reason where it cannot be."""
        with self._lock:
            process = self._started()
            assert process.stdin is not None
            try:
                process.stdin.write(json.dumps(request) + "\n")
                process.stdin.flush()
            except BrokenPipeError as error:
                self.close()
                raise InputError(f"{self._name} has ended by itself") from error
            reason = json.loads(self._answer(process))
        if reason is not None:
            raise InputError(f"{self._name} cannot convert this model: {reason}")

    def close(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            # What it has not read any more is flushed while its pipe is closed.
            with suppress(BrokenPipeError), process:
                pass

    def _started(self) -> subprocess.Popen[str]:
        if self._process is not None:
            return self._process
        given = os.environ.get(self._variable)
        # -I: a Python of its own finds its own packages, whatever is set for this one.
        command = [given or sys.executable, *(["-I"] if given else []), self._program]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            self._answer(self._process)
        except (OSError, InputError) as error:
            if given:
                raise InputError(f"{self._variable} is {given!r}, which has no {self._name}: {error}") from error
            raise self._missing from error
        atexit.register(self.close)
        return self._process

    def _answer(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            self.close()
            raise InputError(f"{self._name} has ended by itself, with {process.returncode}")
        return line
