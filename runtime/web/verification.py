"""Whether a site computes in a browser what its models computed where it was made."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from edgevision.core.errors import InputError, ParityError
from edgevision.core.printable import shown
from edgevision.core.records import Record, record
from edgevision.runtime.web.browser import local_server, open_chromium, peak_memory
from edgevision.runtime.web.site import DESCRIPTION, SITE_SCHEMA

_PATIENCE_MS = 600_000
_PAGE_PATIENCE_MS = 120_000
_LOOK_EVERY_MS = 500

# The page's own proof, of one model after the other.
_PROVE = """async (name) => {
  const { ProvenModel } = await import(new URL("local/proven_model.js", location.href));
  const site = await (await fetch("site.json")).json();
  const model = site.models.find((each) => each.name === name);
  const proven = new ProvenModel({ ...site, address: new URL("./", location.href).href }, model, () => {});
  const rows = await proven.proof();
  proven.abort();
  return rows;
}"""

_ISOLATE = """async () => {
  await navigator.serviceWorker?.register("sw.js").catch(() => null);
  if (await navigator.serviceWorker?.getRegistration()) await navigator.serviceWorker.ready;
}"""


@record
class BackendProof(Record):
    """One backend for one model.

    ``reason`` says why it is not ``used``. The figures are missing where it did not run: on ``samples`` the worst
    ``sqnr_db`` of the outputs (``None`` for no difference), the share of samples whose largest output is the same, in
    percent (of classifiers), how long it took to open the model and to compute one sample, and with how many threads.
    """

    backend: str
    used: bool
    reason: str = ""
    right: bool = False
    samples: int | None = None
    threads: int | None = None
    opened: float | None = None
    milliseconds: float | None = None
    sqnr_db: float | None = None
    agreement: float | None = None


@record
class ModelProof(Record):
    """One model of a site, on ``samples`` inputs that ``reference`` computed; ``peak_bytes`` of the page so far."""

    model: str
    samples: int
    reference: str
    backends: tuple[BackendProof, ...]
    peak_bytes: int | None = None


@record
class SiteProof(Record):
    """All models of a site in one browser."""

    schema_version: int = SITE_SCHEMA
    site: str
    version: str
    browser: str
    isolated: bool
    models: tuple[ModelProof, ...]

    def check(self) -> None:
        """Raise :class:`ParityError` where a model is right in no backend."""
        for model in self.models:
            if not any(backend.used for backend in model.backends):
                reasons = "; ".join(f"{backend.backend} {backend.reason}" for backend in model.backends)
                raise ParityError(f"{model.model!r} does not compute in {self.browser} what it should: {reasons}")

    def table(self) -> str:
        """A line for each model and backend."""
        head = ("model", "backend", "", "SQNR", "same answer", "ms a sample", "threads", "ms to open", "peak MB")
        rows = [head, *(_cells(model, backend) for model in self.models for backend in model.backends)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def is_site(path: Path) -> bool:
    """Whether ``edgevision web`` wrote this folder."""
    return (path / DESCRIPTION).is_file()


def verify_site(folder: Path, *, webgpu: bool = True) -> SiteProof:
    """Run the samples of every model of the site in a Chromium without a window, as the page does on a first visit.

    With ``webgpu`` the CPU computes that too, where there is no graphics processor.

    Raises:
        InputError: ``folder`` is no site of this release, or files of its page are missing or damaged.
        DeviceError: there is no browser to run it in.
    """
    site = _described(folder)
    with local_server(folder) as address, open_chromium(webgpu=webgpu) as browser:
        page = browser.new_context().new_page()
        page.set_default_timeout(_PATIENCE_MS)
        _open_page(page, folder, address)
        # Another document of the site, which its service worker isolates as well, and where no page proves by itself.
        page.evaluate(_ISOLATE)
        page.goto(f"{address}{DESCRIPTION}")
        proofs = []
        for model in site["models"]:
            rows = page.evaluate(_PROVE, model["name"])
            proofs.append(
                ModelProof(
                    model=model["name"],
                    samples=model["parity"]["count"],
                    reference=model["parity"]["reference"],
                    backends=tuple(BackendProof.from_dict(row) for row in rows),
                    peak_bytes=peak_memory(browser),
                )
            )
        return SiteProof(
            site=str(folder),
            version=site["version"],
            browser=f"Chromium {browser.version}",
            isolated=page.evaluate("crossOriginIsolated"),
            models=tuple(proofs),
        )


def proof_text(proof: SiteProof) -> str:
    """What a person reads of it."""
    proof = shown(proof)
    first = proof.models[0]
    return (
        f"{proof.site} in {proof.browser}{'' if proof.isolated else ', not isolated and so without threads'},"
        f" against {first.reference}:\n{proof.table()}"
    )


def _open_page(page: Any, folder: Path, address: str) -> None:
    """Wait until the page offers its tasks, which it never does where one of its files is missing or damaged."""
    from playwright.sync_api import TimeoutError

    faults: list[str] = []

    def look(response: Any) -> None:
        if not response.ok and response.request.resource_type in ("document", "script"):
            faults.append(f"lacks {response.url.removeprefix(address)!r}")

    page.on("response", look)
    page.on("pageerror", lambda error: faults.append(f"fails: {error.message.splitlines()[0]}"))
    page.goto(f"{address}index.html")
    for _ in range(_PAGE_PATIENCE_MS // _LOOK_EVERY_MS):
        # Waiting outlives that the page loads itself again, which it does to be isolated.
        with suppress(TimeoutError):
            page.wait_for_selector("#task-choices label", timeout=_LOOK_EVERY_MS)
            return
        if faults:
            break
    fault = faults[0] if faults else "does not offer its tasks"
    raise InputError(f"the page in {str(folder)!r} {fault}; write the site again")


def _described(folder: Path) -> Any:
    if not is_site(folder):
        raise InputError(f"{str(folder)!r} is no site of edgevision web: it has no {DESCRIPTION}")
    try:
        site = json.loads((folder / DESCRIPTION).read_text("utf-8"))
        schema = site["schema_version"]
        names = [model["name"] for model in site["models"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{str(folder / DESCRIPTION)!r} is damaged: {error!r}; write the site again") from error
    if schema != SITE_SCHEMA or not names:
        raise InputError(f"{str(folder)!r} is a site of schema {schema!r}, and this release knows {SITE_SCHEMA}")
    return site


def _cells(model: ModelProof, proof: BackendProof) -> tuple[str, ...]:
    verdict = "used" if proof.used else f"not used: {proof.reason}"
    if proof.milliseconds is None:
        return (model.model, proof.backend, verdict, *[""] * 6)
    return (
        model.model,
        proof.backend,
        verdict,
        "exact" if proof.sqnr_db is None else f"{proof.sqnr_db:.1f} dB",
        "" if proof.agreement is None else f"{proof.agreement:.0f} %",
        f"{proof.milliseconds:.1f}",
        "" if proof.threads is None else str(proof.threads),
        "" if proof.opened is None else f"{proof.opened:.0f}",
        "" if model.peak_bytes is None else f"{model.peak_bytes / 1e6:.0f}",
    )
