"""The task ``stylize``, served."""

from edgevision.runtime.tasks.restoration.served import ServedRestoration

STYLIZE = ServedRestoration(
    options=("style", "strength", "quality"), not_in_browser="its shares of styles are not in its page"
)
