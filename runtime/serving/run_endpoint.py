"""``POST /v1/run/{task}``: a form with files and options in, a picture or a document out."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from edgevision.core.errors import ImageError
from edgevision.imaging.picture_formats import PictureFormat, format_of_content
from edgevision.runtime.serving.catalogue import Catalogue, OfferedTask
from edgevision.runtime.serving.declared_options import option_values
from edgevision.runtime.serving.metrics import Metrics
from edgevision.runtime.serving.model_store import ModelStore
from edgevision.runtime.serving.multipart import Form, parse_form
from edgevision.runtime.serving.refusals import FAULT, RefusalError, refusal_of, wrong_method
from edgevision.runtime.serving.request_queue import Admission, Waiting
from edgevision.runtime.serving.responses import answer_response, media_type, refused
from edgevision.runtime.serving.served_model import Answered, ServedModel
from edgevision.runtime.serving.settings import ServerSettings
from edgevision.runtime.tasks.served import Inputs

_log = logging.getLogger(__name__)

RUN = "/v1/run/"
"""What the address of a task begins with."""

_BEGINNING = 4096
_GONE = 499
"""The status, known from nginx, under which requests are counted whose client did not wait."""

_LONGEST_SILENCE = 10.0
"""Seconds from one part of a body to the next."""

_SECONDS_TO_WATCH_AFTER = 0.05
"""How long a request waits until it is seen whether its client has gone: what is quicker needs no look-out."""

_JSON = "application/json"

_CLOSING = {"Connection": "close"}
"""With a request whose rest is not read."""


class RunEndpoint:
    """Answers requests for all tasks."""

    def __init__(self, catalogue: Catalogue, store: ModelStore, settings: ServerSettings, metrics: Metrics) -> None:
        self._catalogue = catalogue
        self._store = store
        self._settings = settings
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request below :data:`RUN`, as an application: every layer of a framework would take its time."""
        if scope["method"] == "POST":
            response = await self._response(Request(scope, receive), scope["path"].removeprefix(RUN))
        else:
            response = refused(wrong_method("POST"))
        await response(scope, receive, send)

    async def _response(self, request: Request, name: str) -> Response:
        """The answer to one request, or why there is none."""
        began = time.monotonic()
        status = _GONE
        try:
            offered = self._catalogue.task(name)
            response = await self._admitted(request, offered, self._store.admissions[name])
            status = response.status_code
        except ClientDisconnect:
            response = Response(status_code=_GONE)
        except Exception as error:
            refusal = refusal_of(error)
            response, status = refused(refusal), refusal.status
            if status == FAULT and not isinstance(error, RefusalError):
                _log.exception("a request failed")
        finally:
            self._metrics.ended(name if name in self._catalogue.tasks else "unknown", status, time.monotonic() - began)
        return response

    async def _admitted(self, request: Request, offered: OfferedTask, admission: Admission) -> Response:
        admission.enter()
        try:
            self._metrics.open_requests(offered.name, admission.open)
            admission.coming += 1
            try:
                form = parse_form(request.headers.get("content-type", ""), await self._body(request))
                given = form.fields.pop("model", [])
                name = given[-1] if given else request.query_params.get("model")
                model = await self._store.model(self._catalogue.answering(offered.name, name).name)
                waiting = self._waiting(form, offered, request.headers.get("accept", ""))
            finally:
                admission.coming -= 1
            answered = await self.answered(waiting, model, request)
            return answer_response(answered, model, waiting.kind)
        finally:
            admission.leave()
            self._metrics.open_requests(offered.name, admission.open)

    async def _body(self, request: Request) -> bytes:
        most = self._settings.max_bytes
        announced = request.headers.get("content-length", "0")
        parts: list[bytes] = []
        size = int(announced) if announced.isdecimal() and len(announced) < 20 else 0
        if size <= most:
            size = 0
            try:
                clock = asyncio.get_running_loop().time
                last = clock() + self._settings.timeout
                async with asyncio.timeout_at(min(last, clock() + _LONGEST_SILENCE)) as due:
                    async for part in request.stream():
                        size += len(part)
                        if size > most:
                            break
                        parts.append(part)
                        due.reschedule(min(last, clock() + _LONGEST_SILENCE))
            except TimeoutError:
                # Else a few clients that send nothing would keep every place.
                raise RefusalError(
                    408,
                    "slow",
                    f"the request did not arrive: it has {self._settings.timeout:g} s in all, and"
                    f" {_LONGEST_SILENCE:g} s from one part of it to the next",
                    _CLOSING,
                ) from None
        if size > most:
            raise RefusalError(413, "bytes", f"a request has at most {most >> 20} MB", _CLOSING)
        return b"".join(parts)

    def _waiting(self, form: Form, offered: OfferedTask, accept: str) -> Waiting:
        """The request as it waits for its model, all of it checked that can be before its pictures are decoded."""
        values = option_values(offered.options, form.fields)
        served = offered.served
        for name in form.files:
            if name not in served.inputs:
                known = ", ".join(served.inputs) or "no files"
                raise RefusalError(422, "file", f"{offered.name} takes {known}, and no file {name[:60]!r}")
        if served.inputs and served.inputs[0] not in form.files:
            raise RefusalError(
                422,
                "file",
                f"the file {served.inputs[0]!r} is missing: a part of the form with that name and a filename",
            )
        names = [upload.name for upload in form.files.values()]
        inputs = Inputs({name: upload.content for name, upload in form.files.items()}, *names[:1])
        pictures = [form.files[name] for name in served.inputs if name in form.files and name not in served.clips]
        source = [_format(upload.content, upload.name) for upload in pictures][:1]
        transparent = served.transparent(values, form.files)
        kind, document = _negotiated(offered, values, source, accept, transparent=transparent)
        return self.waiting(inputs, values, kind, document=document)

    def waiting(
        self, inputs: Inputs, values: Mapping[str, Any], kind: PictureFormat | None, *, document: bool
    ) -> Waiting:
        """A request that waits from now on."""
        loop = asyncio.get_running_loop()
        return Waiting(
            inputs=inputs,
            values=values,
            group=repr(values),
            kind=kind,
            document=document,
            deadline=time.monotonic() + self._settings.timeout,
            loop=loop,
            future=loop.create_future(),
        )

    async def answered(self, waiting: Waiting, model: ServedModel, request: Request | None = None) -> Answered:
        """The answer of ``model``; nothing more is done for it when the client has gone or the time is over.

        Raises:
            RefusalError: there is none.
            ClientDisconnect: nobody waits for it.
        """
        model.queue.put(waiting)
        gone = None
        try:
            await asyncio.wait((waiting.future,), timeout=min(_SECONDS_TO_WATCH_AFTER, self._settings.timeout))
            if not waiting.future.done():
                waits: set[asyncio.Future[Any]] = {waiting.future}
                if request is not None:
                    gone = asyncio.ensure_future(_gone(request))
                    waits.add(gone)
                await asyncio.wait(
                    waits, timeout=waiting.deadline - time.monotonic(), return_when=asyncio.FIRST_COMPLETED
                )
            if waiting.future.done():
                return waiting.future.result()  # type: ignore[no-any-return]
            if gone is not None and gone.done():
                raise ClientDisconnect
            raise RefusalError(503, "timeout", f"there was no answer within {self._settings.timeout:g} s")
        finally:
            waiting.cancelled.set()
            waiting.future.cancel()
            if gone is not None:
                gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _format(content: bytes, name: str) -> PictureFormat:
    try:
        return format_of_content(content[:_BEGINNING], name)
    except ImageError as error:
        raise RefusalError(415, "format", str(error)) from error


def _negotiated(
    offered: OfferedTask, values: Mapping[str, Any], source: Sequence[PictureFormat], accept: str, *, transparent: bool
) -> tuple[PictureFormat | None, bool]:
    """In which format a picture is to be answered, if at all, and whether a document is."""
    served = offered.served
    if served.answer_kind == "json":
        return None, True
    accepted = accept.lower()
    alike = () if served.answer_kind == "file" else (kind for kind in source if kind.written)
    formats = (*alike, *served.formats(values))
    possible = [kind for kind in formats if kind.alpha or not transparent]
    wanted = next((kind for kind in possible if media_type(kind) in accepted), None)
    document = _JSON in accepted
    if document and served.answer_kind == "both" and wanted is None:
        return None, True
    return wanted or possible[0], document
