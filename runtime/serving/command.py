"""The verb ``edgevision serve``."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import DeviceOption, FallbackOption, QuietOption, ThreadsOption
from edgevision.cli.output import echo
from edgevision.cli.values import parse_size, parse_time
from edgevision.core.errors import InputError
from edgevision.core.extras import requires_extra
from edgevision.core.regular_files import read_text_file
from edgevision.runtime.model_options import models_argument
from edgevision.runtime.serving.settings import LOOPBACK, ServerSettings

_SHORTEST_TOKEN = 16


@dataclass(frozen=True, kw_only=True)
class _Address:
    """Where to listen, and to whom."""

    panel: ClassVar[str] = "Address and access"

    host: Annotated[str, typer.Option(help="Where to listen; another than this machine needs --token or --open.")] = (
        "127.0.0.1"
    )
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes one that is free.")] = 8000
    token: Annotated[
        str | None, typer.Option(help="What requests have to bring along; better in --token-file, as others see this.")
    ] = None
    token_file: Annotated[Path | None, typer.Option(help="File whose first line is the token.")] = None
    open_to_all: Annotated[bool, typer.Option("--open", help="Serve whoever can reach --host, without a token.")] = (
        False
    )
    origins: Annotated[
        list[str],
        typer.Option("--allow-origin", help="Another server whose pages may ask, as https://example.org; repeatable."),
    ] = ()  # type: ignore[assignment]  # a tuple stands for no list, which could be changed
    certificate: Annotated[Path | None, typer.Option("--cert", help="Certificate for TLS, in PEM.")] = None
    key: Annotated[Path | None, typer.Option(help="Its key.")] = None


@dataclass(frozen=True, kw_only=True)
class _Limits:
    """How much of everything."""

    panel: ClassVar[str] = "Limits"

    max_bytes: Annotated[str, typer.Option(help="Of a request.")] = "32MB"
    max_pixels: Annotated[
        int, typer.Option(min=1024, max=1 << 30, help="Of a picture that is sent or would be made.")
    ] = 50_000_000
    max_batch: Annotated[
        int, typer.Option(min=1, max=256, help="Most requests at once through a network that answers them alike.")
    ] = 8
    max_wait: Annotated[str, typer.Option(help="How long a batch waits for requests that are on their way.")] = "5ms"
    queue: Annotated[
        int, typer.Option(min=1, max=100_000, help="Most requests of a task at once; others are told to come again.")
    ] = 64
    connections: Annotated[int, typer.Option(min=1, max=100_000, help="Most connections at once, in each process.")] = (
        512
    )
    timeout: Annotated[str, typer.Option(help="After which a request is given up.")] = "2m"
    idle_unload: Annotated[
        str | None, typer.Option(help="After which a model that nobody asks is closed, as 10m.", show_default="never")
    ] = None
    memory: Annotated[
        str | None,
        typer.Option(
            help="Of a process, as 2GB: above it models that wait are closed, the least recently used first.",
            show_default="no limit",
        ),
    ] = None
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that share the port.")] = 1


@option_groups
def serve(
    models: Annotated[
        list[Path] | None,
        models_argument("Model files, or names of those that ship; without any all that ship are served."),
    ] = None,
    *,
    address: _Address,
    limits: _Limits,
    device: DeviceOption = "cpu",
    allow_fallback: FallbackOption = False,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Answer requests over HTTP, and show a page that asks them: the same models, options and answers as run.

    It listens to this machine only, unless --host says otherwise. Ctrl-C ends it when what runs is finished.

    Examples:
        edgevision serve
        edgevision serve mine.onnx --port 9000 --workers 2
        edgevision serve --host 0.0.0.0 --token-file token.txt --cert cert.pem --key key.pem
    """
    settings = _settings(models or [], address, limits, device, threads, allow_fallback=allow_fallback)
    with requires_extra("serve"):
        from edgevision.runtime.serving.processes import listening_socket, serve_by_workers, serve_here
    from edgevision.runtime.serving.catalogue import open_catalogue

    catalogue = open_catalogue(settings.models)
    with listening_socket(settings) as listener:
        if not quiet:
            scheme = "http" if settings.certificate is None else "https"
            host, port = listener.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            echo(f"{len(catalogue.models)} models at {scheme}://{shown}:{port} (Ctrl-C ends)", err=True)
        if settings.workers > 1:
            serve_by_workers(listener, settings)
        else:
            serve_here(listener, settings, catalogue)


def _settings(
    models: list[Path],
    address: _Address,
    limits: _Limits,
    device: str,
    threads: int | None,
    *,
    allow_fallback: bool,
) -> ServerSettings:
    if (address.certificate is None) != (address.key is None):
        raise InputError("TLS takes both, --cert and --key")
    for origin in address.origins:
        if not origin.startswith(("http://", "https://")) or origin.count("/") != 2:
            raise InputError(f"--allow-origin is a scheme and a host, as https://example.org, not {origin!r}")
    for path in (address.certificate, address.key):
        if path is not None and not path.is_file():
            raise InputError(f"{str(path)!r} does not exist")
    if address.certificate is not None:
        _check_certificate(address.certificate, address.key)
    timeout = parse_time(limits.timeout, "--timeout")
    if timeout <= 0:
        raise InputError("--timeout is above zero, as in no time nothing is answered")
    return ServerSettings(
        models=tuple(models),
        device=device,
        threads=threads,
        allow_fallback=allow_fallback,
        host=address.host,
        port=address.port,
        token=_token(address),
        origins=tuple(address.origins),
        certificate=address.certificate,
        key=address.key,
        max_bytes=parse_size(limits.max_bytes, "--max-bytes"),
        max_pixels=limits.max_pixels,
        max_batch=limits.max_batch,
        max_wait=parse_time(limits.max_wait, "--max-wait"),
        queue=limits.queue,
        connections=limits.connections,
        timeout=timeout,
        idle_unload=None if limits.idle_unload is None else parse_time(limits.idle_unload, "--idle-unload"),
        memory=None if limits.memory is None else parse_size(limits.memory, "--memory"),
        workers=limits.workers,
    )


def _check_certificate(certificate: Path, key: Path | None) -> None:
    """Refuse what TLS cannot be spoken with before anything listens."""
    import ssl

    try:
        # Without a password OpenSSL would ask for one at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, OSError) as error:
        raise InputError(
            f"{str(certificate)!r} and {str(key)!r} are not a certificate and its key in PEM, without a password"
        ) from error


def _token(address: _Address) -> str | None:
    """The token, and no server that is open by mistake."""
    if address.token is not None and address.token_file is not None:
        raise InputError("--token and --token-file exclude each other")
    token = address.token
    if address.token_file is not None:
        token = read_text_file(address.token_file, "a token").partition("\n")[0].strip()
    if token is not None and re.fullmatch(rf"[!-~]{{{_SHORTEST_TOKEN},512}}", token) is None:
        raise InputError(f"a token is from {_SHORTEST_TOKEN} to 512 letters, digits and signs of ASCII")
    if token is None and not address.open_to_all and address.host not in LOOPBACK:
        raise InputError(
            f"at {address.host!r} others reach this server: give it a --token-file, or say --open if all may use it"
        )
    return token
