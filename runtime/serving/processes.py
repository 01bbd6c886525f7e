"""The processes of a server: this one, or several workers on one port, each of which may die without the others."""

import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn
from PIL import Image

from edgevision.core.errors import EdgevisionError, ModelFileError, OutputError
from edgevision.runtime.serving.catalogue import Catalogue, open_catalogue
from edgevision.runtime.serving.settings import ServerSettings

_log = logging.getLogger(__name__)

_WAITING_CONNECTIONS = 512
_SECONDS_TO_FINISH = 30
"""For what runs when the server is told to end; then it ends all the same."""

_CANNOT_SERVE = 78
"""How a worker ends whose successor would fail alike; EX_CONFIG of sysexits."""

_SECONDS_BETWEEN_STARTS = 1.0
"""Of a worker that dies at once, which would be started without end."""


def listening_socket(settings: ServerSettings) -> socket.socket:
    """A socket at the host and port; :class:`OutputError` where nothing can listen there."""
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((settings.host, settings.port), family=family, backlog=_WAITING_CONNECTIONS)
    except OSError as error:
        raise OutputError(
            f"{settings.host}:{settings.port} cannot be listened at: {error.strerror or error}; choose another --port"
        ) from error


def serve_here(listener: socket.socket, settings: ServerSettings, catalogue: Catalogue) -> None:
    """Serve in this process until a signal says to end; what runs then is finished first.

    Raises:
        ModelFileError, DeviceError: a model that was named cannot be opened.
    """
    failures: list[Exception] = []

    def give_up(error: Exception) -> None:
        failures.append(error)
        running.should_exit = True

    running = make_server(settings, catalogue, give_up)
    running.run(sockets=[listener])
    if failures:
        raise failures[0]


def make_server(settings: ServerSettings, catalogue: Catalogue, give_up: Callable[[Exception], None]) -> uvicorn.Server:
    """A server that is not running yet."""
    from edgevision.runtime.serving.application import make_application
    from edgevision.runtime.serving.bounded_connections import bounded_connections

    # Of all that this process decodes, whatever asks for it: Pillow reads twice this, and warns from it on.
    Image.MAX_IMAGE_PIXELS = settings.max_pixels // 2
    config = uvicorn.Config(
        make_application(catalogue, settings, give_up),
        http=bounded_connections(settings.connections),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws_max_size=settings.max_bytes,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=_SECONDS_TO_FINISH,
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.key,
    )
    return uvicorn.Server(config)


def serve_by_workers(listener: socket.socket, settings: ServerSettings) -> None:
    """Keep so many workers alive as the settings say, until a signal says to end.

    They accept from the same socket: a connection goes to whichever is free, and one that dies is replaced.
    """
    with TemporaryDirectory(prefix="edgevision-serve-") as folder:
        # Read by what is imported in the workers.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        workers: list[SpawnProcess] = []
        try:
            while True:
                workers += [_start(listener, settings) for _ in range(settings.workers - len(workers))]
                began = time.monotonic()
                wait([worker.sentinel for worker in workers])
                for worker in [worker for worker in workers if not worker.is_alive()]:
                    workers.remove(worker)
                    if worker.exitcode == _CANNOT_SERVE:
                        raise ModelFileError("a worker cannot open what it is to serve, as it says above")
                    _log.warning("a worker ended (%s); another takes its place", _ending(worker.exitcode))
                    _forget(worker)
                time.sleep(max(0.0, _SECONDS_BETWEEN_STARTS - (time.monotonic() - began)))
        finally:
            del os.environ["PROMETHEUS_MULTIPROC_DIR"]
            _end(workers)


def _start(listener: socket.socket, settings: ServerSettings) -> SpawnProcess:
    worker = multiprocessing.get_context("spawn").Process(
        target=_work, args=(listener, settings, logging.getLogger("edgevision").level), name="edgevision worker"
    )
    worker.start()
    return worker


def _work(listener: socket.socket, settings: ServerSettings, log_level: int) -> None:
    """The life of a worker."""
    logging.getLogger("edgevision").addHandler(logging.StreamHandler())
    logging.getLogger("edgevision").setLevel(log_level)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        serve_here(listener, settings, open_catalogue(settings.models))
    except KeyboardInterrupt:
        sys.exit(0)
    except EdgevisionError as error:
        _log.error("%s", error)
        sys.exit(_CANNOT_SERVE)


def _end_with_parent() -> None:
    parent: Any = multiprocessing.parent_process()
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _end(workers: list[SpawnProcess]) -> None:
    for worker in workers:
        worker.terminate()
    deadline = time.monotonic() + _SECONDS_TO_FINISH + 5
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))
        if worker.is_alive():
            worker.kill()
            worker.join()


def _forget(worker: SpawnProcess) -> None:
    """What is told of living processes only is not told of that one any more."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def _ending(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
