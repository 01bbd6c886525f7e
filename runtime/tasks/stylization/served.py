"""The task ``stylize``, served."""

from edgevision.runtime.tasks.restoration.served import ServedRestoration
from edgevision.runtime.tasks.served import InBrowser

_OPTIONS = ("style", "strength", "quality")

STYLIZE = ServedRestoration(options=_OPTIONS, browser=InBrowser(module="restore", options=_OPTIONS))
