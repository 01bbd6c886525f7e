"""What the server can be asked, as OpenAPI 3.1 and as a page for people; both from the tasks' own declarations."""

from html import escape
from typing import Any

from edgevision import __version__
from edgevision.core.html_page import html_page, html_table
from edgevision.runtime.serving.catalogue import Catalogue, OfferedTask
from edgevision.runtime.serving.declared_options import DeclaredOption

_ERRORS = {
    400: "The form is damaged.",
    401: "A token is needed.",
    413: "Too many bytes or pixels.",
    415: "No form, or a picture in a format that is not read.",
    422: "A wrong option, or a picture that is damaged.",
    429: "Too many requests wait; Retry-After says when to come again.",
    503: "The device failed, memory is short, or the time is over.",
}

_READ = {
    "/v1/models": "The models by name, with what they are for and bad at.",
    "/v1/models/{name}": "What a model says of itself, and its card.",
    "/v1/tasks": "The tasks, with the files and options that they take.",
    "/healthz": "Whether the server lives.",
    "/readyz": "Whether it is ready for requests.",
    "/metrics": "Figures for Prometheus.",
}


def openapi(catalogue: Catalogue) -> dict[str, Any]:
    """The document that describes every address."""
    paths: dict[str, Any] = {}
    for address, summary in _READ.items():
        kind = "text/plain" if address == "/metrics" else "application/json"
        operation: dict[str, Any] = {"summary": summary, "responses": {"200": _response("OK", kind)}}
        if "{name}" in address:
            operation["parameters"] = [
                {"name": "name", "in": "path", "required": True, "schema": {"enum": list(catalogue.models)}}
            ]
        paths[address] = {"get": operation}
    for name, offered in catalogue.tasks.items():
        paths[f"/v1/run/{name}"] = {"post": _run(catalogue, offered)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "edgevision", "version": __version__, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"token": []}],
    }


def docs_page(catalogue: Catalogue, address: str) -> str:
    """The same for people, without scripts; ``address`` is how they reached the server."""
    parts = ["<h1>edgevision serve</h1><p>For programs it is <a href=/openapi.json>here as OpenAPI</a>.</p>"]
    parts.append(html_table(("Address", ""), [(f"<code>{path}</code>", escape(text)) for path, text in _READ.items()]))
    for name, offered in catalogue.tasks.items():
        parts.append(f"<h2>{escape(name)}: {escape(offered.title)}</h2>")
        parts.append(f"<pre class=scroll>{escape(_curl(offered, address))}</pre>")
        models = ", ".join(model.name for model in catalogue.models.values() if model.metadata.task == name)
        rows = [("<code>model</code>", "one of these", escape(models))] if models else []
        rows += [_row(option) for option in offered.options.values()]
        parts.append(html_table(("Option", "", ""), rows))
        if offered.served.inputs == ("image",):
            parts.append(f"<p>Frame by frame: WebSocket <code>/v1/stream/{escape(name)}?option=value</code></p>")
    parts.append('<h2>Refusals</h2><p>They are {"error": {"message": ..., "kind": ...}}.</p>')
    parts.append(html_table(("Status", ""), [(str(status), escape(text)) for status, text in _ERRORS.items()]))
    return html_page("edgevision serve", parts)


def _run(catalogue: Catalogue, offered: OfferedTask) -> dict[str, Any]:
    served = offered.served
    files = {name: {"type": "string", "contentMediaType": "application/octet-stream"} for name in served.inputs}
    models = [model.name for model in catalogue.models.values() if model.metadata.task == offered.name]
    fields = {option.name: _schema(option) for option in offered.options.values()}
    schema = {
        "type": "object",
        "properties": files | ({"model": {"enum": models}} if models else {}) | fields,
        "required": list(served.inputs[:1]),
    }
    content: dict[str, Any] = {"application/json": {}}
    content |= {} if served.answer_kind == "json" else {"image/*": {}}
    return {
        "summary": offered.title,
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}},
        "responses": {"200": {"description": "The answer.", "content": content}}
        | {str(status): _response(text, "application/json") for status, text in _ERRORS.items()},
    }


def _response(text: str, kind: str) -> dict[str, Any]:
    return {"description": text, "content": {kind: {}}}


def _schema(option: DeclaredOption) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": option.type_name, "description": option.help}
    if option.several:
        schema["items"] = {"type": "string"}
    if option.choices is not None:
        schema["enum"] = option.choices
    limits = {"minimum": option.minimum, "maximum": option.maximum}
    schema |= {name: limit for name, limit in limits.items() if limit is not None}
    if option.default is not None:
        schema["default"] = option.to_dict()["default"]
    return schema


def _curl(offered: OfferedTask, address: str) -> str:
    served = offered.served
    needed = [name for name in served.inputs if name not in served.optional]
    files = "".join(f" -F {name}=@{name}{'' if name in served.clips else '.png'}" for name in needed)
    ending = {"json": "", "file": " -o answer.evc"}
    answer = ending.get(served.answer_kind, " -o answer.png")
    return f"curl{files or ' -F seed=7'} {address}/v1/run/{offered.name}{answer}"


def _row(option: DeclaredOption) -> tuple[str, str, str]:
    kind = " | ".join(option.choices) if option.choices else option.type_name
    default = option.shown_default or ("" if option.default in (None, ()) else f"{option.to_dict()['default']}")
    text = option.help + (f" Default: {default}." if default else "")
    return f"<code>{escape(option.name)}</code>", escape(kind), escape(text)
