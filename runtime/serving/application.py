"""The application: which address leads where, and what is started and ended with it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope, Send

from edgevision.runtime.serving.access import Access, Application
from edgevision.runtime.serving.catalogue import Catalogue
from edgevision.runtime.serving.description import docs_page, openapi
from edgevision.runtime.serving.metrics import Metrics
from edgevision.runtime.serving.model_store import ModelStore
from edgevision.runtime.serving.pages import Pages
from edgevision.runtime.serving.refusals import RefusalError, wrong_method
from edgevision.runtime.serving.responses import json_response, refused
from edgevision.runtime.serving.run_endpoint import RUN, RunEndpoint
from edgevision.runtime.serving.settings import ServerSettings
from edgevision.runtime.serving.stream_endpoint import StreamEndpoint

_EXPOSED = ("X-Edgevision-Model", "X-Edgevision-Provider", "Server-Timing", "Retry-After")


def make_application(
    catalogue: Catalogue, settings: ServerSettings, give_up: Callable[[Exception], None]
) -> Application:
    """The ASGI application that serves ``catalogue``.

    Models that were named are opened before it is ready; of those that ship each is when it is first asked for.
    ``give_up`` is called with the error where one that was named cannot be opened.
    """
    metrics = Metrics()
    store = ModelStore(catalogue, settings, metrics)
    run = RunEndpoint(catalogue, store, settings, metrics)
    stream = StreamEndpoint(catalogue, store, settings, run)
    ready = asyncio.Event()

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        tidying = asyncio.create_task(store.keep_tidy())
        opening = asyncio.create_task(_open_named(catalogue if settings.models else None, store, ready, give_up))
        try:
            yield
        finally:
            for task in (tidying, opening):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await store.close()

    application = FastAPI(lifespan=life, openapi_url=None, docs_url=None, redoc_url=None)
    description = openapi(catalogue)

    async def models(request: Request) -> Response:
        return json_response({"models": [model.to_dict() for model in catalogue.models.values()]})

    async def model(request: Request) -> Response:
        try:
            offered = catalogue.model(request.path_params["name"])
        except RefusalError as refusal:
            return refused(refusal)
        own = {"metadata": offered.metadata.to_dict(), "card": "\n\n".join(offered.card)}
        return json_response(offered.to_dict() | own)

    async def tasks(request: Request) -> Response:
        return json_response({"tasks": [task.to_dict() for task in catalogue.tasks.values()]})

    async def healthy(request: Request) -> Response:
        return json_response({"status": "alive"})

    async def is_ready(request: Request) -> Response:
        if ready.is_set():
            return json_response({"status": "ready"})
        return json_response({"status": "opening models"}, 503, {"Retry-After": "1"})

    async def figures(request: Request) -> Response:
        return Response(metrics.text(), 200, {"Cache-Control": "no-store"}, "text/plain; version=0.0.4; charset=utf-8")

    async def docs(request: Request) -> Response:
        return HTMLResponse(docs_page(catalogue, str(request.base_url).rstrip("/")), 200, {"Cache-Control": "no-cache"})

    async def openapi_document(request: Request) -> Response:
        return json_response(description)

    async def not_found(request: Request, error: Exception) -> Response:
        return refused(RefusalError(404, "address", "nothing is at this address; /docs says what there is"))

    async def other_method(request: Request, error: Any) -> Response:
        return refused(wrong_method(error.headers["Allow"]))

    application.router.routes.append(WebSocketRoute("/v1/stream/{task}", _stream_function(stream)))
    pages = Pages()
    for address, answer in (
        ("/", pages),
        ("/page/{name:path}", pages),
        ("/v1/models", models),
        ("/v1/models/{name}", model),
        ("/v1/tasks", tasks),
        ("/healthz", healthy),
        ("/readyz", is_ready),
        ("/metrics", figures),
        ("/docs", docs),
        ("/openapi.json", openapi_document),
    ):
        application.add_route(address, _function(answer), methods=["GET"])
    application.add_exception_handler(404, not_found)
    application.add_exception_handler(405, other_method)

    async def dispatched(scope: Scope, receive: Receive, send: Send) -> None:
        runs = scope["type"] == "http" and scope["path"].startswith(RUN)
        await (run if runs else application)(scope, receive, send)

    if not settings.origins:
        return Access(dispatched, settings)
    shared = CORSMiddleware(
        dispatched,
        allow_origins=list(settings.origins),
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization"],
        expose_headers=list(_EXPOSED),
    )
    return Access(shared, settings)


async def _open_named(
    catalogue: Catalogue | None, store: ModelStore, ready: asyncio.Event, give_up: Callable[[Exception], None]
) -> None:
    try:
        for name in catalogue.models if catalogue is not None else ():
            await store.opened(name)
    except Exception as error:
        give_up(error)
    else:
        ready.set()


def _function(answer: Any) -> Any:
    """Starlette takes an object that is called for an application of its own, and a function for an endpoint."""

    async def endpoint(request: Request) -> Response:
        response: Response = await answer(request)
        return response

    return endpoint


def _stream_function(answer: StreamEndpoint) -> Any:
    async def endpoint(socket: Any) -> None:
        await answer(socket)

    return endpoint
