"""Model files that are named by where they lie on the web, as ``hf:org/repo/model.onnx@rev``: downloaded once.

A file is fetched only where a user names it so, over https alone, and never twice: it stays in the cache under its
address, with its SHA-256, which is held against it at each use.
"""

import logging
import os
import re
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from edgevision.core.atomic_files import atomic_file
from edgevision.core.errors import InputError, ModelFileError
from edgevision.core.printable import shortened
from edgevision.core.user_cache import user_cache

if TYPE_CHECKING:
    from http.client import HTTPResponse

_log = logging.getLogger(__name__)

_LARGEST = 4 << 30
_PIECE = 1 << 20
_PATIENCE = 30.0
"""Seconds that a server may be silent."""

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")
_LIBRARIES = ("timm", "torchvision")
_OF_TWO_FILES = (".xml", ".bin", ".param")
_ON_THE_WEB = re.compile(r"https?:/+(?P<rest>.*)", re.DOTALL)


class ModelReference(NamedTuple):
    """A file on the web.

    Attributes:
        given: what the user wrote.
        address: where it lies.
        name: of the file.
        digest: its SHA-256 in hexadecimal digits; ``None`` where the user did not say it.
    """

    given: str
    address: str
    name: str
    digest: str | None


class LibraryReference(NamedTuple):
    """A network of an installed library.

    Attributes:
        given: what the user wrote.
        library: ``timm`` or ``torchvision``.
        name: of the network there.
    """

    given: str
    library: str
    name: str


def library_reference(model: str | os.PathLike[str]) -> LibraryReference | None:
    """What ``timm:NAME`` or ``torchvision:NAME`` stands for; ``None`` where it names something else."""
    given = os.fspath(model)
    library, colon, name = given.partition(":")
    return LibraryReference(given, library, name) if colon and name and library in _LIBRARIES else None


def is_reference(model: str | os.PathLike[str]) -> bool:
    """Whether that names a file on the web rather than one on disk."""
    return os.fspath(model).startswith(("hf:", "https:/", "http:/"))


def parse_reference(model: str | os.PathLike[str]) -> ModelReference:
    """What ``hf:ORG/REPO/PATH[@REV][#sha256=HEX]`` or ``https://...[#sha256=HEX]`` stands for.

    Raises:
        InputError: it is neither, or not over https; a server on this machine needs none.
    """
    from urllib.parse import quote, unquote, urlsplit

    given = os.fspath(model)
    place, _, fragment = given.partition("#")
    digest = None
    if fragment:
        key, _, digest = fragment.partition("=")
        if key != "sha256" or not re.fullmatch("[0-9a-fA-F]{64}", digest):
            raise InputError(f"behind # stands sha256= with 64 hexadecimal digits, not {shortened(fragment)}")
    if place.startswith("hf:"):
        path, _, revision = place.removeprefix("hf:").partition("@")
        parts = path.split("/")
        if len(parts) < 3 or not all(part.strip(".") for part in parts):
            raise InputError(f"a model of Hugging Face is hf:ORG/REPO/FILE.onnx, with @REV, not {shortened(given)}")
        host = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
        folders = f"{quote('/'.join(parts[:2]))}/resolve/{quote(revision or 'main', safe='')}"
        place = f"{host.rstrip('/')}/{folders}/{quote('/'.join(parts[2:]))}"
    elif found := _ON_THE_WEB.fullmatch(place):
        # A path has one slash where an address has two.
        place = f"{place.partition(':')[0]}://{found['rest']}"
    try:
        parsed = urlsplit(place)
        host = parsed.hostname or ""
    except ValueError as error:
        raise InputError(f"{shortened(given)} is no address: {error}") from error
    if parsed.username is not None or parsed.password is not None:
        raise InputError("an address with a user's name or password is not used; download the file by other means")
    _check_address(place)
    name = unquote(parsed.path).rpartition("/")[2]
    if not host or not re.fullmatch(r"[\w.+-]+\.\w+", name, re.ASCII) or name.startswith("."):
        raise InputError(f"{shortened(given)} does not end in the name of a model file, as model.onnx")
    if Path(name).suffix.lower() in _OF_TWO_FILES:
        raise InputError(f"{name!r} is one of two files that belong together; download both and name the first")
    return ModelReference(given, place, name, digest.lower() if digest else None)


