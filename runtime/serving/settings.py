"""How a server behaves, as its command line says."""

from dataclasses import dataclass
from pathlib import Path

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Names under which a machine reaches itself, and nobody else does."""


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """What does not change while a server runs; it goes to every worker.

    Attributes:
        models: the files to serve; none stands for all that ship.
        device, threads, allow_fallback: what models are loaded on, as everywhere.
        host, port: where to listen; of port 0 one that is free.
        token: what every request has to bring along; ``None`` where none has to.
        origins: pages of which other servers may ask.
        max_bytes: of a request's body.
        max_pixels: of a picture that is sent or would be made.
        max_batch: how many requests go through a network together at most.
        max_wait: for how many seconds a batch waits for those that are on their way.
        queue: how many requests may be open at once for a task.
        connections: how many may be open at once, in each process.
        timeout: seconds after which a request is given up.
        idle_unload: seconds after which a model that nobody asks is closed; ``None`` for never.
        memory: bytes of resident memory above which models are closed that wait; ``None`` without limit.
        workers: processes that share the port.
        certificate, key: files in PEM, for TLS.
    """

    models: tuple[Path, ...] = ()
    device: str = "cpu"
    threads: int | None = None
    allow_fallback: bool = False
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    origins: tuple[str, ...] = ()
    max_bytes: int = 32 << 20
    max_pixels: int = 50_000_000
    max_batch: int = 8
    max_wait: float = 0.005
    queue: int = 64
    connections: int = 512
    timeout: float = 120.0
    idle_unload: float | None = None
    memory: int | None = None
    workers: int = 1
    certificate: Path | None = None
    key: Path | None = None
