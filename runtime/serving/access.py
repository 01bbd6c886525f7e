"""Who may ask: before anything else looks at a request."""

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from edgevision.runtime.serving.refusals import RefusalError
from edgevision.runtime.serving.responses import refused
from edgevision.runtime.serving.settings import LOOPBACK, ServerSettings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_GUARDED = ("/v1/", "/metrics")
"""What needs the token; the page itself and the checks of health tell nothing."""


class Access:
    """Refuses who has no token, what other servers' pages ask, and names that lead here by a trick.

    A browser sends requests to this machine for any page that it shows: CORS keeps the answers from that page, but
    neither the work nor WebSockets, so a foreign Origin is refused itself; and a name of somebody else's that suddenly
    leads to 127.0.0.1 (DNS rebinding) would make it the same origin, so only names of this machine are answered to.
    """

    def __init__(self, application: Application, settings: ServerSettings) -> None:
        self._application = application
        self._token = None if settings.token is None else settings.token.encode()
        self._origins = settings.origins
        self._scheme = "http" if settings.certificate is None else "https"
        local = settings.host in LOOPBACK and settings.token is None
        self._hosts = {*LOOPBACK, settings.host} if local else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or a WebSocket, if it may be."""
        if scope["type"] in ("http", "websocket"):
            try:
                self._check(scope)
            except RefusalError as refusal:
                if scope["type"] == "websocket":
                    await receive()
                    await send({"type": "websocket.close", "code": 4000 + refusal.status, "reason": str(refusal)[:100]})
                else:
                    await refused(refusal)(scope, receive, send)
                return
        await self._application(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        if self._hosts is not None and _without_port(host) not in self._hosts:
            raise RefusalError(403, "host", "this server answers to names of this machine only, as 127.0.0.1")
        origin = headers.get(b"origin")
        if origin is not None and origin not in (f"{self._scheme}://{host}", *self._origins):
            raise RefusalError(403, "origin", "a page of another server asks, which --allow-origin would have to name")
        if self._token is not None and scope["path"].startswith(_GUARDED) and scope.get("method") != "OPTIONS":
            given = _bearer(headers, scope)
            if not hmac.compare_digest(given.encode(), self._token):
                raise RefusalError(
                    401, "token", "this needs the header Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"}
                )


def _bearer(headers: MutableMapping[bytes, str], scope: Scope) -> str:
    """The token of a request; of a WebSocket, which browsers send no headers with, the protocol behind ``bearer``."""
    scheme, _, token = headers.get(b"authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    offered = [str(name) for name in scope.get("subprotocols", ())]
    return offered[1] if len(offered) == 2 and offered[0] == "bearer" else ""


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host
