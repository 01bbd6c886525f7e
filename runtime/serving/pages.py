"""The page: static files of this package, held in memory."""

from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from edgevision.runtime.serving.refusals import RefusalError
from edgevision.runtime.serving.responses import refused

_FOLDER = Path(__file__).parent / "page"

POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; connect-src 'self' ws: wss:; object-src 'none';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a browser may load for the page, which asks nobody else for anything."""


# Not as the machine has it, on which a script may be plain text.
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webmanifest": "application/manifest+json",
}


class _File(NamedTuple):
    content: bytes
    media_type: str
    tag: str


class Pages:
    """Answers ``/`` and ``/page/NAME``."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): _file(path) for path in sorted(folder.rglob("*")) if path.is_file()
        }

    async def __call__(self, request: Request) -> Response:
        """A file, or that the browser has it already."""
        name = request.path_params.get("name", "index.html")
        file = self._files.get(name)
        if file is None:
            return refused(RefusalError(404, "page", "there is no such page"))
        headers = {"ETag": file.tag, "Cache-Control": "no-cache", "Content-Security-Policy": POLICY}
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, 200, headers, file.media_type)


def _file(path: Path) -> _File:
    content = path.read_bytes()
    kind = _MEDIA_TYPES.get(path.suffix, "application/octet-stream")
    return _File(content, kind, f'"{sha256(content).hexdigest()[:32]}"')
