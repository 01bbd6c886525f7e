"""``WS /v1/stream/{task}``: encoded frames in, an answer to each out, and of those that wait only the newest."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from edgevision.imaging.picture_formats import JPEG, PictureFormat
from edgevision.runtime.serving.catalogue import Catalogue, OfferedTask
from edgevision.runtime.serving.declared_options import option_values
from edgevision.runtime.serving.model_store import ModelStore
from edgevision.runtime.serving.refusals import RefusalError, refusal_of
from edgevision.runtime.serving.run_endpoint import RunEndpoint
from edgevision.runtime.serving.settings import ServerSettings
from edgevision.runtime.tasks.served import Inputs

_REFUSED = 4000
"""Plus the status of HTTP: what a WebSocket is closed with."""


class StreamEndpoint:
    """Answers streams for all tasks that take one picture."""

    def __init__(self, catalogue: Catalogue, store: ModelStore, settings: ServerSettings, run: RunEndpoint) -> None:
        self._catalogue = catalogue
        self._store = store
        self._settings = settings
        self._run = run

    async def __call__(self, socket: WebSocket) -> None:
        """Serve one stream to its end.

        A message from the client is a frame. It is answered by a document, or by a picture for a task that makes
        pictures, and for the others with ``answer=picture``. A frame that fails is answered by its error.
        """
        offered_protocols: Sequence[str] = socket.scope.get("subprotocols", ())
        await socket.accept("bearer" if "bearer" in offered_protocols else None)
        try:
            offered = self._catalogue.task(socket.path_params["task"])
            if offered.served.inputs != ("image",):
                raise RefusalError(422, "task", f"{offered.name} takes no stream: it needs more than a picture")
            given: dict[str, list[Any]] = {name: socket.query_params.getlist(name) for name in socket.query_params}
            model, wanted = (given.pop(name, [None])[-1] for name in ("model", "answer"))
            values = option_values(offered.options, given)
            name = self._catalogue.answering(offered.name, model).name
            await self._answer_frames(socket, offered, name, values, picture=_is_picture(offered, wanted))
        except WebSocketDisconnect:
            pass
        except Exception as error:
            refusal = refusal_of(error)
            await socket.close(_REFUSED + refusal.status, str(refusal).encode()[:120].decode(errors="ignore"))

    async def _answer_frames(
        self, socket: WebSocket, offered: OfferedTask, model: str, values: Mapping[str, Any], *, picture: bool
    ) -> None:
        newest = _Newest()
        reading = asyncio.ensure_future(self._read_frames(socket, newest))
        try:
            while True:
                taking = asyncio.ensure_future(newest.take())
                await asyncio.wait({taking, reading}, return_when=asyncio.FIRST_COMPLETED)
                if not taking.done():
                    taking.cancel()
                    reading.result()
                    return
                number, frame = taking.result()
                await self._answer(socket, offered, model, values, frame, number, JPEG if picture else None)
        finally:
            reading.cancel()

    async def _read_frames(self, socket: WebSocket, newest: "_Newest") -> None:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1000))
            frame = message.get("bytes")
            if frame is None:
                raise RefusalError(422, "frame", "a frame is a binary message: the bytes of a JPEG or PNG file")
            if len(frame) > self._settings.max_bytes:
                raise RefusalError(413, "bytes", f"a frame has at most {self._settings.max_bytes >> 20} MB")
            newest.put(frame)

    async def _answer(
        self,
        socket: WebSocket,
        offered: OfferedTask,
        model_name: str,
        values: Mapping[str, Any],
        frame: bytes,
        number: int,
        kind: PictureFormat | None,
    ) -> None:
        admission = self._store.admissions[offered.name]
        try:
            admission.enter()
            try:
                model = await self._store.model(model_name)
                inputs = Inputs({"image": frame}, f"frame {number}")
                waiting = self._run.waiting(inputs, values, kind, document=kind is None)
                answered = await self._run.answered(waiting, model)
            finally:
                admission.leave()
        except Exception as error:
            await socket.send_text(json.dumps(refusal_of(error).document() | {"frame": number}))
            return
        if answered.document is not None:
            await socket.send_text(f'{{"frame":{number},{answered.document[1:].decode()}')
        elif answered.picture is not None:
            await socket.send_bytes(answered.picture)


class _Newest:
    """The frame that came last, and which one it is; those before it that nobody took are gone."""

    def __init__(self) -> None:
        self._frame: bytes | None = None
        self._number = -1
        self._there = asyncio.Event()

    def put(self, frame: bytes) -> None:
        self._frame, self._number = frame, self._number + 1
        self._there.set()

    async def take(self) -> tuple[int, bytes]:
        await self._there.wait()
        self._there.clear()
        frame, self._frame = self._frame, None
        assert frame is not None
        return self._number, frame


def _is_picture(offered: OfferedTask, wanted: str | None) -> bool:
    kind = offered.served.answer_kind
    if wanted not in (None, "picture", "json"):
        raise RefusalError(422, "option", f"answer is picture or json, not {wanted[:60]!r}")
    if wanted is not None and kind not in ("both", wanted):
        raise RefusalError(422, "option", f"{offered.name} answers with {kind} only")
    return kind in ("picture", "file") or wanted == "picture"
