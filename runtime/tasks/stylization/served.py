"""The task ``stylize``, served."""

from edgevision.runtime.tasks.restoration.served import ServedRestoration

STYLIZE = ServedRestoration(options=("style", "strength", "quality"))
