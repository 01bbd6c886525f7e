"""A server in a process of its own, as a user starts it, and a client of few lines."""

import http.client
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, NamedTuple

import pytest

# Without the extra, as on a board that only runs models.
collect_ignore_glob = [] if find_spec("uvicorn") else ["test_*.py"]

BOUNDARY = "a-boundary"


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        return self.json["error"]


class Client:
    """Asks a server at a port of this machine."""

    def __init__(self, port: int, process: "subprocess.Popen[str]") -> None:
        self.port = port
        self.process = process

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, headers=headers)

    def run(self, task: str, files: Mapping[str, Any], *, accept: str = "*/*", **options: Any) -> Reply:
        """A file is its bytes, or (name, bytes); an underscore in an option is a dash."""
        return self.ask("POST", f"/v1/run/{task}", form(files, **options), {"Accept": accept} | FORM)


FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def form(files: Mapping[str, Any], **options: Any) -> bytes:
    parts = []
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            head = f'Content-Disposition: form-data; name="{name.replace("_", "-")}"'
            parts.append(f"--{BOUNDARY}\r\n{head}\r\n\r\n{one}\r\n".encode())
    for name, file in files.items():
        called, content = file if isinstance(file, tuple) else (f"{name}.png", file)
        head = f'Content-Disposition: form-data; name="{name}"; filename="{called}"\r\nContent-Type: image/png'
        parts.append(f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + content + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


@contextmanager
def serving(*arguments: str) -> Iterator[Client]:
    """A server with those arguments, at a port that was free."""
    command = [sys.executable, "-m", "edgevision", "serve", "--port", "0", "--threads", "1", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        said = process.stderr.readline()
        found = re.search(r":(\d+) ", said)
        assert found is not None, said + process.stderr.read()
        yield Client(int(found[1]), process)
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def server() -> Iterator[Client]:
    """One with all models that ship."""
    with serving() as client:
        yield client
