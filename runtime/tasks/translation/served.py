"""The task ``translate``, served."""

from edgevision.runtime.tasks.restoration.served import ServedRestoration

TRANSLATE = ServedRestoration(options=("quality",), not_in_browser="its page keeps gray pictures gray")
