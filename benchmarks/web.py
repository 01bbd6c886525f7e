"""Sites of `edgevision web` in a Chromium without a window: time to the first use, memory, int8 beside float32.

    python benchmarks/web.py MODEL... [--visits 3] [--against FLOAT] [--first-in-line]

Of each model a site is written and visited twice by a browser that has never seen it, from a server on this machine:
how long it takes until the page shows its tasks, and until the model is open and right, so that it answers. Then its
samples run in WebAssembly as edgevision verify runs them. The wall clock of a machine that is shared says little; the
ratio of two forms that are measured in turn says more. --against is the float32 form of the models, which is then
measured before and after each. --first-in-line gives the browser the processor before all others (Linux, root), as if
it were alone.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgevision.runtime.shipped_models import resolve_model
from edgevision.runtime.web.browser import local_server, open_chromium
from edgevision.runtime.web.site import build_site
from edgevision.runtime.web.verification import BackendProof, ModelProof, verify_site

_PATIENCE_MS = 600_000
_SETTLED = 2.0

_READY = """async () => {
  for (;;) {
    const [mark] = performance.getEntriesByName("edgevision: the first model is open");
    if (mark) return performance.timeOrigin + mark.startTime;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}"""


def visit(context: Any, address: str, *, first_in_line: bool) -> tuple[float, float]:
    """Seconds until the page shows its tasks, and until its first model answers."""
    page = context.new_page()
    page.set_default_timeout(_PATIENCE_MS)
    # An empty tab is not a part of it.
    time.sleep(_SETTLED)
    if first_in_line:
        for process in descendants(os.getpid()):
            Path(f"/proc/{process}/autogroup").write_text("-19")
    began = time.time()
    page.goto(address, wait_until="commit")
    page.wait_for_selector("#task-choices label")
    shown = time.time() - began
    ready = page.evaluate(_READY) / 1000 - began
    # The files are kept for the second visit meanwhile.
    time.sleep(_SETTLED)
    page.close()
    return shown, ready


def descendants(process: int) -> list[int]:
    """A process and all that it and those have started."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return [process, *(each for child in children for each in descendants(child))]


def in_webassembly(site: Path) -> tuple[ModelProof, BackendProof]:
    """The proof of a site's only model."""
    (model,) = verify_site(site, webgpu=False).models
    return model, model.backends[0]


def seconds(visits: Sequence[tuple[float, float]]) -> str:
    """The medians of several visits."""
    shown, ready = (statistics.median(times) for times in zip(*visits, strict=True))
    return f"page {shown:.2f} s, model {ready:.2f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--visits", type=int, default=3)
    parser.add_argument("--against")
    parser.add_argument("--first-in-line", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder) / "reference"
        if arguments.against:
            build_site([resolve_model(arguments.against)], reference)
        for number, name in enumerate(arguments.models):
            site = Path(folder) / str(number)
            path = resolve_model(name)
            build_site([path], site)
            with local_server(site) as address, open_chromium(webgpu=False) as browser:
                visits = []
                for _ in range(arguments.visits):
                    context = browser.new_context()
                    visits.append([visit(context, address, first_in_line=arguments.first_in_line) for _ in range(2)])
                    context.close()
            beside = []
            for _ in range(arguments.visits):
                if arguments.against:
                    beside.append(in_webassembly(reference)[1].milliseconds or 0.0)
                model, proof = in_webassembly(site)
                beside.append(proof.milliseconds or 0.0)
            own = beside[1::2] if arguments.against else beside
            figures = [
                f"{path.name}, {path.stat().st_size / 1e6:.2f} MB",
                *(
                    f"{name} visit: {seconds(each)}"
                    for name, each in zip(("first", "second"), zip(*visits, strict=True), strict=True)
                ),
                f"{min(own):.1f} ms a sample ({proof.threads} threads)",
                "exact" if proof.sqnr_db is None else f"{proof.sqnr_db:.1f} dB",
                f"peak {(model.peak_bytes or 0) / 1e6:.0f} MB",
            ]
            if arguments.against:
                ratios = [float32 / form for float32, form in zip(beside[::2], own, strict=True)]
                figures.append(
                    f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) times as fast"
                )
            print("; ".join(figures))


if __name__ == "__main__":
    main()
