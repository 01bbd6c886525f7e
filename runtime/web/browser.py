"""A Chromium without a window, and a site on this machine for it to open."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from edgevision.core.errors import DeviceError
from edgevision.core.extras import requires_extra

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")

# Without a graphics processor WebGPU is computed by the CPU: slow, but it shows whether it is right.
_SOFTWARE_WEBGPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")


@contextmanager
def open_chromium(*, webgpu: bool) -> Iterator[Any]:
    """Playwright's browser, with a WebGPU that the CPU computes or without.

    Raises:
        MissingExtraError: Playwright is not installed.
        DeviceError: there is no Chromium, or it does not start.
    """
    with requires_extra("web"):
        from playwright.sync_api import Error, sync_playwright
    with sync_playwright() as driver:
        program = next(filter(None, map(shutil.which, _PROGRAMS)), None) or driver.chromium.executable_path
        if not Path(program).is_file():
            raise DeviceError(
                "there is no Chromium or Chrome on this machine; install the system's chromium, or run"
                " playwright install chromium"
            )
        try:
            browser = driver.chromium.launch(executable_path=program, args=list(_SOFTWARE_WEBGPU) if webgpu else [])
        except Error as error:
            raise DeviceError(f"{program} does not start: {error.message.splitlines()[0]}") from error
        try:
            yield browser
        finally:
            browser.close()


class _Files(SimpleHTTPRequestHandler):
    # Not as the machine has them, on which a script may be plain text.
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".wasm": "application/wasm",
        ".json": "application/json",
    }

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    # A page asks for dozens of files at once.
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing where a page has gone before it had all."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def local_server(folder: Path) -> Iterator[str]:
    """The address of ``folder`` on this machine."""
    with _Server(("127.0.0.1", 0), partial(_Files, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def peak_memory(browser: Any) -> int | None:
    """The most bytes that a process of its pages has held so far; ``None`` where the system does not tell."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    peaks = [_peak_of(process["id"]) for process in processes if process["type"] == "renderer"]
    return max((peak for peak in peaks if peak is not None), default=None)


def _peak_of(process: int) -> int | None:
    try:
        status = Path(f"/proc/{process}/status").read_text("utf-8")
    except OSError:
        return None
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return 1024 * int(lines["VmHWM"].split()[0]) if "VmHWM" in lines else None
