"""The task ``translate``, served."""

from edgevision.runtime.tasks.restoration.served import ServedRestoration
from edgevision.runtime.tasks.served import InBrowser

TRANSLATE = ServedRestoration(options=("quality",), browser=InBrowser(module="restore", options=("quality",)))
