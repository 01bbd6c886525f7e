"""The task ``translate``, served."""

from edgevision.runtime.tasks.restoration.served import ServedRestoration

TRANSLATE = ServedRestoration(options=("quality",))
