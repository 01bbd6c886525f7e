"""What goes back: answers with where they were made and how long it took, and refusals."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from edgevision.imaging.picture_formats import PictureFormat
from edgevision.runtime.serving.refusals import RefusalError
from edgevision.runtime.serving.served_model import Answered, ServedModel


def json_response(document: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A document."""
    content = json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    return Response(content, status, {"Cache-Control": "no-store", **(headers or {})}, "application/json")


def refused(refusal: RefusalError) -> Response:
    """Why there is no answer."""
    return json_response(refusal.document(), refusal.status, refusal.headers)


def answer_response(answered: Answered, model: ServedModel, kind: PictureFormat | None) -> Response:
    """The document where one was asked for, else the picture."""
    milliseconds = (f"{name};dur={1e3 * value:.2f}" for name, value in answered.timings._asdict().items())
    headers = {
        "X-Edgevision-Model": model.offered.name,
        "X-Edgevision-Provider": model.placement,
        "Server-Timing": ", ".join(milliseconds),
        "Cache-Control": "no-store",
    }
    if answered.document is not None:
        return Response(answered.document, 200, headers, "application/json")
    assert kind is not None
    return Response(answered.picture, 200, headers, media_type(kind))


def media_type(kind: PictureFormat) -> str:
    """As ``image/png``."""
    return f"image/{kind.kind.lower()}"
