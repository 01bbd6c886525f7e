"""Why a request gets no answer, as a status of HTTP and a document that names the kind and says what to do."""

from collections.abc import Mapping

from edgevision.core.errors import (
    DeviceMemoryError,
    EdgevisionError,
    ImageError,
    InputError,
    MissingExtraError,
    NotFiniteError,
    TooLargeError,
)

FAULT = 500
"""The status of what is our own fault, and is in the log with its traceback."""


class RefusalError(Exception):
    """A request that is not answered.

    Attributes:
        status: of HTTP.
        kind: one word for programs, as ``"option"``.
        headers: of the response.
    """

    def __init__(self, status: int, kind: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.headers = dict(headers or {})

    def document(self) -> dict[str, dict[str, str]]:
        """What the client gets."""
        return {"error": {"message": str(self), "kind": self.kind}}


def wrong_method(allowed: str) -> RefusalError:
    """The refusal of a request with another method of HTTP than the ``allowed`` ones."""
    return RefusalError(405, "method", "this address is asked in another way; /docs says how", {"Allow": allowed})


def refusal_of(error: Exception) -> RefusalError:
    """The refusal for what went wrong while a request was answered; what is our own fault names no details."""
    if isinstance(error, RefusalError):
        return error
    if isinstance(error, TooLargeError):
        return RefusalError(413, "pixels", str(error))
    if isinstance(error, ImageError):
        return RefusalError(422, "picture", str(error))
    if isinstance(error, InputError):
        return RefusalError(422, "option", str(error))
    if isinstance(error, NotFiniteError):
        return RefusalError(422, "not-finite", str(error))
    if isinstance(error, MissingExtraError):
        return RefusalError(415, "format", f"this server cannot read that format: {error.name} is not installed")
    if isinstance(error, DeviceMemoryError | MemoryError):
        return RefusalError(503, "memory", "the server has not enough memory for this; send a smaller picture")
    if isinstance(error, EdgevisionError):
        return RefusalError(503, "device", str(error))
    return RefusalError(FAULT, "fault", f"a fault of the server ({type(error).__name__}), which its log describes")