def local_file(model: str | os.PathLike[str]) -> Path:
    """The file of a reference: from the cache, else downloaded into it.

    Raises:
        InputError: no reference, nothing there, too large, or not to be had offline.
        ModelFileError: it is not what its SHA-256 says, or no model but a page.
        OutputError, DiskFullError: the cache cannot be written.
    """
    reference = parse_reference(model)
    folder = user_cache() / "models" / sha256(reference.address.encode()).hexdigest()[:20]
    file, record = folder / reference.name, folder / f"{reference.name}.sha256"
    if file.is_file() and record.is_file():
        known = record.read_text("utf-8").strip()
        with file.open("rb") as content:
            actual = file_digest(content, "sha256").hexdigest()
        if actual != known:
            raise ModelFileError(
                f"{str(file)!r} was changed after it was downloaded: sha256={actual}, not {known}; remove its folder"
            )
        _check_digest(reference, actual)
        return file
    if os.environ.get("EDGEVISION_OFFLINE", "") not in ("", "0"):
        raise InputError(
            f"{shortened(reference.given)} is not in the cache, and EDGEVISION_OFFLINE forbids to fetch it"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the cache {str(folder)!r} cannot be made: {error.strerror}; set EDGEVISION_CACHE") from error
    try:
        with atomic_file(file) as temporary:
            with temporary.open("wb") as output:
                actual, size = _download(reference, output)
            _check_digest(reference, actual)
        with atomic_file(record) as temporary:
            temporary.write_text(actual + "\n", "utf-8")
    except BaseException:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        raise
    _log.warning(
        "downloaded %s, %.2f MB, to %s%s",
        reference.address,
        size / 1e6,
        file,
        "" if reference.digest else f"; to be sure of it next time, name it with #sha256={actual}",
    )
    return file


def _check_digest(reference: ModelReference, actual: str) -> None:
    if reference.digest is not None and actual != reference.digest:
        raise ModelFileError(f"{reference.address} is not what was named: its sha256 is {actual}")


def _check_address(address: str) -> None:
    from urllib.parse import urlsplit

    parsed = urlsplit(address)
    if parsed.scheme != "https" and not (parsed.scheme == "http" and parsed.hostname in _LOOPBACK):
        raise InputError(f"models are fetched over https only, not from {shortened(address)}")


def _download(reference: ModelReference, output: BinaryIO) -> tuple[str, int]:
    """Its SHA-256 and its size in bytes."""
    from http.client import HTTPException

    try:
        with _open(reference) as response:
            said = response.headers.get("Content-Length", "")
            if said.isdigit() and int(said) > _LARGEST:
                raise _too_large()
            digest, size = sha256(), 0
            while piece := response.read(_PIECE):
                if size == 0:
                    _check_content(reference, piece)
                size += len(piece)
                if size > _LARGEST:
                    raise _too_large()
                digest.update(piece)
                output.write(piece)
            if said.isdigit() and size != int(said):
                raise InputError(f"{reference.address} broke off after {size} of {said} bytes; try again")
    except (TimeoutError, HTTPException, ConnectionError) as error:
        raise InputError(f"{reference.address} broke off: {error or type(error).__name__}; try again") from error
    return digest.hexdigest(), size


def _open(reference: ModelReference) -> "HTTPResponse":
    from urllib.error import HTTPError, URLError
    from urllib.parse import urlsplit
    from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

    class CheckedRedirects(HTTPRedirectHandler):
        """They may lead to no address that could not have been named."""

        def redirect_request(self, *request: Any) -> Request | None:
            _check_address(request[-1])
            return super().redirect_request(*request)

    on_this_machine = urlsplit(reference.address).hostname in _LOOPBACK
    opener = build_opener(CheckedRedirects, *([ProxyHandler({})] if on_this_machine else []))
    request = Request(reference.address, headers={"User-Agent": "edgevision", "Accept-Encoding": "identity"})
    try:
        response: HTTPResponse = opener.open(request, timeout=_PATIENCE)
    except HTTPError as error:
        login = "; what needs a login has to be downloaded by other means" if error.code in (401, 403) else ""
        raise InputError(f"{reference.address} is not to be had: {error.code} {error.reason}{login}") from error
    except URLError as error:
        raise InputError(
            f"{reference.address} cannot be reached: {error.reason}; download it by other means and name the file"
        ) from error
    except ValueError as error:
        raise InputError(f"{shortened(reference.given)} is no address: {error}") from error
    return response


def _check_content(reference: ModelReference, beginning: bytes) -> None:
    """Refuse what servers send in place of a file."""
    text = beginning[:200].lstrip().lower()
    if text.startswith((b"<!doctype", b"<html")):
        raise ModelFileError(f"{reference.address} is a page, not a file; name the address that downloads it")
    if text.startswith(b"version https://git-lfs"):
        raise ModelFileError(f"{reference.address} is a pointer of Git LFS, not the file; name where that is kept")


def _too_large() -> InputError:
    return InputError(f"models of more than {_LARGEST / 1e9:.1f} GB are not fetched; download it and name the file")
