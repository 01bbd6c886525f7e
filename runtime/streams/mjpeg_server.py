"""The newest frame for any browser: ``multipart/x-mixed-replace``, which all show as a moving picture."""

import io
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from edgevision.core.errors import OutputError
from edgevision.runtime.streams.frame import Pixels

_BOUNDARY = "frame"
_QUALITY = 85
_SECONDS = 10.0
"""For how long a browser that takes nothing is waited for."""


class MjpegServer:
    """Serves at ``http://HOST:PORT``; who is slow misses frames. See :class:`.FrameOutput`.

    Attributes:
        address: where; of port 0 the one that was free.
    """

    def __init__(self, address: str) -> None:
        """Listen at ``address``; :class:`OutputError` where that is no such address, or is taken."""
        try:
            parts = urlsplit(address)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise OutputError(f"{address!r} is no address; an example is http://127.0.0.1:8080") from error
        if host is None or port is None or parts.path not in ("", "/"):
            raise OutputError(f"frames are served at http://HOST:PORT, as http://127.0.0.1:8080, not at {address!r}")
        self._latest = _Latest()
        try:
            self._server = _Server((host, port), _Handler)
        except OSError as error:
            raise OutputError(f"{address!r} cannot be listened at: {error.strerror or error}") from error
        self._server.latest = self._latest
        self.address = f"http://{host}:{self._server.server_address[1]}"
        Thread(target=self._server.serve_forever, name="serve", daemon=True).start()

    def write(self, pixels: Pixels, time: Fraction) -> None:
        """Show it from now on; see :class:`.FrameOutput`."""
        self._latest.show(pixels)

    def close(self) -> None:
        """End, and let all who watch go."""
        self._latest.end()
        self._server.shutdown()
        self._server.server_close()


class _Latest:
    """The newest frame as a JPEG, which is made only when somebody watches."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._pixels: Pixels | None = None
        self._number = 0
        self._jpeg: tuple[int, bytes] = (-1, b"")
        self._ended = False

    def show(self, pixels: Pixels) -> None:
        with self._changed:
            self._pixels, self._number = pixels, self._number + 1
            self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def after(self, number: int) -> tuple[int, bytes] | None:
        """The newest frame behind the one of that ``number``, waited for, and its number; ``None`` at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._number > number)
            if self._ended or self._pixels is None:
                return None
            if self._jpeg[0] != self._number:
                content = io.BytesIO()
                Image.fromarray(self._pixels).save(content, "JPEG", quality=_QUALITY)
                self._jpeg = (self._number, content.getvalue())
            return self._jpeg


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    latest: _Latest


class _Handler(BaseHTTPRequestHandler):
    timeout = _SECONDS
    server: _Server

    def do_GET(self) -> None:
        """Send frames as long as somebody takes them."""
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        number = 0
        try:
            while (latest := self.server.latest.after(number)) is not None:
                number, jpeg = latest
                head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
        except OSError:  # nobody watches any more
            return

    def log_message(self, *_: Any) -> None:
        """Who watches is nobody's business."""
