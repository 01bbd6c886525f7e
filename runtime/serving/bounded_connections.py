"""Connections that ask for nothing: how many there may be, and for how long.

uvicorn waits without end for the first request of a connection, and for the rest of one that has begun; so clients that
send a byte now and then would take every connection from the others ("Slowloris").
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEADER_SECONDS = 10.0
"""Until the headers of a request have come: from the beginning of the connection, or from a later one's first byte."""

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 5\r\nconnection: close\r\n"
    b'content-length: 74\r\n\r\n{"error":{"message":"too many connections are open","kind":"connections"}}'
)


def bounded_connections(most: int) -> type[asyncio.Protocol]:
    """uvicorn's protocol of HTTP, of which at most ``most`` connections are open at once."""
    usual: Any = AutoHTTPProtocol

    class BoundedConnection(usual):  # type: ignore[misc]
        """One connection, which is closed when the headers of a request do not come."""

        _headers_due: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            if len(self.connections) > most:
                transport.write(_FULL)
                transport.close()
            else:
                self._expect_headers()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            # Another protocol has it where it became a WebSocket.
            asks = self.cycle is not None and not self.cycle.response_complete
            if asks or self.transport.get_protocol() is not self:
                self._expect_nothing()
            elif self._headers_due is None:
                self._expect_headers()

        def connection_lost(self, exc: Exception | None) -> None:
            self._expect_nothing()
            super().connection_lost(exc)

        def _expect_headers(self) -> None:
            self._headers_due = self.loop.call_later(HEADER_SECONDS, self.transport.close)

        def _expect_nothing(self) -> None:
            if self._headers_due is not None:
                self._headers_due.cancel()
                self._headers_due = None

    return BoundedConnection
